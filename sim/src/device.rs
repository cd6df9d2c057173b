//! A device: the client machine, its local database, and an application that sends, reads and asks.

mod events;
mod revocation;
mod social;

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use bytes::Bytes;
use iris_client_core::{
    ClientCore, Config, HistoryQuestion, NewMessage, Now, Output, QueryNumber, SendNumber, StoreOperation,
};
use iris_history::{Device, Fact, HistoryFact, LoginFact, Message, SendFact};
use iris_protocol::Versions;
use iris_types::limits::ID_AHEAD_MS_MAX;
use iris_types::request::HistoryFrom;
use iris_types::{Body, BodyKind, DeviceId, MessageId, Seq, Target, UserId};

use self::revocation::Standing;
use crate::database::Database;
use crate::inventory::Inventory;
use crate::network::{LinkId, pieces};
use crate::recorder::hash_of;
use crate::tap::Owner;
use crate::world::{Event, World};

/// One device, over all its incarnations.
pub(crate) struct DeviceProcess {
    pub(crate) user: UserId,
    pub(crate) name: DeviceId,
    pub(crate) device: Device,
    pub(crate) incarnation: u32,
    pub(crate) core: Option<ClientCore>,
    pub(crate) database: Database,
    pub(crate) link: Option<LinkId>,
    pub(crate) skew_ms: i64,
    pub(crate) versions: Versions,
    pub(crate) synced: bool,
    /// The last fresh device's task; ordinary devices have none.
    pub(crate) inventory: Option<Inventory>,
    pub(crate) tally: Tally,
    pub(crate) standing: Standing,
    /// Closed, and nobody opens it for now.
    pub(crate) is_asleep: bool,
    /// Conversations in which something was shown, and how far.
    pub(crate) known: BTreeMap<Target, Seq>,
    attempt: u64,
    tick_at: Option<u64>,
    stored_at: u64,
    /// By the database's own number: kept over restarts, as the database is.
    sends: BTreeMap<SendNumber, Message>,
    readings: BTreeMap<QueryNumber, Reading>,
}

/// The device's own count of its sends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) attempted: u64,
    pub(crate) acked: u64,
    pub(crate) refused: u64,
}

/// A question about a conversation that runs.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) number: u32,
    /// Whether it would reach both ends of the conversation, if nothing more were said.
    pub(crate) from: HistoryFrom,
}

impl DeviceProcess {
    pub(crate) fn new(
        user: UserId,
        name: DeviceId,
        device: Device,
        skew_ms: i64,
        versions: Versions,
    ) -> Self {
        Self {
            user,
            name,
            device,
            incarnation: 0,
            core: None,
            database: Database::default(),
            link: None,
            skew_ms,
            versions,
            synced: false,
            inventory: None,
            tally: Tally::default(),
            standing: Standing::default(),
            is_asleep: false,
            known: BTreeMap::new(),
            attempt: 0,
            tick_at: None,
            stored_at: 0,
            sends: BTreeMap::new(),
            readings: BTreeMap::new(),
        }
    }

    /// In words, for a failure's report.
    pub(crate) fn state(&self) -> String {
        let name = format!("{}/{}", self.user, self.name);
        match &self.core {
            None => format!("{name} is down"),
            Some(core) => format!(
                "{name} ready {} synced {} idle {} outbox {} stored {}",
                core.is_ready(),
                self.synced,
                core.is_idle(),
                core.unsettled(),
                self.database.is_settled()
            ),
        }
    }

    /// Revoked, and it tries no more.
    pub(crate) fn is_retired(&self) -> bool {
        self.standing.is_revoked && self.core.is_none()
    }

    /// Nothing to send, store or ask, and all that the inbox held was given out.
    pub(crate) fn is_settled(&self) -> bool {
        if self.is_retired() || self.is_asleep {
            return true;
        }
        let core_rests = self.core.as_ref().is_some_and(|core| core.is_ready() && core.is_idle());
        core_rests && self.synced && self.database.is_settled()
    }
}

impl World {
    pub(crate) fn start_device(&mut self, index: usize) {
        let seed = self.random.u64(..);
        let window = self.options.window;
        let Some(process) = self.devices.get_mut(index) else { return };
        if process.core.is_some() || process.standing.is_revoked && !self.is_traffic {
            return;
        }
        let config = Config {
            versions: process.versions,
            window,
            ..Config::new(process.user.clone(), process.name.clone())
        };
        process.core = Some(ClientCore::new(config, process.database.restored(), seed));
        self.device_turn(index);
    }

