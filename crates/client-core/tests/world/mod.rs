//! Devices and a server in one thread: both protocol machines over pipes that can be cut, a database that can be
//! left behind in any state, and a clock that moves only when nothing else does.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

pub(crate) mod server;
mod told;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use iris_client_core::{
    ClientCore, ClientEvent, Config, MemoryDatabase, NewMessage, Now, Output, SendNumber, StoreOperation,
    StoreToken,
};
use iris_protocol::Versions;
use iris_protocol::server::{ServerConfig, ServerConnection, ServerEvent};
use iris_types::request::{Answer, RequestId};
use iris_types::{Body, BodyKind, DeviceId, InboxEntry, Monotonic, Refusal, Timestamp, UserId};
use server::{Pushes, Server};

/// 2026-01-01 00:00:00 UTC.
pub(crate) const START: u64 = 1_767_225_600_000;
/// Simulated milliseconds after which nothing more is expected to happen.
const PATIENCE_MS: u64 = 30 * 60_000;

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn text(text: &str) -> Body {
    Body::new(BodyKind::TEXT, Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

pub(crate) fn message(to: &str, body: &str) -> NewMessage {
    NewMessage { to: user(to).into(), body: text(body), id: None, reference: None }
}

/// The seed of this run: `TEST_SEED`, or one that is always the same. Printed, so that a failure can be repeated.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_101);
    println!("TEST_SEED={seed}");
    seed
}

/// When an application dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// Before this many-eth store is applied.
    BeforeStore(usize),
    /// After it is applied and before the machine hears so.
    AfterStore(usize),
    /// After the application acted on this many-eth event and before it said so.
    AfterEvent(usize),
}

pub(crate) struct Device {
    pub(crate) user: UserId,
    pub(crate) name: DeviceId,
    pub(crate) core: ClientCore,
    pub(crate) database: MemoryDatabase,
    versions: Versions,
    stores: VecDeque<(StoreToken, Vec<StoreOperation>)>,
    connect_at: Option<Monotonic>,
    session: Option<Session>,
    /// What the application acted on, over all its lives.
    pub(crate) events: Vec<ClientEvent>,
    /// The application takes what it is given at once.
    pub(crate) takes: bool,
    /// Stores are not confirmed while this is set.
    pub(crate) holds_stores: bool,
    /// What the device's wall clock is off, in milliseconds.
    pub(crate) skew_ms: i64,
    pub(crate) dies: Option<Death>,
    pub(crate) deaths: usize,
    stores_seen: usize,
    events_seen: usize,
    pub(crate) connections: usize,
}

struct Session {
    connection: ServerConnection,
    logged_in: bool,
}

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) devices: Vec<Device>,
    pub(crate) now: Monotonic,
    config: Arc<ServerConfig>,
    random: fastrand::Rng,
    /// The connection that carries this byte, counted over all, breaks behind it.
    pub(crate) cut_after: Option<usize>,
    pub(crate) carried: usize,
    /// One bit of this byte to a device is turned over.
    pub(crate) flip_at: Option<usize>,
    /// The next logins are refused so.
    pub(crate) refuse_logins: VecDeque<Refusal>,
    pub(crate) nonces: Vec<[u8; 16]>,
    pub(crate) login_times: Vec<Timestamp>,
    /// Nobody can connect.
    pub(crate) is_down: bool,
    /// So many requests are decided next without a word about it.
    pub(crate) holds_decisions: usize,
    held: Vec<Decision>,
}

/// A device, the request that it made, its answer, and what is pushed with it.
type Decision = (usize, RequestId, Option<Answer>, Pushes);

impl World {
    pub(crate) fn new(versions: Versions) -> Self {
        let config = ServerConfig { versions, ..ServerConfig::default() };
        Self {
            server: Server::new(Timestamp(START), 3),
            devices: Vec::new(),
            now: Monotonic(0),
            config: Arc::new(config),
            random: fastrand::Rng::with_seed(seed()),
            cut_after: None,
            carried: 0,
            flip_at: None,
            refuse_logins: VecDeque::new(),
            nonces: Vec::new(),
            login_times: Vec::new(),
            is_down: false,
            holds_decisions: 0,
            held: Vec::new(),
        }
    }

    /// Adds a device and returns its index.
    pub(crate) fn add(&mut self, user_name: &str, device: &str) -> usize {
        self.add_with(user_name, device, Versions::ALL)
    }

    pub(crate) fn add_with(&mut self, user_name: &str, device: &str, versions: Versions) -> usize {
        let (user, name) = (user(user_name), DeviceId::new(device).unwrap());
        let database = MemoryDatabase::default();
        let core = start(&user, &name, versions, &database, self.random.u64(..));
        self.devices.push(Device {
            user,
            name,
            core,
            database,
            versions,
            stores: VecDeque::new(),
            connect_at: None,
            session: None,
            events: Vec::new(),
            takes: true,
            holds_stores: false,
            skew_ms: 0,
            dies: None,
            deaths: 0,
            stores_seen: 0,
            events_seen: 0,
            connections: 0,
        });
        self.devices.len() - 1
    }

