//! Empty segments, written ahead or recycled, that wait for the next roll.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::durable::{self, lock};
use crate::engine::Shared;
use crate::segment;
use crate::{DiskError, DiskFile};

/// The spare segments; all have the configured size.
#[derive(Default)]
pub(crate) struct Spares {
    names: Mutex<Vec<String>>,
    next: AtomicU64,
}

/// Whether a new segment may make the free space smaller than the reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserve {
    /// Ordinary growth stops in front of it.
    Kept,
    /// A start needs a log of its own to claim anything, and to give back what older logs take: without one, a full
    /// disk would stay full. This is what the reserve is for.
    Open,
}

/// A segment to be used now.
pub(crate) struct Spare {
    pub(crate) name: String,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) blocks: u32,
}

impl Spares {
    /// Takes a segment of at least `blocks` blocks, or writes one. `NoSpace` where the reserve has to be kept, or
    /// there is not even that.
    pub(crate) fn take(&self, shared: &Shared, blocks: u32, reserve: Reserve) -> Result<Spare, DiskError> {
        let standard = segment::blocks_of(shared.config.segment_bytes);
        if blocks <= standard {
            let mut names = lock(&self.names);
            if let Some(name) = names.last() {
                // It stays among the spares when it cannot be opened now.
                let file = shared.disk.open(name)?;
                let name = names.pop().unwrap_or_default();
                return Ok(Spare { name, file, blocks: standard });
            }
        }
        self.write(shared, blocks.max(standard), reserve)
    }

    /// Writes one segment ahead, unless one is ready.
    pub(crate) fn prepare(&self, shared: &Shared) -> Result<bool, DiskError> {
        if !lock(&self.names).is_empty() {
            return Ok(false);
        }
        let spare = self.write(shared, segment::blocks_of(shared.config.segment_bytes), Reserve::Kept)?;
        lock(&self.names).push(spare.name);
        Ok(true)
    }

    /// Gives a segment that nobody needs any more back, under its name of now.
    pub(crate) fn recycle(&self, shared: &Shared, name: &str, blocks: u32) -> Result<(), DiskError> {
        let mut names = lock(&self.names);
        let standard = segment::blocks_of(shared.config.segment_bytes);
        if blocks != standard || names.len() >= shared.config.spares_max {
            return durable::remove(&*shared.disk, name);
        }
        let spare = self.name();
        shared.disk.rename(name, &spare)?;
        names.push(spare);
        Ok(())
    }

    fn write(&self, shared: &Shared, blocks: u32, reserve: Reserve) -> Result<Spare, DiskError> {
        if reserve == Reserve::Kept {
            let room = shared.room().map_err(|error| DiskError::Io(error.to_string()))?;
            if room.free_bytes < room.reserve_bytes.saturating_add(segment::offset(blocks)) {
                return Err(DiskError::NoSpace);
            }
        }
        let name = self.name();
        match segment::prewrite(&*shared.disk, &name, blocks) {
            Ok(file) => Ok(Spare { name, file, blocks }),
            Err(error) => {
                // Best effort: a start removes all spares.
                let _ = durable::remove(&*shared.disk, &name);
                Err(error)
            }
        }
    }

    fn name(&self) -> String {
        segment::spare_name(self.next.fetch_add(1, Ordering::Relaxed))
    }
}
