//! The server process: edge machines and workers over one engine.

mod between;
mod edge;
mod observing;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use iris_cluster::{ToCore, ToEdge};
use iris_edge::{EdgeMachine, Gathered, Now};
use iris_history::Observation;
use iris_protocol::server::ServerConfig;
use iris_protocol::{Capabilities, ServerLimits, Versions};
use iris_types::placement::VnodeCount;
use iris_types::request::{Request, RequestId, SessionId};
use iris_types::{ConversationId, InboxItem, UserId, VnodeId};
use iris_worker::{
    Call, CallId, Input, Lane, Output, Placement, SharedCache, StopReason, Worker, WorkerConfig, WorkerIndex,
    WorkerLimits, execute,
};

pub(crate) use self::tally::ServerTally;
use crate::Options;
use crate::network::LinkId;
use crate::storage::Opened;
use crate::world::{Event, World};

/// Milliseconds after days have passed in one leap in which nothing expires: a run takes seconds.
const EXPIRY_CAUTION_MS: u64 = 300;
/// Milliseconds that a token of the simulator lives.
const TOKEN_LIFE_MS: u64 = 24 * 3_600_000;

/// One process at a time; `life` counts them.
pub(crate) struct Server {
    pub(crate) life: u32,
    process: Option<Process>,
    config: Arc<ServerConfig>,
    vnodes: VnodeCount,
    placement: Placement,
    limits: WorkerLimits,
    pub(crate) skew_ms: i64,
    pub(crate) tally: ServerTally,
}

/// A live process.
struct Process {
    opened: Opened,
    cache: SharedCache,
    workers: Vec<Worker>,
    ready: BTreeSet<usize>,
    drained: BTreeSet<usize>,
    is_draining: bool,
    safe_mode: bool,
    edges: BTreeMap<LinkId, EdgeMachine>,
    gathered: Gathered,
    /// When the last message on each in-process queue arrives: they keep their order.
    to_worker_at: Vec<u64>,
    to_edge_at: Vec<u64>,
    /// Pushes that found their event loop's inbox full: the last of each session.
    held: BTreeMap<SessionId, ToEdge>,
    tick_at: Option<u64>,
    /// Reads that wait for their answers.
    reads: BTreeSet<(SessionId, RequestId)>,
    /// Revocations that wait for theirs.
    revocations: BTreeMap<u64, (UserId, u64)>,
}

impl Server {
    pub(crate) fn new(options: &Options) -> Self {
        let versions = if options.server_version_1 { Versions::ONLY_1 } else { Versions::ALL };
        let limits =
            ServerLimits { window_entries_max: options.push_window_entries, ..ServerLimits::default() };
        let worker_limits = WorkerLimits {
            chunk_bytes_max: 6_000,
            gathered_bytes_max: options.gathered_bytes_max,
            waiting_max: options.waiting_max,
            stream_backlog_max: options.stream_backlog_max,
            flush_bytes: options.flush_bytes,
            flush_interval_ms: options.flush_interval_ms,
            state_cache_bytes: options.state_cache_bytes,
            log_tail_bytes_max: options.log_tail_bytes_max,
            waits_for_recipient: options.waits_for_recipient,
            acknowledge_interval_ms: options.acknowledge_interval_ms,
            expiry_caution_ms: EXPIRY_CAUTION_MS,
            ..WorkerLimits::default()
        };
        Self {
            life: 0,
            process: None,
            config: Arc::new(ServerConfig { versions, capabilities: Capabilities::ALL, limits }),
            vnodes: VnodeCount::new(options.vnodes).unwrap_or_else(|| unreachable!("from 1 to 65,536")),
            placement: Placement::spread(options.workers),
            limits: worker_limits,
            skew_ms: 0,
            tally: ServerTally::default(),
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Connections are taken once every worker is ready.
    pub(crate) fn accepts(&self) -> bool {
        let ready = |process: &Process| process.ready.len() == process.workers.len() && !process.is_draining;
        self.process.as_ref().is_some_and(ready)
    }

    pub(crate) fn is_starting(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.ready.len() < process.workers.len())
    }

    pub(crate) fn is_safe_mode(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.safe_mode)
    }

    /// Requests that wait in the workers, for the end: nothing may.
    pub(crate) fn waiting(&self) -> u64 {
        let waiting =
            |process: &Process| process.workers.iter().map(|worker| worker.statistics().waiting).sum();
        self.process.as_ref().map_or(0, waiting)
    }

    pub(crate) fn end_of_tally(&mut self) -> ServerTally {
        if let Some(process) = &self.process {
            process.workers.iter().for_each(|worker| self.tally.take(worker.statistics()));
        }
        self.tally.clone()
    }

