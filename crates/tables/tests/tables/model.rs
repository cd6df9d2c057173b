//! Tables against a plain map: random puts, flushes, merges, expiry, lookups and scans.

use std::collections::BTreeMap;

use bytes::Bytes;
use fastrand::Rng;
use iris_tables::{Direction, Limit, MemTable, RunSet, Table, Window, expired, overlay};

use crate::store::{Row, Store, seed};

struct Model {
    random: Rng,
    rows: BTreeMap<(Table, Bytes), (Window, Bytes)>,
    mem: MemTable,
    set: RunSet,
    store: Store,
    steps: BTreeMap<&'static str, u32>,
}

#[test]
fn tables_answer_as_a_map_does() {
    let seed = seed();
    for round in 0..12 {
        let mut model = Model {
            random: Rng::with_seed(seed.wrapping_add(round)),
            rows: BTreeMap::new(),
            mem: MemTable::new(),
            set: RunSet::default(),
            store: Store::default(),
            steps: BTreeMap::new(),
        };
        (0..600).for_each(|_| model.step());
        model.check_everything();
        for step in ["flush", "merge", "expire", "reopen"] {
            assert!(model.steps.contains_key(step), "no {step} in round {round}");
        }
    }
}

impl Model {
    fn step(&mut self) {
        match self.random.u32(0..100) {
            0..60 => (0..self.random.u32(1..20)).for_each(|_| self.put()),
            60..75 => self.check_get(),
            75..85 => self.check_scan(),
            85..92 => self.flush(),
            92..97 => self.merge(),
            97 => self.expire(),
            98 => self.reopen(),
            _ => self.check_everything(),
        }
    }

    fn put(&mut self) {
        let (table, window, key) = self.key();
        let length = match self.random.u32(0..200) {
            0 => self.random.usize(0..40_000),
            _ => self.random.usize(0..200),
        };
        let value: Bytes = std::iter::repeat_with(|| self.random.u8(..)).take(length).collect();
        self.mem.put(table, window, &key, &value);
        let window = if table.is_windowed() { window } else { Window(0) };
        self.rows.insert((table, key), (window, value));
    }

    /// A key, and the window it has always had.
    fn key(&mut self) -> (Table, Window, Bytes) {
        let table = *self.random.choice(&Table::ALL).unwrap();
        let number = self.random.u32(0..400);
        let key = format!("{}{number}", "k".repeat(number as usize % 5));
        (table, Window(number % 4), Bytes::from(key))
    }

    fn flush(&mut self) {
        self.set = self.store.flush(&self.mem, &self.set);
        self.mem = MemTable::new();
        assert_eq!(self.mem.bytes(), 0);
        *self.steps.entry("flush").or_default() += 1;
    }

    fn merge(&mut self) {
        if let Some(set) = self.store.merge_once(&self.set) {
            self.set = set;
            *self.steps.entry("merge").or_default() += 1;
        }
    }

    fn expire(&mut self) {
        self.flush();
        let table = *self.random.choice(&Table::ALL).unwrap();
        let before = Window(self.random.u32(0..4));
        let gone = expired(self.set.manifest(), table, before);
        self.set = self.set.change(self.set.manifest().change(&gone, []), &[]);
        self.rows.retain(|(of, _), (window, _)| *of != table || !table.is_windowed() || *window >= before);
        *self.steps.entry("expire").or_default() += u32::from(!gone.is_empty());
        gone.iter().for_each(|name| assert!(self.store.runs.remove(name).is_some()));
    }

    fn reopen(&mut self) {
        self.set = RunSet::open(crate::store::reopened(self.set.manifest()));
        self.set.check(&self.store).unwrap();
        *self.steps.entry("reopen").or_default() += 1;
    }

    fn check_get(&mut self) {
        let (table, _, key) = self.key();
        let found = match self.mem.get(table, &key) {
            Some(value) => Some(Bytes::copy_from_slice(value)),
            None => self.set.get(table, &key, &self.store).unwrap(),
        };
        assert_eq!(found.as_ref(), self.rows.get(&(table, key)).map(|(_, value)| value));
    }

    fn check_scan(&mut self) {
        let (table, _, one) = self.key();
        let (_, _, other) = self.key();
        let direction = *self.random.choice(&[Direction::Forward, Direction::Backward]).unwrap();
        let limit = Limit { rows: self.random.usize(1..300), bytes: self.random.usize(1..20_000) };
        self.check_range(table, &one, &other, direction, limit);
    }

    fn check_everything(&mut self) {
        let limit = Limit { rows: usize::MAX, bytes: usize::MAX };
        for table in Table::ALL {
            self.check_range(table, b"", b"z", Direction::Forward, limit);
            self.check_range(table, b"", b"z", Direction::Backward, limit);
        }
        for run in self.set.manifest().runs() {
            assert_eq!(self.set.scrub(run.name, &self.store), Ok(run.rows));
        }
        assert_eq!(self.store.runs.len(), self.set.manifest().runs().len());
    }

    fn check_range(&self, table: Table, from: &[u8], to: &[u8], direction: Direction, limit: Limit) {
        let newer = self.mem.range(table, from..to, direction);
        let newer =
            newer.map(|(key, value)| (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value))).collect();
        let older = self.set.scan(table, from, to, direction, limit, &self.store).unwrap();
        let full: usize = older.iter().map(|(key, value)| key.len() + value.len()).sum();
        assert!(older.len() <= limit.rows && (full <= limit.bytes || older.len() == 1));
        let is_cut = older.len() == limit.rows || limit.bytes != usize::MAX;
        let last = older.last().map(|(key, _)| key.clone());
        let found = overlay(newer, older, direction);
        let mut expected = self.expected(table, from, to, direction);
        if is_cut && let Some(last) = last {
            // Up to the last row that the scan found, nothing may be missing.
            let cut = |rows: &mut Vec<Row>| {
                let end = rows.iter().position(|(key, _)| *key == last).expect("a row that was never put");
                rows.truncate(end + 1);
            };
            cut(&mut expected);
            let mut found = found;
            cut(&mut found);
            assert!(found == expected, "{table:?} {direction:?}");
        } else {
            assert!(found == expected, "{table:?} {direction:?}");
        }
    }

    fn expected(&self, table: Table, from: &[u8], to: &[u8], direction: Direction) -> Vec<Row> {
        let in_range =
            |(key, _): &(&(Table, Bytes), _)| key.0 == table && from <= key.1.as_ref() && key.1.as_ref() < to;
        let rows = self.rows.iter().filter(in_range).map(|(key, (_, value))| (key.1.clone(), value.clone()));
        let mut rows: Vec<Row> = rows.collect();
        if direction == Direction::Backward {
            rows.reverse();
        }
        rows
    }
}
