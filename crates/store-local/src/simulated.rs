//! A disk in memory that fails the way disks fail, on request and under a seed.
//!
//! The model: writes go to a page cache and become durable by [`DiskFile::sync_data`]; names become durable by
//! [`Disk::sync_directory`]. A [`SimDisk::crash`] keeps everything durable and, of what is not, any subset of
//! 512-byte sectors and of name changes. A failed sync leaves pages readable that will never reach the disk,
//! whatever is synced afterwards.

mod file;
mod names;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskError, DiskFile, Space};
use file::Inode;
use names::{Names, Pending};

/// Bytes that are written wholly or not at all.
pub const SECTOR_BYTES: usize = 512;

/// A call that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Read,
    Write,
    SyncData,
    SyncDirectory,
    Create,
    Rename,
    Remove,
}

/// A simulated disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// What a disk counts, for tests that walk over every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that change something (all but reads).
    pub changes: u64,
    pub reads: u64,
    pub data_syncs: u64,
    pub directory_syncs: u64,
    pub bytes_written: u64,
}

#[derive(Clone)]
pub(crate) struct State {
    inodes: BTreeMap<u64, Inode>,
    names: Names,
    next_inode: u64,
    /// Counts crashes; handles of an earlier life are dead.
    life: u64,
    locked: bool,
    random: Random,
    counters: Counters,
    faults: VecDeque<(Call, DiskError)>,
    failing_change: Option<(u64, DiskError)>,
    power_cut_after: Option<u64>,
    capacity_bytes: Option<u64>,
}

struct SimFile {
    disk: SimDisk,
    inode: u64,
    life: u64,
}

impl SimDisk {
    /// An empty disk without bounds.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            inodes: BTreeMap::new(),
            names: Names::default(),
            next_inode: 0,
            life: 0,
            locked: false,
            random: Random(seed),
            counters: Counters::default(),
            faults: VecDeque::new(),
            failing_change: None,
            power_cut_after: None,
            capacity_bytes: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Cuts the power and starts again: the page cache is gone, planned faults are forgotten, the lock is free.
    pub fn crash(&self) {
        let mut state = self.state();
        let State { inodes, names, random, .. } = &mut *state;
        inodes.values_mut().for_each(|inode| inode.crash(random));
        names.crash(random);
        state.restart();
    }

    /// Ends the process but not the machine (`kill -9`): nothing written is lost, the lock is free.
    pub fn kill(&self) {
        self.state().restart();
    }

    /// Makes the next call of this kind fail. A failed write may have written a part, a failed sync loses pages.
    pub fn fail_next(&self, call: Call, error: DiskError) {
        self.state().faults.push_back((call, error));
    }

    /// Makes the change with this number (see [`Counters::changes`], the first is 1) fail.
    pub fn fail_change(&self, number: u64, error: DiskError) {
        self.state().failing_change = Some((number, error));
    }

    /// Lets changes up to this number happen; then every call fails until [`Self::crash`].
    pub fn cut_power_after(&self, number: u64) {
        self.state().power_cut_after = Some(number);
    }

    /// Bounds the bytes of all files; `None` lifts the bound.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity_bytes = bytes;
    }

    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// A second disk with the same content and history.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { state: Arc::new(Mutex::new(self.state().clone())) }
    }

    /// Names and lengths of all files.
    #[must_use]
    pub fn files(&self) -> Vec<(String, u64)> {
        let state = self.state();
        let length = |inode: &u64| state.inodes.get(inode).map_or(0, Inode::length);
        state.names.now.iter().map(|(name, inode)| (name.clone(), length(inode))).collect()
    }

    /// Rot: changes a byte of a file, durably and behind everybody's back. False when there is no such byte.
    pub fn flip(&self, name: &str, offset: u64, mask: u8) -> bool {
        self.with_inode(name, |inode| inode.flip(offset, mask)).unwrap_or(false)
    }

    /// Rot: cuts a file, durably.
    pub fn truncate(&self, name: &str, length: u64) {
        self.with_inode(name, |inode| inode.truncate(length));
    }

    /// Rot: makes every read of a file fail, for ever and under every name, as a bad sector does.
    pub fn spoil(&self, name: &str) {
        self.with_inode(name, Inode::spoil);
    }

    fn with_inode<T>(&self, name: &str, change: impl FnOnce(&mut Inode) -> T) -> Option<T> {
        let mut state = self.state();
        let inode = *state.names.now.get(name)?;
        state.inodes.get_mut(&inode).map(change)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, state: &State, inode: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), inode, life: state.life })
    }
}

