//! Bytes of a simulated file: the page cache, and what the disk holds behind it.

use std::collections::BTreeMap;

use super::{Random, SECTOR_BYTES};
use crate::DiskError;

/// A file's content. `now` is what reads see; `behind` has, for each sector that differs or may differ on the disk,
/// what the disk holds and whether the next sync will write it.
#[derive(Clone, Default)]
pub(super) struct Inode {
    now: Vec<u8>,
    spoilt: bool,
    durable_length: usize,
    behind: BTreeMap<usize, Behind>,
}

#[derive(Clone)]
struct Behind {
    durable: [u8; SECTOR_BYTES],
    /// Cleared by a failed sync: the page looks clean and is never written again, unless it is changed again.
    dirty: bool,
}

impl Inode {
    pub(super) fn length(&self) -> u64 {
        self.now.len() as u64
    }

    pub(super) fn spoil(&mut self) {
        self.spoilt = true;
    }

    pub(super) fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        if self.spoilt {
            return Err(DiskError::Io("a bad sector".to_owned()));
        }
        let from = usize::try_from(offset).map_err(|_| DiskError::Short)?;
        let to = from.checked_add(buffer.len()).ok_or(DiskError::Short)?;
        buffer.copy_from_slice(self.now.get(from..to).ok_or(DiskError::Short)?);
        Ok(())
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let from = offset as usize;
        let to = from + bytes.len();
        if bytes.is_empty() {
            return;
        }
        for sector in from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES) {
            self.touch(sector);
        }
        if self.now.len() < to {
            self.now.resize(to, 0);
        }
        self.now[from..to].copy_from_slice(bytes);
    }

    fn touch(&mut self, sector: usize) {
        let durable = self.sector(sector);
        self.behind.entry(sector).or_insert(Behind { durable, dirty: true }).dirty = true;
    }

    fn sector(&self, sector: usize) -> [u8; SECTOR_BYTES] {
        let mut bytes = [0; SECTOR_BYTES];
        let from = (sector * SECTOR_BYTES).min(self.now.len());
        let to = (from + SECTOR_BYTES).min(self.now.len());
        bytes[..to - from].copy_from_slice(&self.now[from..to]);
        bytes
    }

    pub(super) fn sync(&mut self) {
        self.behind.retain(|_, behind| !behind.dirty);
        self.durable_length = self.now.len();
    }

    /// Some dirty pages reach the disk, the others never will; the kernel calls all of them clean.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        self.behind.retain(|_, behind| !behind.dirty || random.chance());
        self.behind.values_mut().for_each(|behind| behind.dirty = false);
        if random.chance() {
            self.durable_length = self.now.len();
        }
    }

    pub(super) fn crash(&mut self, random: &mut Random) {
        let length = if random.chance() { self.now.len() } else { self.durable_length };
        for (sector, behind) in std::mem::take(&mut self.behind) {
            if behind.dirty && random.chance() {
                continue;
            }
            let from = (sector * SECTOR_BYTES).min(self.now.len());
            let to = (from + SECTOR_BYTES).min(self.now.len());
            self.now[from..to].copy_from_slice(&behind.durable[..to - from]);
        }
        self.now.truncate(length);
        self.durable_length = self.now.len();
    }

    pub(super) fn flip(&mut self, offset: u64, mask: u8) -> bool {
        let Some(byte) = self.now.get_mut(offset as usize) else { return false };
        *byte ^= mask;
        true
    }

    pub(super) fn truncate(&mut self, length: u64) {
        self.now.truncate(length as usize);
        self.durable_length = self.durable_length.min(self.now.len());
    }
}
