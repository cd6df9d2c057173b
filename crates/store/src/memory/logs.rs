//! Commit logs of the memory twin.

use std::collections::BTreeMap;

use iris_types::{ChunkId, LogId, Position};

use super::faults::{AppendFault, Landing, Operation};
use super::{MemoryEngine, State};
use crate::{Appended, Doubt, LogChunk, LogEnd, LogInfo, Logs, Resolved, StoreError};

pub(super) type LogMap = BTreeMap<LogId, MemoryLog>;

/// One log. `chunks` are dense and end at `last`; what is before the first of them was trimmed.
#[derive(Default)]
pub(super) struct MemoryLog {
    chunks: BTreeMap<u64, (ChunkId, Vec<u8>)>,
    last: Position,
    last_chunk: Option<ChunkId>,
    sealed: bool,
    pending: Option<Pending>,
}

/// An append in doubt that is not in the log.
struct Pending {
    chunk: ChunkId,
    bytes: Vec<u8>,
    landing: Landing,
    asked: bool,
}

impl MemoryLog {
    fn end(&self) -> LogEnd {
        LogEnd { last: self.last, chunk: self.last_chunk }
    }

    fn push(&mut self, chunk: ChunkId, bytes: Vec<u8>) {
        self.last = Position(self.last.0 + 1);
        self.last_chunk = Some(chunk);
        self.chunks.insert(self.last.0, (chunk, bytes));
        self.pending = None;
    }

    fn seal(&mut self) -> LogEnd {
        match self.pending.take() {
            Some(pending) if pending.landing == Landing::Late => self.push(pending.chunk, pending.bytes),
            _ => {}
        }
        self.sealed = true;
        self.end()
    }

    fn check(&self, at: Position, chunk: ChunkId) -> Option<Appended> {
        if at == self.last && self.last_chunk == Some(chunk) {
            return Some(Appended::Committed);
        }
        if self.sealed {
            return Some(Appended::Sealed(self.end()));
        }
        if at.0 != self.last.0 + 1 {
            return Some(misuse("the position is not the next"));
        }
        match &self.pending {
            Some(pending) if pending.chunk != chunk => {
                Some(misuse("another chunk is in doubt at the position"))
            }
            _ => None,
        }
    }

    fn append(&mut self, chunk: ChunkId, bytes: &[u8], fault: Option<AppendFault>) -> Appended {
        match fault {
            None => self.push(chunk, bytes.to_vec()),
            Some(AppendFault::SealedBefore) => return Appended::Sealed(self.seal()),
            Some(AppendFault::Doubt { landing: Landing::Landed, doubt }) => {
                self.push(chunk, bytes.to_vec());
                return Appended::InDoubt(doubt);
            }
            Some(AppendFault::Doubt { landing, doubt }) => {
                self.pending = Some(Pending { chunk, bytes: bytes.to_vec(), landing, asked: false });
                return Appended::InDoubt(doubt);
            }
        }
        Appended::Committed
    }

    fn resolve(&mut self, log: LogId, at: Position, chunk: ChunkId) -> Result<Resolved, StoreError> {
        self.land_late();
        if at == self.last && self.last_chunk == Some(chunk) {
            return Ok(Resolved::Committed);
        }
        if self.sealed {
            return Ok(Resolved::Sealed(self.end()));
        }
        if at.0 == self.last.0 + 1 {
            return Ok(Resolved::Open);
        }
        Err(StoreError::NoSuchPosition { log, position: at })
    }

    fn land_late(&mut self) {
        match self.pending.take() {
            Some(pending) if pending.landing == Landing::Late && pending.asked => {
                self.push(pending.chunk, pending.bytes);
            }
            other => self.pending = other.map(|pending| Pending { asked: true, ..pending }),
        }
    }
}

fn misuse(what: &str) -> Appended {
    Appended::InDoubt(Doubt::Misuse(what.to_owned()))
}

impl State {
    fn log(&mut self, log: LogId) -> Result<&mut MemoryLog, StoreError> {
        self.logs.get_mut(&log).ok_or(StoreError::NoSuchLog(log))
    }
}

impl Logs for MemoryEngine {
    fn create(&self, log: LogId) -> Result<(), StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::CreateLog)?;
        if state.logs.contains_key(&log) {
            return Err(StoreError::LogExists(log));
        }
        state.logs.insert(log, MemoryLog::default());
        Ok(())
    }

    fn append(&self, log: LogId, at: Position, chunk: ChunkId, bytes: &[u8]) -> Appended {
        let mut state = self.state();
        let State { logs, faults, .. } = &mut *state;
        let Some(log) = logs.get_mut(&log) else { return misuse("no such log") };
        if let Some(answer) = log.check(at, chunk) {
            return answer;
        }
        log.append(chunk, bytes, faults.appends.pop_front())
    }

    fn resolve(&self, log: LogId, at: Position, chunk: ChunkId) -> Result<Resolved, StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::Resolve)?;
        state.log(log)?.resolve(log, at, chunk)
    }

    fn seal(&self, log: LogId) -> Result<LogEnd, StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::Seal)?;
        Ok(state.logs.entry(log).or_default().seal())
    }

    fn replay(
        &self,
        log: LogId,
        from: Position,
        visit: &mut dyn FnMut(LogChunk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let chunks: Vec<(u64, ChunkId, Vec<u8>)> = {
            let mut state = self.state();
            state.faults.check(Operation::Replay)?;
            let found = state.log(log)?;
            if !found.sealed {
                return Err(StoreError::NotSealed(log));
            }
            let first = found.chunks.keys().next().copied().unwrap_or(found.last.0 + 1);
            if from.0 < first || from.0 > found.last.0 + 1 {
                return Err(StoreError::NoSuchPosition { log, position: from });
            }
            found.chunks.range(from.0..).map(|(at, (id, bytes))| (*at, *id, bytes.clone())).collect()
        };
        // Visited without the lock: the visitor may call the engine.
        chunks.iter().try_for_each(|(at, chunk, bytes)| {
            visit(LogChunk { position: Position(*at), chunk: *chunk, bytes })
        })
    }

    fn trim(&self, log: LogId, before: Position) -> Result<(), StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::Trim)?;
        let found = state.log(log)?;
        found.chunks = found.chunks.split_off(&before.0);
        Ok(())
    }

    fn list(&self) -> Result<Vec<LogInfo>, StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::ListLogs)?;
        let bytes = |log: &MemoryLog| log.chunks.values().map(|(_, bytes)| bytes.len() as u64).sum();
        let info =
            |(id, log): (&LogId, &MemoryLog)| LogInfo { log: *id, sealed: log.sealed, bytes: bytes(log) };
        Ok(state.logs.iter().map(info).collect())
    }
}
