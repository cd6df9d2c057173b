//! Why a store does not open.

use iris_store::StoreError;

use crate::DiskError;

/// Why a store was not opened. Nothing in its directory was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("another process uses the data directory")]
    Locked,
    #[error("the disk: {0}")]
    Disk(String),
    #[error(
        "refusing to start: {0}\n  `iris doctor --verify` reads everything and lists what is damaged;\n  \
         `iris admin quarantine` moves a damaged file aside and says what is lost with it"
    )]
    Refused(Finding),
}

/// Something in the directory that must not be: a named reason, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {file}, byte {offset}: {detail}")]
pub struct Finding {
    pub reason: Reason,
    /// Name of the file in the data directory.
    pub file: String,
    /// Where in the file, as far as a place can be named.
    pub offset: u64,
    pub detail: String,
}

/// Named reasons to refuse a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Reason {
    #[error("corrupt block")]
    CorruptBlock,
    #[error("corrupt frame")]
    CorruptFrame,
    #[error("gap in a log")]
    Gap,
    #[error("missing file")]
    MissingFile,
    #[error("file of another store")]
    WrongStore,
    #[error("written by a newer version")]
    TooNew,
    #[error("durable mark above the end of the log")]
    MarkAboveEnd,
    #[error("registers older than logs, runs or the mark")]
    RegistersTooOld,
    #[error("damaged run file")]
    CorruptRuns,
    #[error("damaged durable mark")]
    CorruptMark,
    #[error("unreadable file")]
    Unreadable,
}

impl Finding {
    pub(crate) fn new(reason: Reason, file: &str, offset: u64, detail: impl Into<String>) -> Self {
        Self { reason, file: file.to_owned(), offset, detail: detail.into() }
    }

    /// What a read of a file gave, with the disk's own error as a finding about that file: a bad sector is damage of
    /// one file, and the others must not be unreachable with it.
    pub(crate) fn of_read<T>(file: &str, read: Result<T, DiskError>) -> Result<Result<T, Self>, DiskError> {
        match read {
            Err(DiskError::Io(error)) => Ok(Err(Self::new(Reason::Unreadable, file, 0, error))),
            read => read.map(Ok),
        }
    }
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Locked => Self::Locked,
            error => Self::Disk(error.to_string()),
        }
    }
}

impl From<Finding> for OpenError {
    fn from(finding: Finding) -> Self {
        Self::Refused(finding)
    }
}

impl From<DiskError> for StoreError {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::NoSpace => Self::NoSpace,
            error => Self::Io(error.to_string()),
        }
    }
}
