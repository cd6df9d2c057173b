//! Work for the engine, as plain data.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use iris_store::{Appended, Change, Compared, LogEnd, LogInfo, Resolved, RunInfo, StoreError, Value};
use iris_tables::{
    BuiltRun, Direction, Limit, MemTable, MergePlan, RunMeta, RunSet, Table, TableError, Window,
};
use iris_types::placement::VnodeCount;
use iris_types::{ChunkId, Epoch, LogId, Offset, Position, RunName, UserId, VnodeId};
use iris_vnode::page::Row;

use crate::names::Names;

/// A worker's name for a call that runs. Never used twice by one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Work for the engine: carried out by [`crate::execute()`], blocking. Opaque to the driver.
#[derive(Debug)]
pub struct Call(pub(crate) Work);

/// What became of a [`Call`]. Opaque to the driver.
#[derive(Debug)]
pub struct CallResult(pub(crate) Outcome);

/// Which thread a call should run on, so that slow work does not hold up quick work. Calls of one lane may run
/// one after the other; no call waits for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Appends to the own log: at most one at a time, the pulse of everything.
    Log,
    /// Loads and pages: many, short, may run side by side.
    Read,
    /// Flushes, registers, take-over: few, long, and memory waits for them.
    Write,
    /// Merges, expiries and whatever else nobody waits for.
    Background,
}

impl Call {
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self.0 {
            Work::Append { .. } | Work::Resolve { .. } => Lane::Log,
            Work::Load(_) => Lane::Read,
            Work::Merge(_) | Work::Expire(_) | Work::DropRuns(_) | Work::Discard(_) => Lane::Background,
            _ => Lane::Write,
        }
    }

    /// A word for traces.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.0 {
            Work::CreateLog(_) => "create log",
            Work::Append { .. } => "append",
            Work::Resolve { .. } => "resolve",
            Work::Survey => "survey",
            Work::Seal(_) => "seal",
            Work::Recover(_) => "recover",
            Work::Mend(_) => "mend",
            Work::Check(_) => "check",
            Work::CompareAndSet(_) => "compare and set",
            Work::ReadDirectory => "read directory",
            Work::LoadStreams(_) => "load streams",
            Work::Trim { .. } => "trim",
            Work::Load(_) => "load",
            Work::Flush(_) => "flush",
            Work::Merge(_) => "merge",
            Work::Expire(_) => "expire",
            Work::DropRuns(_) => "drop runs",
            Work::Discard(_) => "discard",
        }
    }
}

#[derive(Debug)]
pub(crate) enum Work {
    CreateLog(LogId),
    Append {
        log: LogId,
        at: Position,
        chunk: ChunkId,
        bytes: Bytes,
    },
    Resolve {
        log: LogId,
        at: Position,
        chunk: ChunkId,
    },
    /// Lists everything there is.
    Survey,
    Seal(Vec<LogId>),
    Recover(Recover),
    Mend(Mend),
    /// Whether every run is there, whole as far as index and length say.
    Check(Vec<RunSet>),
    CompareAndSet(Vec<Change>),
    ReadDirectory,
    LoadStreams(Vec<(VnodeId, RunSet)>),
    Trim {
        log: LogId,
        before: Position,
    },
    Load(Vec<Read>),
    Flush(Flush),
    Merge(Vec<Merge>),
    Expire(Expire),
    DropRuns(Vec<RunName>),
    /// Nothing but to be dropped, elsewhere.
    Discard(Vec<Arc<MemTable>>),
}

/// Tails of sealed logs to be written as runs.
#[derive(Debug)]
pub(crate) struct Recover {
    pub(crate) tails: Vec<Tail>,
    /// Bytes of rows in memory before runs are written.
    pub(crate) bytes_max: usize,
    pub(crate) names: Names,
}

/// One sealed log and the vnodes whose directory entries name it.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) log: LogId,
    pub(crate) tenures: Vec<Tenure>,
}

/// What of a log counts for one vnode: chunks behind `start` of that epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tenure {
    pub(crate) vnode: VnodeId,
    pub(crate) epoch: Epoch,
    pub(crate) start: Position,
    /// Age for the first run written.
    pub(crate) age: u64,
}

/// Vnodes of which some lost what others hold, for an operator cut a log.
#[derive(Debug)]
pub(crate) struct Mend {
    pub(crate) vnodes: Vec<MendVnode>,
    pub(crate) count: VnodeCount,
    pub(crate) names: Names,
}

