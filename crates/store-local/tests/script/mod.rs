//! A script that uses everything the engine does, and a model of what was acknowledged.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use iris_store::{Appended, Change, Compared, Doubt, Engine, LogEnd, NewRun, StoreError, Version};
use iris_store_local::simulated::Call;
use iris_store_local::{DiskError, LocalEngine, SimDisk};
use iris_types::{ChunkId, LogId, Position, RunName, VnodeId};

pub(crate) const STORE: [u8; 16] = [0x51; 16];
pub(crate) const FIRST: LogId = LogId([1; 16]);
pub(crate) const SECOND: LogId = LogId([2; 16]);

/// What must be there (acknowledged), and what may be (asked for, and not known).
#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) finished: bool,
    /// Chunks acknowledged and asked for, by log, and the position up to which they may have been trimmed.
    logs: BTreeMap<LogId, LogModel>,
    registers: BTreeMap<String, (u64, Bytes)>,
    registers_asked: Option<Vec<Change>>,
    runs: BTreeMap<RunName, Vec<Bytes>>,
    runs_asked: BTreeSet<RunName>,
}

#[derive(Clone, Default)]
struct LogModel {
    acknowledged: u64,
    asked: u64,
    trimmed_before: u64,
    sealed: Option<LogEnd>,
}

pub(crate) fn chunk(at: u64) -> ChunkId {
    let mut id = [0xc0; 16];
    id[8..].copy_from_slice(&at.to_be_bytes());
    ChunkId(id)
}

pub(crate) fn body(log: LogId, at: u64) -> Vec<u8> {
    let length = (at * 397 % 1_300) as usize;
    (0..length).map(|byte| (byte as u64 * 31 + at) as u8 ^ log.0[0]).collect()
}

pub(crate) fn run_name(number: u8) -> RunName {
    RunName([number; 16])
}

fn run(number: u8) -> NewRun {
    let block = |index: usize| Bytes::from(vec![number ^ index as u8; 100 + index * 300]);
    NewRun { vnode: VnodeId(1), name: run_name(number), blocks: (0..3).map(block).collect() }
}

/// Runs the script until something fails; `model` then holds what was acknowledged before.
pub(crate) fn run_script(engine: &LocalEngine, model: &mut Model) {
    model.finished = try_script(engine, model).is_some();
}

fn try_script(local: &LocalEngine, model: &mut Model) -> Option<()> {
    let engine = &local.engine();
    model.create(engine, FIRST)?;
    model.append(engine, FIRST, 1, 6)?;
    model.set(engine, &["vnode/1", "vnode/2"])?;
    model.put(engine, &[1, 2, 3])?;
    local.write_mark().ok()?;
    model.append(engine, FIRST, 7, 12)?;
    local.prepare_segment().ok()?;
    model.append(engine, FIRST, 13, 16)?;
    model.put(engine, &[4])?;
    model.set(engine, &["vnode/1"])?;
    model.trim(engine, FIRST, 10)?;
    model.drop_runs(engine, &[1, 3])?;
    model.create(engine, SECOND)?;
    model.append(engine, SECOND, 1, 3)?;
    model.seal(engine, FIRST)?;
    engine.runs.compact().ok()?;
    local.write_mark().ok()?;
    model.append(engine, SECOND, 4, 9)?;
    for _ in 0..6 {
        model.set(engine, &["vnode/1", "vnode/3"])?;
    }
    model.trim(engine, FIRST, 17)?;
    model.drop_runs(engine, &[2, 4])?;
    model.append(engine, SECOND, 10, 14)?;
    local.write_mark().ok()
}

/// A sealed log, an open one of several segments, registers and runs.
pub(crate) fn small_store(local: &LocalEngine, model: &mut Model) {
    let engine = &local.engine();
    model.create(engine, FIRST).unwrap();
    model.append(engine, FIRST, 1, 2).unwrap();
    model.set(engine, &["vnode/1"]).unwrap();
    model.put(engine, &[1, 2]).unwrap();
    model.seal(engine, FIRST).unwrap();
    local.write_mark().unwrap();
    model.create(engine, SECOND).unwrap();
    model.append(engine, SECOND, 1, 4).unwrap();
    local.prepare_segment().unwrap();
}

/// Three files of two runs, of which the second and larger part is dropped.
pub(crate) fn put_pairs_and_drop_halves(local: &LocalEngine, model: &mut Model) {
    let engine = &local.engine();
    for first in [10, 20, 30] {
        model.put(engine, &[first, first + 1, first + 2]).unwrap();
        model.drop_runs(engine, &[first + 1, first + 2]).unwrap();
    }
}

