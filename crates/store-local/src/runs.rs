//! The runs of the engine: which there are, reading, writing and dropping them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use iris_store::{NewRun, Quarantined, RunInfo, Runs, StoreError};
use iris_types::RunName;

use crate::durable::{self, lock};
use crate::engine::{LocalEngine, Shared};
use crate::record::Record;
use crate::run_file::{self, HEADER_BYTES, IndexedRun, Place, RUNS, RunIndex};
use crate::{Disk, DiskError, DiskFile};

/// Run files kept open.
const OPEN_FILES_MAX: usize = iris_types::limits::RUN_FILES_OPEN_MAX;
/// Bytes written at a time.
const WRITE_BYTES: usize = iris_types::limits::RUN_FILE_WRITE_BYTES;
/// Live bytes that one compaction moves.
const COMPACT_BYTES: u64 = iris_types::limits::COMPACT_BYTES;
/// Name of a file that is being written.
const NEW: &str = "runs/new";

/// What there is.
#[derive(Default)]
pub(crate) struct RunTable {
    pub(crate) runs: BTreeMap<RunName, Run>,
    pub(crate) files: BTreeMap<u64, RunFile>,
    open: Mutex<BTreeMap<u64, Arc<dyn DiskFile>>>,
}

/// A live run.
pub(crate) struct Run {
    pub(crate) file: u64,
    pub(crate) indexed: Arc<IndexedRun>,
}

/// A run file.
pub(crate) struct RunFile {
    pub(crate) bytes: u64,
    pub(crate) live_bytes: u64,
    /// All runs in it, dropped ones too.
    pub(crate) names: Vec<RunName>,
}

/// See [`Shared::locate`].
pub(crate) type Located = (u64, Place, Result<Arc<dyn DiskFile>, DiskError>);

impl Runs for LocalEngine {
    fn put(&self, runs: &[NewRun]) -> Result<(), StoreError> {
        let mut writer = lock(&self.shared.runs_writer);
        self.shared.check_new(runs)?;
        if runs.is_empty() {
            return Ok(());
        }
        let index = self.shared.write_runs(*writer, runs)?;
        self.shared.runs_mut().insert(*writer, index);
        *writer += 1;
        Ok(())
    }

    fn get(&self, run: RunName, block: u32) -> Result<Bytes, StoreError> {
        let (number, place, file) = self.shared.locate(run, block)?;
        let file = file?;
        let place_of = |what: String| format!("{}, run {run}, block {block}: {what}", run_file::name(number));
        read_block(&*file, place).map_err(|error| match error {
            StoreError::Corrupt { what } => StoreError::Corrupt { what: place_of(what) },
            StoreError::Io(what) => StoreError::Io(place_of(what)),
            error => error,
        })
    }

    fn list(&self) -> Result<Vec<RunInfo>, StoreError> {
        Ok(self.shared.runs_ref().runs.values().map(|run| info(&run.indexed)).collect())
    }

    fn drop_runs(&self, names: &[RunName]) -> Result<(), StoreError> {
        let _writer = lock(&self.shared.runs_writer);
        self.shared.health.check()?;
        let (shared_file, dead_files) = self.shared.runs_ref().plan_drop(names);
        if !shared_file.is_empty() {
            let records: Vec<Record> = shared_file.into_iter().map(Record::RunDropped).collect();
            self.shared.commit(&records)?;
        }
        self.shared.runs_mut().drop_runs(names);
        self.shared.remove_files(&dead_files)
    }

    fn quarantined(&self) -> Result<Quarantined, StoreError> {
        crate::aside::moved_runs(&*self.shared.disk).map_err(StoreError::from)
    }

    fn compact(&self) -> Result<(), StoreError> {
        let mut writer = lock(&self.shared.runs_writer);
        self.shared.health.check()?;
        let (victims, runs) = self.shared.live_of_sparse_files();
        if victims.is_empty() {
            return Ok(());
        }
        let index = self.shared.write_runs(*writer, &runs)?;
        {
            let mut table = self.shared.runs_mut();
            // The names now lead to the new file; readers of the old one hold it open.
            table.insert(*writer, index);
        }
        *writer += 1;
        self.shared.remove_files(&victims)
    }
}

impl RunTable {
    /// Adds a file's runs; a name that is there moves to this file.
    pub(crate) fn insert(&mut self, number: u64, index: RunIndex) {
        let names = index.runs.iter().map(|run| run.name).collect();
        self.files.insert(number, RunFile { bytes: index.bytes, live_bytes: 0, names });
        for run in index.runs {
            self.take(run.name);
            self.give(number, stored_bytes(&run));
            self.runs.insert(run.name, Run { file: number, indexed: Arc::new(run) });
        }
    }

