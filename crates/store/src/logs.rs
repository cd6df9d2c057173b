//! Commit logs.

use std::collections::BTreeSet;

use iris_types::{ChunkId, LogId, Position};

use crate::StoreError;

/// Commit logs. A log is created once, appended to by one writer, sealed once by anybody, and then only read.
pub trait Logs: Send + Sync {
    /// Makes an empty, open log.
    ///
    /// # Errors
    /// [`StoreError::LogExists`] when the id was ever used.
    fn create(&self, log: LogId) -> Result<(), StoreError>;

    /// Appends one chunk at exactly `at`, the position after the last committed one (the first is 1), durably,
    /// if the log is open and ends at `at - 1`. One append is in flight per log at a time.
    ///
    /// There is no answer "failed": either the outcome is known, or it is in doubt and must be resolved, or the
    /// identical chunk repeated, before anything else happens to the log.
    fn append(&self, log: LogId, at: Position, chunk: ChunkId, bytes: &[u8]) -> Appended;

    /// Finds out what became of an append in doubt. [`Resolved::Open`] proves nothing: the append may still
    /// land; repeat the identical chunk, or seal.
    ///
    /// # Errors
    /// Any; the doubt stays.
    fn resolve(&self, log: LogId, at: Position, chunk: ChunkId) -> Result<Resolved, StoreError>;

    /// Seals a log: from the return on nothing is ever appended to it, by anybody. Sealing again gives the same
    /// answer. An absent log is created sealed and empty.
    ///
    /// # Errors
    /// Any; whether the log is sealed is then unknown, and sealing again is safe.
    fn seal(&self, log: LogId) -> Result<LogEnd, StoreError>;

    /// Visits every chunk from position `from` to the end of a sealed log, in order. Chunks are checked to be
    /// dense and chained; `from` may be one behind the end (then nothing is visited).
    ///
    /// # Errors
    /// [`StoreError::NotSealed`], [`StoreError::NoSuchPosition`] when `from` was trimmed,
    /// [`StoreError::Corrupt`], or the visitor's own error.
    fn replay(
        &self,
        log: LogId,
        from: Position,
        visit: &mut dyn FnMut(LogChunk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Says that positions before `before` are not needed any more. Space is given back in whole segments,
    /// maybe none; the end of the log stays known for ever.
    ///
    /// # Errors
    /// Any; nothing that is still needed is lost.
    fn trim(&self, log: LogId, before: Position) -> Result<(), StoreError>;

    /// Every log there is, sealed ones included, in no particular order.
    ///
    /// # Errors
    /// Any.
    fn list(&self) -> Result<Vec<LogInfo>, StoreError>;

    /// Logs that an operator cut at a damaged place, knowing what is lost. Engines without quarantine have none.
    ///
    /// # Errors
    /// Any.
    fn cut(&self) -> Result<BTreeSet<LogId>, StoreError> {
        Ok(BTreeSet::new())
    }
}

/// What became of an append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Durable.
    Committed,
    /// Not appended and never will be: the log is sealed; this is where it ends. (When `end` is the chunk that
    /// was appended, it is [`Appended::Committed`] instead.)
    Sealed(LogEnd),
    /// Not known. See [`Logs::resolve`].
    InDoubt(Doubt),
}

/// Why an append is in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No room, or no descriptor for the next file: repeat the identical chunk when there is.
    NoSpace,
    /// No answer in time: resolve, or repeat the identical chunk.
    NoAnswer,
    /// A write or flush failed. The writer must stop; the next start decides what is in the log.
    Poisoned(String),
    /// The call broke the contract (no such log, a position that is not the next): a defect of the caller.
    Misuse(String),
}

/// What a log says about an append in doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    Committed,
    /// Sealed without it.
    Sealed(LogEnd),
    /// Neither: still in doubt.
    Open,
}

/// Where a sealed log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEnd {
    /// Position of the last chunk; 0 when the log is empty.
    pub last: Position,
    /// Id of the last chunk; `None` when the log is empty.
    pub chunk: Option<ChunkId>,
}

/// One chunk of a log, as replay shows it.
#[derive(Clone, Copy, Debug)]
pub struct LogChunk<'a> {
    pub position: Position,
    pub chunk: ChunkId,
    pub bytes: &'a [u8],
}

/// One log of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogInfo {
    pub log: LogId,
    pub sealed: bool,
    /// Bytes on disk, for bounds and statistics.
    pub bytes: u64,
}
