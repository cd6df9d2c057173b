//! Reading ranges of rows.

use std::cmp::Ordering;

use bytes::Bytes;

/// Which end of a range comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// Where a scan stops: at whichever comes first, but never before the first row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub rows: usize,
    /// Bytes of keys and values.
    pub bytes: usize,
}

impl Direction {
    /// Whether `one` comes before, with or after `other` in this direction.
    pub(crate) fn compare(self, one: &[u8], other: &[u8]) -> Ordering {
        match self {
            Self::Forward => one.cmp(other),
            Self::Backward => other.cmp(one),
        }
    }
}

/// Counts down to a limit.
pub(crate) struct Allowance {
    limit: Limit,
    rows: usize,
    bytes: usize,
}

impl Allowance {
    pub(crate) const fn new(limit: Limit) -> Self {
        Self { limit, rows: 0, bytes: 0 }
    }

    /// Whether the row is still within the limit; it is counted if so.
    pub(crate) fn take(&mut self, key: &[u8], value: &[u8]) -> bool {
        let bytes = self.bytes.saturating_add(key.len() + value.len());
        if self.rows >= self.limit.rows || (self.rows > 0 && bytes > self.limit.bytes) {
            return false;
        }
        self.rows += 1;
        self.bytes = bytes;
        true
    }
}

/// Two lists of rows in the same direction as one: where both have a key, the newer value. For what is in memory
/// over what a scan found.
#[must_use]
pub fn overlay(
    newer: Vec<(Bytes, Bytes)>,
    older: Vec<(Bytes, Bytes)>,
    direction: Direction,
) -> Vec<(Bytes, Bytes)> {
    let mut rows = Vec::with_capacity(newer.len() + older.len());
    let (mut newer, mut older) = (newer.into_iter().peekable(), older.into_iter().peekable());
    loop {
        let order = match (newer.peek(), older.peek()) {
            (Some((one, _)), Some((other, _))) => direction.compare(one, other),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return rows,
        };
        if order == Ordering::Equal {
            older.next();
        }
        rows.extend(if order == Ordering::Greater { older.next() } else { newer.next() });
    }
}
