//! The durable mark: how far logs and registers are known to be durable, written lazily.
//!
//! It proves that a whole frame at the end of a log has vanished (an old copy of a file put back, a disk that lied
//! about a flush), which the log alone cannot know. It lags behind by what the caller's interval is.
//!
//! # Layout: 9 blocks; 0 and 8 are the slots, 4 KiB apart for disks with large sectors, the others blank. Owner: the store's id, segment 1; position: the
//! sequence number of the slot, of which the higher counts. Payload, big-endian:
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `IRSM` |
//! | 4 | 2 | format version, 1 |
//! | 6 | 2 | number of logs, at most 16 |
//! | 8 | 8 | position of the register journal |
//! | 16 | 24 each | log id 16, durable position 8 |

use std::sync::Arc;

use iris_types::LogId;
use iris_types::limits::LOGS_MAX;

use crate::block::{self, BLOCK_BYTES, Owner};
use crate::durable;
use crate::frame::VERSION;
use crate::segment;
use crate::{Disk, DiskError, DiskFile, Finding, Reason};

/// Name of the file.
pub(crate) const MARK: &str = "mark";

const MAGIC: &[u8; 4] = b"IRSM";
const BLOCKS: u32 = 9;
const SLOTS: [u32; 2] = [0, 8];

/// What is known to be durable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marked {
    pub(crate) registers: u64,
    pub(crate) logs: Vec<(LogId, u64)>,
}

/// The mark's file.
pub(crate) struct Mark {
    file: Arc<dyn DiskFile>,
    owner: Owner,
    sequence: u64,
    written: Marked,
}

impl Mark {
    /// Creates the file, durable but for its name. One that is left of an earlier attempt is replaced.
    pub(crate) fn create(disk: &dyn Disk, store: [u8; 16]) -> Result<Self, DiskError> {
        durable::remove(disk, MARK)?;
        let file = segment::prewrite(disk, MARK, BLOCKS)?;
        let mut mark = Self { file, owner: owner(store), sequence: 0, written: Marked::default() };
        mark.write_both(&Marked::default())?;
        Ok(mark)
    }

    /// Opens the file and writes both slots anew.
    pub(crate) fn renew(
        disk: &dyn Disk,
        store: [u8; 16],
        found: &Found,
        now: &Marked,
    ) -> Result<Self, DiskError> {
        let file = disk.open(MARK)?;
        let mut mark =
            Self { file, owner: owner(store), sequence: found.sequence, written: found.marked.clone() };
        mark.write_both(now)?;
        Ok(mark)
    }

    fn write_both(&mut self, marked: &Marked) -> Result<(), DiskError> {
        self.write_slot(marked)?;
        self.write_slot(marked)
    }

    /// Writes the mark, unless nothing has changed.
    pub(crate) fn write(&mut self, marked: &Marked) -> Result<(), DiskError> {
        if *marked == self.written { Ok(()) } else { self.write_slot(marked) }
    }

    fn write_slot(&mut self, marked: &Marked) -> Result<(), DiskError> {
        let sequence = self.sequence + 1;
        let number = SLOTS[(sequence % 2) as usize];
        let mut bytes = [0; BLOCK_BYTES];
        block::write(&mut bytes, number, self.owner, sequence, [&marked.encode(), &[]]);
        self.file.write_at(segment::offset(number), &bytes)?;
        durable::sync_data(&*self.file)?;
        self.sequence = sequence;
        self.written = marked.clone();
        Ok(())
    }
}

/// The mark as it was found.
#[derive(Clone, Default)]
pub(crate) struct Found {
    pub(crate) sequence: u64,
    pub(crate) marked: Marked,
    pub(crate) store: [u8; 16],
}

impl Found {
    /// Reads the file. Both slots must be whole: a slot is one block, which no crash tears.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Result<Self, Finding>, DiskError> {
        match segment::read(disk, MARK) {
            Err(DiskError::NotFound) => {
                Ok(Err(Finding::new(Reason::MissingFile, MARK, 0, "there is no durable mark")))
            }
            bytes => Ok(bytes?.and_then(|bytes| Self::parse(&bytes))),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, Finding> {
        let bad = |number, detail| Finding::new(Reason::CorruptMark, MARK, segment::offset(number), detail);
        if bytes.len() as u64 != segment::offset(BLOCKS) {
            return Err(Finding::new(Reason::CorruptMark, MARK, bytes.len() as u64, "wrong length"));
        }
        let mut newest = Self::default();
        for number in 0..BLOCKS {
            let block =
                block::read(block::at(bytes, number), number).ok_or_else(|| bad(number, "damaged block"))?;
            if SLOTS.contains(&number) {
                let marked = Marked::decode(block.payload).ok_or_else(|| bad(number, "unreadable slot"))?;
                if block.position > newest.sequence {
                    newest = Self { sequence: block.position, marked, store: block.owner.log };
                }
            } else if block.owner != Owner::default() {
                return Err(bad(number, "damaged block"));
            }
        }
        Ok(newest)
    }
}

impl Marked {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 24 * LOGS_MAX);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        let logs = self.logs.len().min(LOGS_MAX);
        out.extend_from_slice(&(logs as u16).to_be_bytes());
        out.extend_from_slice(&self.registers.to_be_bytes());
        for (log, position) in self.logs.iter().take(LOGS_MAX) {
            out.extend_from_slice(&log.0);
            out.extend_from_slice(&position.to_be_bytes());
        }
        out
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let (head, rest) = payload.split_first_chunk::<16>()?;
        if &head[..4] != MAGIC || head[4..6] != VERSION.to_be_bytes() {
            return None;
        }
        let count = u16::from_be_bytes([head[6], head[7]]) as usize;
        let entry = |bytes: &[u8]| {
            let (log, position) = bytes.split_first_chunk::<16>()?;
            Some((LogId(*log), u64::from_be_bytes(position.try_into().ok()?)))
        };
        let logs = rest.get(..count * 24)?.chunks_exact(24).map(entry).collect::<Option<_>>()?;
        Some(Self { registers: u64::from_be_bytes(head[8..].try_into().ok()?), logs })
    }
}

fn owner(store: [u8; 16]) -> Owner {
    Owner { log: store, segment: 1 }
}
