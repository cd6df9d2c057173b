//! One worker over an encrypted store on a simulated disk, put together as the binary does it, turned by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use iris_store::Engine;
use iris_store::keys::{DataKey, KeyEpoch, MasterKey};
use iris_store::sealed::{Randomness, sealed};
use iris_store_local::{Config, Disk as _, LocalEngine, OpenError, SimDisk};
use iris_types::placement::VnodeCount;
use iris_types::request::{Answer, Login, Request, RequestId, SendMessage, Sent, SessionId, TokenFacts};
use iris_types::{Body, BodyKind, DeviceId, ErrorCode, MessageId, Monotonic, Offset, Timestamp, UserId};
use iris_worker::{
    AdminAnswer, AdminCommand, AdminId, Input, Output, Placement, SharedCache, StopReason, Worker,
    WorkerConfig, WorkerIndex, WorkerLimits, execute,
};

/// Name of the wrapped data key, which lies in the data directory like everything else.
pub(crate) const KEYS: &str = "keys";
/// Some day in 2026, at noon.
pub(crate) const NOON: u64 = (20_500 * 24 + 12) * 3_600_000;
const MASTER: [u8; 32] = [0x4d; 32];
pub(crate) const VNODES: u32 = 2;

/// Why there is no server.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) by: By,
    pub(crate) why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Store,
    Keys,
    Worker,
}

pub(crate) struct Server {
    worker: Worker,
    local: LocalEngine,
    engine: Engine,
    cache: SharedCache,
    life: u8,
    pub(crate) now: u64,
    answers: Vec<(RequestId, Answer)>,
    attached: Vec<(SessionId, Answer)>,
    admin: Vec<AdminAnswer>,
    stop: Option<StopReason>,
    is_ready: bool,
    is_drained: bool,
    requests: u32,
}

pub(crate) fn config() -> Config {
    Config { segment_bytes: 2 * 1_024, journal_bytes: 2 * 1_024, ..Config::small([0x51; 16]) }
}

/// Nothing stays in memory that can be read again.
fn limits() -> WorkerLimits {
    WorkerLimits { state_cache_bytes: 0, waits_for_recipient: false, ..WorkerLimits::default() }
}

/// Makes the data key of a new store.
pub(crate) fn make_keys(disk: &SimDisk) {
    let wrapped = DataKey::new([0x6b; 32], KeyEpoch(1)).wrap(&MasterKey::new(MASTER), [0x6e; 12]).unwrap();
    let file = disk.create(KEYS).unwrap();
    file.write_at(0, &wrapped).unwrap();
    file.sync_data().unwrap();
    disk.sync_directory("").unwrap();
}

fn unwrap_keys(disk: &SimDisk) -> Result<DataKey, Refused> {
    let file = disk.open(KEYS).unwrap();
    let mut wrapped = vec![0; usize::try_from(file.length().unwrap()).unwrap()];
    file.read_at(0, &mut wrapped).unwrap();
    DataKey::unwrap(&wrapped, &MasterKey::new(MASTER))
        .map_err(|error| Refused { by: By::Keys, why: error.to_string() })
}

/// Bytes that no two lives on one disk have in common.
fn randomness(life: u8) -> Randomness {
    let count = AtomicU64::new(0);
    Arc::new(move |bytes: &mut [u8]| {
        bytes.fill(life);
        let number = count.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().rev().zip(number.iter().rev()).for_each(|(byte, number)| *byte = *number);
    })
}

impl Server {
    /// Starts on what the disk holds. `life` is another for every start of a store.
    pub(crate) fn start(disk: &SimDisk, life: u8) -> Result<Self, Refused> {
        let local = match LocalEngine::open(Arc::new(disk.clone()), config()) {
            Ok(local) => local,
            Err(OpenError::Refused(finding)) => {
                return Err(Refused { by: By::Store, why: finding.to_string() });
            }
            Err(other) => panic!("{other}"),
        };
        let engine = sealed(local.engine(), &unwrap_keys(disk)?, randomness(life)).unwrap();
        let config = WorkerConfig {
            vnodes: VnodeCount::new(VNODES).unwrap(),
            placement: Placement::SINGLE,
            index: WorkerIndex(0),
            limits: limits(),
            seed: [life; 32],
        };
        let now = NOON + u64::from(life) * 1_000_000;
        let mut server = Self {
            worker: Worker::new(config, Timestamp(now), Monotonic(now)),
            local,
            engine,
            cache: SharedCache::new(1 << 20),
            life,
            now,
            answers: Vec::new(),
            attached: Vec::new(),
            admin: Vec::new(),
            stop: None,
            is_ready: false,
            is_drained: false,
            requests: 0,
        };
        server.run();
        match server.stop.take() {
            Some(StopReason::StartRefused(why)) => Err(Refused { by: By::Worker, why }),
            Some(other) => panic!("stopped in its start: {other}"),
            None => {
                assert!(server.is_ready, "neither ready nor refused");
                Ok(server)
            }
        }
    }

    /// Stops in good order.
    pub(crate) fn stop(mut self) {
        self.tell(Input::Drain);
        self.run();
        assert!(self.is_drained && self.stop.is_none());
        self.local.write_mark().unwrap();
    }

    /// What a thread does in the background now and then.
    pub(crate) fn maintain(&self) {
        self.local.write_mark().unwrap();
        self.local.prepare_segment().unwrap();
    }

