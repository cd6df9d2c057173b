//! Building of runs.

use bytes::Bytes;
use iris_types::RunName;

use crate::block::{BlockWriter, tail_blocks};
use crate::index::IndexWriter;
use crate::{BlockError, Blocks, RunMeta, Table, Window};

/// A finished run, not written yet.
#[derive(Clone, Debug)]
pub struct BuiltRun {
    pub meta: RunMeta,
    pub blocks: Vec<Bytes>,
}

/// So that a run's index is at hand without reading it back.
impl Blocks for BuiltRun {
    fn block(&self, run: RunName, block: u32) -> Result<Bytes, BlockError> {
        let found = if run == self.meta.name { self.blocks.get(block as usize) } else { None };
        found.cloned().ok_or(BlockError::Missing)
    }
}

/// A run being built. Rows come strictly ascending by key.
pub(crate) struct RunBuilder {
    meta: RunMeta,
    block: BlockWriter,
    index: IndexWriter,
    blocks: Vec<Bytes>,
}

impl RunBuilder {
    pub(crate) fn new(name: RunName, table: Table, window: Window, level: u8, age: u64) -> Self {
        let meta = RunMeta { name, table, window, level, age, blocks: 0, bytes: 0, rows: 0 };
        let block = BlockWriter::new(table.block_bytes());
        Self { meta, block, index: IndexWriter::default(), blocks: Vec::new() }
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        if !self.block.is_empty() && !self.block.has_room(key, value) {
            self.close_block();
        }
        self.index.push(key, self.block.is_empty(), self.meta.table.has_filter());
        self.block.push(key, value);
    }

    /// `None` when there was no row.
    pub(crate) fn finish(mut self) -> Option<BuiltRun> {
        if self.index.rows() == 0 {
            return None;
        }
        self.close_block();
        let mut meta = self.meta;
        meta.rows = self.index.rows();
        let tail = self.index.finish(&meta);
        self.blocks.extend(tail_blocks(meta.name, self.blocks.len() as u32, &tail));
        meta.blocks = self.blocks.len() as u32;
        meta.bytes = self.blocks.iter().map(|block| block.len() as u64).sum();
        Some(BuiltRun { meta, blocks: self.blocks })
    }

    fn close_block(&mut self) {
        let number = self.blocks.len() as u32;
        self.blocks.push(self.block.take(self.meta.name, number));
    }
}
