//! One seed from its first event to the judgement.

use bytes::Bytes;
use iris_history::{Account, Device, Fact, HistoryFact, Observation, SendFact, Violation, check_all};
use iris_protocol::Versions;
use iris_types::planted::{Bug, plant};
use iris_types::{Body, BodyKind, DeviceId, MessageId, UserId};

use crate::Options;
use crate::device::{CANARY, DeviceProcess, user_name};
use crate::inventory::{Inventory, Repeat};
use crate::server::ServerTally;
use crate::world::{Event, World};

/// Milliseconds in which everything has to settle once the faults are over: a retry waits up to 60 s.
pub(crate) const SETTLE_MS_MAX: u64 = 120_000;
/// Milliseconds without anything on its way after which a world counts as settled: longer than any coalescing, and
/// than what workers wait before they send a forward again.
const STILL_MS: u64 = 1_500;
/// Events that no honest world needs: a machine that spins.
const EVENTS_MAX: u64 = 3_000_000;

/// How a seed ended.
#[derive(Debug)]
pub struct Report {
    pub seed: u64,
    pub options: Options,
    /// Fingerprint of everything that happened.
    pub trace: u64,
    pub events: u64,
    /// By kind, in the order of the source.
    pub kinds: Vec<u64>,
    pub simulated_ms: u64,
    pub acked: u64,
    pub tally: ServerTally,
    pub violations: Vec<Violation>,
    /// What no checker sees: a machine that stopped without cause, spun, or refused to start.
    pub defect: Option<String>,
    /// The last things that happened, when they were asked for.
    pub lines: Vec<String>,
    /// The whole history, for a closer look.
    pub history: iris_history::History,
}

impl Report {
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty() && self.defect.is_none()
    }

    /// The first thing that was wrong.
    #[must_use]
    pub fn first_problem(&self) -> Option<String> {
        let violation = self.violations.first().map(ToString::to_string);
        self.defect.clone().or(violation)
    }
}

/// Runs a seed, with a rule left out or with all of them. `lines_max`: how many of the
/// last lines the report keeps.
#[must_use]
pub fn run(seed: u64, bug: Option<Bug>, lines_max: usize) -> Report {
    plant(bug);
    let options = Options::draw(seed);
    let mut world = World::new(seed, options.clone(), lines_max);
    world.people();
    world.plan_faults();
    while world.step(options.traffic_ms) && world.may_go_on() {}
    world.heal();
    if world.settle() && world.quiet_time() {
        world.end_of_devices();
        world.take_inventory();
    }
    world.audit();
    plant(None);
    world.report(seed)
}

impl World {
    fn people(&mut self) {
        for user in 0..self.options.users {
            let name = user_name(user.into());
            for number in 0..self.options.devices_per_user {
                let version_1 = self.options.devices_version_1 && number % 2 == 0;
                let versions = if version_1 { Versions::ONLY_1 } else { Versions::ALL };
                let index = self.add_device(name.clone(), &format!("device-{number}"), versions, false);
                let at = self.random.u64(0..800);
                self.schedule(at, Event::DeviceStart { device: index });
                self.schedule(at, Event::Act { device: index });
            }
        }
    }

    fn add_device(&mut self, user: UserId, name: &str, versions: Versions, fresh: bool) -> usize {
        let name = DeviceId::new(name).unwrap_or_else(|_| unreachable!("a valid name"));
        let history = &mut self.recorder.history;
        let device = if fresh { history.fresh_device(&user, &name) } else { history.device(&user, &name) };
        self.devices.push(DeviceProcess::new(user, name, device, 0, versions));
        self.devices.len() - 1
    }

    pub(crate) fn may_go_on(&mut self) -> bool {
        if self.events > EVENTS_MAX {
            self.defect(|| "the world spins: more events than any honest one needs".to_owned());
        }
        self.defect.is_none()
    }

