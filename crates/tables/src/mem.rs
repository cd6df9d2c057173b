//! Memory tables: committed rows that are in no run yet.

use std::collections::{BTreeMap, btree_map};
use std::ops::{Bound, Range};

use bytes::Bytes;
use iris_types::RunName;

use crate::build::RunBuilder;
use crate::{BuiltRun, Direction, Table, Window};

/// Memory of a row besides its key and value: two handles, a window, and the tree's share.
const ROW_OVERHEAD_BYTES: usize = 112;

/// The sorted rows of all tables of one vnode. Dropping a large one takes a while: hand it to another thread.
#[derive(Debug, Default)]
pub struct MemTable {
    tables: [BTreeMap<Bytes, MemRow>; Table::ALL.len()],
    bytes: usize,
}

/// Says of a table's key and value whether they go into a run.
type KeepRow<'a> = dyn FnMut(Table, &[u8], &[u8]) -> bool + 'a;

#[derive(Debug)]
struct MemRow {
    window: Window,
    value: Bytes,
}

impl MemTable {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a row; the former value of the key is forgotten. The key must have had the same window before, if
    /// any; tables that do not expire ignore the window.
    pub fn put(&mut self, table: Table, window: Window, key: Bytes, value: Bytes) {
        self.bytes += value.len();
        let row = MemRow { window: table.window(window), value };
        match self.rows_mut(table).entry(key) {
            btree_map::Entry::Occupied(mut old) => {
                let old = old.insert(row);
                self.bytes = self.bytes.saturating_sub(old.value.len());
            }
            btree_map::Entry::Vacant(new) => {
                let key_bytes = new.key().len();
                new.insert(row);
                self.bytes += key_bytes + ROW_OVERHEAD_BYTES;
            }
        }
    }

    #[must_use]
    pub fn get(&self, table: Table, key: &[u8]) -> Option<&Bytes> {
        self.rows(table).get(key).map(|row| &row.value)
    }

    /// The rows from `range.start` up to, but without, `range.end`; from the end on when backward.
    #[must_use]
    pub fn range(&self, table: Table, range: Range<&[u8]>, direction: Direction) -> MemRange<'_> {
        // The tree panics on a range that ends before it starts.
        let rows = (range.start < range.end).then(|| {
            let bounds = (Bound::Included(range.start), Bound::Excluded(range.end));
            self.rows(table).range::<[u8], _>(bounds)
        });
        MemRange { rows: rows.unwrap_or_default(), direction }
    }

    /// Bytes of memory, roughly; a value shared with others counts in full.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(BTreeMap::is_empty)
    }

    /// Number of rows of a table.
    #[must_use]
    pub fn rows_of(&self, table: Table) -> usize {
        self.rows(table).len()
    }

    /// One run per table and window that has rows. `age` must be greater than that of any older run.
    pub fn build_runs(&self, names: &mut dyn FnMut() -> RunName, age: u64) -> Vec<BuiltRun> {
        self.build_runs_where(names, age, &mut |_, _, _| true)
    }

    /// As [`Self::build_runs`], with only the rows to `keep`. An older value that a run has for a key comes to
    /// light again when the newer is not kept: leave out only keys that no run has.
    pub fn build_runs_where(
        &self,
        names: &mut dyn FnMut() -> RunName,
        age: u64,
        keep: &mut KeepRow<'_>,
    ) -> Vec<BuiltRun> {
        let build = |table| self.build_table(table, &mut *names, age, &mut *keep);
        Table::ALL.into_iter().flat_map(build).collect()
    }

    fn build_table(
        &self,
        table: Table,
        names: &mut dyn FnMut() -> RunName,
        age: u64,
        keep: &mut KeepRow<'_>,
    ) -> Vec<BuiltRun> {
        let mut builders: BTreeMap<Window, RunBuilder> = BTreeMap::new();
        for (key, row) in self.rows(table) {
            if keep(table, key, &row.value) {
                let window = row.window;
                let builder = builders.entry(window);
                let builder = builder.or_insert_with(|| RunBuilder::new(names(), table, window, 0, age));
                builder.push(key, &row.value);
            }
        }
        builders.into_values().filter_map(RunBuilder::finish).collect()
    }

    const fn rows(&self, table: Table) -> &BTreeMap<Bytes, MemRow> {
        &self.tables[table.place()]
    }

    const fn rows_mut(&mut self, table: Table) -> &mut BTreeMap<Bytes, MemRow> {
        &mut self.tables[table.place()]
    }
}

/// Rows of a memory table in one direction.
#[derive(Debug)]
pub struct MemRange<'a> {
    rows: btree_map::Range<'a, Bytes, MemRow>,
    direction: Direction,
}

impl<'a> Iterator for MemRange<'a> {
    type Item = (&'a Bytes, &'a Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        let row = match self.direction {
            Direction::Forward => self.rows.next(),
            Direction::Backward => self.rows.next_back(),
        };
        row.map(|(key, row)| (key, &row.value))
    }
}
