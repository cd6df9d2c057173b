//! Blocks: the unit that is written, encrypted, read and checked.
//!
//! All numbers are big-endian. A block of rows:
//!
//! ```text
//!  0  4  crc32c over the run's name (16 bytes), the block's number (4), and every byte from 4 on
//!  4  1  format, 1
//!  5  1  kind, 1
//!  6  4  number of rows, at least 1
//! 10     rows, ascending by key, each: key length (4), key, value up to the next row
//!        4 bytes per row: where it starts, from the block's start
//! ```
//!
//! A block of the tail (see `index.rs`):
//!
//! ```text
//!  0  4  crc32c, as above
//!  4  1  format, 1
//!  5  1  kind, 2
//!  6  4  number of tail blocks; they are the run's last ones
//! 10     a piece of the tail
//! ```

use std::cmp::Ordering;
use std::ops::Range;

use bytes::Bytes;
use iris_types::RunName;

use crate::codec::{put_prefixed, u32_at};
use crate::{Blocks, TableError};

const FORMAT: u8 = 1;
const KIND_ROWS: u8 = 1;
const KIND_TAIL: u8 = 2;
const HEADER_BYTES: usize = 10;
/// Bytes of a row besides key and value: key length and place.
const ROW_OVERHEAD_BYTES: usize = 8;
const TAIL_PIECE_BYTES: usize = iris_types::limits::SCAN_BLOCK_BYTES;

/// A checked block of rows.
#[derive(Clone)]
pub(crate) struct Block {
    bytes: Bytes,
    rows: usize,
    /// Where the list of places starts.
    places: usize,
}

/// Where a row lies in its block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    key: Range<usize>,
    value: Range<usize>,
}

impl Block {
    /// Reads and checks a block of rows.
    pub(crate) fn read(run: RunName, number: u32, blocks: &dyn Blocks) -> Result<Self, TableError> {
        let (bytes, rows) = read_checked(run, number, KIND_ROWS, blocks)?;
        let rows = rows as usize;
        let places = rows.checked_mul(4).and_then(|list| bytes.len().checked_sub(list));
        match places {
            Some(places) if rows > 0 && places >= HEADER_BYTES => Ok(Self { bytes, rows, places }),
            _ => Err(TableError::corrupt(run, number, "a block's rows do not fit into it")),
        }
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// `None` when there is no such row, or its place is nonsense.
    pub(crate) fn row(&self, row: usize) -> Option<Row> {
        let start = self.place(row)?;
        let end = if row + 1 == self.rows { self.places } else { self.place(row + 1)? };
        let key = start.checked_add(4)?;
        let value = key.checked_add(u32_at(&self.bytes, start)? as usize)?;
        (value <= end && end <= self.places).then_some(Row { key: key..value, value: value..end })
    }

    pub(crate) fn key(&self, row: &Row) -> &[u8] {
        self.bytes.get(row.key.clone()).unwrap_or_default()
    }

    pub(crate) fn value(&self, row: &Row) -> &[u8] {
        self.bytes.get(row.value.clone()).unwrap_or_default()
    }

    /// Key and value without copying; they keep the block in memory.
    pub(crate) fn share(&self, row: &Row) -> (Bytes, Bytes) {
        (self.bytes.slice_ref(self.key(row)), self.bytes.slice_ref(self.value(row)))
    }

    /// Number of the first row whose key is not below `key`; the number of rows when all are. `None` when the
    /// block is nonsense.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> Option<usize> {
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = low.midpoint(high);
            match self.key(&self.row(middle)?).cmp(key) {
                Ordering::Less => low = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => high = middle,
            }
        }
        Some(low)
    }

    fn place(&self, row: usize) -> Option<usize> {
        if row >= self.rows {
            return None;
        }
        u32_at(&self.bytes, self.places + row * 4).map(|place| place as usize)
    }
}

