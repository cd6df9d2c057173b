//! Memory tables: committed rows that are in no run yet.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use foldhash::fast::FixedState;
use iris_types::RunName;

use crate::build::RunBuilder;
use crate::{BuiltRun, Direction, Table, Window};

/// Memory of a row besides its key and value: two handles, a window, and its shares of hash and order.
const ROW_OVERHEAD_BYTES: usize = 112;
/// No further row with the same hash.
const NONE: u32 = u32::MAX;

/// The rows of all tables of one vnode. Dropping a large one takes a while: hand it to another thread.
///
/// Rows come at a rate at which a sorted tree would be the dearest part of a message. So they are kept in the
/// order of their coming, found by a hash where single keys are asked for, and sorted when a range is.
#[derive(Debug)]
pub struct MemTable {
    tables: [Rows; Table::ALL.len()],
    bytes: usize,
}

/// Says of a table's key and value whether they go into a run.
type KeepRow<'a> = dyn FnMut(Table, &[u8], &[u8]) -> bool + 'a;

/// The rows of one table.
#[derive(Debug)]
struct Rows {
    rows: Vec<MemRow>,
    /// First row of a hash, in tables whose keys are asked for one by one; there a key has one row. In the others
    /// the row that came last counts.
    index: Option<Index>,
    order: Mutex<Order>,
}

type Index = HashMap<u64, u32, BuildHasherDefault<Hashed>>;

#[derive(Debug)]
struct MemRow {
    key: Bytes,
    value: Bytes,
    window: Window,
    /// Next row of the same hash.
    next: u32,
}

/// Rows by key, as far as they were asked for.
#[derive(Debug, Default)]
struct Order {
    sorted: Vec<u32>,
    /// Rows that `sorted` takes into account.
    seen: usize,
}

/// Takes a hash for what it is.
#[derive(Debug, Default)]
struct Hashed(u64);

impl std::hash::Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl Default for MemTable {
    fn default() -> Self {
        Self { tables: Table::ALL.map(|table| Rows::new(table.has_filter())), bytes: 0 }
    }
}

impl MemTable {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a row; the former value of the key is forgotten. The key must have had the same window before, if
    /// any; tables that do not expire ignore the window.
    pub fn put(&mut self, table: Table, window: Window, key: Bytes, value: Bytes) {
        let (key_bytes, value_bytes) = (key.len(), value.len());
        let row = MemRow { key, value, window: table.window(window), next: NONE };
        self.bytes += value_bytes;
        match self.tables[table.place()].put(row) {
            Some(former) => self.bytes = self.bytes.saturating_sub(former.len()),
            None => self.bytes += key_bytes + ROW_OVERHEAD_BYTES,
        }
    }

    #[must_use]
    pub fn get(&self, table: Table, key: &[u8]) -> Option<&Bytes> {
        self.rows(table).get(key).map(|row| &row.value)
    }

    /// The rows from `range.start` up to, but without, `range.end`; from the end on when backward.
    #[must_use]
    pub fn range(&self, table: Table, range: Range<&[u8]>, direction: Direction) -> MemRange<'_> {
        let rows = self.rows(table);
        MemRange { rows: &rows.rows, order: rows.range(range).into_iter(), direction }
    }

    /// Bytes of memory, roughly; a value shared with others counts in full.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|rows| rows.rows.is_empty())
    }

    /// Number of rows of a table.
    #[must_use]
    pub fn rows_of(&self, table: Table) -> usize {
        self.rows(table).ordered().sorted.len()
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
        let rows = self.rows(table);
        // A copy of the order: whoever reads meanwhile does not wait.
        let sorted = rows.ordered().sorted.clone();
        for row in sorted.into_iter().filter_map(|place| rows.rows.get(place as usize)) {
            if keep(table, &row.key, &row.value) {
                let window = row.window;
                let builder = builders.entry(window);
                let builder = builder.or_insert_with(|| RunBuilder::new(names(), table, window, 0, age));
                builder.push(&row.key, &row.value);
            }
        }
        builders.into_values().filter_map(RunBuilder::finish).collect()
    }

    const fn rows(&self, table: Table) -> &Rows {
        &self.tables[table.place()]
    }
}

impl Rows {
    fn new(is_indexed: bool) -> Self {
        Self { rows: Vec::new(), index: is_indexed.then(Index::default), order: Mutex::default() }
    }

    /// Gives the former value of the key, as far as that is known.
    fn put(&mut self, row: MemRow) -> Option<Bytes> {
        let place = u32::try_from(self.rows.len()).unwrap_or(NONE);
        if let Some(index) = &mut self.index {
            let mut last = *index.entry(hash_of(&row.key)).or_insert(place);
            while let Some(former) = self.rows.get_mut(last as usize) {
                if former.key == row.key {
                    former.window = row.window;
                    return Some(std::mem::replace(&mut former.value, row.value));
                }
                if former.next == NONE {
                    former.next = place;
                }
                last = former.next;
            }
        }
        self.rows.push(row);
        None
    }

    fn get(&self, key: &[u8]) -> Option<&MemRow> {
        let Some(index) = &self.index else { return self.search(key) };
        let mut place = *index.get(&hash_of(key))?;
        loop {
            let row = self.rows.get(place as usize)?;
            if row.key == key {
                return Some(row);
            }
            place = row.next;
        }
    }

    fn search(&self, key: &[u8]) -> Option<&MemRow> {
        let order = self.ordered();
        let place = order.sorted.binary_search_by(|place| self.key(*place).cmp(key)).ok()?;
        self.rows.get(*order.sorted.get(place)? as usize)
    }

    /// Places of the rows of a range, ascending by key.
    fn range(&self, range: Range<&[u8]>) -> Vec<u32> {
        let order = self.ordered();
        let from = order.sorted.partition_point(|place| self.key(*place) < range.start);
        let to = order.sorted.partition_point(|place| self.key(*place) < range.end);
        order.sorted.get(from..to).unwrap_or_default().to_vec()
    }

    fn key(&self, place: u32) -> &[u8] {
        self.rows.get(place as usize).map_or(&[], |row| &row.key)
    }

    fn ordered(&self) -> MutexGuard<'_, Order> {
        // A thread that panicked while sorting left some order, and what it had seen is unchanged: sorted again.
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if order.seen < self.rows.len() {
            let new = order.seen..self.rows.len();
            order.sorted.extend(new.filter_map(|place| u32::try_from(place).ok()));
            // Stable and quick on what is sorted already: of equal keys the newest comes last.
            order.sorted.sort_by(|one, other| self.key(*one).cmp(self.key(*other)));
            order.sorted.dedup_by(|newer, older| {
                let is_same = self.key(*newer) == self.key(*older);
                *older = if is_same { *newer } else { *older };
                is_same
            });
            order.seen = self.rows.len();
        }
        order
    }
}

fn hash_of(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

/// Rows of a memory table in one direction.
#[derive(Debug)]
pub struct MemRange<'a> {
    rows: &'a [MemRow],
    order: std::vec::IntoIter<u32>,
    direction: Direction,
}

impl<'a> Iterator for MemRange<'a> {
    type Item = (&'a Bytes, &'a Bytes);

    fn next(&mut self) -> Option<Self::Item> {
        let place = match self.direction {
            Direction::Forward => self.order.next(),
            Direction::Backward => self.order.next_back(),
        };
        self.rows.get(place? as usize).map(|row| (&row.key, &row.value))
    }
}
