//! The event loop: one queue, one clock, one source of randomness.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use iris_cluster::ToEdge;
use iris_history::Message;
use iris_types::request::SessionId;
use iris_types::{Body, ConversationId, Monotonic, Target, Timestamp};
use iris_worker::{Call, CallId, CallResult, Input};

use crate::Options;
use crate::device::DeviceProcess;
use crate::faults::Fault;
use crate::network::{LinkId, Network};
use crate::recorder::Recorder;
use crate::server::Server;
use crate::storage::Storage;

/// The wall clock when a world begins: late in 2026.
const EPOCH_MS: u64 = 1_795_000_000_000;

/// Everything there is.
pub(crate) struct World {
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<Scheduled>>,
    tie: u64,
    pub(crate) random: fastrand::Rng,
    pub(crate) options: Options,
    pub(crate) recorder: Recorder,
    pub(crate) network: Network,
    pub(crate) devices: Vec<DeviceProcess>,
    pub(crate) server: Server,
    pub(crate) storage: Storage,
    /// Faults happen, devices send.
    pub(crate) is_traffic: bool,
    /// By how much all wall clocks are ahead, after days have passed in leaps.
    pub(crate) days_ms: u64,
    /// What is on its way: bytes, calls, stores. A world without any waits for timers only.
    in_flight: u64,
    /// When something other than a timer last happened.
    pub(crate) active_at: u64,
    pub(crate) events: u64,
    /// Events by kind, for the question what a world is busy with.
    pub(crate) kinds: [u64; Event::KINDS],
    /// Groups that were made.
    pub(crate) groups: Vec<ConversationId>,
    /// What was sent to whom, to be repeated at the end.
    pub(crate) sent: BTreeMap<Message, (Target, Body)>,
    /// Something that no checker can see was wrong.
    pub(crate) defect: Option<String>,
}

/// Something that will happen.
pub(crate) enum Event {
    DeviceStart { device: usize },
    DeviceConnect { device: usize, incarnation: u32, attempt: u64 },
    ConnectFailed { device: usize, incarnation: u32, attempt: u64 },
    LinkUp { link: LinkId },
    DeviceTick { device: usize },
    DeviceStored { device: usize, incarnation: u32 },
    Act { device: usize },
    ToDevice { link: LinkId, bytes: Vec<u8> },
    ToServer { link: LinkId, bytes: Vec<u8> },
    DeviceSees { link: LinkId },
    ServerSees { link: LinkId },
    ServerStart { life: u32 },
    ServerTick { life: u32 },
    Maintain { life: u32 },
    Execute { life: u32, worker: usize, id: CallId, call: Call },
    Done { life: u32, worker: usize, id: CallId, result: CallResult },
    ToWorker { life: u32, worker: usize, input: Input },
    ToEdge { life: u32, message: ToEdge },
    InboxHasRoom { life: u32, worker: usize, session: SessionId },
    Fault(Fault),
    FaultEnds(Fault),
}

struct Scheduled {
    at: u64,
    tie: u64,
    event: Event,
}

impl World {
    pub(crate) fn new(seed: u64, options: Options, lines_max: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let storage = Storage::new(random.u64(..), &options);
        let server = Server::new(&options);
        let mut world = Self {
            now: 0,
            queue: BinaryHeap::new(),
            tie: 0,
            random,
            options,
            recorder: Recorder { lines_max, ..Recorder::default() },
            network: Network::default(),
            devices: Vec::new(),
            server,
            storage,
            is_traffic: true,
            days_ms: 0,
            in_flight: 0,
            active_at: 0,
            events: 0,
            kinds: [0; Event::KINDS],
            groups: Vec::new(),
            sent: BTreeMap::new(),
            defect: None,
        };
        world.schedule(0, Event::ServerStart { life: 0 });
        world
    }

    pub(crate) fn schedule(&mut self, at: u64, event: Event) {
        self.tie += 1;
        self.in_flight += u64::from(event.is_work());
        self.queue.push(Reverse(Scheduled { at: at.max(self.now), tie: self.tie, event }));
    }

    /// Handles the next event, unless it comes later than `until`. `false`: nothing is left to do till then.
    pub(crate) fn step(&mut self, until: u64) -> bool {
        if self.queue.peek().is_none_or(|Reverse(next)| next.at > until) {
            self.now = self.now.max(until);
            return false;
        }
        let Some(Reverse(Scheduled { at, event, .. })) = self.queue.pop() else { return false };
        self.now = at;
        self.recorder.now = at;
        self.events += 1;
        let (kind, detail) = event.number();
        self.recorder.trace.take(&(at, kind, detail));
        self.kinds[usize::from(kind)] += 1;
        if event.is_work() {
            self.in_flight -= 1;
            self.active_at = at;
        }
        self.handle(event);
        true
    }