#[derive(Debug)]
pub(crate) struct MendVnode {
    pub(crate) vnode: VnodeId,
    pub(crate) runs: RunSet,
    /// The log it was in, and the position up to which `runs` hold it.
    pub(crate) log: LogId,
    pub(crate) reached: Position,
    /// Whether that log was cut.
    pub(crate) is_cut: bool,
}

/// Something to look up in a snapshot of runs.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) runs: RunSet,
    pub(crate) what: ReadWhat,
}

#[derive(Debug)]
pub(crate) enum ReadWhat {
    /// Values of keys, each found or not.
    Keys(Vec<(Table, Bytes)>),
    Range {
        table: Table,
        from: Bytes,
        to: Bytes,
        direction: Direction,
        limit: Limit,
    },
}

#[derive(Debug)]
pub(crate) enum ReadResult {
    Keys(Vec<Option<Bytes>>),
    Rows(Vec<Row>),
}

/// Memory tables to be written as runs.
#[derive(Debug)]
pub(crate) struct Flush {
    pub(crate) vnodes: Vec<FlushVnode>,
    pub(crate) names: Names,
}

#[derive(Debug)]
pub(crate) struct FlushVnode {
    pub(crate) vnode: VnodeId,
    pub(crate) mem: Arc<MemTable>,
    pub(crate) age: u64,
    /// Inbox entries up to here need not be written.
    pub(crate) elided: Vec<(UserId, Offset)>,
    /// Stream rows up to here need not be written.
    pub(crate) confirmed: Vec<(VnodeId, Position)>,
}

#[derive(Debug)]
pub(crate) struct Merge {
    pub(crate) vnode: VnodeId,
    pub(crate) runs: RunSet,
    pub(crate) plan: MergePlan,
    pub(crate) name: RunName,
    pub(crate) confirmed: Vec<(VnodeId, Position)>,
}

/// Inbox runs whose window is over: their users' trimmed-to has to be written before they go.
#[derive(Debug)]
pub(crate) struct Expire {
    pub(crate) vnodes: Vec<ExpireVnode>,
    pub(crate) names: Names,
}

#[derive(Debug)]
pub(crate) struct ExpireVnode {
    pub(crate) vnode: VnodeId,
    pub(crate) runs: RunSet,
    /// By window.
    pub(crate) inbox: BTreeMap<Window, Vec<RunName>>,
    pub(crate) age: u64,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Result<(), StoreError>),
    Appended(Appended),
    Resolved(Result<Resolved, StoreError>),
    Survey(Result<Survey, StoreError>),
    Sealed(Result<Vec<LogEnd>, StoreError>),
    Recovered(Result<Vec<(VnodeId, RunMeta)>, StoreError>),
    Checked(Result<(), TableError>),
    Compared(Result<Compared, StoreError>),
    Directory(Result<Vec<(String, Value)>, StoreError>),
    /// `None`: an operator moved a run aside that may hold some.
    Streams(Result<Vec<(VnodeId, Option<StreamRows>)>, TableError>),
    Loaded(Vec<Result<ReadResult, TableError>>),
    Flushed(Result<Vec<(VnodeId, Vec<BuiltRun>)>, StoreError>),
    Merged(Result<Vec<Merged>, StoreError>),
    Expired(Result<Vec<Trimmed>, StoreError>),
}

/// Everything that a start finds.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) logs: Vec<LogInfo>,
    pub(crate) directory: Vec<(String, Value)>,
    pub(crate) runs: Vec<RunInfo>,
    /// Logs that an operator cut.
    pub(crate) cut: std::collections::BTreeSet<LogId>,
}

/// A vnode's stream rows.
#[derive(Debug, Default)]
pub(crate) struct StreamRows {
    /// Head rows of outgoing streams and of watermarks.
    pub(crate) outgoing: Vec<Row>,
    pub(crate) watermarks: Vec<Row>,
    /// Forwards that are not confirmed, and perhaps older ones.
    pub(crate) forwards: Vec<Row>,
}

/// What became of one vnode's expired runs: a run with its users' trimmed-to, and those.
#[derive(Debug)]
pub(crate) struct Trimmed {
    pub(crate) vnode: VnodeId,
    pub(crate) built: Vec<BuiltRun>,
    pub(crate) users: Vec<(Bytes, Offset)>,
    /// Runs that may go now.
    pub(crate) dropped: Vec<RunName>,
    /// Windows with a run that cannot be read: theirs stay.
    pub(crate) failed: Vec<(Window, TableError)>,
}

/// What became of one merge: a run unless no row is left.
pub(crate) type Merged = Result<Option<BuiltRun>, TableError>;
