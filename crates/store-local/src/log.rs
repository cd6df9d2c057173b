//! One commit log: its segments, its end, and how a chunk gets into it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use iris_store::{Appended, Doubt, LogEnd};
use iris_types::{ChunkId, LogId, Position};

use crate::block::Owner;
use crate::durable;
use crate::engine::Shared;
use crate::frame::{self, Header, Kind};
use crate::segment::{self, SegmentHeader};
use crate::spares::Reserve;
use crate::{DiskError, DiskFile};

/// A log. The lock is held through a flush; what others need meanwhile is outside.
pub(crate) struct Log {
    pub(crate) id: LogId,
    /// Whether this process created it, and so may append to it until it is sealed.
    pub(crate) is_own: bool,
    pub(crate) state: Mutex<LogState>,
    durable: AtomicU64,
    sealed: AtomicBool,
}

/// What the lock of a log protects.
pub(crate) struct LogState {
    pub(crate) sealed: bool,
    pub(crate) last: Position,
    pub(crate) last_chunk: Option<ChunkId>,
    chain: u64,
    /// The chunk that is in doubt at the next position.
    pending: Option<ChunkId>,
    /// Kept segments, ascending.
    pub(crate) segments: Vec<Segment>,
    /// Where chunks go; `None` in a log that this process did not create.
    active: Option<Active>,
    buffer: Vec<u8>,
}

/// A segment that is kept. Its chunks are `first` to `last`; none when `last` is `first` - 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) blocks: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

struct Active {
    file: Arc<dyn DiskFile>,
    number: u32,
    blocks: u32,
    tail: u32,
}

impl Log {
    /// A new log with its first segment on disk, not yet in the catalog.
    pub(crate) fn create(shared: &Shared, id: LogId) -> Result<Self, DiskError> {
        let mut log = LogState::new(None, Position::ZERO, None, Vec::new());
        log.activate(shared, id, 1, 1, Reserve::Open)?;
        Ok(Self::new(id, true, log))
    }

    /// A log that an earlier process left, or an absent one that is sealed now.
    pub(crate) fn found(id: LogId, sealed: Option<LogEnd>, end: LogEnd, segments: Vec<Segment>) -> Self {
        Self::new(id, false, LogState::new(sealed, end.last, end.chunk, segments))
    }

    fn new(id: LogId, is_own: bool, state: LogState) -> Self {
        let durable = AtomicU64::new(state.last.0);
        Self { id, is_own, durable, sealed: AtomicBool::new(state.sealed), state: Mutex::new(state) }
    }

    /// The last position that is durable, without waiting for a flush.
    pub(crate) fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    /// Whether the log is not sealed, without waiting for a flush.
    pub(crate) fn is_open(&self) -> bool {
        !self.sealed.load(Ordering::Acquire)
    }

    pub(crate) fn set_sealed(&self, state: &mut LogState) {
        state.sealed = true;
        state.active = None;
        state.buffer = Vec::new();
        self.sealed.store(true, Ordering::Release);
    }

    /// Appends the chunk at the next position, durably. The caller has checked that it may.
    pub(crate) fn append(
        &self,
        shared: &Shared,
        state: &mut LogState,
        chunk: ChunkId,
        bytes: &[u8],
    ) -> Result<(), Doubt> {
        state.pending = Some(chunk);
        match state.write_chunk(shared, self.id, chunk, bytes) {
            Ok(()) => {
                state.pending = None;
                self.durable.store(state.last.0, Ordering::Release);
                Ok(())
            }
            // Nothing was written, or only what the identical chunk writes again.
            Err(DiskError::NoSpace | DiskError::TooManyFiles) => Err(Doubt::NoSpace),
            Err(error) => Err(Doubt::Poisoned(shared.health.poison(&error))),
        }
    }
}