/// A chunk of one block.
pub(crate) fn append_small(local: &LocalEngine, log: LogId, at: u64) {
    let answer = local.engine().logs.append(log, Position(at), chunk(at), b"small");
    assert_eq!(answer, Appended::Committed);
}

/// One run more.
pub(crate) fn put_run(local: &LocalEngine, number: u8) {
    local.engine().runs.put(&[run(number)]).unwrap();
}

/// What happens behind a copy of the small store.
pub(crate) fn go_on(local: &LocalEngine, model: &mut Model) {
    let engine = &local.engine();
    model.append(engine, SECOND, 5, 8).unwrap();
    model.set(engine, &["vnode/1"]).unwrap();
}

impl Model {
    fn create(&mut self, engine: &Engine, log: LogId) -> Option<()> {
        engine.logs.create(log).ok()?;
        self.logs.insert(log, LogModel::default());
        Some(())
    }

    fn acknowledge(&mut self, log: LogId, last: u64) {
        let model = self.logs.entry(log).or_default();
        (model.acknowledged, model.asked) = (last, last);
    }

    fn append(&mut self, engine: &Engine, log: LogId, first: u64, last: u64) -> Option<()> {
        let model = self.logs.get_mut(&log)?;
        for at in first..=last {
            model.asked = at;
            let mut answer = engine.logs.append(log, Position(at), chunk(at), &body(log, at));
            if answer == Appended::InDoubt(Doubt::NoSpace) {
                // Space is back: the identical chunk again.
                answer = engine.logs.append(log, Position(at), chunk(at), &body(log, at));
            }
            if answer != Appended::Committed {
                return None;
            }
            model.acknowledged = at;
        }
        Some(())
    }

    fn seal(&mut self, engine: &Engine, log: LogId) -> Option<()> {
        let end = engine.logs.seal(log).ok()?;
        let model = self.logs.get_mut(&log)?;
        model.sealed = Some(end);
        Some(())
    }

    fn trim(&mut self, engine: &Engine, log: LogId, before: u64) -> Option<()> {
        self.logs.get_mut(&log)?.trimmed_before = before;
        engine.logs.trim(log, Position(before)).ok()
    }

    fn set(&mut self, engine: &Engine, keys: &[&str]) -> Option<()> {
        let change = |key: &&str| {
            let version = self.registers.get(*key).map(|(version, _)| *version);
            let bytes = Bytes::from(format!("{key} at {}", version.unwrap_or(0) + 1).repeat(20));
            Change { key: (*key).to_owned(), expected: version.map(Version), bytes }
        };
        let changes: Vec<Change> = keys.iter().map(change).collect();
        self.registers_asked = Some(changes.clone());
        if engine.registers.compare_and_set(&changes) != Ok(Compared::Set) {
            return None;
        }
        self.registers_asked = None;
        for change in changes {
            self.registers.insert(change.key.clone(), (change.version().0, change.bytes));
        }
        Some(())
    }

    fn put(&mut self, engine: &Engine, numbers: &[u8]) -> Option<()> {
        let runs: Vec<NewRun> = numbers.iter().map(|number| run(*number)).collect();
        self.runs_asked.extend(runs.iter().map(|run| run.name));
        engine.runs.put(&runs).ok()?;
        self.runs.extend(runs.into_iter().map(|run| (run.name, run.blocks)));
        Some(())
    }

    fn drop_runs(&mut self, engine: &Engine, numbers: &[u8]) -> Option<()> {
        let names: Vec<RunName> = numbers.iter().map(|number| run_name(*number)).collect();
        self.runs.retain(|name, _| !names.contains(name));
        engine.runs.drop_runs(&names).ok()?;
        self.runs_asked.retain(|name| !names.contains(name));
        Some(())
    }

    /// Whether the engine holds all that was acknowledged and nothing that was never asked for.
    pub(crate) fn check(&self, engine: &Engine, case: &str) {
        for (log, model) in &self.logs {
            model.check(engine, *log, case);
        }
        self.check_registers(engine, case);
        self.check_runs(engine, case);
    }

    /// As [`Self::check`], but a read may say "corrupt", or that a run is not there. True when one did.
    pub(crate) fn check_readable(&self, engine: &Engine, case: &str) -> bool {
        for (log, model) in &self.logs {
            model.check(engine, *log, case);
        }
        self.check_registers(engine, case);
        let mut corrupt = false;
        for (name, blocks) in &self.runs {
            for (number, block) in (0..).zip(blocks) {
                match engine.runs.get(*name, number) {
                    Err(StoreError::Corrupt { .. } | StoreError::NoSuchRun(_)) => corrupt = true,
                    read => assert_eq!(read.as_ref(), Ok(block), "{case}: run {name}"),
                }
            }
        }
        corrupt
    }

