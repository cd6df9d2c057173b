//! Frames: the unit of every log, laid over whole blocks.
//!
//! # Layout, big-endian; the body follows the header at once
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `IRSF` |
//! | 4 | 2 | format version, 1 |
//! | 6 | 2 | kind: 1 chunk, 2 close of a segment, 3 register changes, 4 register snapshot |
//! | 8 | 16 | id of the store |
//! | 24 | 16 | id of the log (of the store, for the register journal) |
//! | 40 | 8 | position: dense; a close has the position of the last chunk |
//! | 48 | 16 | id of the chunk; zero for other kinds |
//! | 64 | 4 | bytes of the body |
//! | 68 | 4 | zero |
//! | 72 | 8 | chain: both checksums of the frame before (header's, body's); 0 for the first |
//! | 80 | 8 | highest position durable when this was written |
//! | 88 | 8 | position of the register journal then; 0 in the journal itself |
//! | 96 | 4 | CRC32C of the body |
//! | 100 | 4 | CRC32C of bytes 0 to 100 |

use iris_types::ChunkId;

use crate::block::{self, BLOCK_BYTES, Owner, PAYLOAD_BYTES};

/// Bytes of a frame's header.
pub(crate) const HEADER_BYTES: usize = 104;
/// The format that this version writes, and the newest it reads.
pub(crate) const VERSION: u16 = 1;

const MAGIC: &[u8; 4] = b"IRSF";

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chunk = 1,
    Close = 2,
    Changes = 3,
    Snapshot = 4,
}

/// A frame's header without what is computed (length and checksums).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) store: [u8; 16],
    pub(crate) log: [u8; 16],
    pub(crate) position: u64,
    pub(crate) chunk: ChunkId,
    pub(crate) chain: u64,
    pub(crate) durable: u64,
    pub(crate) registers: u64,
}

/// A header as it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub(crate) header: Header,
    pub(crate) length: u32,
    pub(crate) body_checksum: u32,
    /// What the next frame has in `chain`.
    pub(crate) link: u64,
}

/// Why a header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    TooNew(u16),
    Malformed(&'static str),
}

/// Blocks that a frame with a body of this length fills.
pub(crate) fn blocks(length: usize) -> u32 {
    u32::try_from((HEADER_BYTES + length).div_ceil(PAYLOAD_BYTES)).unwrap_or(u32::MAX)
}

/// Lays a frame into `into` (cleared first), as blocks of `owner` from block `first` on. Gives the chain for the
/// next frame.
pub(crate) fn write(into: &mut Vec<u8>, owner: Owner, first: u32, header: &Header, body: &[u8]) -> u64 {
    let (head, link) = encode(header, body);
    into.clear();
    into.resize(blocks(body.len()) as usize * BLOCK_BYTES, 0);
    let mut rest = body;
    for (index, bytes) in into.chunks_exact_mut(BLOCK_BYTES).enumerate() {
        let head = if index == 0 { &head[..] } else { &[] };
        let (piece, behind) = rest.split_at(rest.len().min(PAYLOAD_BYTES - head.len()));
        let number = first.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
        block::write(bytes, number, owner, header.position, [head, piece]);
        rest = behind;
    }
    link
}

fn encode(header: &Header, body: &[u8]) -> ([u8; HEADER_BYTES], u64) {
    let body_checksum = crc32c::crc32c(body);
    let mut out = [0; HEADER_BYTES];
    out[..4].copy_from_slice(MAGIC);
    out[4..6].copy_from_slice(&VERSION.to_be_bytes());
    out[6..8].copy_from_slice(&(header.kind as u16).to_be_bytes());
    out[8..24].copy_from_slice(&header.store);
    out[24..40].copy_from_slice(&header.log);
    out[40..48].copy_from_slice(&header.position.to_be_bytes());
    out[48..64].copy_from_slice(&header.chunk.0);
    out[64..68].copy_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out[72..80].copy_from_slice(&header.chain.to_be_bytes());
    out[80..88].copy_from_slice(&header.durable.to_be_bytes());
    out[88..96].copy_from_slice(&header.registers.to_be_bytes());
    out[96..100].copy_from_slice(&body_checksum.to_be_bytes());
    let checksum = crc32c::crc32c(&out[..100]);
    out[100..].copy_from_slice(&checksum.to_be_bytes());
    (out, u64::from(checksum) << 32 | u64::from(body_checksum))
}

/// Reads a header from the payload of a frame's first block.
pub(crate) fn read(payload: &[u8]) -> Result<Read, Unreadable> {
    let bytes: &[u8; HEADER_BYTES] = payload.first_chunk().ok_or(Unreadable::Malformed("too short"))?;
    let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
    let long = |at: usize| bytes[at..].first_chunk().map_or(0, |long| u64::from_be_bytes(*long));
    let id = |at: usize| bytes[at..].first_chunk().copied().unwrap_or_default();
    let half = |at: usize| bytes[at..].first_chunk().map_or(0, |half| u16::from_be_bytes(*half));
    if &bytes[..4] != MAGIC {
        return Err(Unreadable::Malformed("no frame starts here"));
    }
    if half(4) > VERSION {
        return Err(Unreadable::TooNew(half(4)));
    }
    if crc32c::crc32c(&bytes[..100]) != word(100) || half(4) != VERSION || word(68) != 0 {
        return Err(Unreadable::Malformed("the header's checksum does not match"));
    }
    let kind = match half(6) {
        1 => Kind::Chunk,
        2 => Kind::Close,
        3 => Kind::Changes,
        4 => Kind::Snapshot,
        _ => return Err(Unreadable::Malformed("unknown kind")),
    };
    let header = Header {
        kind,
        store: id(8),
        log: id(24),
        position: long(40),
        chunk: ChunkId(id(48)),
        chain: long(72),
        durable: long(80),
        registers: long(88),
    };
    let link = u64::from(word(100)) << 32 | u64::from(word(96));
    Ok(Read { header, length: word(64), body_checksum: word(96), link })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { log: [2; 16], segment: 1 };
    const HEADER: Header = Header {
        kind: Kind::Chunk,
        store: [1; 16],
        log: [2; 16],
        position: 5,
        chunk: ChunkId([3; 16]),
        chain: 6,
        durable: 4,
        registers: 8,
    };

    #[test]
    fn a_frame_reads_back_at_every_length_around_a_block() {
        for length in (0..3).chain(370..375).chain(845..852).chain([10_000]) {
            let body: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let mut laid = Vec::new();
            let link = write(&mut laid, OWNER, 4, &HEADER, &body);
            let mut payload = Vec::new();
            for (number, bytes) in (4..).zip(laid.chunks_exact(BLOCK_BYTES)) {
                let block = block::read(bytes, number);
                assert!(block.as_ref().is_some_and(|block| block.owner == OWNER && block.position == 5));
                payload.extend_from_slice(block.map_or(&[], |block| block.payload));
            }
            assert_eq!(laid.len(), blocks(length) as usize * BLOCK_BYTES);
            let found = read(&payload);
            assert!(
                found.is_ok_and(|found| found.header == HEADER
                    && found.length as usize == length
                    && found.link == link),
                "length {length}"
            );
            assert_eq!(&payload[HEADER_BYTES..HEADER_BYTES + length], &body[..], "length {length}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let (mut bytes, _) = encode(&HEADER, b"");
        bytes[5] = 2;
        assert_eq!(read(&bytes).err(), Some(Unreadable::TooNew(2)));
    }
}
