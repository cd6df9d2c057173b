//! Walking over the rows of one run, and over those of several as one.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::block::{Block, Row};
use crate::set::Run;
use crate::{Blocks, Direction, TableError};

/// Keys from `from` up to, but without, `to`; without `to` up to the last.
#[derive(Clone, Copy)]
pub(crate) struct KeyRange<'a> {
    pub(crate) from: &'a [u8],
    pub(crate) to: Option<&'a [u8]>,
}

impl KeyRange<'_> {
    pub(crate) const ALL: Self = Self { from: &[], to: None };

    fn overlaps(&self, first: &[u8], last: &[u8]) -> bool {
        self.from <= last && self.to.is_none_or(|to| first < to && self.from < to)
    }

    fn contains(&self, key: &[u8]) -> bool {
        self.from <= key && self.to.is_none_or(|to| key < to)
    }
}

/// A place in a run, at a row of the range.
pub(crate) struct Cursor<'a> {
    run: &'a Run,
    blocks: &'a dyn Blocks,
    range: KeyRange<'a>,
    direction: Direction,
    row_blocks: u32,
    block: Block,
    number: u32,
    /// Rows of the block that lie before the next one to take, in key order; backward the next is `rows - 1`.
    rows: usize,
    row: Row,
    is_done: bool,
}

impl<'a> Cursor<'a> {
    /// At the first row of the range in this direction; `None` when there is none.
    pub(crate) fn open(
        run: &'a Run,
        blocks: &'a dyn Blocks,
        range: KeyRange<'a>,
        direction: Direction,
    ) -> Result<Option<Self>, TableError> {
        let index = run.index(blocks)?;
        if !range.overlaps(index.first_key(), index.last_key()) {
            return Ok(None);
        }
        let row_blocks = index.row_blocks();
        let start = if direction == Direction::Forward { Some(range.from) } else { range.to };
        let number = start.map_or(row_blocks - 1, |key| index.block_of(key));
        let block = Block::read(run.meta.name, number, blocks)?;
        let rows = match start {
            Some(key) => block.lower_bound(key).ok_or_else(|| run.nonsense(number))?,
            None => block.rows(),
        };
        let row = Row::default();
        let mut cursor =
            Self { run, blocks, range, direction, row_blocks, block, number, rows, row, is_done: false };
        Ok(if cursor.advance()? { Some(cursor) } else { None })
    }

    pub(crate) fn key(&self) -> &[u8] {
        self.block.key(&self.row)
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.block.value(&self.row)
    }

    /// Key and value without copying.
    pub(crate) fn share(&self) -> (Bytes, Bytes) {
        self.block.share(&self.row)
    }

    /// Goes to the next row; `false` when there is none in the range.
    pub(crate) fn advance(&mut self) -> Result<bool, TableError> {
        if self.is_at_block_end() && !self.enter_next_block()? {
            self.is_done = true;
            return Ok(false);
        }
        let place = match self.direction {
            Direction::Forward => self.rows,
            Direction::Backward => self.rows.saturating_sub(1),
        };
        self.row = self.block.row(place).ok_or_else(|| self.run.nonsense(self.number))?;
        self.rows = if self.direction == Direction::Forward { place + 1 } else { place };
        self.is_done = !self.range.contains(self.key());
        Ok(!self.is_done)
    }

    fn is_at_block_end(&self) -> bool {
        match self.direction {
            Direction::Forward => self.rows >= self.block.rows(),
            Direction::Backward => self.rows == 0,
        }
    }

    fn enter_next_block(&mut self) -> Result<bool, TableError> {
        let next = match self.direction {
            Direction::Forward => self.number.checked_add(1).filter(|number| *number < self.row_blocks),
            Direction::Backward => self.number.checked_sub(1),
        };
        let Some(number) = next else { return Ok(false) };
        self.block = Block::read(self.run.meta.name, number, self.blocks)?;
        self.number = number;
        self.rows = if self.direction == Direction::Forward { 0 } else { self.block.rows() };
        Ok(true)
    }
}

/// The rows of several runs in one direction; where several have a key, only the newest one's.
pub(crate) struct Merged<'a> {
    /// Newest run first. Few: a look at each is cheaper than a heap.
    cursors: Vec<Cursor<'a>>,
    direction: Direction,
}

impl<'a> Merged<'a> {
    /// `runs` newest first.
    pub(crate) fn open(
        runs: impl Iterator<Item = &'a Run>,
        blocks: &'a dyn Blocks,
        range: KeyRange<'a>,
        direction: Direction,
    ) -> Result<Self, TableError> {
        let cursors = runs.filter_map(|run| Cursor::open(run, blocks, range, direction).transpose());
        Ok(Self { cursors: cursors.collect::<Result<_, _>>()?, direction })
    }

    /// Shows the next row to `visit`. `None` when there is no more.
    pub(crate) fn next<T>(&mut self, visit: impl FnOnce(&Cursor<'_>) -> T) -> Result<Option<T>, TableError> {
        let Some(place) = self.first_place() else { return Ok(None) };
        let (newer, older) = self.cursors.split_at_mut(place + 1);
        let Some(newest) = newer.last_mut() else { return Ok(None) };
        let seen = visit(newest);
        let mut ended = false;
        for cursor in older.iter_mut().filter(|cursor| cursor.key() == newest.key()) {
            ended |= !cursor.advance()?;
        }
        ended |= !newest.advance()?;
        if ended {
            self.cursors.retain(|cursor| !cursor.is_done);
        }
        Ok(Some(seen))
    }

    /// The cursor with the first key; the newest of those with the same.
    fn first_place(&self) -> Option<usize> {
        let keys = self.cursors.iter().map(Cursor::key).enumerate();
        let first = keys.reduce(|first, other| match self.direction.compare(other.1, first.1) {
            Ordering::Less => other,
            _ => first,
        });
        first.map(|(place, _)| place)
    }
}