    /// Nothing is on its way.
    pub(crate) fn is_still(&self) -> bool {
        self.in_flight == 0
    }

    pub(crate) fn monotonic(&self) -> Monotonic {
        Monotonic(self.now)
    }

    /// The wall clock of somebody whose clock is off by so many milliseconds.
    pub(crate) fn wall(&self, skew_ms: i64) -> Timestamp {
        Timestamp((EPOCH_MS + self.now + self.days_ms).saturating_add_signed(skew_ms))
    }

    /// The first defect is the one that counts.
    pub(crate) fn defect(&mut self, what: impl FnOnce() -> String) {
        if self.defect.is_none() {
            self.defect = Some(what());
        }
    }

    pub(crate) fn latency(&mut self) -> u64 {
        self.random.u64(0..=self.options.latency_ms_max)
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::DeviceStart { device } => self.start_device(device),
            Event::DeviceConnect { device, incarnation, attempt } => {
                self.connect_device(device, incarnation, attempt);
            }
            Event::ConnectFailed { device, incarnation, attempt } => {
                self.connect_failed(device, incarnation, attempt);
            }
            Event::LinkUp { link } => self.link_up(link),
            Event::DeviceTick { device } => self.device_tick(device),
            Event::DeviceStored { device, incarnation } => self.device_stored(device, incarnation),
            Event::Act { device } => self.act(device),
            Event::ToDevice { link, bytes } => self.device_receives(link, &bytes),
            Event::ToServer { link, bytes } => self.server_receives(link, &bytes),
            Event::DeviceSees { link } => self.device_sees_end(link),
            Event::ServerSees { link } => self.server_sees_end(link),
            Event::ServerStart { life } => self.start_server(life),
            Event::ServerTick { life } => self.server_tick(life),
            Event::Maintain { life } => self.maintain(life),
            Event::Execute { life, worker, id, call } => self.execute(life, worker, id, call),
            Event::Done { life, worker, id, result } => {
                self.tell_worker(life, worker, Input::Done { call: id, result });
            }
            Event::ToWorker { life, worker, input } => self.tell_worker(life, worker, input),
            Event::ToEdge { life, message } => self.tell_edge(life, message),
            Event::InboxHasRoom { life, worker, session } => self.inbox_has_room(life, worker, session),
            Event::Fault(fault) => self.begin_fault(fault),
            Event::FaultEnds(fault) => self.end_fault(fault),
        }
    }
}

impl Event {
    pub(crate) const KINDS: usize = 21;

    /// Whether it is on its way, rather than a timer.
    fn is_work(&self) -> bool {
        !matches!(
            self,
            Self::DeviceTick { .. } | Self::ServerTick { .. } | Self::Maintain { .. } | Self::Fault(_)
        )
    }

    /// For the trace.
    fn number(&self) -> (u8, u64) {
        match self {
            Self::DeviceStart { device } => (0, *device as u64),
            Self::DeviceConnect { device, attempt, .. } => (1, *device as u64 + (attempt << 16)),
            Self::ConnectFailed { device, .. } => (2, *device as u64),
            Self::LinkUp { link } => (3, u64::from(*link)),
            Self::DeviceTick { device } => (4, *device as u64),
            Self::DeviceStored { device, .. } => (5, *device as u64),
            Self::Act { device } => (6, *device as u64),
            Self::ToDevice { link, bytes } => (7, digest(*link, bytes)),
            Self::ToServer { link, bytes } => (8, digest(*link, bytes)),
            Self::DeviceSees { link } => (9, u64::from(*link)),
            Self::ServerSees { link } => (10, u64::from(*link)),
            Self::ServerStart { life } => (11, u64::from(*life)),
            Self::ServerTick { life } => (12, u64::from(*life)),
            Self::Maintain { life } => (13, u64::from(*life)),
            Self::Execute { id, .. } => (14, id.0),
            Self::Done { id, .. } => (15, id.0),
            Self::ToWorker { worker, .. } => (16, *worker as u64),
            Self::ToEdge { life, .. } => (17, u64::from(*life)),
            Self::InboxHasRoom { session, .. } => (20, u64::from(session.slot)),
            Self::Fault(fault) => (18, *fault as u64),
            Self::FaultEnds(fault) => (19, *fault as u64),
        }
    }
}

fn digest(link: LinkId, bytes: &[u8]) -> u64 {
    iris_history::history::body_hash(0, bytes) ^ u64::from(link)
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.tie == other.tie
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.tie).cmp(&(other.at, other.tie))
    }
}
