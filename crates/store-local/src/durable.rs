//! Making things durable, and what a failure of it means.

use std::sync::{OnceLock, PoisonError};

use iris_store::StoreError;
use iris_types::planted::{Bug, is_planted};

use crate::{Disk, DiskError, DiskFile};

/// Whether the engine may still write. Once poisoned it never may again: after a failed flush nobody knows what is
/// on the disk, and asking again gives a wrong answer.
#[derive(Default)]
pub(crate) struct Health(OnceLock<String>);

impl Health {
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.0.get().map_or(Ok(()), |why| Err(StoreError::Poisoned(why.clone())))
    }

    /// Poisons the engine; gives the reason that it is poisoned for, which may be an earlier one.
    pub(crate) fn poison(&self, error: &DiskError) -> String {
        self.0.get_or_init(|| error.to_string()).clone()
    }

    /// What a failed write means: no space and no descriptor are the caller's to wait for, anything else poisons.
    pub(crate) fn judge(&self, error: DiskError) -> StoreError {
        match error {
            DiskError::NoSpace | DiskError::TooManyFiles => error.into(),
            error => StoreError::Poisoned(self.poison(&error)),
        }
    }
}

/// Makes a file's bytes durable. No space left while flushing is a failed flush like any other.
pub(crate) fn sync_data(file: &dyn DiskFile) -> Result<(), DiskError> {
    match file.sync_data() {
        Err(_) if is_planted(Bug::FsyncErrorIgnored) => Ok(()),
        done => done.map_err(fatal),
    }
}

/// Makes the names of a directory durable.
pub(crate) fn sync_directory(disk: &dyn Disk, directory: &str) -> Result<(), DiskError> {
    if is_planted(Bug::DirectoryNotSynced) {
        return Ok(());
    }
    disk.sync_directory(directory).map_err(fatal)
}

/// Turns what can be waited for into an error that cannot.
pub(crate) fn fatal(error: DiskError) -> DiskError {
    match error {
        DiskError::NoSpace | DiskError::TooManyFiles => {
            DiskError::Io(format!("{error} in the middle of a change"))
        }
        error => error,
    }
}

/// Removes a file; one that is gone already is fine.
pub(crate) fn remove(disk: &dyn Disk, name: &str) -> Result<(), DiskError> {
    match disk.remove(name) {
        Err(DiskError::NotFound) => Ok(()),
        done => done,
    }
}

/// Locks. A panic of another thread leaves the data as it was between two steps; whatever was half done shows as
/// damage or doubt, not as silence, so going on is safe.
pub(crate) fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
