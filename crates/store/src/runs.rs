//! Immutable runs of derived state.

use std::collections::BTreeSet;

use bytes::Bytes;
use iris_types::{RunName, VnodeId};

use crate::StoreError;

/// Sorted runs as the engine sees them: named lists of blocks, written once, read block by block, dropped.
pub trait Runs: Send + Sync {
    /// Writes all the runs, durably, before it returns; all or none of them exist afterwards. Many runs share
    /// one file where there are files.
    ///
    /// # Errors
    /// [`StoreError::RunExists`] when a name was used; otherwise any. After an error the runs may or may not
    /// exist; names that no manifest mentions are garbage and may be dropped.
    fn put(&self, runs: &[NewRun]) -> Result<(), StoreError>;

    /// One block of a run, checked.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`], [`StoreError::Corrupt`] (also for a block number the run does not have).
    fn get(&self, run: RunName, block: u32) -> Result<Bytes, StoreError>;

    /// Every run there is.
    ///
    /// # Errors
    /// Any.
    fn list(&self) -> Result<Vec<RunInfo>, StoreError>;

    /// Forgets runs. Unknown names are fine. Space may come back later.
    ///
    /// # Errors
    /// Any; what was not dropped may be dropped again.
    fn drop_runs(&self, names: &[RunName]) -> Result<(), StoreError>;

    /// Runs that an operator moved aside because they were damaged. Engines without quarantine have none.
    ///
    /// # Errors
    /// Any.
    fn quarantined(&self) -> Result<Quarantined, StoreError> {
        Ok(Quarantined::default())
    }

    /// Moves live runs out of shared files that hold mostly dropped ones, so that their space comes back.
    /// Engines without shared files have nothing to do.
    ///
    /// # Errors
    /// Any; nothing is lost.
    fn compact(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Runs moved aside by an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quarantined {
    pub names: BTreeSet<RunName>,
    /// A file among them cannot tell what was in it: any run that is missing may have been.
    pub is_partly_unknown: bool,
}

impl Quarantined {
    /// Whether it is no surprise that this run is missing.
    #[must_use]
    pub fn explains(&self, run: RunName) -> bool {
        self.is_partly_unknown || self.names.contains(&run)
    }
}

/// A run to be written.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub vnode: VnodeId,
    pub name: RunName,
    pub blocks: Vec<Bytes>,
}

/// A run that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunInfo {
    pub vnode: VnodeId,
    pub name: RunName,
    pub blocks: u32,
    pub bytes: u64,
}