    fn worker_of(&self, vnode: VnodeId) -> usize {
        usize::from(self.placement.worker_of(vnode).0)
    }

    /// The worker that a message is for: the conversation's for what is asked of it, the user's for everything else.
    fn route(&self, message: &ToCore) -> usize {
        let vnode = match message {
            ToCore::Attach { login, .. } => self.vnodes.of_user(&login.user),
            ToCore::Detach { user, .. } => self.vnodes.of_user(user),
            ToCore::Request { user, request, .. } => match request {
                Request::SendMessage(send) => self.vnodes.of_target(user, &send.to),
                Request::ReadHistory(read) => self.vnodes.of_target(user, &read.with),
                Request::CreateGroup(create) => self.vnodes.of_group(ConversationId::group(user, create.id)),
                Request::ChangeGroup(change) => self.vnodes.of_group(change.group),
                Request::ReadGroup { group } => self.vnodes.of_group(*group),
                Request::ReadRoster(read) => self.vnodes.of_group(read.group),
                Request::BlockUser(block) => self.vnodes.of_direct(user, &block.user),
                _ => self.vnodes.of_user(user),
            },
        };
        self.worker_of(vnode)
    }
}

impl World {
    pub(crate) fn start_server(&mut self, life: u32) {
        if life != self.server.life || self.server.is_up() {
            return;
        }
        self.recorder.note(|| format!("server life {life} starts"));
        self.server.tally.starts += 1;
        let seed = self.random.u64(..);
        let opened = match self.storage.open(seed) {
            Ok(opened) => opened,
            Err(reason) => return self.start_failed(&reason),
        };
        if self.storage.is_dead() {
            return self.crash_server(true);
        }
        let workers = (0..self.options.workers).map(|index| self.new_worker(index)).collect::<Vec<_>>();
        let count = workers.len();
        self.server.process = Some(Process {
            opened,
            cache: SharedCache::new(40_000),
            workers,
            ready: BTreeSet::new(),
            drained: BTreeSet::new(),
            is_draining: false,
            safe_mode: false,
            edges: BTreeMap::new(),
            gathered: Gathered::default(),
            to_worker_at: vec![0; count],
            to_edge_at: vec![0; count],
            held: BTreeMap::new(),
            tick_at: None,
            reads: BTreeSet::new(),
            revocations: BTreeMap::new(),
        });
        self.schedule(self.now + 50, Event::Maintain { life });
        for worker in 0..count {
            self.worker_turn(worker);
        }
    }

    /// The process is gone, and its memory; with `power` also what the disk had not made durable.
    pub(crate) fn crash_server(&mut self, power: bool) {
        let life = self.server.life;
        self.recorder.note(|| format!("server life {life} ends, power cut: {power}"));
        self.server.tally.crashes += 1;
        if self.server.is_starting() || self.server.process.is_none() {
            self.server.tally.crashes_while_starting += 1;
        }
        self.end_process(power);
    }

    pub(crate) fn tell_worker(&mut self, life: u32, worker: usize, input: Input) {
        if life != self.server.life || self.server.process.is_none() {
            return;
        }
        self.observe_input(&input);
        let (wall, monotonic) = (self.wall(self.server.skew_ms), self.monotonic());
        let Some(process) = &mut self.server.process else { return };
        let Some(machine) = process.workers.get_mut(worker) else { return };
        machine.handle(input, wall, monotonic);
        self.worker_turn(worker);
    }

    pub(crate) fn execute(&mut self, life: u32, worker: usize, id: CallId, call: Call) {
        if life != self.server.life {
            return;
        }
        let Some(process) = &mut self.server.process else { return };
        let slow_ms = if call.lane() == Lane::Read { self.options.slow_read_ms_max } else { 0 };
        let result = execute(call, &process.opened.engine, &process.cache);
        let sightings = process.opened.sightings.take();
        sightings.into_iter().for_each(|sighting| sighting.record(&mut self.recorder));
        if self.storage.is_dead() {
            return self.crash_server(true);
        }
        let delay = self.random.u64(0..=self.options.disk_ms_max / 2 + 1 + slow_ms);
        self.schedule(self.now + delay, Event::Done { life, worker, id, result });
    }

