//! Runs of the memory twin.

use std::collections::BTreeMap;

use bytes::Bytes;
use iris_types::{RunName, VnodeId};

use super::MemoryEngine;
use super::faults::Operation;
use crate::{NewRun, RunInfo, Runs, StoreError};

/// Names with their runs; a dropped run leaves its name behind, so that it is never used again.
pub(super) type RunMap = BTreeMap<RunName, Option<MemoryRun>>;

pub(super) struct MemoryRun {
    vnode: VnodeId,
    blocks: Vec<Bytes>,
}

impl Runs for MemoryEngine {
    fn put(&self, runs: &[NewRun]) -> Result<(), StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::PutRuns)?;
        for (index, run) in runs.iter().enumerate() {
            let twice = runs.iter().skip(index + 1).any(|other| other.name == run.name);
            if twice || state.runs.contains_key(&run.name) {
                return Err(StoreError::RunExists(run.name));
            }
        }
        for run in runs {
            let kept = MemoryRun { vnode: run.vnode, blocks: run.blocks.clone() };
            state.runs.insert(run.name, Some(kept));
        }
        Ok(())
    }

    fn get(&self, run: RunName, block: u32) -> Result<Bytes, StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::GetBlock)?;
        let found = state.runs.get(&run).and_then(Option::as_ref).ok_or(StoreError::NoSuchRun(run))?;
        let bytes = usize::try_from(block).ok().and_then(|index| found.blocks.get(index));
        bytes.cloned().ok_or_else(|| StoreError::Corrupt { what: format!("run {run} has no block {block}") })
    }

    fn list(&self) -> Result<Vec<RunInfo>, StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::ListRuns)?;
        let live = state.runs.iter().filter_map(|(name, run)| run.as_ref().map(|run| (name, run)));
        Ok(live.map(|(name, run)| info(*name, run)).collect())
    }

    fn drop_runs(&self, names: &[RunName]) -> Result<(), StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::DropRuns)?;
        for name in names {
            if let Some(run) = state.runs.get_mut(name) {
                *run = None;
            }
        }
        Ok(())
    }
}

fn info(name: RunName, run: &MemoryRun) -> RunInfo {
    RunInfo {
        vnode: run.vnode,
        name,
        blocks: u32::try_from(run.blocks.len()).unwrap_or(u32::MAX),
        bytes: run.blocks.iter().map(|block| block.len() as u64).sum(),
    }
}