impl State {
    fn restart(&mut self) {
        let linked: std::collections::BTreeSet<u64> = self.names.now.values().copied().collect();
        self.inodes.retain(|inode, _| linked.contains(inode) || self.names.is_durable(*inode));
        self.life += 1;
        self.locked = false;
        self.faults.clear();
        self.failing_change = None;
        self.power_cut_after = None;
    }

    /// Counts a call and says whether it fails.
    fn begin(&mut self, call: Call) -> Result<(), DiskError> {
        let dead = self.power_cut_after.is_some_and(|last| self.counters.changes >= last);
        if call == Call::Read {
            self.counters.reads += 1;
        } else {
            self.counters.changes += 1;
        }
        if dead {
            return Err(DiskError::Io("the power is cut".to_owned()));
        }
        match &self.failing_change {
            Some((number, error)) if call != Call::Read && *number == self.counters.changes => {
                let error = error.clone();
                self.failing_change = None;
                return Err(error);
            }
            _ => {}
        }
        match self.faults.iter().position(|(planned, _)| *planned == call) {
            Some(index) => Err(self.faults.remove(index).map_or(DiskError::NotFound, |(_, error)| error)),
            None => Ok(()),
        }
    }

    fn used_bytes(&self) -> u64 {
        self.names.now.values().filter_map(|inode| self.inodes.get(inode)).map(Inode::length).sum()
    }
}

impl Disk for SimDisk {
    fn lock(&self) -> Result<(), DiskError> {
        let mut state = self.state();
        if std::mem::replace(&mut state.locked, true) { Err(DiskError::Locked) } else { Ok(()) }
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut state = self.state();
        state.begin(Call::Read)?;
        let inode = *state.names.now.get(name).ok_or(DiskError::NotFound)?;
        Ok(self.file(&state, inode))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut state = self.state();
        state.begin(Call::Create)?;
        if state.names.now.contains_key(name) {
            return Err(DiskError::Exists);
        }
        let inode = state.next_inode;
        state.next_inode += 1;
        state.inodes.insert(inode, Inode::default());
        state.names.change(Pending::Create { name: name.to_owned(), inode });
        Ok(self.file(&state, inode))
    }

