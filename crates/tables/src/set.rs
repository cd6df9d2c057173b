//! Snapshots of a vnode's runs, to read from.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use iris_types::RunName;

use crate::block::Block;
use crate::cursor::{Cursor, KeyRange, Merged};
use crate::filter::KeyHash;
use crate::scan::Allowance;
use crate::{Blocks, BuiltRun, Direction, Limit, Manifest, RunIndex, RunMeta, Table, TableError};

/// The runs of one manifest and their indexes, loaded when first needed. Cheap to clone; never changes what it
/// shows. The runs must stay in the store while a snapshot is read from.
#[derive(Clone, Debug, Default)]
pub struct RunSet {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    manifest: Manifest,
    /// Per table, newest first.
    tables: [Vec<Arc<Run>>; Table::ALL.len()],
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) meta: RunMeta,
    index: OnceLock<RunIndex>,
}

impl RunSet {
    /// Reads nothing yet.
    #[must_use]
    pub fn open(manifest: Manifest) -> Self {
        Self::with_runs(manifest, |meta| Arc::new(Run { meta, index: OnceLock::new() }))
    }

    /// The snapshot of another manifest; indexes loaded here are kept, and those of `built` need no reading.
    #[must_use]
    pub fn change(&self, manifest: Manifest, built: &[BuiltRun]) -> Self {
        Self::with_runs(manifest, |meta| {
            if let Some(run) = self.runs().find(|run| run.meta == meta) {
                return Arc::clone(run);
            }
            let run = Run { meta, index: OnceLock::new() };
            if let Some(built) = built.iter().find(|built| built.meta == meta) {
                // What was just built is intact; were it not, reading it from the store says so.
                let _ = run.index(built);
            }
            Arc::new(run)
        })
    }

    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// Bytes of the indexes in memory.
    #[must_use]
    pub fn index_bytes(&self) -> usize {
        self.runs().filter_map(|run| run.index.get()).map(RunIndex::bytes).sum()
    }

    /// The greatest key of a run, if its index is loaded.
    #[must_use]
    pub fn last_key(&self, name: RunName) -> Option<&[u8]> {
        let run = self.runs().find(|run| run.meta.name == name)?;
        run.index.get().map(RunIndex::last_key)
    }

