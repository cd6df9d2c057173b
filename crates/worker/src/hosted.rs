//! A vnode that this worker owns.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use iris_store::Version;
use iris_tables::{BlockError, Blocks, Direction, Limit, MemTable, RunSet, Table, TableError, overlay};
use iris_types::{Epoch, Monotonic, Position, RunName, Timestamp, VnodeId};
use iris_vnode::events::StreamRow;
use iris_vnode::page::Row;
use iris_vnode::streams::{Incoming, Outgoing};
use iris_vnode::{Event, Map};

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
    /// How often `active` began anew.
    pub(crate) freezes: u64,
    /// Rows that a flush is writing.
    pub(crate) frozen: Option<Arc<MemTable>>,
    pub(crate) runs: RunSet,
    /// Message ids dated before this may have been used: their dedup rows are gone.
    pub(crate) forgotten: Timestamp,
    /// Grows whenever `runs` changes: what was read from older runs may have been overtaken.
    pub(crate) generation: u64,
    /// When the oldest row of `active` came.
    pub(crate) oldest: Option<Monotonic>,
    /// Its streams cannot be read, for an operator moved a run aside that may hold some: nothing may be decided
    /// here, and everything asked for is answered with `data_corrupt`.
    pub(crate) is_damaged: bool,
    pub(crate) outgoing: Map<VnodeId, Outgoing>,
    pub(crate) incoming: Map<VnodeId, Incoming>,
    /// Ends of streams as committed since the last flush began: they change with most messages and nobody reads
    /// them before the next start, so their rows are made when a flush begins.
    pub(crate) ends: Map<StreamEnd, StreamRow>,
    /// Users whose cursors moved since the last flush began.
    pub(crate) moved: std::collections::BTreeSet<u32>,
}

/// Which end of which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum StreamEnd {
    Outgoing(VnodeId),
    Incoming(VnodeId),
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
            freezes: 1,
            frozen: None,
            runs,
            forgotten: Timestamp(0),
            generation: 1,
            oldest: None,
            is_damaged: false,
            outgoing: Map::default(),
            incoming: Map::default(),
            ends: Map::default(),
            moved: std::collections::BTreeSet::new(),
        }
    }

    /// The committed value of a key in memory.
    pub(crate) fn in_memory(&self, table: Table, key: &[u8]) -> Option<Bytes> {
        let frozen = || self.frozen.as_ref().and_then(|frozen| frozen.get(table, key));
        self.active.get(table, key).or_else(frozen).map(Bytes::copy_from_slice)
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
        let copy =
            |(key, value): (&[u8], &[u8])| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
        let rows =
            |mem: &MemTable| mem.range(table, range.clone(), direction).take(count).map(copy).collect();
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

    /// Takes an event's rows: from here on they are committed state.
    pub(crate) fn apply(&mut self, event: &Event) {
        event.lasting_rows(&mut |table, window, key, value| self.active.put(table, window, key, value));
        if let Some(row) = event.stream_row() {
            let end = match row {
                StreamRow::Outgoing { destination, .. } => StreamEnd::Outgoing(destination),
                StreamRow::Watermark { source, .. } => StreamEnd::Incoming(source),
            };
            self.ends.insert(end, row);
        }
    }

    /// Everything committed since the last flush began.
    pub(crate) fn take_active(&mut self) -> MemTable {
        let mut mem = std::mem::take(&mut self.active);
        let mut ends: Vec<(StreamEnd, StreamRow)> = self.ends.drain().collect();
        ends.sort_unstable_by_key(|(end, _)| *end);
        for (_, row) in ends {
            row.put(&mut |table, window, key, value| mem.put(table, window, key, value));
        }
        self.oldest = None;
        self.freezes += 1;
        mem
    }

    /// Whether nothing was committed since the last flush began.
    pub(crate) fn is_flushed(&self) -> bool {
        self.active.is_empty() && self.ends.is_empty()
    }

    /// Bytes of memory tables.
    pub(crate) fn dirty_bytes(&self) -> usize {
        self.active.bytes() + self.frozen.as_ref().map_or(0, |frozen| frozen.bytes())
    }
}
