//! The index of a run: which block may hold a key, and whether any does.
//!
//! It is the run's tail: one string of bytes, cut into the run's last blocks (`block.rs`), big-endian:
//!
//! ```text
//! 1  table
//! 4  window
//! 8  number of rows
//! 4  number of blocks of rows, n, at least 1
//! 4  length of the first key, and the key
//! 4  length of the last key, and the key
//! 4  n times: where the block's separator ends, from the first separator's start
//!    n separators: block i holds the keys from separator i up to separator i + 1; the first is empty
//!    filter up to the end (`filter.rs`), empty in tables without one
//! ```

use std::ops::Range;

use bytes::Bytes;

use crate::codec::{Reader, put_prefixed, u32_at};
use crate::filter::{self, KeyHash};
use crate::{Blocks, RunMeta, TableError, block};

/// The decoded index of one run; a few bytes per block, ten bits per row where there is a filter.
#[derive(Clone, Debug)]
pub struct RunIndex {
    tail: Bytes,
    row_blocks: u32,
    first: Range<usize>,
    last: Range<usize>,
    ends: usize,
    separators: usize,
    filter: usize,
}

impl RunIndex {
    /// Reads the run's last blocks and checks that they are whole and belong to this run.
    ///
    /// # Errors
    /// [`TableError`], naming the block.
    pub fn load(meta: &RunMeta, blocks: &dyn Blocks) -> Result<Self, TableError> {
        let tail = read_tail(meta, blocks)?;
        let pieces = meta.blocks.saturating_sub(tail.first);
        Self::decode(meta, pieces, tail.bytes)
            .ok_or_else(|| TableError::corrupt(meta.name, tail.first, "an index that does not fit its run"))
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.tail.len() + size_of::<Self>()
    }

    pub(crate) const fn row_blocks(&self) -> u32 {
        self.row_blocks
    }

    pub(crate) fn first_key(&self) -> &[u8] {
        self.tail.get(self.first.clone()).unwrap_or_default()
    }

    pub(crate) fn last_key(&self) -> &[u8] {
        self.tail.get(self.last.clone()).unwrap_or_default()
    }

    /// Whether the run may have a row with this key.
    pub(crate) fn may_hold(&self, key: &[u8], hash: KeyHash) -> bool {
        self.first_key() <= key && key <= self.last_key() && filter::may_contain(self.filter(), hash)
    }