impl LogState {
    fn new(sealed: Option<LogEnd>, last: Position, chunk: Option<ChunkId>, segments: Vec<Segment>) -> Self {
        Self {
            sealed: sealed.is_some(),
            last,
            last_chunk: chunk,
            chain: 0,
            pending: None,
            segments,
            active: None,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn end(&self) -> LogEnd {
        LogEnd { last: self.last, chunk: self.last_chunk }
    }

    pub(crate) fn is_last(&self, at: Position, chunk: ChunkId) -> bool {
        at == self.last && self.last_chunk == Some(chunk)
    }

    /// The answer to an append that does not come to writing.
    pub(crate) fn refuse(&self, at: Position, chunk: ChunkId) -> Option<Appended> {
        let misuse = |what: &str| Some(Appended::InDoubt(Doubt::Misuse(what.to_owned())));
        if self.is_last(at, chunk) {
            return Some(Appended::Committed);
        }
        if self.sealed {
            return Some(Appended::Sealed(self.end()));
        }
        if at.0 != self.last.0 + 1 {
            return misuse("the position is not the next");
        }
        if self.active.is_none() {
            return misuse("the log is of an earlier process: a log is one incarnation");
        }
        match self.pending {
            Some(pending) if pending != chunk => misuse("another chunk is in doubt at the position"),
            _ => None,
        }
    }

    fn write_chunk(
        &mut self,
        shared: &Shared,
        log: LogId,
        chunk: ChunkId,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        let count = frame::blocks(bytes.len());
        if !self.active.as_ref().is_some_and(|active| active.has_room(count)) {
            self.roll(shared, log, count)?;
        }
        let header = self.header(shared, log, Kind::Chunk, self.last.0 + 1, chunk);
        let active = self.active.as_mut().ok_or(DiskError::NotFound)?;
        let link = active.write(log, &header, bytes, &mut self.buffer)?;
        active.tail += count;
        self.chain = link;
        self.last = Position(header.position);
        self.last_chunk = Some(chunk);
        if let Some(segment) = self.segments.last_mut() {
            segment.last = self.last.0;
        }
        Ok(())
    }

    /// Goes on in a new segment: it is there, durably, before the full one names it.
    fn roll(&mut self, shared: &Shared, log: LogId, count: u32) -> Result<(), DiskError> {
        let full = self.active.as_ref().map(|active| (Arc::clone(&active.file), active.number, active.tail));
        let number = full.as_ref().map_or(1, |(_, number, _)| number + 1);
        let before = self.active.take();
        if let Err(error) = self.activate(shared, log, number, count, Reserve::Kept) {
            self.active = before;
            return Err(error);
        }
        let header = self.header(shared, log, Kind::Close, self.last.0, ChunkId([0; 16]));
        let Some(mut full) = before else { return Ok(()) };
        full.write(log, &header, &number.to_be_bytes(), &mut self.buffer).map(drop).map_err(durable::fatal)
    }

    fn activate(
        &mut self,
        shared: &Shared,
        log: LogId,
        number: u32,
        count: u32,
        reserve: Reserve,
    ) -> Result<(), DiskError> {
        // A header in front, a close behind.
        let spare = shared.spares.take(shared, count.saturating_add(2), reserve)?;
        let header = SegmentHeader {
            store: shared.store,
            owner: Owner { log: log.0, segment: number },
            blocks: spare.blocks,
            first: self.last.0 + 1,
            chain: self.chain,
            registers: shared.registers_position(),
        };
        spare.file.write_at(0, &header.encode()).map_err(durable::fatal)?;
        durable::sync_data(&*spare.file)?;
        shared.disk.rename(&spare.name, &segment::name(log, number)).map_err(durable::fatal)?;
        durable::sync_directory(&*shared.disk, segment::LOGS)?;
        self.segments.push(Segment { number, blocks: spare.blocks, first: header.first, last: self.last.0 });
        self.active = Some(Active { file: spare.file, number, blocks: spare.blocks, tail: 1 });
        Ok(())
    }

    fn header(&self, shared: &Shared, log: LogId, kind: Kind, position: u64, chunk: ChunkId) -> Header {
        Header {
            kind,
            store: shared.store,
            log: log.0,
            position,
            chunk,
            chain: self.chain,
            durable: self.last.0,
            registers: shared.registers_position(),
        }
    }
}

impl Active {
    /// Whether a frame of `count` blocks fits, with a close behind it.
    fn has_room(&self, count: u32) -> bool {
        self.blocks - self.tail > count
    }

    fn write(
        &mut self,
        log: LogId,
        header: &Header,
        body: &[u8],
        buffer: &mut Vec<u8>,
    ) -> Result<u64, DiskError> {
        let owner = Owner { log: log.0, segment: self.number };
        let link = frame::write(buffer, owner, self.tail, header, body);
        self.file.write_at(segment::offset(self.tail), buffer)?;
        durable::sync_data(&*self.file)?;
        Ok(link)
    }
}