    /// The application dies, and comes back.
    pub(crate) fn crash_device(&mut self, index: usize, back_in_ms: u64) {
        let Some(process) = self.devices.get_mut(index) else { return };
        if process.core.take().is_none() {
            return;
        }
        process.database.crash();
        process.incarnation += 1;
        process.synced = false;
        process.tick_at = None;
        process.readings.clear();
        process.standing.crash();
        let (device, cursor) = (process.device, process.database.cursor());
        let incarnation = process.incarnation;
        self.recorder.note(|| format!("device {} dies", device.0));
        self.recorder.fact(device, incarnation, Fact::Stored { up_to: cursor.0 });
        self.close_device_end(index);
        self.schedule(self.now + back_in_ms, Event::DeviceStart { device: index });
    }

    pub(crate) fn connect_device(&mut self, index: usize, incarnation: u32, attempt: u64) {
        let Some(process) = self.devices.get(index) else { return };
        if process.incarnation != incarnation || process.attempt != attempt || process.core.is_none() {
            return;
        }
        self.close_device_end(index);
        let delay = self.latency();
        if !self.server.accepts() {
            self.schedule(self.now + delay, Event::ConnectFailed { device: index, incarnation, attempt });
            return;
        }
        let (life, issued_at) = (self.server.life, self.wall(0).0);
        let link = self.network.open(index, life, issued_at);
        if let Some(process) = self.devices.get_mut(index) {
            process.link = Some(link);
        }
        self.accept(link);
        self.schedule(self.now + delay, Event::LinkUp { link });
    }

    pub(crate) fn connect_failed(&mut self, index: usize, incarnation: u32, attempt: u64) {
        let now = self.device_now(index);
        let Some(process) = self.devices.get_mut(index) else { return };
        if process.incarnation == incarnation
            && process.attempt == attempt
            && let Some(core) = &mut process.core
        {
            core.disconnected(now);
            self.device_turn(index);
        }
    }

    pub(crate) fn link_up(&mut self, link: LinkId) {
        let Some(open) = self.network.links.get(&link).filter(|open| open.device_open) else { return };
        let (index, issued_at) = (open.device, open.issued_at);
        let now = self.device_now(index);
        let Some(process) = self.devices.get_mut(index) else { return };
        let token = format!("{} {issued_at}", process.user);
        if let Some(core) = &mut process.core {
            core.connected(Bytes::from(token), now);
            self.device_turn(index);
        }
    }

    pub(crate) fn device_tick(&mut self, index: usize) {
        let now = self.now;
        if let Some(process) = self.devices.get_mut(index)
            && process.tick_at == Some(now)
        {
            process.tick_at = None;
            self.device_turn(index);
        }
    }

    pub(crate) fn device_stored(&mut self, index: usize, incarnation: u32) {
        let Some(process) = self.devices.get_mut(index) else { return };
        if process.incarnation != incarnation {
            return;
        }
        let before = process.database.cursor();
        let Some(token) = process.database.apply_next() else { return };
        let (device, cursor) = (process.device, process.database.cursor());
        if let Some(core) = &mut process.core {
            core.stored(token);
        }
        if cursor != before {
            self.recorder.fact(device, incarnation, Fact::Stored { up_to: cursor.0 });
        }
        self.device_turn(index);
    }

    pub(crate) fn device_receives(&mut self, link: LinkId, bytes: &[u8]) {
        let Some(open) = self.network.links.get_mut(&link) else { return };
        if open.cut || !open.device_open {
            return;
        }
        let index = open.device;
        let now = self.device_now(index);
        let (Some(process), Some(open)) = (self.devices.get_mut(index), self.network.links.get_mut(&link))
        else {
            return;
        };
        let owner = Owner {
            device: process.device,
            incarnation: process.incarnation,
            user: &process.user,
            issued_at: open.issued_at,
        };
        open.tap.incoming(bytes, &owner, &mut self.recorder);
        if let Some(core) = &mut process.core {
            core.received(bytes, now);
            self.device_turn(index);
        }
    }

    pub(crate) fn device_sees_end(&mut self, link: LinkId) {
        let Some(open) = self.network.links.get(&link).filter(|open| open.device_open) else { return };
        let index = open.device;
        self.close_device_end(index);
        let now = self.device_now(index);
        if let Some(core) = self.devices.get_mut(index).and_then(|process| process.core.as_mut()) {
            core.disconnected(now);
            self.device_turn(index);
        }
    }

    /// The application does something.
    pub(crate) fn act(&mut self, index: usize) {
        if !self.is_traffic {
            return;
        }
        let pace = self.options.pace_ms;
        let next = self.now + self.random.u64(1..=2 * pace);
        self.schedule(next, Event::Act { device: index });
        if self.random.u8(..100) < self.options.social_per_cent {
            self.act_socially(index);
            return self.device_turn(index);
        }
        match self.random.u8(..12) {
            0 => self.ask_history(index),
            1 => self.ask_conversations(index),
            _ => {
                for _ in 0..self.random.u64(1..=self.options.burst_max) {
                    self.send_something(index);
                }
            }
        }
        self.device_turn(index);
    }