    /// Whether what is left of a log is what was written.
    pub(crate) fn check_prefix(&self, engine: &Engine, log: LogId, case: &str) {
        let end = engine.logs.seal(log).unwrap();
        assert!(end.last.0 <= self.logs[&log].acknowledged, "{case}");
        let mut next = 1;
        let replayed = engine.logs.replay(log, Position(1), &mut |found| {
            assert!(found.bytes == body(log, next), "{case}: {log} at {next}");
            next += 1;
            Ok(())
        });
        match replayed {
            Ok(()) => assert_eq!(next, end.last.0 + 1, "{case}"),
            Err(error) => assert!(matches!(error, StoreError::NoSuchPosition { .. }), "{case}: {error}"),
        }
    }

    fn check_registers(&self, engine: &Engine, case: &str) {
        let found = engine.registers.scan("").unwrap();
        let found: BTreeMap<String, (u64, Bytes)> =
            found.into_iter().map(|(key, value)| (key, (value.version.0, value.bytes))).collect();
        let mut after = self.registers.clone();
        for change in self.registers_asked.iter().flatten() {
            after.insert(change.key.clone(), (change.version().0, change.bytes.clone()));
        }
        assert!(found == self.registers || found == after, "{case}: the registers are {:?}", found.keys());
    }

    fn check_runs(&self, engine: &Engine, case: &str) {
        for (name, blocks) in &self.runs {
            for (number, block) in (0..).zip(blocks) {
                assert_eq!(engine.runs.get(*name, number).as_ref(), Ok(block), "{case}: run {name}");
            }
        }
        for info in engine.runs.list().unwrap() {
            assert!(self.runs_asked.contains(&info.name), "{case}: run {} came back", info.name);
        }
    }
}

impl LogModel {
    fn check(&self, engine: &Engine, log: LogId, case: &str) {
        let end = engine.logs.seal(log).unwrap_or_else(|error| panic!("{case}: sealing {log}: {error}"));
        if let Some(sealed) = self.sealed {
            assert_eq!(end, sealed, "{case}: the end of {log}");
        }
        let last = end.last.0;
        assert!((self.acknowledged..=self.asked).contains(&last), "{case}: {log} ends at {last}");
        let from = self.trimmed_before.clamp(1, last + 1);
        let mut next = from;
        let replayed = engine.logs.replay(log, Position(from), &mut |found| {
            assert_eq!((found.position.0, found.chunk), (next, chunk(next)), "{case}: {log}");
            assert!(found.bytes == body(log, next), "{case}: {log} at {next} has other bytes");
            next += 1;
            Ok(())
        });
        assert_eq!((replayed, next), (Ok(()), last + 1), "{case}: replay of {log}");
    }
}

/// Appends until a roll finds no space, lifts the bound, and goes on with the identical chunk.
pub(crate) fn fill_until_no_space(disk: &SimDisk, local: &LocalEngine) {
    let engine = &local.engine();
    let mut model = Model::default();
    model.create(engine, FIRST).unwrap();
    let used: u64 = disk.files().iter().map(|(_, length)| length).sum();
    disk.set_capacity(Some(used + 10 * 1_024));
    let append = |at| engine.logs.append(FIRST, Position(at), chunk(at), &body(FIRST, at));
    let mut at = 1;
    while append(at) == Appended::Committed {
        at += 1;
    }
    for _ in 0..2 {
        assert_eq!(append(at), Appended::InDoubt(Doubt::NoSpace));
    }
    let other = engine.logs.append(FIRST, Position(at), ChunkId([9; 16]), b"other");
    assert!(matches!(other, Appended::InDoubt(Doubt::Misuse(_))));
    assert_eq!(engine.logs.resolve(FIRST, Position(at), chunk(at)), Ok(iris_store::Resolved::Open));
    disk.set_capacity(None);
    assert_eq!(append(at), Appended::Committed);
    model.acknowledge(FIRST, at);
    model.check(engine, "after no space");
}