    /// Until nothing is left to do; `false` when that takes too long.
    pub(crate) fn settle(&mut self) -> bool {
        let deadline = self.now + SETTLE_MS_MAX;
        while self.may_go_on() {
            let rests = self.is_still() && self.devices.iter().all(DeviceProcess::is_settled);
            if rests && self.server.accepts() && !self.server.is_safe_mode() {
                if self.now >= self.active_at + STILL_MS {
                    self.recorder.observe(Observation::Converged);
                    return true;
                }
                self.step(self.active_at + STILL_MS);
            } else if !self.step(deadline) {
                self.say_who_hangs();
                return false;
            }
        }
        false
    }

    fn say_who_hangs(&mut self) {
        self.recorder.now = self.now;
        for process in &self.devices {
            let Some(core) = &process.core else { continue };
            if core.unsettled() > 0 {
                let left = Observation::OutboxLeft { count: core.unsettled() as u64 };
                self.recorder.fact(process.device, process.incarnation, Fact::Observed(left));
            }
        }
        let states: Vec<String> = self.devices.iter().map(DeviceProcess::state).collect();
        let (still, accepts) = (self.is_still(), self.server.accepts());
        self.recorder.note(|| format!("not settled: still {still}, server {accepts}, {states:?}"));
    }

    fn end_of_devices(&mut self) {
        for process in self.devices.iter().filter(|process| !process.is_retired()) {
            self.recorder.fact(process.device, process.incarnation, Fact::Settled);
        }
        let sum = |field: fn(&DeviceProcess) -> u64| self.devices.iter().map(field).sum::<u64>();
        let attempted = sum(|process| process.tally.attempted);
        let (acked, refused) = (sum(|process| process.tally.acked), sum(|process| process.tally.refused));
        let indeterminate = attempted.saturating_sub(acked + refused);
        self.recorder.observe(Observation::Counted { attempted, acked, refused, indeterminate });
        let waiting = self.server.waiting();
        self.recorder.observe(Observation::Idle { what: 0, value: waiting, baseline: 0 });
    }

    fn take_inventory(&mut self) {
        self.recorder.observe(Observation::Healed { bound_ms: SETTLE_MS_MAX });
        for user in 0..self.options.users {
            let name = user_name(user.into());
            let repeats = self.repeats_of(&name);
            let index = self.add_device(name, "fresh", Versions::ALL, true);
            if let Some(process) = self.devices.get_mut(index) {
                process.inventory = Some(Inventory::new(repeats));
            }
            self.schedule(self.now, Event::DeviceStart { device: index });
        }
        let deadline = self.now + SETTLE_MS_MAX;
        while self.may_go_on() {
            let is_done = |process: &DeviceProcess| process.inventory.as_ref().is_none_or(Inventory::is_done);
            if self.devices.iter().all(is_done) {
                self.recorder.observe(Observation::Converged);
                return;
            }
            if !self.step(deadline) {
                return self.say_who_hangs();
            }
        }
    }

    /// Every send of a user that was acknowledged: as it was, and a few with another body.
    fn repeats_of(&mut self, user: &UserId) -> Vec<Repeat> {
        let number = self.recorder.user(user);
        let history = &self.recorder.history;
        let mut acked = std::collections::BTreeSet::new();
        for record in &history.records {
            if let Fact::Send(SendFact::Ok { message, .. }) = record.fact
                && history.user_of(record.process) == Some(number)
            {
                acked.insert(message);
            }
        }
        let mut repeats = Vec::new();
        for message in acked {
            let Some((to, body)) = self.sent.get(&message) else { continue };
            let id = history.message_id(message).and_then(|id| MessageId::from_bytes(id).ok());
            let Some(id) = id else { continue };
            repeats.push(Repeat { id, to: to.clone(), body: body.clone() });
            if self.random.u8(..8) == 0
                && let Ok(body) = Body::new(BodyKind::TEXT, Bytes::from_static(b"something else"))
            {
                repeats.push(Repeat { id, to: to.clone(), body });
            }
        }
        repeats
    }