    pub(crate) fn send(&mut self, index: usize, to: Target, body: Body, id: Option<MessageId>) {
        let now = self.device_now(index);
        let Some(process) = self.devices.get_mut(index) else { return };
        let Some(core) = &mut process.core else { return };
        let message = NewMessage { to: to.clone(), body: body.clone(), id, reference: None };
        let Ok(number) = core.send(message, now) else { return };
        if let Some(inventory) = &mut process.inventory {
            inventory.repeats(number, id, &body);
            return;
        }
        process.tally.attempted += 1;
        let message = self.recorder.history.unnamed_message();
        if let Some(id) = id {
            self.recorder.history.name_message(message, id);
        }
        process.sends.insert(number, message);
        self.sent.insert(message, (to.clone(), body.clone()));
        let (device, incarnation) = (process.device, process.incarnation);
        let to = self.recorder.history.addressee(&to);
        let fact = SendFact::Invoke { message, to, body: hash_of(&body) };
        self.recorder.fact(device, incarnation, Fact::Send(fact));
    }

    pub(crate) fn read(&mut self, index: usize, with: &Target, from: HistoryFrom, limit: u64) {
        let reading_number = u32::try_from(self.recorder.history.records.len()).unwrap_or(u32::MAX);
        let Some(process) = self.devices.get_mut(index) else { return };
        let (Some(core), Some(limit)) = (&mut process.core, NonZeroU64::new(limit)) else { return };
        let Ok(query) = core.history(HistoryQuestion { with: with.clone(), from, limit }) else { return };
        let reading = Reading { number: reading_number, from };
        process.readings.insert(query, reading);
        let (device, incarnation) = (process.device, process.incarnation);
        let with = self.recorder.history.addressee(with);
        let fact = HistoryFact::Invoke { reading: reading_number, with };
        self.recorder.fact(device, incarnation, Fact::History(fact));
    }

    pub(crate) fn ask_conversations(&mut self, index: usize) {
        if let Some(core) = self.devices.get_mut(index).and_then(|process| process.core.as_mut()) {
            // Too many questions is an answer, too.
            let _ = core.conversations();
        }
    }

    /// Lets the machine do what follows from what it was told.
    pub(crate) fn device_turn(&mut self, index: usize) {
        let now = self.device_now(index);
        let mut outputs = Vec::new();
        loop {
            let Some(core) = self.devices.get_mut(index).and_then(|process| process.core.as_mut()) else {
                return;
            };
            core.turn(now, &mut outputs);
            if outputs.is_empty() {
                break;
            }
            for output in outputs.drain(..) {
                self.device_output(index, output);
            }
        }
        self.transmit(index);
        self.schedule_device_tick(index);
    }

    /// Closes the device's end; what it has sent still arrives.
    pub(crate) fn close_device_end(&mut self, index: usize) {
        let Some(process) = self.devices.get_mut(index) else { return };
        let Some(id) = process.link.take() else { return };
        process.synced = false;
        let (device, incarnation) = (process.device, process.incarnation);
        let delay = self.random.u64(0..=2 * self.options.latency_ms_max);
        let late = if self.random.u8(..8) == 0 { self.random.u64(..3_000) } else { 0 };
        let Some(link) = self.network.links.get_mut(&id) else { return };
        if !std::mem::replace(&mut link.device_open, false) {
            return;
        }
        self.recorder.fact(device, incarnation, Fact::Login(LoginFact::Closed));
        if link.server_open {
            let at = link.to_server(self.now, delay) + if link.cut { late } else { 0 };
            self.schedule(at, Event::ServerSees { link: id });
        }
        self.network.sweep(id);
    }

    pub(crate) fn device_now(&self, index: usize) -> Now {
        let skew_ms = self.devices.get(index).map_or(0, |process| process.skew_ms);
        Now { wall: self.wall(skew_ms), monotonic: self.monotonic() }
    }