    pub(crate) fn server_tick(&mut self, life: u32) {
        if life != self.server.life {
            return;
        }
        let now = self.server_now();
        let Some(process) = &mut self.server.process else { return };
        // An earlier deadline was planned meanwhile, or this one was moved: not the tick that counts.
        if process.tick_at != Some(now.monotonic.0) {
            return;
        }
        process.tick_at = None;
        let due: Vec<LinkId> = process
            .edges
            .iter()
            .filter(|(_, machine)| machine.deadline().is_some_and(|at| at <= now.monotonic))
            .map(|(link, _)| *link)
            .collect();
        let late: Vec<usize> = (0..process.workers.len())
            .filter(|index| process.workers[*index].deadline().is_some_and(|at| at <= now.monotonic))
            .collect();
        for link in due {
            if let Some(machine) =
                self.server.process.as_mut().and_then(|process| process.edges.get_mut(&link))
            {
                machine.handle_deadline(now);
                self.flush_edge(link);
            }
        }
        for worker in late {
            self.tell_worker(life, worker, Input::Tick);
        }
        self.schedule_server_tick();
    }

    /// What the core's own threads do from time to time.
    pub(crate) fn maintain(&mut self, life: u32) {
        if life != self.server.life {
            return;
        }
        let Some(process) = &mut self.server.process else { return };
        let local = &process.opened.local;
        // A failure poisons the engine: the next append says so.
        let _ = local.write_mark();
        let _ = local.prepare_segment();
        let is_low = local.room().is_ok_and(|room| room.low);
        if self.storage.is_dead() {
            return self.crash_server(true);
        }
        let changed = is_low != process.safe_mode;
        process.safe_mode = is_low;
        let workers = process.workers.len();
        if changed {
            self.recorder.observe(Observation::Full { is: is_low });
            self.recorder.observe(Observation::SafeMode { on: is_low });
            (0..workers).for_each(|worker| self.tell_worker(life, worker, Input::SafeMode(is_low)));
        }
        let pause = self.random.u64(40..120);
        self.schedule(self.now + pause, Event::Maintain { life });
    }

    /// A stop on request: everything is committed and flushed, clients are told when to come back.
    pub(crate) fn drain_server(&mut self) {
        if !self.server.accepts() {
            return;
        }
        let life = self.server.life;
        let hint = iris_protocol::DrainHint { reconnect_after_ms: 200, jitter_ms: 300 };
        let Some(process) = &mut self.server.process else { return };
        process.is_draining = true;
        let links: Vec<LinkId> = process.edges.keys().copied().collect();
        let workers = process.workers.len();
        process.edges.values_mut().for_each(|machine| machine.drain(hint));
        links.into_iter().for_each(|link| self.flush_edge(link));
        (0..workers).for_each(|worker| self.tell_worker(life, worker, Input::Drain));
    }

    /// Refuses every token of a user issued so far.
    pub(crate) fn revoke(&mut self, user: UserId) {
        if !self.server.accepts() {
            return;
        }
        let issued_up_to = self.wall(self.server.skew_ms).0;
        let (life, worker) = (self.server.life, self.server.worker_of(self.server.vnodes.of_user(&user)));
        let id = self.random.u64(..);
        let Some(process) = &mut self.server.process else { return };
        process.revocations.insert(id, (user.clone(), issued_up_to));
        let command = iris_worker::AdminCommand::RevokeUser { user };
        self.tell_worker(life, worker, Input::Admin { id: iris_worker::AdminId(id), command });
    }

    fn new_worker(&mut self, index: u16) -> Worker {
        let mut seed = [0; 32];
        self.random.fill(&mut seed);
        let config = WorkerConfig {
            vnodes: self.server.vnodes,
            placement: self.server.placement,
            index: WorkerIndex(index),
            limits: self.server.limits,
            seed,
        };
        Worker::new(config, self.wall(self.server.skew_ms), self.monotonic())
    }

    fn start_failed(&mut self, reason: &str) {
        self.recorder.note(|| format!("the engine does not open: {reason}"));
        let excused = self.storage.excuses_start();
        if !excused {
            let reason = reason.to_owned();
            self.defect(|| format!("a start is refused after an honest crash: {reason}"));
        }
        let power = self.storage.is_dead();
        self.crash_server(power);
    }

    fn worker_turn(&mut self, worker: usize) {
        let Some(process) = &mut self.server.process else { return };
        let Some(machine) = process.workers.get_mut(worker) else { return };
        let outputs: Vec<Output> = machine.outputs().collect();
        let mut outputs = outputs.into_iter();
        for output in outputs.by_ref() {
            if let Output::Stop { reason } = output {
                return self.worker_stopped(worker, &reason);
            }
            self.worker_output(worker, output);
            if self.server.process.is_none() {
                return;
            }
        }
        self.schedule_server_tick();
    }