    /// The only block that can hold `key`.
    pub(crate) fn block_of(&self, key: &[u8]) -> u32 {
        // The separator of `low` is never above the key, that of `high` always is.
        let (mut low, mut high) = (0, self.row_blocks);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.separator(middle).unwrap_or_default() <= key {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    fn filter(&self) -> &[u8] {
        self.tail.get(self.filter..).unwrap_or_default()
    }

    fn separator(&self, number: u32) -> Option<&[u8]> {
        let start = if number == 0 { 0 } else { self.separator_end(number - 1)? };
        self.tail.get(self.separators + start..self.separators + self.separator_end(number)?)
    }

    fn separator_end(&self, number: u32) -> Option<usize> {
        u32_at(&self.tail, self.ends + number as usize * 4).map(|end| end as usize)
    }

    fn decode(meta: &RunMeta, pieces: u32, tail: Bytes) -> Option<Self> {
        let mut reader = Reader::new(&tail);
        let matches = reader.u8()? == meta.table.number()
            && reader.u32()? == meta.window.0
            && reader.u64()? == meta.rows
            && meta.rows > 0;
        let row_blocks = reader.u32()?;
        let first_length = reader.prefixed()?.len();
        let last_length = reader.prefixed()?.len();
        let first = 21..21 + first_length;
        let last = first.end + 4..first.end + 4 + last_length;
        let ends = last.end;
        reader.bytes((row_blocks as usize).checked_mul(4)?)?;
        let separators = ends + row_blocks as usize * 4;
        let mut index = Self { tail: tail.clone(), row_blocks, first, last, ends, separators, filter: 0 };
        let separators_end = index.separator_end(row_blocks.checked_sub(1)?)?;
        reader.bytes(separators_end)?;
        index.filter = separators + separators_end;
        let filter_bytes = if meta.table.has_filter() { filter::length(meta.rows) } else { 0 };
        let fits = matches
            && row_blocks.checked_add(pieces)? == meta.blocks
            && index.filter().len() as u64 == filter_bytes
            && index.first_key() <= index.last_key();
        (fits && index.has_ascending_separators()).then_some(index)
    }

    fn has_ascending_separators(&self) -> bool {
        let starts_empty = self.separator(0) == Some(&[]);
        let ascends = |number| match (self.separator(number - 1), self.separator(number)) {
            (Some(before), Some(separator)) => before < separator,
            _ => false,
        };
        starts_empty && (1..self.row_blocks).all(ascends)
    }
}

/// A run's tail and the number of its first block.
struct Tail {
    first: u32,
    bytes: Bytes,
}

fn read_tail(meta: &RunMeta, blocks: &dyn Blocks) -> Result<Tail, TableError> {
    let corrupt = |number, what| TableError::corrupt(meta.name, number, what);
    let last = meta.blocks.checked_sub(1).ok_or_else(|| corrupt(0, "a run without blocks"))?;
    let (piece, count) = block::read_tail(meta.name, last, blocks)?;
    let first = match meta.blocks.checked_sub(count) {
        Some(first) if count > 0 => first,
        _ => return Err(corrupt(last, "a number of tail blocks that does not fit")),
    };
    // A copy, for it stays in memory and must not keep the store's buffer there.
    let mut bytes = Vec::with_capacity(piece.len());
    for number in first..last {
        let (earlier, same) = block::read_tail(meta.name, number, blocks)?;
        if same != count {
            return Err(corrupt(number, "a number of tail blocks that differs from the last one's"));
        }
        bytes.extend_from_slice(&earlier);
    }
    bytes.extend_from_slice(&piece);
    Ok(Tail { first, bytes: Bytes::from(bytes) })
}

/// An index being made while a run is built.
#[derive(Default)]
pub(crate) struct IndexWriter {
    first: Vec<u8>,
    last: Vec<u8>,
    ends: Vec<u8>,
    separators: Vec<u8>,
    hashes: Vec<KeyHash>,
    rows: u64,
}

impl IndexWriter {
    /// Counts a row; `opens_block` when it is the first of a block.
    pub(crate) fn push(&mut self, key: &[u8], opens_block: bool, has_filter: bool) {
        if self.rows == 0 {
            self.first.extend_from_slice(key);
        } else if opens_block {
            let shared = self.last.iter().zip(key).take_while(|(one, other)| one == other).count();
            self.separators.extend(key.iter().take(shared + 1));
        }
        if opens_block {
            self.ends.extend_from_slice(&(self.separators.len() as u32).to_be_bytes());
        }
        if has_filter {
            self.hashes.push(KeyHash::of(key));
        }
        self.last.clear();
        self.last.extend_from_slice(key);
        self.rows += 1;
    }

    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// The run's tail.
    pub(crate) fn finish(self, meta: &RunMeta) -> Vec<u8> {
        let mut tail = vec![meta.table.number()];
        tail.extend_from_slice(&meta.window.0.to_be_bytes());
        tail.extend_from_slice(&self.rows.to_be_bytes());
        tail.extend_from_slice(&((self.ends.len() / 4) as u32).to_be_bytes());
        put_prefixed(&mut tail, &self.first);
        put_prefixed(&mut tail, &self.last);
        tail.extend_from_slice(&self.ends);
        tail.extend_from_slice(&self.separators);
        tail.extend_from_slice(&filter::build(&self.hashes));
        tail
    }
}