    fn create_directory(&self, _name: &str) -> Result<(), DiskError> {
        self.state().begin(Call::Create)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut state = self.state();
        state.begin(Call::Rename)?;
        let inode = *state.names.now.get(from).ok_or(DiskError::NotFound)?;
        state.names.change(Pending::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        let mut state = self.state();
        state.begin(Call::Remove)?;
        let inode = *state.names.now.get(name).ok_or(DiskError::NotFound)?;
        state.names.change(Pending::Remove { name: name.to_owned(), inode });
        Ok(())
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, DiskError> {
        let mut state = self.state();
        state.begin(Call::Read)?;
        Ok(state.names.list(directory))
    }

    fn sync_directory(&self, directory: &str) -> Result<(), DiskError> {
        let mut state = self.state();
        state.begin(Call::SyncDirectory)?;
        state.counters.directory_syncs += 1;
        state.names.sync(directory);
        Ok(())
    }

    fn space(&self) -> Result<Space, DiskError> {
        let state = self.state();
        let total_bytes = state.capacity_bytes.unwrap_or(1 << 40);
        Ok(Space { free_bytes: total_bytes.saturating_sub(state.used_bytes()), total_bytes })
    }
}

impl SimFile {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> Result<T, DiskError>) -> Result<T, DiskError> {
        let mut state = self.disk.state();
        if state.life != self.life {
            return Err(DiskError::Io("the file was opened before the crash".to_owned()));
        }
        act(&mut state)
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.with(|state| {
            state.begin(Call::Read)?;
            let inode = state.inodes.get(&self.inode).ok_or(DiskError::NotFound)?;
            inode.read(offset, buffer)
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.with(|state| {
            let begun = state.begin(Call::Write);
            let used = state.capacity_bytes.map(|capacity| (capacity, state.used_bytes()));
            let State { inodes, random, counters, .. } = state;
            let inode = inodes.get_mut(&self.inode).ok_or(DiskError::NotFound)?;
            if let Err(error) = begun {
                // The power cut comes between calls; any other failure may come in the middle of one.
                if !matches!(&error, DiskError::Io(what) if what == "the power is cut") {
                    // Sectors are written wholly or not at all, here too.
                    let sectors = random.below(bytes.len() / SECTOR_BYTES + 1);
                    inode.write(offset, bytes.get(..sectors * SECTOR_BYTES).unwrap_or_default());
                }
                return Err(error);
            }
            let growth = (offset + bytes.len() as u64).saturating_sub(inode.length());
            if used.is_some_and(|(capacity, used)| growth > 0 && used + growth > capacity) {
                return Err(DiskError::NoSpace);
            }
            counters.bytes_written += bytes.len() as u64;
            inode.write(offset, bytes);
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        self.with(|state| {
            let begun = state.begin(Call::SyncData);
            let State { inodes, random, counters, .. } = state;
            let inode = inodes.get_mut(&self.inode).ok_or(DiskError::NotFound)?;
            match begun {
                Ok(()) => {
                    counters.data_syncs += 1;
                    inode.sync();
                    Ok(())
                }
                Err(error) => {
                    if !matches!(&error, DiskError::Io(what) if what == "the power is cut") {
                        inode.fail_sync(random);
                    }
                    Err(error)
                }
            }
        })
    }

    fn length(&self) -> Result<u64, DiskError> {
        self.with(|state| state.inodes.get(&self.inode).map(Inode::length).ok_or(DiskError::NotFound))
    }
}

/// SplitMix64: small, seeded, good enough to choose sectors.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn chance(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// From 0 to `bound` - 1; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contents after a crash, over many seeds, of a file of two sectors that `act` was done to.
    fn outcomes(act: impl Fn(&SimDisk, &dyn DiskFile)) -> std::collections::BTreeSet<Option<Vec<u8>>> {
        let outcome = |seed| {
            let disk = SimDisk::new(seed);
            let file = disk.create("file").ok()?;
            file.write_at(0, &[b'a'; 2 * SECTOR_BYTES]).ok()?;
            file.sync_data().ok()?;
            disk.sync_directory("").ok()?;
            act(&disk, &*file);
            disk.crash();
            let file = disk.open("file").ok()?;
            let mut bytes = vec![0; usize::try_from(file.length().ok()?).ok()?];
            file.read_at(0, &mut bytes).ok()?;
            Some(bytes.chunks(SECTOR_BYTES).filter_map(|sector| sector.first().copied()).collect())
        };
        (0..64).map(outcome).collect()
    }

    fn check(act: impl Fn(&SimDisk, &dyn DiskFile), expected: &[&[u8]]) {
        let expected = expected.iter().map(|bytes| Some(bytes.to_vec())).collect();
        assert_eq!(outcomes(act), expected);
    }

    #[test]
    fn what_is_not_synced_survives_in_any_subset_of_sectors() {
        let write = |file: &dyn DiskFile| file.write_at(0, &[b'b'; 2 * SECTOR_BYTES]);
        check(|_, file| drop(write(file)), &[b"aa", b"ab", b"ba", b"bb"]);
        check(|_, file| drop(write(file).and_then(|()| file.sync_data())), &[b"bb"]);
    }

    #[test]
    fn after_a_failed_sync_another_one_does_not_help() {
        let act = |disk: &SimDisk, file: &dyn DiskFile| {
            let _ = file.write_at(0, &[b'b'; 2 * SECTOR_BYTES]);
            disk.fail_next(Call::SyncData, DiskError::Io("injected".to_owned()));
            assert!(file.sync_data().is_err());
            assert!(file.sync_data().is_ok());
            let mut seen = [0];
            assert!(file.read_at(0, &mut seen).is_ok() && seen == *b"b", "the cache shows what is lost");
        };
        check(act, &[b"aa", b"ab", b"ba", b"bb"]);
    }

    #[test]
    fn names_need_their_directory_synced() {
        let rename = |disk: &SimDisk, _: &dyn DiskFile| drop(disk.rename("file", "other"));
        assert_eq!(outcomes(rename).len(), 2);
        let durable = |disk: &SimDisk, _: &dyn DiskFile| {
            drop(disk.rename("file", "other").and_then(|()| disk.sync_directory("")));
        };
        assert_eq!(outcomes(durable), [None].into());
    }
}