/// A piece of the tail and the number of tail blocks.
pub(crate) fn read_tail(run: RunName, number: u32, blocks: &dyn Blocks) -> Result<(Bytes, u32), TableError> {
    let (bytes, count) = read_checked(run, number, KIND_TAIL, blocks)?;
    Ok((bytes.slice(HEADER_BYTES..), count))
}

/// Cuts a tail into blocks, of which the first has the number `first`.
pub(crate) fn tail_blocks(run: RunName, first: u32, tail: &[u8]) -> Vec<Bytes> {
    let pieces = tail.chunks(TAIL_PIECE_BYTES);
    let count = pieces.len() as u32;
    let block = |(number, piece): (u32, &[u8])| {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + piece.len());
        put_header(&mut bytes, KIND_TAIL, count);
        bytes.extend_from_slice(piece);
        seal(run, number, bytes)
    };
    (first..).zip(pieces).map(block).collect()
}

/// A block of rows being filled. Rows come ascending.
pub(crate) struct BlockWriter {
    /// Header and rows; empty before the first row.
    bytes: Vec<u8>,
    places: Vec<u8>,
    capacity: usize,
}

impl BlockWriter {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { bytes: Vec::new(), places: Vec::new(), capacity }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn has_room(&self, key: &[u8], value: &[u8]) -> bool {
        let used = self.bytes.len() + self.places.len();
        used + ROW_OVERHEAD_BYTES + key.len() + value.len() <= self.capacity
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        if self.bytes.is_empty() {
            put_header(&mut self.bytes, KIND_ROWS, 0);
        }
        self.places.extend_from_slice(&(self.bytes.len() as u32).to_be_bytes());
        put_prefixed(&mut self.bytes, key);
        self.bytes.extend_from_slice(value);
    }

    /// The finished block; the writer is empty again.
    pub(crate) fn take(&mut self, run: RunName, number: u32) -> Bytes {
        let size = self.bytes.len();
        let mut bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(size));
        let rows = (self.places.len() / 4) as u32;
        if let Some(field) = bytes.get_mut(6..HEADER_BYTES) {
            field.copy_from_slice(&rows.to_be_bytes());
        }
        bytes.append(&mut self.places);
        seal(run, number, bytes)
    }
}

fn put_header(into: &mut Vec<u8>, kind: u8, count: u32) {
    into.extend_from_slice(&[0, 0, 0, 0, FORMAT, kind]);
    into.extend_from_slice(&count.to_be_bytes());
}

fn seal(run: RunName, number: u32, mut bytes: Vec<u8>) -> Bytes {
    let sum = checksum(run, number, bytes.get(4..).unwrap_or_default());
    if let Some(field) = bytes.first_chunk_mut() {
        *field = sum.to_be_bytes();
    }
    Bytes::from(bytes)
}

fn checksum(run: RunName, number: u32, bytes: &[u8]) -> u32 {
    let mut place = [0; 20];
    place[..16].copy_from_slice(&run.0);
    place[16..].copy_from_slice(&number.to_be_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&place), bytes)
}

/// The block and its count field, if it is of this kind and intact.
fn read_checked(
    run: RunName,
    number: u32,
    kind: u8,
    blocks: &dyn Blocks,
) -> Result<(Bytes, u32), TableError> {
    let corrupt = |what| TableError::corrupt(run, number, what);
    let bytes = blocks.block(run, number).map_err(|error| TableError::of_block(run, number, error))?;
    let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(corrupt("a block is too short"));
    };
    let [c0, c1, c2, c3, format, found_kind, n0, n1, n2, n3] = *header;
    if u32::from_be_bytes([c0, c1, c2, c3]) != checksum(run, number, bytes.get(4..).unwrap_or_default()) {
        return Err(corrupt("a block's checksum is wrong"));
    }
    if format != FORMAT {
        return Err(corrupt("a block's format is not known"));
    }
    if found_kind != kind {
        return Err(corrupt("a block is of another kind"));
    }
    Ok((bytes, u32::from_be_bytes([n0, n1, n2, n3])))
}