/// A new log takes its first chunks without room for a second segment; once there is room it goes on.
pub(crate) fn one_segment_of_the_reserve(local: &LocalEngine) {
    let engine = &local.engine();
    engine.logs.create(FIRST).unwrap();
    let append = |at| engine.logs.append(FIRST, Position(at), chunk(at), &body(FIRST, at));
    let committed = (1..100).take_while(|at| append(*at) == Appended::Committed).count() as u64;
    assert!(committed > 1);
    assert_eq!(append(committed + 1), Appended::InDoubt(Doubt::NoSpace));
}

/// Has no descriptor for any new file, once for each; everything works when it is asked for again.
pub(crate) fn without_descriptors(disk: &SimDisk, local: &LocalEngine) {
    let engine = &local.engine();
    let fails = |call| disk.fail_next(call, DiskError::TooManyFiles);
    let is_passing = |error: StoreError| matches!(error, StoreError::Io(_));
    let mut model = Model::default();
    fails(Call::Create);
    assert!(engine.logs.create(FIRST).is_err_and(is_passing));
    model.create(engine, FIRST).unwrap();
    fails(Call::Create);
    assert!(local.prepare_segment().is_err_and(is_passing));
    local.prepare_segment().unwrap();
    // The next rolls: into the spare, which has to be opened, and into a new file.
    let mut waited = 0;
    for (call, last) in [(Call::Read, 8), (Call::Create, 16)] {
        fails(call);
        for at in last - 7..=last {
            let mut answer = engine.logs.append(FIRST, Position(at), chunk(at), &body(FIRST, at));
            if answer == Appended::InDoubt(Doubt::NoSpace) {
                waited += 1;
                answer = engine.logs.append(FIRST, Position(at), chunk(at), &body(FIRST, at));
            }
            assert_eq!(answer, Appended::Committed);
        }
    }
    assert_eq!(waited, 2);
    model.acknowledge(FIRST, 16);
    fails(Call::Create);
    assert!(engine.runs.put(&[run(1)]).is_err_and(is_passing));
    model.put(engine, &[1]).unwrap();
    fails(Call::Read);
    assert!(engine.runs.get(run_name(1), 0).is_err_and(is_passing));
    // Changes of the registers until the journal is full and a new one would be made.
    fails(Call::Create);
    let refused = (0..100).find(|_| model.set(engine, &["vnode/1"]).is_none());
    assert!(refused.is_some());
    model.set(engine, &["vnode/1"]).unwrap();
    local.write_mark().unwrap();
    model.check(engine, "after descriptors ran out");
}

/// Fails one flush; from then on nothing is accepted, whatever is asked.
pub(crate) fn poison(disk: &SimDisk, local: &LocalEngine) {
    let engine = &local.engine();
    let mut model = Model::default();
    model.create(engine, FIRST).unwrap();
    model.append(engine, FIRST, 1, 3).unwrap();
    disk.fail_next(Call::SyncData, DiskError::Io("injected".to_owned()));
    for _ in 0..2 {
        let answer = engine.logs.append(FIRST, Position(4), chunk(4), &body(FIRST, 4));
        assert!(matches!(answer, Appended::InDoubt(Doubt::Poisoned(_))), "{answer:?}");
    }
    let is_poisoned = |error: StoreError| matches!(error, StoreError::Poisoned(_));
    assert!(engine.logs.create(SECOND).is_err_and(is_poisoned));
    assert!(engine.logs.seal(FIRST).is_err_and(is_poisoned));
    assert!(engine.runs.put(&[run(1)]).is_err_and(is_poisoned));
    assert!(local.write_mark().is_err_and(is_poisoned));
    assert!(local.prepare_segment().is_err_and(is_poisoned));
    let change = Change { key: "a".to_owned(), expected: None, bytes: Bytes::new() };
    assert!(engine.registers.compare_and_set(&[change]).is_err_and(is_poisoned));
}

/// A chunk, a mark, and a large second chunk that is cut off between its write and its flush.
pub(crate) fn start_of_torn_tail(disk: &SimDisk, local: &LocalEngine) {
    let engine = &local.engine();
    let mut model = Model::default();
    model.create(engine, FIRST).unwrap();
    model.append(engine, FIRST, 1, 1).unwrap();
    local.write_mark().unwrap();
    disk.cut_power_after(disk.counters().changes + 1);
    let answer = engine.logs.append(FIRST, Position(2), chunk(2), &body(FIRST, 2).repeat(2));
    assert!(matches!(answer, Appended::InDoubt(Doubt::Poisoned(_))));
}

pub(crate) fn model_of_torn_tail(model: &mut Model) {
    model.logs.insert(FIRST, LogModel { acknowledged: 1, asked: 1, ..LogModel::default() });
}
