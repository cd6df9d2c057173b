//! The logs of the engine.

use std::sync::{Arc, PoisonError};

use iris_store::{Appended, Doubt, LogChunk, LogEnd, LogInfo, Logs, Resolved, StoreError};
use iris_types::{ChunkId, LogId, Position, limits};

use crate::durable::lock;
use crate::engine::{LocalEngine, Shared};
use crate::frame::Kind;
use crate::log::{Log, LogState, Segment};
use crate::record::Record;
use crate::scan::{Scan, Step};
use crate::segment::{self, SegmentHeader};
use crate::{Finding, Reason};

impl Logs for LocalEngine {
    fn create(&self, log: LogId) -> Result<(), StoreError> {
        let shared = &*self.shared;
        shared.health.check()?;
        let _creating = lock(&shared.creating);
        if shared.log(log).is_some() {
            return Err(StoreError::LogExists(log));
        }
        if shared.own_logs() >= limits::LOGS_MAX {
            let most = limits::LOGS_MAX;
            return Err(StoreError::Io(format!(
                "{most} logs take appends already, and the mark names no more"
            )));
        }
        let created = Log::create(shared, log).map_err(|error| shared.health.judge(error))?;
        shared.commit(&[Record::LogCreated(log)]).inspect_err(|error| shared.forget(&created, error))?;
        shared.insert(created);
        Ok(())
    }

    fn append(&self, log: LogId, at: Position, chunk: ChunkId, bytes: &[u8]) -> Appended {
        let misuse = |what: &str| Appended::InDoubt(Doubt::Misuse(what.to_owned()));
        let Some(log) = self.shared.log(log) else { return misuse("no such log") };
        if bytes.len() > limits::STORED_CHUNK_BYTES_MAX {
            return misuse("the chunk is too large");
        }
        let mut state = lock(&log.state);
        if let Some(answer) = state.refuse(at, chunk) {
            return answer;
        }
        if let Err(error) = self.shared.health.check() {
            return Appended::InDoubt(Doubt::Poisoned(error.to_string()));
        }
        match log.append(&self.shared, &mut state, chunk, bytes) {
            Ok(()) => Appended::Committed,
            Err(doubt) => Appended::InDoubt(doubt),
        }
    }

    fn resolve(&self, log: LogId, at: Position, chunk: ChunkId) -> Result<Resolved, StoreError> {
        let found = self.shared.log(log).ok_or(StoreError::NoSuchLog(log))?;
        let state = lock(&found.state);
        if state.is_last(at, chunk) {
            return Ok(Resolved::Committed);
        }
        if state.sealed {
            return Ok(Resolved::Sealed(state.end()));
        }
        self.shared.health.check()?;
        if at.0 == state.last.0 + 1 {
            return Ok(Resolved::Open);
        }
        Err(StoreError::NoSuchPosition { log, position: at })
    }

    fn seal(&self, log: LogId) -> Result<LogEnd, StoreError> {
        if let Some(found) = self.shared.log(log) {
            return self.shared.seal(&found);
        }
        let creating = lock(&self.shared.creating);
        if let Some(found) = self.shared.log(log) {
            drop(creating);
            return self.shared.seal(&found);
        }
        let end = LogEnd { last: Position::ZERO, chunk: None };
        self.shared.commit(&[Record::LogCreated(log), Record::LogSealed { log, end }])?;
        self.shared.insert(Log::found(log, Some(end), end, Vec::new()));
        Ok(end)
    }

