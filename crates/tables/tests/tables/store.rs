//! A store of blocks in memory, and the steps by which rows get into it.

use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;
use iris_tables::{
    BlockError, Blocks, BuiltRun, Limit, Manifest, MemTable, RunMeta, RunSet, Table, Window, merge,
    plan_merges,
};
use iris_types::RunName;

pub(crate) const ALL: Limit = Limit { rows: usize::MAX, bytes: usize::MAX };

pub(crate) type Row = (Bytes, Bytes);

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) runs: BTreeMap<RunName, Vec<Bytes>>,
    pub(crate) reads: Cell<u32>,
    names: u128,
}

impl Blocks for Store {
    fn block(&self, run: RunName, block: u32) -> Result<Bytes, BlockError> {
        self.reads.set(self.reads.get() + 1);
        let found = self.runs.get(&run).and_then(|blocks| blocks.get(block as usize));
        found.cloned().ok_or(BlockError::Missing)
    }
}

impl Store {
    pub(crate) fn name(&mut self) -> RunName {
        self.names += 1;
        RunName(self.names.to_be_bytes())
    }

    pub(crate) fn put(&mut self, runs: &[BuiltRun]) {
        for run in runs {
            assert_eq!(run.blocks.len(), run.meta.blocks as usize);
            assert!(self.runs.insert(run.meta.name, run.blocks.clone()).is_none());
        }
    }

    /// Makes runs of everything in memory.
    pub(crate) fn flush(&mut self, mem: &MemTable, set: &RunSet) -> RunSet {
        let runs = mem.build_runs(&mut || self.name(), set.manifest().next_age());
        self.put(&runs);
        let manifest = set.manifest().change(&[], runs.iter().map(|run| run.meta));
        set.change(reopened(&manifest), &runs)
    }

    /// Does the next merge, if one is worth it; every row is kept.
    pub(crate) fn merge_once(&mut self, set: &RunSet) -> Option<RunSet> {
        let plan = plan_merges(set.manifest()).into_iter().next()?;
        let name = self.name();
        let built = merge(set, &plan, name, &mut |_, _| true, self).unwrap();
        self.put(built.as_slice());
        let manifest = set.manifest().replace(&plan, built.as_ref().map(|run| run.meta)).unwrap();
        for input in &plan.inputs {
            self.runs.remove(input);
        }
        Some(set.change(manifest, built.as_slice()))
    }
}

/// The manifest after a trip through its bytes.
pub(crate) fn reopened(manifest: &Manifest) -> Manifest {
    Manifest::decode(&manifest.encode()).unwrap()
}

/// One run of these rows.
pub(crate) fn run_of(rows: &[Row], table: Table, name: RunName) -> BuiltRun {
    let mut mem = MemTable::new();
    for (key, value) in rows {
        mem.put(table, Window(7), key, value);
    }
    let mut runs = mem.build_runs(&mut || name, 1);
    assert_eq!(runs.len(), 1);
    runs.pop().unwrap()
}

pub(crate) fn row(key: &str, value: &str) -> Row {
    (Bytes::copy_from_slice(key.as_bytes()), Bytes::copy_from_slice(value.as_bytes()))
}

pub(crate) fn meta(name: u8, table: Table, window: u32, level: u8, age: u64, bytes: u64) -> RunMeta {
    let name = RunName([name; 16]);
    RunMeta { name, table, window: Window(window), level, age, blocks: 2, bytes, rows: 1 }
}

/// The seed of a test: `TEST_SEED`, or a fixed one. Shown when the test fails.
pub(crate) fn seed() -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    println!("TEST_SEED={seed}");
    seed
}
