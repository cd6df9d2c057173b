//! A vnode that this worker owns.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use iris_store::Version;
use iris_tables::{BlockError, Blocks, Direction, Limit, MemTable, RunSet, Table, TableError, overlay};
use iris_types::{Epoch, Monotonic, Position, RunName, VnodeId};
use iris_vnode::Map;
use iris_vnode::page::Row;
use iris_vnode::streams::{Incoming, Outgoing};

/// Committed rows, streams, and what the directory says.
#[derive(Debug)]
pub(crate) struct Hosted {
    pub(crate) id: VnodeId,
    pub(crate) epoch: Epoch,
    /// Version of the directory entry.
    pub(crate) version: Version,
    /// Position up to which the runs hold everything, as the directory says.
    pub(crate) start: Position,
    /// Bytes ever appended to the own log up to `start`.
    pub(crate) start_bytes: u64,
    /// Rows committed since the last flush began.
    pub(crate) active: MemTable,
    /// Rows that a flush is writing.
    pub(crate) frozen: Option<Arc<MemTable>>,
    pub(crate) runs: RunSet,
    /// Grows whenever `runs` changes: what was read from older runs may have been overtaken.
    pub(crate) generation: u64,
    /// When the oldest row of `active` came.
    pub(crate) oldest: Option<Monotonic>,
    pub(crate) outgoing: Map<VnodeId, Outgoing>,
    pub(crate) incoming: Map<VnodeId, Incoming>,
    /// Users whose cursors moved since the last flush began.
    pub(crate) moved: std::collections::BTreeSet<u32>,
}

/// Has no block at hand: what can be answered with it needs none.
struct NoBlocks;

impl Blocks for NoBlocks {
    fn block(&self, _run: RunName, _block: u32) -> Result<Bytes, BlockError> {
        Err(BlockError::Missing)
    }
}

/// What is known without reading a block.
pub(crate) enum Found {
    Known(Option<Bytes>),
    /// Some run may hold it.
    Unknown,
}

impl Hosted {
    pub(crate) fn new(id: VnodeId, epoch: Epoch, version: Version, start: Position, runs: RunSet) -> Self {
        Self {
            id,
            epoch,
            version,
            start,
            start_bytes: 0,
            active: MemTable::new(),
            frozen: None,
            runs,
            generation: 1,
            oldest: None,
            outgoing: Map::default(),
            incoming: Map::default(),
            moved: std::collections::BTreeSet::new(),
        }
    }

    /// The committed value of a key in memory.
    pub(crate) fn in_memory(&self, table: Table, key: &[u8]) -> Option<Bytes> {
        let frozen = || self.frozen.as_ref().and_then(|frozen| frozen.get(table, key));
        self.active.get(table, key).or_else(frozen).cloned()
    }

    /// The committed value of a key, as far as memory, indexes and filters know.
    pub(crate) fn find(&self, table: Table, key: &[u8]) -> Found {
        if let Some(value) = self.in_memory(table, key) {
            return Found::Known(Some(value));
        }
        match self.runs.get(table, key, &NoBlocks) {
            Ok(value) => Found::Known(value),
            Err(TableError::Missing { .. } | TableError::Corrupt { .. } | TableError::Io { .. }) => {
                Found::Unknown
            }
        }
    }

    /// Committed rows of a range in memory, at most so many.
    pub(crate) fn rows(
        &self,
        table: Table,
        range: Range<&[u8]>,
        direction: Direction,
        count: usize,
    ) -> Vec<Row> {
        let share = |(key, value): (&Bytes, &Bytes)| (key.clone(), value.clone());
        let rows =
            |mem: &MemTable| mem.range(table, range.clone(), direction).take(count).map(share).collect();
        let frozen: Vec<Row> = self.frozen.as_ref().map(|frozen| rows(frozen)).unwrap_or_default();
        let mut rows = overlay(rows(&self.active), frozen, direction);
        rows.truncate(count);
        rows
    }

    /// Rows of a range in runs, if that can be said without reading a block.
    pub(crate) fn scan_without_blocks(
        &self,
        table: Table,
        range: Range<&[u8]>,
        direction: Direction,
        limit: Limit,
    ) -> Option<Vec<Row>> {
        self.runs.scan(table, range.start, range.end, direction, limit, &NoBlocks).ok()
    }

    /// Bytes of memory tables.
    pub(crate) fn dirty_bytes(&self) -> usize {
        self.active.bytes() + self.frozen.as_ref().map_or(0, |frozen| frozen.bytes())
    }
}