    fn device_output(&mut self, index: usize, output: Output) {
        let disk_ms = self.options.disk_ms_max.min(20);
        let delay = self.random.u64(0..=disk_ms);
        let Some(process) = self.devices.get_mut(index) else { return };
        let incarnation = process.incarnation;
        match output {
            Output::Connect { at } => {
                process.attempt += 1;
                let attempt = process.attempt;
                self.schedule(at.0, Event::DeviceConnect { device: index, incarnation, attempt });
            }
            Output::Disconnect => self.close_device_end(index),
            Output::Store { token, operations } => {
                process.stored_at = process.stored_at.max(self.now + delay);
                let at = process.stored_at;
                for operation in &operations {
                    if let StoreOperation::PutUnsent(unsent) = operation
                        && let (Some(id), Some(message)) = (unsent.id, process.sends.get(&unsent.number))
                    {
                        self.recorder.history.name_message(*message, id);
                    }
                }
                process.database.push(token, operations);
                self.schedule(at, Event::DeviceStored { device: index, incarnation });
            }
            Output::Event(event) => self.device_event(index, event),
        }
    }

    fn ask_history(&mut self, index: usize) {
        let with = self.some_target(index);
        let limit = if self.random.bool() { 1_000_000 } else { self.random.u64(1..=5) };
        let from = if self.random.bool() { HistoryFrom::Latest } else { HistoryFrom::After(Seq(0)) };
        self.read(index, &with, from, limit);
    }

    fn send_something(&mut self, index: usize) {
        let to = self.some_target(index);
        let length = self.random.usize(1..=self.options.body_bytes_max);
        // Bodies tell sends apart, and the canary is looked for on disk.
        let number = self.recorder.history.messages();
        let text = format!("{CANARY}{number} {}", "x".repeat(length));
        let Ok(body) = Body::new(BodyKind::TEXT, Bytes::from(text)) else { return };
        let id = (self.random.u8(..16) == 0).then(|| self.own_id(index));
        self.send(index, to, body, id);
    }

    /// An id of the application's own making: mostly dated now, sometimes where it is refused.
    fn own_id(&mut self, index: usize) -> MessageId {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        let now = self.device_now(index).wall;
        let at = match self.random.u8(..6) {
            0 => now.plus_millis(2 * ID_AHEAD_MS_MAX + self.random.u64(..1_000_000)),
            1 => now.minus_millis(9 * 24 * 3_600_000),
            2 => now.minus_millis(self.random.u64(..6 * 24 * 3_600_000)),
            _ => now,
        };
        MessageId::from_parts(at, random)
    }

    fn some_target(&mut self, index: usize) -> Target {
        if self.options.social_per_cent > 0
            && self.random.bool()
            && let Some(group) = self.some_group(index)
        {
            return Target::Group(group);
        }
        self.some_peer(index)
    }

    fn some_peer(&mut self, index: usize) -> Target {
        let peers = usize::from(self.options.users);
        // Writing to oneself is allowed, and rare.
        let mut peer = self.random.usize(..peers);
        let own = self.devices.get(index).map_or_else(|| user_name(0), |process| process.user.clone());
        if user_name(peer) == own && self.random.u8(..4) > 0 {
            peer = (peer + 1) % peers;
        }
        Target::User(user_name(peer))
    }

    fn transmit(&mut self, index: usize) {
        let mut bytes = Vec::new();
        let Some(process) = self.devices.get_mut(index) else { return };
        let Some(core) = &mut process.core else { return };
        if !core.transmit(&mut bytes) {
            return;
        }
        let Some(id) = process.link else { return };
        let Some(link) = self.network.links.get_mut(&id).filter(|link| link.device_open) else { return };
        let owner = Owner {
            device: process.device,
            incarnation: process.incarnation,
            user: &process.user,
            issued_at: link.issued_at,
        };
        link.tap.outgoing(&bytes, &owner, &mut self.recorder);
        for bytes in pieces(bytes, &mut self.random) {
            let delay = self.latency();
            let Some(link) = self.network.links.get_mut(&id) else { return };
            let at = link.to_server(self.now, delay);
            self.schedule(at, Event::ToServer { link: id, bytes });
        }
    }

    fn schedule_device_tick(&mut self, index: usize) {
        let now = self.now;
        let Some(process) = self.devices.get_mut(index) else { return };
        let Some(deadline) = process.core.as_ref().and_then(ClientCore::deadline) else { return };
        // A deadline that has passed is looked at once per millisecond.
        let at = deadline.0.max(now + 1);
        if process.tick_at.is_none_or(|planned| planned > at) {
            process.tick_at = Some(at);
            self.schedule(at, Event::DeviceTick { device: index });
        }
    }
}

/// What no file of an encrypted store may hold.
pub(crate) const CANARY: &str = "canary-";

/// Names whose vnodes fall to both workers, for every number of vnodes above one.
const PERSONS: [u16; 6] = [0, 17, 6, 5, 2, 9];

pub(crate) fn user_name(index: usize) -> UserId {
    let person = PERSONS.get(index).copied().unwrap_or_default();
    // The alphabet of names has no letter that could fail.
    UserId::new(&format!("person-{person}")).unwrap_or_else(|_| unreachable!("a valid name"))
}
