//! Opening a directory: look at everything, refuse or repair, then build.
//!
//! Nothing is changed before the whole inspection is clean. Repairs are idempotent, so a crash in the middle of
//! them only means that the next start does them again.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use iris_types::LogId;
use iris_types::limits::LOGS_MAX;

use crate::aside::{self, QUARANTINE};
use crate::block::{self, BLOCK_BYTES};
use crate::durable::{self, Health};
use crate::engine::{FIRST, LocalEngine, Shared};
use crate::found_log::{FoundLog, LastSegment};
use crate::inspect::{Inspection, inspect};
use crate::journal::{Journal, REGISTERS};
use crate::log::Log;
use crate::mark::{Mark, Marked};
use crate::run_file::{self, RUNS};
use crate::runs::RunTable;
use crate::scrub::Figures;
use crate::segment::LOGS;
use crate::spares::Spares;
use crate::{Config, Disk, DiskError, OpenError};

impl LocalEngine {
    /// Opens the store on a disk, or creates it where there is none. Takes the disk for this process.
    ///
    /// Logs that an earlier process left open stay as they are until they are sealed; they take no appends.
    ///
    /// # Errors
    /// [`OpenError::Refused`] when anything is damaged or missing: nothing was changed. [`OpenError::Locked`],
    /// [`OpenError::Disk`].
    pub fn open(disk: Arc<dyn Disk>, config: Config) -> Result<Self, OpenError> {
        disk.lock()?;
        let mut inspection = inspect(&*disk)?;
        if !inspection.findings.is_empty() {
            return Err(inspection.findings.swap_remove(0).into());
        }
        let (journal, mark) = if inspection.is_absent {
            create(&*disk, &config)?
        } else {
            repair(&*disk, &config, &mut inspection)?
        };
        build(disk, config, inspection, journal, mark)
    }
}

/// The journal gets its name last: where it is, everything else is.
fn create(disk: &dyn Disk, config: &Config) -> Result<(Journal, Mark), DiskError> {
    for directory in [LOGS, RUNS, QUARANTINE] {
        disk.create_directory(directory)?;
    }
    let mark = Mark::create(disk, config.store_id)?;
    durable::sync_directory(disk, "")?;
    let journal = Journal::create(disk, config.store_id, config.journal_bytes)?;
    Ok((journal, mark))
}

fn repair(disk: &dyn Disk, config: &Config, found: &mut Inspection) -> Result<(Journal, Mark), DiskError> {
    // Names that were read may be in the cache only.
    for directory in ["", LOGS, RUNS] {
        durable::sync_directory(disk, directory)?;
    }
    if let Some((offset, torn)) = &found.journal.torn {
        aside::keep(disk, &format!("{REGISTERS}-{}-{offset}", found.journal.position), torn)?;
    }
    for last in found.logs.iter_mut().filter_map(|log| log.last.take()) {
        write_again(disk, last)?;
    }
    for name in &found.leftovers {
        durable::remove(disk, name)?;
    }
    durable::sync_directory(disk, LOGS)?;
    let journal = std::mem::take(&mut found.journal).rewrite(disk, config.journal_bytes)?;
    let mark = Mark::renew(disk, journal.store, &found.mark, &marked(&found.logs, &journal))?;
    Ok((journal, mark))
}

/// Logs with a proof and nothing else are left out. There are never more than fit, but in a store of more workers than
/// there may be: those were read just now, take no appends, and are sealed before the first new chunk.
fn marked(logs: &[FoundLog], journal: &Journal) -> Marked {
    let open = logs.iter().filter(|log| log.sealed.is_none() && log.end.last > FIRST);
    let logs = open.map(|log| (log.log, log.end.last.0)).take(LOGS_MAX).collect();
    Marked { registers: journal.position, logs }
}

/// Writes the last segment of an open log again, so that what was read is durable, with blank blocks in place of a
/// torn tail, which is kept aside first.
fn write_again(disk: &dyn Disk, mut last: LastSegment) -> Result<(), DiskError> {
    let from = last.tail as usize * BLOCK_BYTES;
    if last.torn {
        let short = last.name.rsplit('/').next().unwrap_or_default();
        let rest = last.bytes.get(from..).unwrap_or_default();
        aside::keep(disk, &format!("{short}-{from}"), rest)?;
        block::write_blank(last.bytes.get_mut(from..).unwrap_or_default(), last.tail);
    }
    let file = disk.open(&last.name)?;
    file.write_at(0, &last.bytes)?;
    durable::sync_data(&*file)
}

fn build(
    disk: Arc<dyn Disk>,
    config: Config,
    found: Inspection,
    mut journal: Journal,
    mark: Mark,
) -> Result<LocalEngine, OpenError> {
    let next_run_file = found.last_run_file.saturating_add(1);
    let runs = build_runs(&*disk, found.runs, &mut journal)?;
    let logs: BTreeMap<LogId, Arc<Log>> = found
        .logs
        .into_iter()
        .map(|log| (log.log, Arc::new(Log::found(log.log, log.sealed, log.end, log.segments))))
        .collect();
    let shared = Shared {
        disk,
        config,
        store: journal.store,
        health: Health::default(),
        creating: Mutex::default(),
        logs: RwLock::new(logs),
        spares: Spares::default(),
        runs_writer: Mutex::new(next_run_file),
        registers: AtomicU64::new(journal.position),
        journal: Mutex::new(journal),
        runs: RwLock::new(runs),
        mark: Mutex::new(mark),
        scrubbed: Figures::default(),
    };
    Ok(LocalEngine { shared: Arc::new(shared) })
}

/// A run that is in two files was being moved: the later file has it. Files in which nothing lives are removed.
fn build_runs(
    disk: &dyn Disk,
    files: BTreeMap<u64, run_file::RunIndex>,
    journal: &mut Journal,
) -> Result<RunTable, DiskError> {
    let mut table = RunTable::default();
    for (number, index) in files {
        table.insert(number, index);
    }
    let dropped: Vec<_> = journal.catalog.dropped.iter().copied().collect();
    table.drop_runs(&dropped);
    let dead = table.dead_files();
    for number in &dead {
        durable::remove(disk, &run_file::name(*number))?;
        table.files.remove(number);
    }
    if !dead.is_empty() {
        durable::sync_directory(disk, RUNS)?;
    }
    journal.catalog.dropped.retain(|name| table.files.values().any(|file| file.names.contains(name)));
    Ok(table)
}