    /// The newest value of a key. A copy: it does not keep a block in memory.
    ///
    /// # Errors
    /// [`TableError`] when a block that may hold the key cannot be read, or a run's index.
    pub fn get(&self, table: Table, key: &[u8], blocks: &dyn Blocks) -> Result<Option<Bytes>, TableError> {
        let hash = KeyHash::of(key);
        for run in self.table(table) {
            if let Some(value) = run.get(key, hash, blocks)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// Rows with keys from `from` up to, but without, `to`; backward from the greatest on. At most `limit`, but
    /// at least one if there is any: fewer rows than asked for, without the limit of bytes reached, are all.
    /// Keys and values keep their block in memory: copy what is kept for long.
    ///
    /// # Errors
    /// [`TableError`] when any block that may hold one of the rows, or of the next, cannot be read.
    pub fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: Limit,
        blocks: &dyn Blocks,
    ) -> Result<Vec<(Bytes, Bytes)>, TableError> {
        let range = KeyRange { from, to: Some(to) };
        let mut merged = Merged::open(self.table(table), blocks, range, direction)?;
        let mut allowance = Allowance::new(limit);
        let mut rows = Vec::new();
        let mut take = |row: &Cursor<'_>| allowance.take(row.key(), row.value()).then(|| row.share());
        while rows.len() < limit.rows
            && let Some(Some(row)) = merged.next(&mut take)?
        {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Shows every row of one run, ascending by key, whether newer runs have the key or not.
    ///
    /// # Errors
    /// [`TableError`]; rows before the bad block were shown.
    pub fn visit_run(
        &self,
        name: RunName,
        visit: &mut dyn FnMut(&[u8], &[u8]),
        blocks: &dyn Blocks,
    ) -> Result<(), TableError> {
        let run = self.run(name)?;
        let mut merged = Merged::open(std::iter::once(run), blocks, KeyRange::ALL, Direction::Forward)?;
        while merged.next(|row| visit(row.key(), row.value()))?.is_some() {}
        Ok(())
    }

    /// Loads every index that is not loaded yet: whether each run is there, has its length and a whole index.
    ///
    /// # Errors
    /// The first [`TableError`], by table from the newest run on.
    pub fn check(&self, blocks: &dyn Blocks) -> Result<(), TableError> {
        self.runs().try_for_each(|run| run.index(blocks).map(drop))
    }

    /// As [`Self::check`], but a run that is missing is fine when `is_explained` says so: reading from it is still a
    /// [`TableError::Missing`].
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_but(
        &self,
        is_explained: &dyn Fn(RunName) -> bool,
        blocks: &dyn Blocks,
    ) -> Result<(), TableError> {
        self.runs().try_for_each(|run| match run.index(blocks) {
            Err(TableError::Missing { run, .. }) if is_explained(run) => Ok(()),
            index => index.map(drop),
        })
    }

    /// Reads and checks every byte of one run, for a scrub: each block, the order of rows, and that the index
    /// finds each of them. Gives the number of rows.
    ///
    /// # Errors
    /// The first [`TableError`].
    pub fn scrub(&self, name: RunName, blocks: &dyn Blocks) -> Result<u64, TableError> {
        self.run(name)?.scrub(blocks)
    }

    pub(crate) fn run(&self, name: RunName) -> Result<&Run, TableError> {
        let run = self.runs().find(|run| run.meta.name == name);
        run.map(AsRef::as_ref).ok_or(TableError::Missing { run: name, block: 0 })
    }

    fn with_runs(manifest: Manifest, mut run: impl FnMut(RunMeta) -> Arc<Run>) -> Self {
        let mut tables: [Vec<Arc<Run>>; Table::ALL.len()] = Default::default();
        for meta in manifest.runs() {
            tables[meta.table.place()].push(run(*meta));
        }
        for runs in &mut tables {
            runs.sort_by_key(|run| std::cmp::Reverse(run.meta.age));
        }
        Self { inner: Arc::new(Inner { manifest, tables }) }
    }

    fn table(&self, table: Table) -> impl Iterator<Item = &Run> {
        self.inner.tables[table.place()].iter().map(AsRef::as_ref)
    }

    fn runs(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.inner.tables.iter().flatten()
    }
}

impl Run {
    pub(crate) fn index(&self, blocks: &dyn Blocks) -> Result<&RunIndex, TableError> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let loaded = RunIndex::load(&self.meta, blocks)?;
        // Two threads may load it at once; they load the same.
        Ok(self.index.get_or_init(|| loaded))
    }

    pub(crate) fn nonsense(&self, block: u32) -> TableError {
        TableError::corrupt(self.meta.name, block, "a block's rows are not where it says")
    }

    fn get(&self, key: &[u8], hash: KeyHash, blocks: &dyn Blocks) -> Result<Option<Bytes>, TableError> {
        let index = self.index(blocks)?;
        if !index.may_hold(key, hash) {
            return Ok(None);
        }
        let number = index.block_of(key);
        let block = Block::read(self.meta.name, number, blocks)?;
        let place = block.lower_bound(key).ok_or_else(|| self.nonsense(number))?;
        if place == block.rows() {
            return Ok(None);
        }
        let row = block.row(place).ok_or_else(|| self.nonsense(number))?;
        Ok((block.key(&row) == key).then(|| Bytes::copy_from_slice(block.value(&row))))
    }

    fn scrub(&self, blocks: &dyn Blocks) -> Result<u64, TableError> {
        // Read again, for the one in memory may be older than the damage.
        let index = RunIndex::load(&self.meta, blocks)?;
        let mut last: Option<Vec<u8>> = None;
        let mut rows = 0;
        for number in 0..index.row_blocks() {
            let block = Block::read(self.meta.name, number, blocks)?;
            for place in 0..block.rows() {
                let row = block.row(place).ok_or_else(|| self.nonsense(number))?;
                let key = block.key(&row);
                let ascends = last.as_deref().is_none_or(|last| last < key);
                if !ascends || !index.may_hold(key, KeyHash::of(key)) || index.block_of(key) != number {
                    let what = "a row that the index does not find";
                    return Err(TableError::corrupt(self.meta.name, number, what));
                }
                last = Some(key.to_vec());
                rows += 1;
            }
        }
        if rows == self.meta.rows {
            Ok(rows)
        } else {
            Err(TableError::corrupt(self.meta.name, 0, "a number of rows that differs from the manifest's"))
        }
    }
}
