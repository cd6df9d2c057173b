//! The engine: what its parts share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use iris_store::{Engine, StoreError};
use iris_types::limits::LOGS_MAX;
use iris_types::{LogId, Position};

use crate::durable::{Health, lock};
use crate::journal::Journal;
use crate::log::Log;
use crate::mark::{Mark, Marked};
use crate::record::Record;
use crate::runs::RunTable;
use crate::scrub::Figures;
use crate::spares::Spares;
use crate::{Config, Disk};

/// The engine on files. Clones are the same engine. Calls block and may come from many threads; none is started
/// here.
#[derive(Clone)]
pub struct LocalEngine {
    pub(crate) shared: Arc<Shared>,
}

/// Where a log ends that holds nothing but its writer's proof that it takes chunks: nothing is lost with it, so the
/// mark leaves it out.
pub(crate) const FIRST: Position = Position(1);

/// How much room the disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub free_bytes: u64,
    /// Below this many free bytes a server goes into safe mode.
    pub reserve_bytes: u64,
    pub low: bool,
}

/// Locks are taken in the order of the fields: `creating`, a log, `journal`; `runs_writer`, `journal`, `runs`.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) config: Config,
    pub(crate) store: [u8; 16],
    pub(crate) health: Health,
    /// Held while a log is created or an absent one is sealed.
    pub(crate) creating: Mutex<()>,
    pub(crate) logs: RwLock<BTreeMap<LogId, Arc<Log>>>,
    pub(crate) spares: Spares,
    /// Held by whoever writes or removes run files; the number of the next one.
    pub(crate) runs_writer: Mutex<u64>,
    pub(crate) journal: Mutex<Journal>,
    pub(crate) runs: RwLock<RunTable>,
    pub(crate) mark: Mutex<Mark>,
    /// Position of the last durable commit of the journal.
    pub(crate) registers: AtomicU64,
    pub(crate) scrubbed: Figures,
}

impl LocalEngine {
    /// The three traits as one handle.
    #[must_use]
    pub fn engine(&self) -> Engine {
        Engine {
            logs: Arc::new(self.clone()),
            runs: Arc::new(self.clone()),
            registers: Arc::new(self.clone()),
        }
    }

    /// Names this store for ever.
    #[must_use]
    pub fn store_id(&self) -> [u8; 16] {
        self.shared.store
    }

    /// How much room there is.
    ///
    /// # Errors
    /// Any of the disk.
    pub fn room(&self) -> Result<Room, StoreError> {
        self.shared.room()
    }

    /// Sees to it that an empty segment is ready, so that the next roll costs a rename and not 16 MiB. To be called
    /// by a thread that is not the log's, every second or so. True when one was written.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] below the reserve, or any.
    pub fn prepare_segment(&self) -> Result<bool, StoreError> {
        self.shared.health.check()?;
        self.shared.spares.prepare(&self.shared).map_err(|error| self.shared.health.judge(error))
    }

    /// Makes the durable mark name what is durable now. To be called every 100 ms or sooner, and at a clean stop.
    ///
    /// # Errors
    /// Any; the engine is then poisoned.
    pub fn write_mark(&self) -> Result<(), StoreError> {
        self.shared.health.check()?;
        let marked = self.shared.durable_now();
        lock(&self.shared.mark)
            .write(&marked)
            .map_err(|error| self.shared.health.judge(crate::durable::fatal(error)))
    }
}

impl std::fmt::Debug for LocalEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalEngine").finish_non_exhaustive()
    }
}

impl Shared {
    /// Commits records to the register journal.
    pub(crate) fn commit(&self, records: &[Record]) -> Result<(), StoreError> {
        let mut journal = lock(&self.journal);
        self.commit_locked(&mut journal, records)
    }

    pub(crate) fn commit_locked(&self, journal: &mut Journal, records: &[Record]) -> Result<(), StoreError> {
        journal.commit(&*self.disk, &self.health, records)?;
        self.registers.store(journal.position, Ordering::Release);
        Ok(())
    }

    pub(crate) fn registers_position(&self) -> u64 {
        self.registers.load(Ordering::Acquire)
    }

    pub(crate) fn log(&self, log: LogId) -> Option<Arc<Log>> {
        self.logs.read().unwrap_or_else(PoisonError::into_inner).get(&log).cloned()
    }

    pub(crate) fn room(&self) -> Result<Room, StoreError> {
        let space = self.disk.space()?;
        let reserve_bytes = self.config.reserve_bytes.min(space.total_bytes / 20);
        let free_bytes = space.free_bytes;
        Ok(Room { free_bytes, reserve_bytes, low: free_bytes < reserve_bytes })
    }

    /// What the mark may say. The journal is read last, so that every log named is in it.
    fn durable_now(&self) -> Marked {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        let (own, found): (Vec<&Arc<Log>>, Vec<&Arc<Log>>) =
            logs.values().filter(|log| log.is_open()).partition(|log| log.is_own);
        // Every log that takes appends is named: there are no more of them than that. Others as far as there is room.
        let durable = own.into_iter().chain(found).map(|log| (log.id, log.durable()));
        let durable = durable.filter(|(_, position)| *position > FIRST).take(LOGS_MAX);
        Marked {
            registers: self.registers_position(),
            logs: durable.map(|(log, position)| (log, position.0)).collect(),
        }
    }

    /// Logs that take appends.
    pub(crate) fn own_logs(&self) -> usize {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.values().filter(|log| log.is_own && log.is_open()).count()
    }
}