    pub(crate) fn now_of(&self, at: usize) -> Now {
        let wall = self.server.now.0.saturating_add_signed(self.devices[at].skew_ms);
        Now { wall: Timestamp(wall), monotonic: self.now }
    }

    pub(crate) fn send(&mut self, at: usize, message: NewMessage) -> SendNumber {
        let now = self.now_of(at);
        self.devices[at].core.send(message, now).expect("the outbox has room")
    }

    /// Runs until nothing happens any more within the world's patience, or `done` says so.
    pub(crate) fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        let end = self.now.plus_millis(PATIENCE_MS);
        while !done(self) {
            if !self.step() && !self.advance(end) {
                assert!(done(self), "not done by the end of the world's patience");
                return;
            }
        }
    }

    /// Runs for a while, whatever comes of it.
    pub(crate) fn run_for_ms(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while self.step() || self.advance(end) {}
    }

    /// Runs until only regular pings are left to happen.
    pub(crate) fn settle(&mut self) {
        self.run_until(|world| {
            world
                .devices
                .iter()
                .all(|device| device.core.is_idle() && device.core.is_ready() && device.is_quiet())
                && world.devices.iter().all(|device| device.is_synced(&world.server))
        });
        self.drain();
    }

    /// Runs until nothing more happens without time passing.
    pub(crate) fn drain(&mut self) {
        while self.step() {}
    }

    pub(crate) fn pass_ms(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
        self.server.now = self.server.now.plus_millis(millis);
    }

    /// The application dies and starts again.
    pub(crate) fn restart(&mut self, at: usize) {
        let seed = self.random.u64(..);
        let device = &mut self.devices[at];
        device.stores.clear();
        device.session = None;
        device.connect_at = None;
        device.core = start(&device.user, &device.name, device.versions, &device.database, seed);
    }

    pub(crate) fn disconnect(&mut self, at: usize) {
        let now = self.now_of(at);
        if self.devices[at].session.take().is_some() {
            self.devices[at].core.disconnected(now);
        }
    }

    /// The server says something to a device of its own accord.
    pub(crate) fn server_says(&mut self, at: usize, say: impl FnOnce(&mut ServerConnection)) {
        say(&mut self.devices[at].session.as_mut().expect("connected").connection);
    }

    pub(crate) fn push(&mut self, pushes: &[(UserId, Arc<InboxEntry>)]) {
        for (user, entry) in pushes {
            for device in self.devices.iter_mut().filter(|device| device.user == *user) {
                if let Some(session) = device.session.as_mut().filter(|session| session.logged_in) {
                    session.connection.push(entry);
                }
            }
        }
    }

    /// Each device does what there is to do. Whether there was anything.
    fn step(&mut self) -> bool {
        let mut any = false;
        for at in 0..self.devices.len() {
            any |= self.turn(at);
            any |= self.store(at);
            any |= self.connect(at);
            any |= self.upward(at);
            any |= self.downward(at);
        }
        any
    }

    fn turn(&mut self, at: usize) -> bool {
        let now = self.now_of(at);
        let mut outputs = Vec::new();
        self.devices[at].core.turn(now, &mut outputs);
        let any = !outputs.is_empty();
        for output in outputs {
            let device = &mut self.devices[at];
            match output {
                Output::Connect { at } => device.connect_at = Some(at),
                Output::Disconnect => device.session = None,
                Output::Store { token, operations } => device.stores.push_back((token, operations)),
                Output::Event(event) => {
                    device.events_seen += 1;
                    device.events.push(event.clone());
                    if device.dies == Some(Death::AfterEvent(device.events_seen)) {
                        self.die(at);
                        return true;
                    }
                    if let Some(mark) = event.mark().filter(|_| device.takes) {
                        device.core.handed_over(mark);
                    }
                }
            }
        }
        any
    }

    fn store(&mut self, at: usize) -> bool {
        let device = &mut self.devices[at];
        if device.holds_stores {
            return false;
        }
        let Some((token, operations)) = device.stores.pop_front() else { return false };
        device.stores_seen += 1;
        if device.dies == Some(Death::BeforeStore(device.stores_seen)) {
            self.die(at);
            return true;
        }
        device.database.apply(operations);
        if device.dies == Some(Death::AfterStore(device.stores_seen)) {
            self.die(at);
            return true;
        }
        device.core.stored(token);
        true
    }

    fn die(&mut self, at: usize) {
        self.devices[at].dies = None;
        self.devices[at].deaths += 1;
        self.restart(at);
    }

    fn connect(&mut self, at: usize) -> bool {
        let now = self.now_of(at);
        let (is_down, config) = (self.is_down, Arc::clone(&self.config));
        let device = &mut self.devices[at];
        if device.connect_at.is_none_or(|at| at > now.monotonic) {
            return false;
        }
        device.connect_at = None;
        if is_down {
            device.core.disconnected(now);
            return true;
        }
        device.connections += 1;
        let connection = ServerConnection::new(&config, now.monotonic);
        device.session = Some(Session { connection, logged_in: false });
        device.core.connected(Bytes::from_static(b"token"), now);
        true
    }

    /// Bytes to the server, and what it does about them.
    fn upward(&mut self, at: usize) -> bool {
        let mut bytes = Vec::new();
        if self.devices[at].session.is_none() || !self.devices[at].core.transmit(&mut bytes) {
            return false;
        }
        let (arriving, cut) = self.carry(bytes.len());
        let mut asked = Vec::new();
        if let Some(session) = &mut self.devices[at].session {
            session.connection.receive(&bytes[..arriving], self.now, &mut asked);
        }
        asked.into_iter().for_each(|event| self.serve(at, event));
        if cut {
            self.disconnect(at);
        }
        true
    }

    fn downward(&mut self, at: usize) -> bool {
        let now = self.now_of(at);
        let mut bytes = Vec::new();
        let Some(session) = &mut self.devices[at].session else { return false };
        let any = session.connection.transmit(&mut bytes);
        let is_closing = session.connection.is_closing();
        if any {
            self.flip(&mut bytes);
            let (arriving, cut) = self.carry(bytes.len());
            self.devices[at].core.received(&bytes[..arriving], now);
            if cut {
                self.disconnect(at);
            }
        } else if is_closing {
            self.disconnect(at);
        }
        any
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        let Some(at) = self.flip_at.and_then(|at| at.checked_sub(self.carried)) else { return };
        let bit = self.random.u32(..8);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
            self.flip_at = None;
        }
    }

    fn carry(&mut self, bytes: usize) -> (usize, bool) {
        let before = self.carried;
        self.carried += bytes;
        match self.cut_after {
            Some(cut_after) if before <= cut_after && cut_after < self.carried => {
                self.cut_after = None;
                (cut_after - before, true)
            }
            _ => (bytes, false),
        }
    }

    fn serve(&mut self, at: usize, event: ServerEvent) {
        let (user, name) = (self.devices[at].user.clone(), self.devices[at].name.clone());
        match event {
            ServerEvent::Authenticate { nonce, at: claimed, .. } => {
                self.nonces.push(nonce);
                self.login_times.push(claimed);
                let refusal = self.refuse_logins.pop_front();
                let (attached, now) = (self.server.attach(&user, &name), self.server.now);
                let Some(session) = &mut self.devices[at].session else { return };
                match refusal {
                    Some(refusal) => session.connection.refuse_login(refusal, now),
                    None => {
                        session.logged_in = true;
                        session.connection.accept_login(attached);
                    }
                }
            }
            ServerEvent::Request { id, request } => {
                let (answer, pushes) = self.server.handle(&user, &name, request);
                self.held.push((at, id, answer, pushes));
                match self.holds_decisions.checked_sub(1) {
                    Some(rest) => self.holds_decisions = rest,
                    None => self.tell(self.held.len() - 1),
                }
            }
            ServerEvent::Close => {}
        }
    }

    /// Tells what was decided and held.
    pub(crate) fn tell_held(&mut self) {
        self.tell(0);
    }

    fn tell(&mut self, from: usize) {
        for (at, id, answer, pushes) in self.held.split_off(from) {
            self.answer(at, id, answer);
            self.push(&pushes);
        }
    }

    fn answer(&mut self, at: usize, id: RequestId, answer: Option<Answer>) {
        if let (Some(session), Some(answer)) = (&mut self.devices[at].session, answer) {
            session.connection.answer(id, answer);
        }
    }

    /// Moves the clock to the next thing that is due. `false`: nothing is, before `end`.
    fn advance(&mut self, end: Monotonic) -> bool {
        let due = |device: &Device| [device.core.deadline(), device.connect_at].into_iter().flatten().min();
        let Some(next) = self.devices.iter().filter_map(due).min().filter(|next| *next <= end) else {
            return false;
        };
        // A machine whose deadline has passed and that does nothing about it would stand still here.
        assert!(next > self.now, "a deadline that nothing happens at");
        self.pass_ms(next.millis_since(self.now));
        true
    }
}

fn start(
    user: &UserId,
    name: &DeviceId,
    versions: Versions,
    database: &MemoryDatabase,
    seed: u64,
) -> ClientCore {
    let config = Config { versions, ..Config::new(user.clone(), name.clone()) };
    ClientCore::new(config, database.restored(), seed)
}