    /// Lets time pass, in which everything that gathers is decided, flushed, merged.
    pub(crate) fn settle(&mut self) {
        for ms in [limits().acknowledge_interval_ms, limits().flush_interval_ms, 10_000] {
            self.pass(ms);
        }
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now += ms;
        self.tell(Input::Tick);
        self.run();
    }

    /// Why the worker stopped, if it did.
    pub(crate) fn stopped(&self) -> Option<&StopReason> {
        self.stop.as_ref()
    }

    pub(crate) fn ask(&mut self, from: &str, request: Request) -> Answer {
        let id = self.begin(from, request);
        self.run();
        self.answer(id)
    }

    /// Goes on to the answer and not one step further.
    pub(crate) fn ask_and_hold(&mut self, from: &str, request: Request) -> Answer {
        let id = self.begin(from, request);
        while !self.answers.iter().any(|(answered, _)| *answered == id) {
            assert!(self.turn(|output| matches!(output, Output::Answer { .. })), "no answer");
        }
        self.answer(id)
    }

    pub(crate) fn send(&mut self, from: &str, to: &str, id: MessageId, text: &str) -> Sent {
        sent(self.ask(from, message(id, to, text))).unwrap()
    }

    pub(crate) fn acknowledge(&mut self, name: &str, up_to: u64) {
        self.begin(name, Request::Acknowledge { up_to: Offset(up_to) });
        self.run();
    }

    pub(crate) fn attach(&mut self, name: &str, token: [u8; 16]) -> Answer {
        self.requests += 1;
        let mut nonce = [self.life; 16];
        nonce[..4].copy_from_slice(&self.requests.to_be_bytes());
        let token = TokenFacts {
            id: token,
            issued_at: Timestamp(NOON),
            expires_at: Timestamp(NOON + 24 * 3_600_000),
        };
        let login = Login { user: user(name), device: device(), token, nonce, at: Timestamp(self.now) };
        let session = session(name);
        self.tell(Input::Attach { session, login });
        self.run();
        let found = self.attached.iter().rposition(|(of, _)| *of == session).expect("an answer");
        self.attached.remove(found).1
    }

    pub(crate) fn revoke(&mut self, name: &str, token: [u8; 16]) {
        let expires_at = Timestamp(NOON + 24 * 3_600_000);
        let command = AdminCommand::RevokeToken { user: user(name), token, expires_at };
        self.tell(Input::Admin { id: AdminId(1), command });
        self.run();
        assert_eq!(self.admin.pop(), Some(AdminAnswer::Done));
    }

    fn begin(&mut self, from: &str, request: Request) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        self.tell(Input::Request { session: session(from), user: user(from), device: device(), id, request });
        id
    }

    fn answer(&mut self, id: RequestId) -> Answer {
        let found = self.answers.iter().position(|(answered, _)| *answered == id);
        self.answers.remove(found.expect("an answer")).1
    }

    fn tell(&mut self, input: Input) {
        self.worker.handle(input, Timestamp(self.now), Monotonic(self.now));
    }

    fn run(&mut self) {
        while self.turn(|_| false) {}
    }

    /// Carries out what there is to do, up to the first output that is the last wanted. False: there was nothing.
    fn turn(&mut self, is_last: fn(&Output) -> bool) -> bool {
        let outputs: Vec<Output> = self.worker.outputs().collect();
        let is_busy = !outputs.is_empty();
        for output in outputs {
            let ends = is_last(&output);
            self.carry_out(output);
            if ends {
                break;
            }
        }
        is_busy
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Call { id: call, call: work } => {
                let result = execute(work, &self.engine, &self.cache);
                self.tell(Input::Done { call, result });
            }
            Output::Answer { session, id: RequestId(0), answer } => self.attached.push((session, answer)),
            Output::Answer { id, answer, .. } => self.answers.push((id, answer)),
            Output::Frame { frame, .. } => self.tell(Input::Frame(frame)),
            Output::Confirm { confirm, .. } => self.tell(Input::Confirm(confirm)),
            Output::Admin { answer, .. } => self.admin.push(answer),
            Output::Ready => self.is_ready = true,
            Output::Drained => self.is_drained = true,
            Output::Stop { reason } => self.stop = Some(reason),
            // One worker whispers to nobody else.
            Output::Push { .. }
            | Output::Close { .. }
            | Output::Presence { .. }
            | Output::Typing { .. }
            | Output::Whisper { .. } => {}
        }
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn device() -> DeviceId {
    DeviceId::new("d").unwrap()
}

pub(crate) fn message(id: MessageId, to: &str, text: &str) -> Request {
    let body = Body::new(BodyKind::TEXT, Bytes::copy_from_slice(text.as_bytes())).unwrap();
    Request::SendMessage(SendMessage { id, to: user(to).into(), previous: None, body })
}

pub(crate) fn sent(answer: Answer) -> Result<Sent, ErrorCode> {
    match answer {
        Answer::Sent(sent) => Ok(sent),
        Answer::Refused { refusal, .. } => Err(refusal.code),
        other => panic!("not the answer to a send: {other:?}"),
    }
}

/// A user's only session.
fn session(name: &str) -> SessionId {
    let slot = name.bytes().fold(0_u32, |slot, byte| slot.wrapping_mul(31).wrapping_add(u32::from(byte)));
    SessionId { event_loop: 0, slot, generation: 1 }
}
