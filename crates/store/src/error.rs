//! What an engine refuses, and whose fault it is.

use iris_types::{LogId, Position, RunName};

/// Why an engine did not do what was asked. Nothing was changed, unless a variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("log {0} does not exist")]
    NoSuchLog(LogId),
    #[error("log {0} exists already")]
    LogExists(LogId),
    #[error("log {0} is not sealed: only a sealed log is replayed")]
    NotSealed(LogId),
    #[error("log {log} does not hold position {position}: trimmed or never written")]
    NoSuchPosition { log: LogId, position: Position },
    #[error("run {0} does not exist")]
    NoSuchRun(RunName),
    #[error("run {0} exists already: runs are written once")]
    RunExists(RunName),
    /// Stored bytes are not what was written. Never repaired silently; `what` names the file or object and
    /// the place in it.
    #[error("corrupt: {what}")]
    Corrupt { what: String },
    /// The storage has no room. Retry when there is.
    #[error("no space left")]
    NoSpace,
    /// A write or flush failed: this engine accepts nothing more in this process's life.
    #[error("poisoned by an earlier failure: {0}")]
    Poisoned(String),
    /// Reading or writing failed below the engine.
    #[error("{0}")]
    Io(String),
}