    fn replay(
        &self,
        log: LogId,
        from: Position,
        visit: &mut dyn FnMut(LogChunk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (segments, end) = self.shared.replayable(log, from)?;
        let mut next = from;
        for segment in segments.iter().filter(|segment| segment.last >= from.0) {
            self.shared.replay_segment(log, segment, end, &mut next, visit)?;
        }
        if next.0 == end.last.0 + 1 {
            return Ok(());
        }
        Err(StoreError::Corrupt { what: format!("log {log} ends at {}, sealed at {}", next.0 - 1, end.last) })
    }

    fn trim(&self, log: LogId, before: Position) -> Result<(), StoreError> {
        let shared = &*self.shared;
        let found = shared.log(log).ok_or(StoreError::NoSuchLog(log))?;
        let mut state = lock(&found.state);
        let dropped = state.droppable(before);
        if dropped == 0 {
            return Ok(());
        }
        let first = state.segments.get(dropped).map_or(state.last.0 + 1, |segment| segment.first);
        let first_segment = state.segments.get(dropped).map_or_else(
            || state.segments.last().map_or(1, |segment| segment.number.saturating_add(1)),
            |segment| segment.number,
        );
        shared.commit(&[Record::LogTrimmed { log, first_segment, first: Position(first) }])?;
        for segment in state.segments.drain(..dropped) {
            let name = segment::name(log, segment.number);
            let given = shared.spares.recycle(shared, &name, segment.blocks);
            given.map_err(|error| shared.health.judge(error))?;
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<LogInfo>, StoreError> {
        let logs = self.shared.logs.read().unwrap_or_else(PoisonError::into_inner).clone();
        let info = |log: &Arc<Log>| {
            let state = lock(&log.state);
            let bytes = state.segments.iter().map(|segment| segment::offset(segment.blocks)).sum();
            LogInfo { log: log.id, sealed: state.sealed, bytes }
        };
        Ok(logs.values().map(info).collect())
    }

    fn cut(&self) -> Result<std::collections::BTreeSet<LogId>, StoreError> {
        crate::aside::cut_logs(&*self.shared.disk).map_err(StoreError::from)
    }
}

impl LogState {
    /// How many of the oldest segments hold only positions before `before`. The one in use stays.
    fn droppable(&self, before: Position) -> usize {
        let kept = if self.sealed { 0 } else { 1 };
        let candidates = self.segments.len().saturating_sub(kept);
        self.segments.iter().take(candidates).take_while(|segment| segment.last < before.0).count()
    }
}

impl Shared {
    fn insert(&self, log: Log) {
        self.logs.write().unwrap_or_else(PoisonError::into_inner).insert(log.id, Arc::new(log));
    }

    /// Gives the segment of a log back that certainly did not come to be. After any other error than "no space" the
    /// catalog may know the log.
    fn forget(&self, log: &Log, error: &StoreError) {
        if *error != StoreError::NoSpace {
            return;
        }
        for segment in &lock(&log.state).segments {
            // Best effort: a start removes an empty segment of a log that the catalog does not know.
            let _ = self.spares.recycle(self, &segment::name(log.id, segment.number), segment.blocks);
        }
    }

    fn seal(&self, log: &Log) -> Result<LogEnd, StoreError> {
        let mut state = lock(&log.state);
        if !state.sealed {
            let end = state.end();
            self.commit(&[Record::LogSealed { log: log.id, end }])?;
            log.set_sealed(&mut state);
        }
        Ok(state.end())
    }

    /// The segments of a sealed log and its end, if it can be read from `from` on.
    fn replayable(&self, log: LogId, from: Position) -> Result<(Vec<Segment>, LogEnd), StoreError> {
        let found = self.log(log).ok_or(StoreError::NoSuchLog(log))?;
        let state = lock(&found.state);
        if !state.sealed {
            return Err(StoreError::NotSealed(log));
        }
        let first = state.segments.first().map_or(state.last.0 + 1, |segment| segment.first);
        if from.0 < first || from.0 > state.last.0 + 1 {
            return Err(StoreError::NoSuchPosition { log, position: from });
        }
        Ok((state.segments.clone(), state.end()))
    }

    /// Visits the chunks of a segment from `next` on, which moves along.
    fn replay_segment(
        &self,
        log: LogId,
        segment: &Segment,
        end: LogEnd,
        next: &mut Position,
        visit: &mut dyn FnMut(LogChunk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let name = segment::name(log, segment.number);
        let bytes = segment::read(&*self.disk, &name)?.map_err(corrupt)?;
        let header = SegmentHeader::decode(&name, &bytes, bytes.len() as u64).map_err(corrupt)?;
        if header.owner.log != log.0
            || header.owner.segment != segment.number
            || header.first != segment.first
        {
            return Err(corrupt(Finding::new(
                Reason::WrongStore,
                &name,
                0,
                "the file is of another segment",
            )));
        }
        let mut scan = Scan::new(&name, &bytes, &header);
        while scan.last < segment.last {
            let Step::Frame(frame) = scan.step().map_err(corrupt)? else {
                return Err(corrupt(Finding::new(
                    Reason::Gap,
                    &name,
                    segment::offset(scan.tail),
                    "chunks are missing",
                )));
            };
            let last = frame.position == end.last.0;
            if frame.kind != Kind::Chunk || last && end.chunk != Some(frame.chunk) {
                let offset = segment::offset(scan.tail);
                return Err(corrupt(Finding::new(
                    Reason::CorruptFrame,
                    &name,
                    offset,
                    "not the chunk sealed here",
                )));
            }
            if frame.position == next.0 {
                visit(LogChunk { position: *next, chunk: frame.chunk, bytes: &scan.body })?;
                *next = Position(next.0 + 1);
            }
        }
        Ok(())
    }
}

fn corrupt(finding: Finding) -> StoreError {
    StoreError::Corrupt { what: finding.to_string() }
}
