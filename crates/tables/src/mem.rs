//! Memory tables: committed rows that are in no run yet.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::FixedState;
use iris_types::RunName;

use crate::arena::{Arena, Place};
use crate::build::RunBuilder;
use crate::{BuiltRun, Direction, Table, Window};

/// Memory of a row besides its key and value: where they are, and its shares of hash and order.
const ROW_OVERHEAD_BYTES: usize = 64;
/// No further row with the same hash.
const NONE: u32 = u32::MAX;

/// The rows of all tables of one vnode. Dropping a large one takes a while: hand it to another thread.
///
/// Rows come at a rate at which a sorted tree would be the dearest part of a message. So they are kept in the
/// order of their coming, found by a hash where single keys are asked for, and sorted when a range is.
#[derive(Debug)]
pub struct MemTable {
    tables: [Rows; Table::ALL.len()],
    /// Keys and values.
    arena: Arena,
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

/// A key with its value behind it.
#[derive(Debug)]
struct MemRow {
    place: Place,
    key_bytes: u32,
    value_bytes: u32,
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
        Self {
            tables: Table::ALL.map(|table| Rows::new(table.has_filter())),
            arena: Arena::default(),
            bytes: 0,
        }
    }
}

impl MemTable {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a row; the former value of the key is forgotten. The key must have had the same window before, if
    /// any; tables that do not expire ignore the window.
    pub fn put(&mut self, table: Table, window: Window, key: &[u8], value: &[u8]) {
        let rows = &mut self.tables[table.place()];
        self.bytes += rows.put(&mut self.arena, table.window(window), key, value);
    }

    #[must_use]
    pub fn get(&self, table: Table, key: &[u8]) -> Option<&[u8]> {
        self.rows(table).get(&self.arena, key).map(|row| row.value(&self.arena))
    }

    /// The rows from `range.start` up to, but without, `range.end`; from the end on when backward.
    #[must_use]
    pub fn range(&self, table: Table, range: Range<&[u8]>, direction: Direction) -> MemRange<'_> {
        let rows = self.rows(table);
        let order = rows.range(&self.arena, range).into_iter();
        MemRange { rows: &rows.rows, arena: &self.arena, order, direction }
    }

    /// Bytes of memory, roughly; values that were replaced by longer ones, too.
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
        self.rows(table).ordered(&self.arena).sorted.len()
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
        let sorted = rows.ordered(&self.arena).sorted.clone();
        for row in sorted.into_iter().filter_map(|place| rows.rows.get(place as usize)) {
            let (key, value) = (row.key(&self.arena), row.value(&self.arena));
            if keep(table, key, value) {
                let window = row.window;
                let builder = builders.entry(window);
                let builder = builder.or_insert_with(|| RunBuilder::new(names(), table, window, 0, age));
                builder.push(key, value);
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

    /// Gives the bytes that this takes.
    fn put(&mut self, arena: &mut Arena, window: Window, key: &[u8], value: &[u8]) -> usize {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let place = u32::try_from(self.rows.len()).unwrap_or(NONE);
        if let Some(index) = &mut self.index {
            let mut last = *index.entry(hash_of(key)).or_insert(place);
            while let Some(former) = self.rows.get_mut(last as usize) {
                if former.key(arena) == key {
                    let grown = former.value_bytes < length(value);
                    if grown {
                        former.place = arena.push([key, value]);
                    } else {
                        arena.get_mut(former.place, key.len(), value.len()).copy_from_slice(value);
                    }
                    (former.window, former.value_bytes) = (window, length(value));
                    return if grown { key.len() + value.len() } else { 0 };
                }
                if former.next == NONE {
                    former.next = place;
                }
                last = former.next;
            }
        }
        let (key_bytes, value_bytes) = (length(key), length(value));
        self.rows.push(MemRow {
            place: arena.push([key, value]),
            key_bytes,
            value_bytes,
            window,
            next: NONE,
        });
        key.len() + value.len() + ROW_OVERHEAD_BYTES
    }

    fn get(&self, arena: &Arena, key: &[u8]) -> Option<&MemRow> {
        let Some(index) = &self.index else { return self.search(arena, key) };
        let mut place = *index.get(&hash_of(key))?;
        loop {
            let row = self.rows.get(place as usize)?;
            if row.key(arena) == key {
                return Some(row);
            }
            place = row.next;
        }
    }

    fn search(&self, arena: &Arena, key: &[u8]) -> Option<&MemRow> {
        let order = self.ordered(arena);
        let place = order.sorted.binary_search_by(|place| self.key(arena, *place).cmp(key)).ok()?;
        self.rows.get(*order.sorted.get(place)? as usize)
    }

    /// Places of the rows of a range, ascending by key.
    fn range(&self, arena: &Arena, range: Range<&[u8]>) -> Vec<u32> {
        let order = self.ordered(arena);
        let from = order.sorted.partition_point(|place| self.key(arena, *place) < range.start);
        let to = order.sorted.partition_point(|place| self.key(arena, *place) < range.end);
        order.sorted.get(from..to).unwrap_or_default().to_vec()
    }

    fn key<'a>(&self, arena: &'a Arena, place: u32) -> &'a [u8] {
        self.rows.get(place as usize).map_or(&[], |row| row.key(arena))
    }

    fn ordered(&self, arena: &Arena) -> MutexGuard<'_, Order> {
        // A thread that panicked while sorting left some order, and what it had seen is unchanged: sorted again.
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if order.seen < self.rows.len() {
            let new = order.seen..self.rows.len();
            order.sorted.extend(new.filter_map(|place| u32::try_from(place).ok()));
            // Stable and quick on what is sorted already: of equal keys the newest comes last.
            order.sorted.sort_by(|one, other| self.key(arena, *one).cmp(self.key(arena, *other)));
            order.sorted.dedup_by(|newer, older| {
                let is_same = self.key(arena, *newer) == self.key(arena, *older);
                *older = if is_same { *newer } else { *older };
                is_same
            });
            order.seen = self.rows.len();
        }
        order
    }
}

impl MemRow {
    fn key<'a>(&self, arena: &'a Arena) -> &'a [u8] {
        arena.get(self.place, 0, self.key_bytes as usize)
    }

    fn value<'a>(&self, arena: &'a Arena) -> &'a [u8] {
        arena.get(self.place, self.key_bytes as usize, self.value_bytes as usize)
    }
}

fn hash_of(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

/// Rows of a memory table in one direction.
#[derive(Debug)]
pub struct MemRange<'a> {
    rows: &'a [MemRow],
    arena: &'a Arena,
    order: std::vec::IntoIter<u32>,
    direction: Direction,
}

impl<'a> Iterator for MemRange<'a> {
    /// Key and value.
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let place = match self.direction {
            Direction::Forward => self.order.next(),
            Direction::Backward => self.order.next_back(),
        };
        self.rows.get(place? as usize).map(|row| (row.key(self.arena), row.value(self.arena)))
    }
}