    /// Forgets runs.
    pub(crate) fn drop_runs(&mut self, names: &[RunName]) {
        names.iter().for_each(|name| self.take(*name));
    }

    /// Files in which no run lives.
    pub(crate) fn dead_files(&self) -> Vec<u64> {
        let used: std::collections::BTreeSet<u64> = self.runs.values().map(|run| run.file).collect();
        self.files.keys().copied().filter(|number| !used.contains(number)).collect()
    }

    fn take(&mut self, name: RunName) {
        let Some(run) = self.runs.remove(&name) else { return };
        if let Some(file) = self.files.get_mut(&run.file) {
            file.live_bytes = file.live_bytes.saturating_sub(stored_bytes(&run.indexed));
        }
    }

    fn give(&mut self, number: u64, bytes: u64) {
        if let Some(file) = self.files.get_mut(&number) {
            file.live_bytes += bytes;
        }
    }

    /// Whether a run is live in this file.
    fn lives_in(&self, name: RunName, number: u64) -> bool {
        self.runs.get(&name).is_some_and(|run| run.file == number)
    }

    /// Which of the names need a durable record, because their file stays, and which files go.
    fn plan_drop(&self, names: &[RunName]) -> (Vec<RunName>, Vec<u64>) {
        let dropped: std::collections::BTreeSet<RunName> = names.iter().copied().collect();
        let stays = |number: u64| {
            let live = |name: &RunName| self.lives_in(*name, number) && !dropped.contains(name);
            self.files.get(&number).is_some_and(|file| file.names.iter().any(live))
        };
        let touched: std::collections::BTreeSet<u64> =
            dropped.iter().filter_map(|name| self.runs.get(name)).map(|run| run.file).collect();
        let (staying, dead): (Vec<u64>, Vec<u64>) = touched.into_iter().partition(|number| stays(*number));
        let recorded = dropped
            .into_iter()
            .filter(|name| self.runs.get(name).is_some_and(|run| staying.binary_search(&run.file).is_ok()));
        (recorded.collect(), dead)
    }

    fn file(&self, disk: &dyn Disk, number: u64) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut open = lock(&self.open);
        if let Some(file) = open.get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = disk.open(&run_file::name(number))?;
        if open.len() >= OPEN_FILES_MAX {
            open.clear();
        }
        open.insert(number, Arc::clone(&file));
        Ok(file)
    }
}

impl Shared {
    fn runs_ref(&self) -> RwLockReadGuard<'_, RunTable> {
        self.runs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn runs_mut(&self) -> RwLockWriteGuard<'_, RunTable> {
        self.runs.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a block is: number of its file, place in it, and the file itself, which stays readable when it is
    /// removed meanwhile.
    pub(crate) fn locate(&self, run: RunName, block: u32) -> Result<Located, StoreError> {
        let table = self.runs_ref();
        let found = table.runs.get(&run).ok_or(StoreError::NoSuchRun(run))?;
        let place = usize::try_from(block).ok().and_then(|block| found.indexed.blocks.get(block)).copied();
        let missing = || StoreError::Corrupt { what: format!("run {run} has no block {block}") };
        Ok((found.file, place.ok_or_else(missing)?, table.file(&*self.disk, found.file)))
    }

    /// The first block of a live run at this place or behind it.
    pub(crate) fn block_from(&self, run: RunName, block: u32) -> Option<(RunName, u32)> {
        let table = self.runs_ref();
        table.runs.range(run..).find_map(|(name, found)| {
            let block = if *name == run { block } else { 0 };
            let has_block = usize::try_from(block).is_ok_and(|block| block < found.indexed.blocks.len());
            has_block.then_some((*name, block))
        })
    }

    pub(crate) fn is_live(&self, run: RunName) -> bool {
        self.runs_ref().runs.contains_key(&run)
    }

    fn check_new(&self, runs: &[NewRun]) -> Result<(), StoreError> {
        self.health.check()?;
        let journal = lock(&self.journal);
        let table = self.runs_ref();
        let mut named = std::collections::BTreeSet::new();
        let used = |name: &RunName| table.runs.contains_key(name) || journal.catalog.dropped.contains(name);
        match runs.iter().find(|run| !named.insert(run.name) || used(&run.name)) {
            Some(run) => Err(StoreError::RunExists(run.name)),
            None => Ok(()),
        }
    }

    /// Writes a file, durably, name and all. `NoSpace`: nothing is left of it.
    fn write_runs(&self, number: u64, runs: &[NewRun]) -> Result<RunIndex, StoreError> {
        let encoded = run_file::encode(self.store, self.registers_position(), runs);
        let (head, index) =
            encoded.ok_or_else(|| StoreError::Io("too many blocks for one put".to_owned()))?;
        match self.write_run_file(number, &head, runs) {
            Ok(()) => Ok(index),
            Err(DiskError::NoSpace) => {
                // Best effort: the next write, or the next start, removes it too.
                let _ = durable::remove(&*self.disk, NEW);
                Err(StoreError::NoSpace)
            }
            Err(error) => Err(self.health.judge(error)),
        }
    }

