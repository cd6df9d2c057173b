//! Segment files: a header block, then frames, then blocks of an earlier life.
//!
//! A segment is written full of blank blocks before it is used, so that an append overwrites and the file system
//! has nothing to do but write. The register journal is one segment of the same form.
//!
//! # Payload of block 0, big-endian, owner and position 0 as in every block
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `IRSS` |
//! | 4 | 2 | format version, 1 |
//! | 6 | 2 | zero |
//! | 8 | 16 | id of the store |
//! | 24 | 4 | blocks of the file |
//! | 28 | 8 | position of the first chunk that goes here |
//! | 36 | 8 | chain: what the first frame has there |
//! | 44 | 8 | position of the register journal when this segment was taken |

use std::sync::Arc;

use iris_types::LogId;

use crate::block::{self, BLOCK_BYTES, Owner};
use crate::frame::VERSION;
use crate::{Disk, DiskError, DiskFile, Finding, Reason};

/// Where segments live.
pub(crate) const LOGS: &str = "logs";

const MAGIC: &[u8; 4] = b"IRSS";
const HEADER_BYTES: usize = 52;
/// Bytes written at a time when a segment is prepared.
const STRIDE_BYTES: usize = iris_types::limits::SEGMENT_STRIDE_BYTES;

/// What the first block of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) store: [u8; 16],
    pub(crate) owner: Owner,
    pub(crate) blocks: u32,
    pub(crate) first: u64,
    pub(crate) chain: u64,
    pub(crate) registers: u64,
}

impl SegmentHeader {
    /// The first block.
    pub(crate) fn encode(&self) -> [u8; BLOCK_BYTES] {
        let mut payload = [0; HEADER_BYTES];
        payload[..4].copy_from_slice(MAGIC);
        payload[4..6].copy_from_slice(&VERSION.to_be_bytes());
        payload[8..24].copy_from_slice(&self.store);
        payload[24..28].copy_from_slice(&self.blocks.to_be_bytes());
        payload[28..36].copy_from_slice(&self.first.to_be_bytes());
        payload[36..44].copy_from_slice(&self.chain.to_be_bytes());
        payload[44..52].copy_from_slice(&self.registers.to_be_bytes());
        let mut bytes = [0; BLOCK_BYTES];
        block::write(&mut bytes, 0, self.owner, 0, [&payload, &[]]);
        bytes
    }

    /// Reads the first block of the file called `name`, `length` bytes long.
    pub(crate) fn decode(name: &str, bytes: &[u8], length: u64) -> Result<Self, Finding> {
        let bad = |reason, detail: &str| Finding::new(reason, name, 0, detail);
        let block = block::read(block::at(bytes, 0), 0);
        let block = block.ok_or_else(|| bad(Reason::CorruptBlock, "the header is damaged"))?;
        let payload: &[u8; HEADER_BYTES] =
            block.payload.first_chunk().ok_or_else(|| bad(Reason::CorruptFrame, "no header"))?;
        if &payload[..4] != MAGIC {
            return Err(bad(Reason::CorruptFrame, "the first block is no header"));
        }
        if payload[4..6] != VERSION.to_be_bytes() {
            return Err(bad(Reason::TooNew, "the segment has another format version"));
        }
        let long = |at: usize| payload[at..].first_chunk().map_or(0, |long| u64::from_be_bytes(*long));
        let header = Self {
            store: payload[8..].first_chunk().copied().unwrap_or_default(),
            owner: block.owner,
            blocks: payload[24..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word)),
            first: long(28),
            chain: long(36),
            registers: long(44),
        };
        if u64::from(header.blocks) * BLOCK_BYTES as u64 != length {
            return Err(Finding::new(
                Reason::CorruptBlock,
                name,
                length,
                "the file has another length than it says",
            ));
        }
        Ok(header)
    }
}

/// Name of a log's segment.
pub(crate) fn name(log: LogId, number: u32) -> String {
    format!("{LOGS}/{}", short_name(log, number))
}

/// The same without its directory.
pub(crate) fn short_name(log: LogId, number: u32) -> String {
    format!("{log}-{number:08x}.seg")
}

/// Log and number of a segment's short name; `None` for other files.
pub(crate) fn parse_name(short: &str) -> Option<(LogId, u32)> {
    let (log, number) = short.strip_suffix(".seg")?.split_once('-')?;
    if log.len() != 32 || number.len() != 8 {
        return None;
    }
    let mut id = [0; 16];
    for (index, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(log.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some((LogId(id), u32::from_str_radix(number, 16).ok()?))
}

/// Name of the spare segment `number`.
pub(crate) fn spare_name(number: u64) -> String {
    format!("{LOGS}/spare-{number:08x}.seg")
}

/// Whether a short name is a spare segment's.
pub(crate) fn is_spare(short: &str) -> bool {
    short.starts_with("spare-")
}

/// Blocks of a segment of `bytes`: at least a header, a frame of one block and a close.
pub(crate) fn blocks_of(bytes: u64) -> u32 {
    u32::try_from(bytes / BLOCK_BYTES as u64).unwrap_or(u32::MAX).max(3)
}

/// Creates a file full of blank blocks and makes its bytes durable; its name is not durable yet. After an error
/// the file may be there.
pub(crate) fn prewrite(disk: &dyn Disk, name: &str, blocks: u32) -> Result<Arc<dyn DiskFile>, DiskError> {
    let file = disk.create(name)?;
    let stride = (STRIDE_BYTES / BLOCK_BYTES) as u32;
    let mut buffer = vec![0; STRIDE_BYTES.min(blocks as usize * BLOCK_BYTES)];
    let mut number = 0;
    while number < blocks {
        let count = stride.min(blocks - number);
        let bytes = buffer.get_mut(..count as usize * BLOCK_BYTES).unwrap_or_default();
        block::write_blank(bytes, number);
        file.write_at(offset(number), bytes)?;
        number += count;
    }
    file.sync_data()?;
    Ok(file)
}

/// Where a block is in its file.
pub(crate) fn offset(number: u32) -> u64 {
    u64::from(number) * BLOCK_BYTES as u64
}

/// All bytes of a file; a finding when the disk cannot read them.
pub(crate) fn read(disk: &dyn Disk, name: &str) -> Result<Result<Vec<u8>, Finding>, DiskError> {
    Finding::of_read(name, read_all(disk, name))
}

/// All bytes of a file.
pub(crate) fn read_all(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, DiskError> {
    let file = disk.open(name)?;
    let length = usize::try_from(file.length()?).map_err(|_| DiskError::Short)?;
    let mut bytes = vec![0; length];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let log = LogId([0xab; 16]);
        let name = name(log, 17);
        assert_eq!(name.strip_prefix("logs/").and_then(parse_name), Some((log, 17)));
        assert_eq!(parse_name("spare-00000001.seg"), None);
        assert_eq!(parse_name("README"), None);
    }
}
