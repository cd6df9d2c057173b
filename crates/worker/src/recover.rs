//! The tails of sealed logs become runs: rows are written, nothing is decided.

use std::collections::BTreeMap;

use bytes::Bytes;
use iris_store::{Engine, StoreError};
use iris_tables::{BuiltRun, MemTable, RunMeta, Table};
use iris_types::planted::{Bug, is_planted};
use iris_types::{Position, VnodeId};
use iris_vnode::{ChunkReader, Map};

use crate::call::{Recover, Tail, Tenure};
use crate::execute::{log_error, put_runs};
use crate::names::Names;

/// Writes every tail as runs and says which. Runs written before a crash or an error are named by no manifest:
/// garbage.
pub(crate) fn recover(work: Recover, engine: &Engine) -> Result<Vec<(VnodeId, RunMeta)>, StoreError> {
    let mut recovery = Recovery {
        engine,
        names: work.names,
        bytes_max: work.bytes_max,
        tables: BTreeMap::new(),
        bytes: 0,
        ages: BTreeMap::new(),
        written: Vec::new(),
    };
    for tail in &work.tails {
        recovery.read(tail).map_err(|error| log_error(tail.log, &error))?;
    }
    recovery.write()?;
    Ok(recovery.written)
}

struct Recovery<'a> {
    engine: &'a Engine,
    names: Names,
    bytes_max: usize,
    tables: BTreeMap<VnodeId, MemTable>,
    bytes: usize,
    /// Age of each vnode's next runs.
    ages: BTreeMap<VnodeId, u64>,
    written: Vec<(VnodeId, RunMeta)>,
}

impl Recovery<'_> {
    fn read(&mut self, tail: &Tail) -> Result<(), StoreError> {
        let Some(least) = tail.tenures.iter().map(|tenure| tenure.start).min() else { return Ok(()) };
        let tenures: Map<VnodeId, Tenure> =
            tail.tenures.iter().map(|tenure| (tenure.vnode, *tenure)).collect();
        for tenure in &tail.tenures {
            self.ages.insert(tenure.vnode, tenure.age);
        }
        let from = least.next().ok_or_else(|| corrupt("a position beyond all positions"))?;
        let engine = self.engine;
        engine.logs.replay(tail.log, from, &mut |chunk| {
            self.apply(&tenures, chunk.position, Bytes::copy_from_slice(chunk.bytes))?;
            if self.bytes > self.bytes_max { self.write() } else { Ok(()) }
        })
    }

    fn apply(
        &mut self,
        tenures: &Map<VnodeId, Tenure>,
        position: Position,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let malformed = |error| corrupt(&format!("chunk {position}: {error}"));
        let mut reader = ChunkReader::new(bytes).map_err(malformed)?;
        while let Some((vnode, epoch, event)) = reader.next_event().map_err(malformed)? {
            // An earlier tenure's events are in the runs already; a later one's cannot be in this log.
            let counts =
                tenures.get(&vnode).is_some_and(|tenure| tenure.epoch == epoch && position > tenure.start);
            if !counts {
                continue;
            }
            let mem = self.tables.entry(vnode).or_default();
            let before = mem.bytes();
            event.rows(&mut |table, window, key, value| {
                if table != Table::Dedup || !is_planted(Bug::DedupLostAtRestart) {
                    mem.put(table, window, key, value);
                }
            });
            self.bytes = self.bytes + mem.bytes() - before;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let mut built: Vec<(VnodeId, Vec<BuiltRun>)> = Vec::new();
        for (vnode, mem) in std::mem::take(&mut self.tables) {
            let age = self.ages.entry(vnode).or_insert(1);
            let runs = mem.build_runs(&mut || self.names.run(), *age);
            *age += 1;
            built.push((vnode, runs));
        }
        self.bytes = 0;
        let runs = || built.iter().flat_map(|(vnode, runs)| runs.iter().map(|run| (*vnode, run)));
        put_runs(runs(), self.engine)?;
        self.written.extend(runs().map(|(vnode, run)| (vnode, run.meta)));
        Ok(())
    }
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt { what: what.to_owned() }
}