    fn write_run_file(&self, number: u64, head: &[u8], runs: &[NewRun]) -> Result<(), DiskError> {
        durable::remove(&*self.disk, NEW)?;
        let file = self.disk.create(NEW)?;
        // Small blocks are written together; the places in the index are where they land.
        let (mut offset, mut buffer) = (0, head.to_vec());
        for block in runs.iter().flat_map(|run| &run.blocks) {
            if buffer.len() + block.len() > WRITE_BYTES {
                file.write_at(offset, &buffer)?;
                offset += buffer.len() as u64;
                buffer.clear();
            }
            buffer.extend_from_slice(block);
        }
        file.write_at(offset, &buffer)?;
        durable::sync_data(&*file)?;
        file.forget_cached();
        // A file with its final name is whole; whatever has another name never was.
        self.disk.rename(NEW, &run_file::name(number))?;
        durable::sync_directory(&*self.disk, RUNS)
    }

    /// Removes files without live runs, and the records of the runs dropped in them.
    fn remove_files(&self, numbers: &[u64]) -> Result<(), StoreError> {
        if numbers.is_empty() {
            return Ok(());
        }
        for number in numbers {
            let removed = durable::remove(&*self.disk, &run_file::name(*number));
            removed.map_err(|error| self.health.judge(durable::fatal(error)))?;
        }
        durable::sync_directory(&*self.disk, RUNS).map_err(|error| self.health.judge(error))?;
        let mut journal = lock(&self.journal);
        let mut table = self.runs_mut();
        for number in numbers {
            lock(&table.open).remove(number);
            for name in table.files.remove(number).map(|file| file.names).unwrap_or_default() {
                journal.catalog.dropped.remove(&name);
            }
        }
        Ok(())
    }

    /// Files of which less than half lives, and what lives in them; as many as one call moves. A file with a block
    /// that cannot be read stays as it is: reading that block says so.
    fn live_of_sparse_files(&self) -> (Vec<u64>, Vec<NewRun>) {
        let table = self.runs_ref();
        let sparse =
            table.files.iter().filter(|(_, file)| file.live_bytes + HEADER_BYTES as u64 <= file.bytes / 2);
        let mut found = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for (number, file) in sparse {
            let live = file.names.iter().filter(|name| table.lives_in(**name, *number));
            let runs = live.map(|name| self.read_run(&table, *name)).collect::<Result<Vec<_>, _>>();
            // What cannot be read stays where it is: one bad sector must not keep the space of all other files.
            if let Ok(runs) = runs {
                bytes += file.live_bytes;
                found.0.push(*number);
                found.1.extend(runs);
            }
            if bytes >= COMPACT_BYTES {
                break;
            }
        }
        found
    }

    fn read_run(&self, table: &RunTable, name: RunName) -> Result<NewRun, StoreError> {
        let run = table.runs.get(&name).ok_or(StoreError::NoSuchRun(name))?;
        let file = table.file(&*self.disk, run.file)?;
        let blocks = run.indexed.blocks.iter().map(|place| read_block(&*file, *place));
        Ok(NewRun { vnode: run.indexed.vnode, name, blocks: blocks.collect::<Result<_, _>>()? })
    }
}

/// Reads and checks one block.
pub(crate) fn read_block(file: &dyn DiskFile, place: Place) -> Result<Bytes, StoreError> {
    let mut bytes = vec![0; place.length as usize];
    match file.read_at(place.offset, &mut bytes) {
        Err(DiskError::Short) => {
            return Err(StoreError::Corrupt { what: "the file is too short".to_owned() });
        }
        read => read?,
    }
    if crc32c::crc32c(&bytes) != place.checksum {
        return Err(StoreError::Corrupt { what: "the checksum does not match".to_owned() });
    }
    Ok(Bytes::from(bytes))
}

fn bytes_of(run: &IndexedRun) -> u64 {
    run.blocks.iter().map(|place| u64::from(place.length)).sum()
}

/// Bytes of a run in its file, index included.
fn stored_bytes(run: &IndexedRun) -> u64 {
    bytes_of(run) + run_file::index_bytes(run.blocks.len()) as u64
}

fn info(run: &IndexedRun) -> RunInfo {
    let blocks = u32::try_from(run.blocks.len()).unwrap_or(u32::MAX);
    RunInfo { vnode: run.vnode, name: run.name, blocks, bytes: bytes_of(run) }
}
