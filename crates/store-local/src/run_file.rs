//! Run files: many runs in one file, written once. Header, index, then all blocks in the index's order.
//!
//! # Header, 56 bytes, big-endian
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `IRSR` |
//! | 4 | 2 | format version, 1 |
//! | 6 | 2 | zero |
//! | 8 | 16 | id of the store |
//! | 24 | 8 | position of the register journal when this was written |
//! | 32 | 4 | number of runs |
//! | 36 | 4 | bytes of the index |
//! | 40 | 8 | bytes of the file |
//! | 48 | 4 | CRC32C of the index |
//! | 52 | 4 | CRC32C of bytes 0 to 52 |
//!
//! # Index: for each run vnode 2, name 16, number of blocks 4, then for each block length 4, CRC32C 4

use bytes::Bytes;
use iris_store::NewRun;
use iris_types::{RunName, VnodeId};

use crate::frame::VERSION;
use crate::{Disk, DiskError, Finding, Reason};

/// Where run files live.
pub(crate) const RUNS: &str = "runs";

const MAGIC: &[u8; 4] = b"IRSR";
/// Bytes of a run file's header.
pub(crate) const HEADER_BYTES: usize = 56;
/// Bytes read at once at a start: most files' header and index.
const FIRST_READ_BYTES: u64 = iris_types::limits::RUN_FILE_FIRST_READ_BYTES;
/// Bytes of an index, at most: as much as a million blocks need, far beyond a flush.
const INDEX_BYTES_MAX: usize = iris_types::limits::RUN_FILE_INDEX_BYTES_MAX;

/// One run of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexedRun {
    pub(crate) vnode: VnodeId,
    pub(crate) name: RunName,
    pub(crate) blocks: Vec<Place>,
}

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) checksum: u32,
}

/// What a run file says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunIndex {
    pub(crate) store: [u8; 16],
    pub(crate) registers: u64,
    pub(crate) bytes: u64,
    pub(crate) runs: Vec<IndexedRun>,
}

/// Name of run file `number`.
pub(crate) fn name(number: u64) -> String {
    format!("{RUNS}/{number:016x}.runs")
}

/// Number of a run file's short name; `None` for other files.
pub(crate) fn parse_name(short: &str) -> Option<u64> {
    let number = short.strip_suffix(".runs")?;
    (number.len() == 16).then(|| u64::from_str_radix(number, 16).ok())?
}

/// Header and index of a file with these runs; `None` when there are too many blocks for one file.
pub(crate) fn encode(store: [u8; 16], registers: u64, runs: &[NewRun]) -> Option<(Vec<u8>, RunIndex)> {
    let index_length: usize = runs.iter().map(|run| index_bytes(run.blocks.len())).sum();
    if index_length > INDEX_BYTES_MAX {
        return None;
    }
    let mut out = vec![0; HEADER_BYTES];
    let mut offset = (HEADER_BYTES + index_length) as u64;
    let mut indexed = Vec::with_capacity(runs.len());
    for run in runs {
        out.extend_from_slice(&run.vnode.0.to_be_bytes());
        out.extend_from_slice(&run.name.0);
        out.extend_from_slice(&u32::try_from(run.blocks.len()).ok()?.to_be_bytes());
        let mut blocks = Vec::with_capacity(run.blocks.len());
        for block in &run.blocks {
            let place = place(block, offset)?;
            out.extend_from_slice(&place.length.to_be_bytes());
            out.extend_from_slice(&place.checksum.to_be_bytes());
            offset += u64::from(place.length);
            blocks.push(place);
        }
        indexed.push(IndexedRun { vnode: run.vnode, name: run.name, blocks });
    }
    let index_checksum = crc32c::crc32c(out.get(HEADER_BYTES..)?);
    let header = out.get_mut(..HEADER_BYTES)?;
    header[..4].copy_from_slice(MAGIC);
    header[4..6].copy_from_slice(&VERSION.to_be_bytes());
    header[8..24].copy_from_slice(&store);
    header[24..32].copy_from_slice(&registers.to_be_bytes());
    header[32..36].copy_from_slice(&u32::try_from(runs.len()).ok()?.to_be_bytes());
    header[36..40].copy_from_slice(&u32::try_from(index_length).ok()?.to_be_bytes());
    header[40..48].copy_from_slice(&offset.to_be_bytes());
    header[48..52].copy_from_slice(&index_checksum.to_be_bytes());
    let checksum = crc32c::crc32c(&header[..52]);
    header[52..].copy_from_slice(&checksum.to_be_bytes());
    Some((out, RunIndex { store, registers, bytes: offset, runs: indexed }))
}