    fn worker_output(&mut self, worker: usize, output: Output) {
        let life = self.server.life;
        match output {
            Output::Call { id, call } => {
                let slow_ms =
                    if worker == 1 && call.lane() == Lane::Log { self.options.slow_log_ms_max } else { 0 };
                let delay = self.random.u64(0..=self.options.disk_ms_max / 2 + slow_ms);
                self.schedule(self.now + delay, Event::Execute { life, worker, id, call });
            }
            Output::Answer { session, id, answer } => {
                self.observe_answer(session, id, &answer);
                self.send_to_edge(worker, ToEdge::Answer { session, id, answer });
            }
            Output::Push { session, entry } => {
                if let InboxItem::Message(message) = &entry.item {
                    self.observe_left(message.conversation, message.seq.0, message.id);
                }
                self.push(worker, session, ToEdge::Push { session, entry });
            }
            Output::Close { session, code } => self.send_to_edge(worker, ToEdge::Close { session, code }),
            Output::Frame { to, frame } => {
                self.send_between(to, Input::Frame(frame.clone()), || Input::Frame(frame.clone()))
            }
            Output::Presence { session, presence } => {
                self.send_to_edge(worker, ToEdge::Presence { session, presence });
            }
            Output::Typing { session, typing } => {
                self.send_to_edge(worker, ToEdge::Typing { session, typing });
            }
            Output::Whisper { to, whisper } => self.whisper(to, whisper),
            Output::Confirm { to, confirm } => {
                self.send_between(to, Input::Confirm(confirm), || Input::Confirm(confirm));
            }
            Output::Admin { id, answer } => self.admin_answered(id.0, &answer),
            Output::Ready => {
                if let Some(process) = &mut self.server.process {
                    process.ready.insert(worker);
                }
                self.recorder.note(|| format!("worker {worker} is ready"));
            }
            Output::Drained => self.worker_drained(worker),
            Output::Stop { .. } => {}
        }
    }

    fn worker_stopped(&mut self, worker: usize, reason: &StopReason) {
        self.recorder.note(|| format!("worker {worker} stops: {reason}"));
        let excused = match reason {
            StopReason::Poisoned(_) => self.storage.is_faulty,
            StopReason::StartRefused(_) => self.storage.excuses_start(),
            _ => false,
        };
        if !excused {
            let reason = reason.to_string();
            self.defect(|| format!("worker {worker} stopped without cause: {reason}"));
        }
        self.server.tally.stops += 1;
        let power = !self.options.only_kills && self.random.bool();
        self.end_process(power);
    }

    fn worker_drained(&mut self, worker: usize) {
        let Some(process) = &mut self.server.process else { return };
        process.drained.insert(worker);
        if process.drained.len() == process.workers.len() {
            self.recorder.note(|| "the server is drained".to_owned());
            let power = !self.options.only_kills && self.random.bool();
            self.end_process(power);
        }
    }

    fn end_process(&mut self, power: bool) {
        if let Some(process) = self.server.process.take() {
            process.workers.iter().for_each(|worker| self.server.tally.take(worker.statistics()));
            if process.safe_mode {
                self.recorder.observe(Observation::Full { is: false });
                self.recorder.observe(Observation::SafeMode { on: false });
            }
        }
        self.storage.restart(power);
        self.server.life += 1;
        let ends: Vec<LinkId> =
            self.network.links.iter().filter(|(_, link)| link.server_open).map(|(id, _)| *id).collect();
        for id in ends {
            let delay = self.random.u64(0..1_500);
            if let Some(link) = self.network.links.get_mut(&id) {
                link.server_open = false;
                let at = link.to_device(self.now, delay);
                self.schedule(at, Event::DeviceSees { link: id });
            }
            self.network.sweep(id);
        }
        let delay = self.random.u64(5..1_000);
        self.schedule(self.now + delay, Event::ServerStart { life: self.server.life });
    }

    fn server_now(&self) -> Now {
        Now { wall: self.wall(self.server.skew_ms), monotonic: self.monotonic() }
    }

    fn schedule_server_tick(&mut self) {
        let (life, now) = (self.server.life, self.now);
        let Some(process) = &mut self.server.process else { return };
        let edges = process.edges.values().filter_map(EdgeMachine::deadline);
        let workers = process.workers.iter().filter_map(Worker::deadline);
        let Some(deadline) = edges.chain(workers).min() else { return };
        let at = deadline.0.max(now + 1);
        if process.tick_at.is_none_or(|planned| planned > at) {
            process.tick_at = Some(at);
            self.schedule(at, Event::ServerTick { life });
        }
    }
}
