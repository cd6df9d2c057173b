//! Where blocks come from, and what can be wrong with them.

use bytes::Bytes;
use iris_types::RunName;

/// Reads blocks of runs: a store, or a cache in front of one.
pub trait Blocks {
    /// One block, as [`crate::BuiltRun`] gave it out.
    ///
    /// # Errors
    /// [`BlockError`]; each is a fact about the store, not about the caller.
    fn block(&self, run: RunName, block: u32) -> Result<Bytes, BlockError>;
}

/// Why a block cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// There is no such run, or it has no such block.
    #[error("missing")]
    Missing,
    /// The store knows that the bytes are not what was written.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// Reading failed; it may work later.
    #[error("{0}")]
    Io(String),
}

/// Why rows cannot be read. Says nothing about other runs and blocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The block is not what was written. Trying again does not help; an operator has to look.
    #[error("run {run}, block {block}: corrupt: {what}")]
    Corrupt { run: RunName, block: u32, what: String },
    /// The manifest names a run, or the run's index a block, that the store does not have.
    #[error("run {run}, block {block}: missing")]
    Missing { run: RunName, block: u32 },
    /// Reading failed below. Trying again may help.
    #[error("run {run}, block {block}: {what}")]
    Io { run: RunName, block: u32, what: String },
}

/// Why bytes are not a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("a manifest of {0} bytes is too short, or its length does not fit its number of runs")]
    Length(usize),
    #[error("a manifest's checksum is wrong")]
    Checksum,
    #[error("a manifest of version {0} is not known")]
    Version(u8),
    #[error("a manifest names table {0}, which is not known")]
    Table(u8),
    #[error("a manifest's runs are not ascending, or a name occurs twice")]
    Order,
}

impl TableError {
    pub(crate) fn corrupt(run: RunName, block: u32, what: &str) -> Self {
        Self::Corrupt { run, block, what: what.to_owned() }
    }

    pub(crate) fn of_block(run: RunName, block: u32, error: BlockError) -> Self {
        match error {
            BlockError::Missing => Self::Missing { run, block },
            BlockError::Corrupt(what) => Self::Corrupt { run, block, what },
            BlockError::Io(what) => Self::Io { run, block, what },
        }
    }
}