/// Bytes that a run of so many blocks takes in the index.
pub(crate) fn index_bytes(blocks: usize) -> usize {
    22 + 8 * blocks
}

fn place(block: &Bytes, offset: u64) -> Option<Place> {
    Some(Place { offset, length: u32::try_from(block.len()).ok()?, checksum: crc32c::crc32c(block) })
}

/// Reads header and index of a file, and checks that the file is as long as they say.
pub(crate) fn read(disk: &dyn Disk, name: &str) -> Result<Result<RunIndex, Finding>, DiskError> {
    Ok(Finding::of_read(name, read_index(disk, name))?.flatten())
}

fn read_index(disk: &dyn Disk, name: &str) -> Result<Result<RunIndex, Finding>, DiskError> {
    let file = disk.open(name)?;
    let length = file.length()?;
    let mut bytes = vec![0; length.min(FIRST_READ_BYTES) as usize];
    file.read_at(0, &mut bytes)?;
    let header = match Header::decode(name, &bytes, length) {
        Ok(header) => header,
        Err(finding) => return Ok(Err(finding)),
    };
    let have = bytes.len();
    let need = HEADER_BYTES + header.index_bytes;
    if have < need {
        bytes.resize(need, 0);
        file.read_at(have as u64, bytes.get_mut(have..).unwrap_or_default())?;
    }
    Ok(header.index(name, bytes.get(HEADER_BYTES..need).unwrap_or_default()))
}

struct Header {
    store: [u8; 16],
    registers: u64,
    runs: u32,
    index_bytes: usize,
    bytes: u64,
    index_checksum: u32,
}

impl Header {
    fn decode(name: &str, bytes: &[u8], length: u64) -> Result<Self, Finding> {
        let bad = |detail: &str| Finding::new(Reason::CorruptRuns, name, 0, detail);
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or_else(|| bad("shorter than a header"))?;
        let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
        let long = |at: usize| bytes[at..].first_chunk().map_or(0, |long| u64::from_be_bytes(*long));
        if &bytes[..4] != MAGIC || crc32c::crc32c(&bytes[..52]) != word(52) {
            return Err(bad("the header is damaged"));
        }
        if bytes[4..6] != VERSION.to_be_bytes() {
            return Err(Finding::new(Reason::TooNew, name, 0, "the file has another format version"));
        }
        let header = Self {
            store: bytes[8..].first_chunk().copied().unwrap_or_default(),
            registers: long(24),
            runs: word(32),
            index_bytes: word(36) as usize,
            bytes: long(40),
            index_checksum: word(48),
        };
        let fits =
            header.index_bytes <= INDEX_BYTES_MAX && (HEADER_BYTES + header.index_bytes) as u64 <= length;
        if header.bytes != length || !fits {
            return Err(bad("the file has another length than it says"));
        }
        Ok(header)
    }

    fn index(self, name: &str, bytes: &[u8]) -> Result<RunIndex, Finding> {
        let bad = |detail: &str| Finding::new(Reason::CorruptRuns, name, HEADER_BYTES as u64, detail);
        if crc32c::crc32c(bytes) != self.index_checksum {
            return Err(bad("the index is damaged"));
        }
        let mut from = bytes;
        let mut offset = (HEADER_BYTES + bytes.len()) as u64;
        let runs = (0..self.runs).map(|_| indexed_run(&mut from, &mut offset)).collect::<Option<Vec<_>>>();
        let runs = runs.ok_or_else(|| bad("the index is too short"))?;
        if offset != self.bytes || !from.is_empty() {
            return Err(bad("the index does not add up to the file"));
        }
        Ok(RunIndex { store: self.store, registers: self.registers, bytes: self.bytes, runs })
    }
}

fn indexed_run(from: &mut &[u8], offset: &mut u64) -> Option<IndexedRun> {
    let (head, rest) = from.split_first_chunk::<22>()?;
    let count = head.last_chunk().map(|word| u32::from_be_bytes(*word))? as usize;
    let (blocks, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    *from = rest;
    let mut place = |bytes: &[u8]| {
        let length = u32::from_be_bytes(*bytes.first_chunk()?);
        let place = Place { offset: *offset, length, checksum: u32::from_be_bytes(*bytes.last_chunk()?) };
        *offset = offset.checked_add(length.into())?;
        Some(place)
    };
    Some(IndexedRun {
        vnode: VnodeId(u16::from_be_bytes(*head.first_chunk()?)),
        name: RunName(*head.get(2..)?.first_chunk()?),
        blocks: blocks.chunks_exact(8).map(&mut place).collect::<Option<_>>()?,
    })
}