    fn audit(&mut self) {
        self.recorder.now = self.now;
        if self.options.sealed && self.defect.is_none() {
            for needle in [CANARY.as_bytes(), b"person-"] {
                if !self.storage.files_with(needle).is_empty() {
                    self.recorder.observe(Observation::Canary { place: 0 });
                }
            }
        }
        self.audit_inboxes();
    }

    /// Each inbox, as its fresh device got it: entries, and the gap that it was told of.
    fn audit_inboxes(&mut self) {
        let mut accounts = Vec::new();
        for process in self.devices.iter().filter(|process| process.inventory.is_some()) {
            let mut account = Account { kind: 1, ..Account::default() };
            let mut offsets = std::collections::BTreeSet::new();
            let mut settled = false;
            for record in
                self.recorder.history.records.iter().filter(|record| record.process == process.device)
            {
                match record.fact {
                    Fact::Login(iris_history::LoginFact::Ok { last, .. }) if account.taken_in == 0 => {
                        account.taken_in = last;
                    }
                    Fact::Gap { first, last } => account.expired += last + 1 - first,
                    Fact::Settled => settled = true,
                    fact => {
                        let offset = fact.offset().filter(|_| !settled);
                        offsets.extend(offset.filter(|offset| *offset <= account.taken_in));
                    }
                }
            }
            account.live = offsets.len() as u64;
            if settled {
                accounts.push(account);
            }
        }
        accounts.into_iter().for_each(|account| self.recorder.observe(Observation::Audit(account)));
        self.audit_conversations();
    }

    /// Each message that the storage said is durable is in its conversation's last reading.
    fn audit_conversations(&mut self) {
        let records = &self.recorder.history.records;
        let mut read = std::collections::BTreeSet::new();
        let mut durable = std::collections::BTreeSet::new();
        let groups: std::collections::BTreeSet<_> = records
            .iter()
            .filter_map(|record| match record.fact {
                Fact::Founding { group, .. } => Some(group),
                _ => None,
            })
            .collect();
        let Some(begin) = records
            .iter()
            .rposition(|record| record.fact == Fact::Settled && record.process != Device::NOBODY)
        else {
            return;
        };
        let was_read = records.iter().skip(begin).any(|record| matches!(record.fact, Fact::Repeat(_)));
        for record in records {
            match record.fact {
                Fact::History(HistoryFact::Row { seen, .. }) => {
                    read.insert((seen.conversation, seen.seq, seen.message));
                }
                // Nobody may read all of a group, and some of it perhaps nobody.
                Fact::Observed(Observation::Durable { conversation, seq, message, .. })
                    if !groups.contains(&conversation) =>
                {
                    durable.insert((conversation, seq, message));
                }
                _ => {}
            }
        }
        if was_read && self.defect.is_none() {
            let live = durable.intersection(&read).count() as u64;
            let account = Account { kind: 2, taken_in: durable.len() as u64, live, ..Account::default() };
            self.recorder.observe(Observation::Audit(account));
        }
    }

    fn report(mut self, seed: u64) -> Report {
        let violations = check_all(&self.recorder.history);
        let is_ack = |record: &&iris_history::Record| matches!(record.fact, Fact::Send(SendFact::Ok { .. }));
        let acked = self.recorder.history.records.iter().filter(is_ack).count() as u64;
        let tally = self.server.end_of_tally();
        let history = std::mem::take(&mut self.recorder.history);
        Report {
            seed,
            options: Options::draw(seed),
            trace: std::hash::Hasher::finish(&self.recorder.trace),
            events: self.events,
            kinds: self.kinds.to_vec(),
            simulated_ms: self.now,
            acked,
            tally,
            violations,
            defect: self.defect,
            lines: self.recorder.last_lines(),
            history,
        }
    }
}
