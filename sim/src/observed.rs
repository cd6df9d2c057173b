//! Watches the logs from above the encryption: what the storage said is durable, and when. On some seeds it also
//! leaves appends in doubt, as an engine behind a network would: done, not done, or done later.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use iris_history::Observation;
use iris_store::{Appended, Doubt, LogChunk, LogEnd, LogInfo, Logs, Resolved, StoreError};
use iris_types::{ChunkId, LogId, Position};
use iris_vnode::{ChunkReader, Event};

use crate::recorder::Recorder;

/// What was seen since it was last asked for.
#[derive(Clone, Default)]
pub(crate) struct Sightings(Arc<Mutex<Vec<Sighting>>>);

/// A chunk that the storage has, for certain.
pub(crate) struct Sighting {
    log: LogId,
    position: Position,
    chunk: ChunkId,
    bytes: Vec<u8>,
}

pub(crate) struct ObservedLogs {
    logs: Arc<dyn Logs>,
    sightings: Sightings,
    doubts: Mutex<Doubts>,
}

/// Which appends are left in doubt.
struct Doubts {
    random: fastrand::Rng,
    per_cent: u8,
    /// An append that will land before whatever is asked of its log next but a resolve.
    late: Option<Late>,
}

struct Late {
    log: LogId,
    at: Position,
    chunk: ChunkId,
    bytes: Vec<u8>,
}

impl ObservedLogs {
    pub(crate) fn new(logs: Arc<dyn Logs>, sightings: Sightings, seed: u64, per_cent: u8) -> Self {
        let doubts = Doubts { random: fastrand::Rng::with_seed(seed), per_cent, late: None };
        Self { logs, sightings, doubts: Mutex::new(doubts) }
    }

    fn append_now(&self, log: LogId, at: Position, chunk: ChunkId, bytes: &[u8]) -> Appended {
        let appended = self.logs.append(log, at, chunk, bytes);
        if appended == Appended::Committed {
            self.sightings.add(log, at, chunk, bytes);
        }
        appended
    }

    /// What was late lands; whether that works is nobody's business any more.
    fn land(&self, doubts: &mut Doubts) {
        if let Some(Late { log, at, chunk, bytes }) = doubts.late.take() {
            let _ = self.append_now(log, at, chunk, &bytes);
        }
    }
}

impl Sightings {
    pub(crate) fn take(&self) -> Vec<Sighting> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, log: LogId, position: Position, chunk: ChunkId, bytes: &[u8]) {
        let sighting = Sighting { log, position, chunk, bytes: bytes.to_vec() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sighting);
    }
}

impl Sighting {
    pub(crate) fn record(self, recorder: &mut Recorder) {
        let log = recorder.log(self.log);
        let position = self.position.0;
        let chunk = iris_history::history::body_hash(0, &self.chunk.0);
        recorder.observe(Observation::Chunk { log, position, chunk });
        let Ok(mut events) = ChunkReader::new(self.bytes.into()) else { return };
        while let Ok(Some((vnode, epoch, event))) = events.next_event() {
            let Event::Message(event) = event else { continue };
            let (conversation, message) =
                (recorder.conversation(event.conversation), recorder.message(event.id));
            let (vnode, epoch, seq) = (u32::from(vnode.0), epoch.0, event.seq.0);
            recorder.observe(Observation::Durable {
                log,
                position,
                vnode,
                epoch,
                conversation,
                seq,
                message,
            });
        }
    }
}

impl Logs for ObservedLogs {
    fn create(&self, log: LogId) -> Result<(), StoreError> {
        self.logs.create(log)
    }

    fn append(&self, log: LogId, at: Position, chunk: ChunkId, bytes: &[u8]) -> Appended {
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        self.land(&mut doubts);
        if doubts.random.u8(..100) >= doubts.per_cent {
            return self.append_now(log, at, chunk, bytes);
        }
        match doubts.random.u8(..3) {
            0 => match self.append_now(log, at, chunk, bytes) {
                Appended::Committed => {}
                other => return other,
            },
            1 => {}
            _ => doubts.late = Some(Late { log, at, chunk, bytes: bytes.to_vec() }),
        }
        Appended::InDoubt(Doubt::NoAnswer)
    }

    fn resolve(&self, log: LogId, at: Position, chunk: ChunkId) -> Result<Resolved, StoreError> {
        self.logs.resolve(log, at, chunk)
    }

    fn seal(&self, log: LogId) -> Result<LogEnd, StoreError> {
        self.land(&mut self.doubts.lock().unwrap_or_else(PoisonError::into_inner));
        self.logs.seal(log)
    }

    fn replay(
        &self,
        log: LogId,
        from: Position,
        visit: &mut dyn FnMut(LogChunk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.logs.replay(log, from, &mut |chunk| {
            self.sightings.add(log, chunk.position, chunk.chunk, chunk.bytes);
            visit(chunk)
        })
    }

    fn trim(&self, log: LogId, before: Position) -> Result<(), StoreError> {
        self.logs.trim(log, before)
    }

    fn list(&self) -> Result<Vec<LogInfo>, StoreError> {
        self.logs.list()
    }

    fn cut(&self) -> Result<BTreeSet<LogId>, StoreError> {
        self.logs.cut()
    }
}
