//! Blocks: the unit of every file but run files.
//!
//! A block is what every disk writes wholly or not at all. Each says where it belongs and carries a checksum over
//! every other byte, so a block of a torn write is either wholly new or a valid block of the file's earlier life
//! (blank, or of another owner), and a block that is neither has rotted.
//!
//! # Layout, 512 bytes, big-endian
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | CRC32C of bytes 4 to 512 |
//! | 4 | 4 | number of the block in its file |
//! | 8 | 16 | owner: id of the log (of the store, for the register journal); zero when blank |
//! | 24 | 4 | owner: segment of the log; zero when blank |
//! | 28 | 8 | position of the frame; zero when blank and in a segment's first block |
//! | 36 | 476 | payload, zero behind its end |

/// Bytes of a block.
pub(crate) const BLOCK_BYTES: usize = 512;
/// Bytes of a block's payload.
pub(crate) const PAYLOAD_BYTES: usize = BLOCK_BYTES - PAYLOAD_AT;

const PAYLOAD_AT: usize = 36;

/// Whose block it is: one segment of one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) log: [u8; 16],
    pub(crate) segment: u32,
}

/// A valid block.
pub(crate) struct Block<'a> {
    pub(crate) owner: Owner,
    pub(crate) position: u64,
    pub(crate) payload: &'a [u8],
}

/// What a block is to the owner of the file.
pub(crate) enum Class<'a> {
    /// Written in this life of the file.
    Own(Block<'a>),
    /// Valid, of an earlier life or blank: what a write that did not happen leaves.
    Old,
    /// Neither: rot, or a write that went to the wrong place.
    Bad,
}

/// Makes a block of `into`, which is [`BLOCK_BYTES`] long; `payload` is one to two pieces, laid end to end.
pub(crate) fn write(into: &mut [u8], number: u32, owner: Owner, position: u64, payload: [&[u8]; 2]) {
    into[4..8].copy_from_slice(&number.to_be_bytes());
    into[8..24].copy_from_slice(&owner.log);
    into[24..28].copy_from_slice(&owner.segment.to_be_bytes());
    into[28..PAYLOAD_AT].copy_from_slice(&position.to_be_bytes());
    let middle = PAYLOAD_AT + payload[0].len();
    let end = middle + payload[1].len();
    into[PAYLOAD_AT..middle].copy_from_slice(payload[0]);
    into[middle..end].copy_from_slice(payload[1]);
    into[end..].fill(0);
    let checksum = crc32c::crc32c(&into[4..]);
    into[..4].copy_from_slice(&checksum.to_be_bytes());
}

/// Fills `into` with blank blocks, the first of which is `number`.
pub(crate) fn write_blank(into: &mut [u8], number: u32) {
    for (number, block) in (number..).zip(into.chunks_exact_mut(BLOCK_BYTES)) {
        write(block, number, Owner::default(), 0, [&[], &[]]);
    }
}

/// Checks a block; `None` when it is not a valid block of this place.
pub(crate) fn read(bytes: &[u8], number: u32) -> Option<Block<'_>> {
    let bytes: &[u8; BLOCK_BYTES] = bytes.try_into().ok()?;
    let (head, payload) = bytes.split_at(PAYLOAD_AT);
    let checksum = u32::from_be_bytes(head[..4].try_into().ok()?);
    if crc32c::crc32c(&bytes[4..]) != checksum || head[4..8] != number.to_be_bytes() {
        return None;
    }
    let owner = Owner {
        log: head[8..24].try_into().ok()?,
        segment: u32::from_be_bytes(head[24..28].try_into().ok()?),
    };
    Some(Block { owner, position: u64::from_be_bytes(head[28..].try_into().ok()?), payload })
}

/// What the block is to `owner`.
pub(crate) fn classify(bytes: &[u8], number: u32, owner: Owner) -> Class<'_> {
    match read(bytes, number) {
        Some(block) if block.owner == owner => Class::Own(block),
        Some(block) if block.owner.log == owner.log && block.owner.segment > owner.segment => Class::Bad,
        Some(_) => Class::Old,
        None => Class::Bad,
    }
}

/// Block `number` of a file's bytes; empty when the file is shorter.
pub(crate) fn at(bytes: &[u8], number: u32) -> &[u8] {
    let from = number as usize * BLOCK_BYTES;
    bytes.get(from..from + BLOCK_BYTES).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner { log: [7; 16], segment: 3 };

    fn block() -> Vec<u8> {
        let mut bytes = vec![0xee; BLOCK_BYTES];
        write(&mut bytes, 9, OWNER, 41, [b"hel", b"lo"]);
        bytes
    }

    #[test]
    fn a_block_reads_back() {
        let bytes = block();
        assert!(matches!(
            classify(&bytes, 9, OWNER),
            Class::Own(block) if block.position == 41 && block.payload.starts_with(b"hello\0")
        ));
        assert!(matches!(classify(&bytes, 9, Owner { segment: 4, ..OWNER }), Class::Old));
        assert!(matches!(classify(&bytes, 9, Owner { segment: 2, ..OWNER }), Class::Bad));
        assert!(matches!(classify(&bytes, 8, OWNER), Class::Bad));
    }

    #[test]
    fn every_flipped_bit_is_rot() {
        for bit in 0..BLOCK_BYTES * 8 {
            let mut bytes = block();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bytes, 9).is_none(), "bit {bit}");
        }
    }
}
