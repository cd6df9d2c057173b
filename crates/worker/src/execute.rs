//! Carries out calls. Blocks; run by threads that may.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use iris_store::{Engine, NewRun, Quarantined, Runs, StoreError};
use iris_tables::{
    BlockCache, BlockError, Blocks, BuiltRun, Direction, Limit, MemTable, RunSet, Table, TableError, Window,
    merge,
};
use iris_types::planted::{Bug, is_planted};
use iris_types::{LogId, Offset, Position, RunName, VnodeId};
use iris_vnode::{Map, rows};

use crate::call::{
    Call, CallResult, Expire, ExpireVnode, Flush, FlushVnode, Merge, Merged, Outcome, Read, ReadResult,
    ReadWhat, StreamRows, Survey, Trimmed, Work,
};
use crate::{directory, mend, recover};

const CACHE_SHARDS: usize = 16;

/// Decoded blocks of runs, shared by the threads that carry out calls.
#[derive(Debug)]
pub struct SharedCache {
    shards: Vec<Mutex<BlockCache>>,
}

impl SharedCache {
    /// A cache of at most so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        let shard = |_| Mutex::new(BlockCache::new(bytes_max / CACHE_SHARDS));
        Self { shards: (0..CACHE_SHARDS).map(shard).collect() }
    }

    fn shard(&self, run: RunName, block: u32) -> Option<&Mutex<BlockCache>> {
        let mixed = usize::from(run.0[0]) ^ block as usize;
        self.shards.get(mixed % CACHE_SHARDS)
    }

    fn lookup(&self, run: RunName, block: u32) -> Option<Bytes> {
        // A thread that panicked in the cache left it whole enough: blocks carry their own checksums.
        self.shard(run, block)?.lock().unwrap_or_else(PoisonError::into_inner).lookup(run, block)
    }

    fn insert(&self, run: RunName, block: u32, bytes: Bytes) {
        if let Some(shard) = self.shard(run, block) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).insert(run, block, bytes);
        }
    }
}

/// Carries out one call, blocking until it is done.
#[must_use]
pub fn execute(call: Call, engine: &Engine, cache: &SharedCache) -> CallResult {
    let blocks = EngineBlocks { runs: engine.runs.as_ref(), cache: Some(cache) };
    // What is read once does not push out what is read often.
    let uncached = EngineBlocks { runs: engine.runs.as_ref(), cache: None };
    let logs = &engine.logs;
    CallResult(match call.0 {
        Work::CreateLog(log) => Outcome::Done(logs.create(log)),
        Work::Append { log, at, chunk, bytes } => Outcome::Appended(logs.append(log, at, chunk, &bytes)),
        Work::Resolve { log, at, chunk } => Outcome::Resolved(logs.resolve(log, at, chunk)),
        Work::Survey => Outcome::Survey(survey(engine)),
        Work::Seal(ids) => Outcome::Sealed(ids.iter().map(|id| logs.seal(*id)).collect()),
        Work::Recover(work) => Outcome::Recovered(recover::recover(work, engine)),
        Work::Mend(work) => Outcome::Recovered(mend::mend(work, engine, &blocks)),
        Work::Check(sets) => Outcome::Checked(check(&sets, engine, &uncached)),
        Work::CompareAndSet(changes) => Outcome::Compared(engine.registers.compare_and_set(&changes)),
        Work::ReadDirectory => Outcome::Directory(engine.registers.scan(directory::PREFIX)),
        Work::LoadStreams(sets) => Outcome::Streams(load_streams(&sets, engine, &uncached)),
        Work::Trim { log, before } => Outcome::Done(logs.trim(log, before)),
        Work::Load(reads) => Outcome::Loaded(reads.iter().map(|read| load(read, &blocks)).collect()),
        Work::Flush(work) => Outcome::Flushed(flush(work, engine)),
        Work::Merge(work) => Outcome::Merged(merge_all(&work, engine, &uncached)),
        Work::Expire(work) => Outcome::Expired(expire(work, engine, &uncached)),
        Work::DropRuns(names) => Outcome::Done(drop_runs(&names, engine)),
        Work::Discard(tables) => {
            drop(tables);
            Outcome::Done(Ok(()))
        }
    })
}

/// The engine's runs as the tables see them.
struct EngineBlocks<'a> {
    runs: &'a dyn Runs,
    cache: Option<&'a SharedCache>,
}

impl Blocks for EngineBlocks<'_> {
    fn block(&self, run: RunName, block: u32) -> Result<Bytes, BlockError> {
        if let Some(bytes) = self.cache.and_then(|cache| cache.lookup(run, block)) {
            return Ok(bytes);
        }
        let bytes = self.runs.get(run, block).map_err(|error| match error {
            StoreError::NoSuchRun(_) => BlockError::Missing,
            StoreError::Corrupt { what } => BlockError::Corrupt(what),
            other => BlockError::Io(other.to_string()),
        })?;
        if let Some(cache) = self.cache {
            cache.insert(run, block, bytes.clone());
        }
        Ok(bytes)
    }
}

/// Writes built runs; nothing when there are none.
pub(crate) fn put_runs<'a>(
    built: impl Iterator<Item = (VnodeId, &'a BuiltRun)>,
    engine: &Engine,
) -> Result<(), StoreError> {
    let new = |(vnode, run): (VnodeId, &BuiltRun)| NewRun {
        vnode,
        name: run.meta.name,
        blocks: run.blocks.clone(),
    };
    let runs: Vec<NewRun> = built.map(new).collect();
    if runs.is_empty() { Ok(()) } else { engine.runs.put(&runs) }
}

fn survey(engine: &Engine) -> Result<Survey, StoreError> {
    let logs = engine.logs.list()?;
    let directory = engine.registers.scan(directory::PREFIX)?;
    Ok(Survey { logs, directory, runs: engine.runs.list()?, cut: engine.logs.cut()? })
}

/// A run that an operator moved aside is missed by those who need it, not by the start.
fn check(sets: &[RunSet], engine: &Engine, blocks: &dyn Blocks) -> Result<(), TableError> {
    let quarantined = quarantined(engine);
    sets.iter().try_for_each(|set| set.check_but(&|run| quarantined.explains(run), blocks))
}

/// What cannot be asked for explains nothing.
pub(crate) fn quarantined(engine: &Engine) -> Quarantined {
    engine.runs.quarantined().unwrap_or_default()
}

fn load(read: &Read, blocks: &dyn Blocks) -> Result<ReadResult, TableError> {
    match &read.what {
        ReadWhat::Keys(keys) => {
            let values = keys.iter().map(|(table, key)| read.runs.get(*table, key, blocks));
            values.collect::<Result<Vec<_>, _>>().map(ReadResult::Keys)
        }
        ReadWhat::Range { table, from, to, direction, limit } => {
            read.runs.scan(*table, from, to, *direction, *limit, blocks).map(ReadResult::Rows)
        }
    }
}

pub(crate) fn load_streams(
    sets: &[(VnodeId, RunSet)],
    engine: &Engine,
    blocks: &dyn Blocks,
) -> Result<Vec<(VnodeId, Option<StreamRows>)>, TableError> {
    let quarantined = quarantined(engine);
    let all = Limit { rows: usize::MAX, bytes: usize::MAX };
    let scan = |set: &RunSet, table, from: &[u8], to: &[u8]| {
        set.scan(table, from, to, Direction::Forward, all, blocks)
    };
    let load = |set: &RunSet| {
        let outgoing = scan(set, Table::Head, b"s", b"t")?;
        // Without a stream there is no forward; looking for some would read the whole table.
        let forwards =
            if outgoing.is_empty() { Vec::new() } else { scan(set, Table::Stream, &[0], &[0xff; 11])? };
        Ok(StreamRows { outgoing, watermarks: scan(set, Table::Head, b"w", b"x")?, forwards })
    };
    let load_or_miss = |(vnode, set): &(VnodeId, RunSet)| match load(set) {
        Err(TableError::Missing { run, .. }) if quarantined.explains(run) => Ok((*vnode, None)),
        rows => rows.map(|rows| (*vnode, Some(rows))),
    };
    sets.iter().map(load_or_miss).collect()
}

fn flush(mut work: Flush, engine: &Engine) -> Result<Vec<(VnodeId, Vec<BuiltRun>)>, StoreError> {
    let mut built = Vec::with_capacity(work.vnodes.len());
    for vnode in &work.vnodes {
        let runs = build_vnode(vnode, &mut || work.names.run());
        built.push((vnode.vnode, runs));
    }
    put_runs(built.iter().flat_map(|(vnode, runs)| runs.iter().map(|run| (*vnode, run))), engine)?;
    Ok(built)
}

fn build_vnode(vnode: &FlushVnode, names: &mut dyn FnMut() -> RunName) -> Vec<BuiltRun> {
    let elided: Map<&[u8], Offset> =
        vnode.elided.iter().map(|(user, offset)| (user.as_bytes(), *offset)).collect();
    let is_elided = |key: &[u8]| {
        rows::split_inbox_key(key)
            .is_some_and(|(user, offset)| elided.get(user).is_some_and(|up_to| offset <= *up_to))
    };
    let is_head_elided = |key: &[u8]| {
        is_planted(Bug::HeadElided)
            && rows::split_last_offset_key(key).is_some_and(|user| elided.contains_key(user))
    };
    let mut keep = |table, key: &[u8], _value: &[u8]| match table {
        Table::Inbox => !is_elided(key),
        Table::Stream => !is_confirmed(key, &vnode.confirmed),
        Table::Head => !is_head_elided(key),
        Table::History | Table::Dedup => true,
    };
    vnode.mem.build_runs_where(names, vnode.age, &mut keep)
}

fn is_confirmed(key: &[u8], confirmed: &[(VnodeId, Position)]) -> bool {
    rows::split_stream_key(key).is_some_and(|(destination, position)| {
        confirmed.iter().any(|(vnode, up_to)| *vnode == destination && position <= *up_to)
    })
}

/// Writes what all of them give at once.
fn merge_all(merges: &[Merge], engine: &Engine, blocks: &dyn Blocks) -> Result<Vec<Merged>, StoreError> {
    let merged: Vec<Merged> = merges.iter().map(|work| merge_runs(work, blocks)).collect();
    let built = merges.iter().zip(&merged).filter_map(|(work, merged)| match merged {
        Ok(Some(built)) => Some((work.vnode, built)),
        Ok(None) | Err(_) => None,
    });
    put_runs(built, engine)?;
    Ok(merged)
}

fn merge_runs(work: &Merge, blocks: &dyn Blocks) -> Merged {
    let is_stream = work.plan.table == Table::Stream;
    let mut keep = |key: &[u8], _value: &[u8]| !is_stream || !is_confirmed(key, &work.confirmed);
    merge(&work.runs, &work.plan, work.name, &mut keep, blocks)
}

/// What cannot be read holds up nobody else.
fn expire(mut work: Expire, engine: &Engine, blocks: &dyn Blocks) -> Result<Vec<Trimmed>, StoreError> {
    let expire = |vnode| expire_vnode(vnode, &mut || work.names.run(), blocks);
    let trimmed: Vec<Trimmed> = work.vnodes.iter().map(expire).collect();
    put_runs(trimmed.iter().flat_map(|one| one.built.iter().map(|run| (one.vnode, run))), engine)?;
    Ok(trimmed)
}

/// Each user's highest offset in some runs.
type Highest = BTreeMap<Bytes, Offset>;

fn expire_vnode(work: &ExpireVnode, names: &mut dyn FnMut() -> RunName, blocks: &dyn Blocks) -> Trimmed {
    let (mut highest, mut dropped, mut failed) = (Highest::new(), Vec::new(), Vec::new());
    for (window, runs) in &work.inbox {
        match highest_of(work, runs, blocks) {
            Ok(found) => {
                found.into_iter().for_each(|(user, offset)| raise(&mut highest, user, offset));
                dropped.extend(runs);
            }
            Err(error) => failed.push((*window, error)),
        }
    }
    let vnode = work.vnode;
    match trim(work, highest, blocks) {
        Ok((mem, users)) => Trimmed { vnode, built: mem.build_runs(names, work.age), users, dropped, failed },
        Err(error) => {
            let failed = work.inbox.keys().map(|window| (*window, error.clone())).collect();
            Trimmed { vnode, built: Vec::new(), users: Vec::new(), dropped: Vec::new(), failed }
        }
    }
}

fn highest_of(work: &ExpireVnode, runs: &[RunName], blocks: &dyn Blocks) -> Result<Highest, TableError> {
    let mut highest = Highest::new();
    for run in runs {
        let mut visit = |key: &[u8], _value: &[u8]| {
            if let Some((user, offset)) = rows::split_inbox_key(key) {
                match highest.get_mut(user) {
                    Some(up_to) => *up_to = offset.max(*up_to),
                    None => drop(highest.insert(Bytes::copy_from_slice(user), offset)),
                }
            }
        };
        work.runs.visit_run(*run, &mut visit, blocks)?;
    }
    Ok(highest)
}

fn raise(highest: &mut Highest, user: Bytes, offset: Offset) {
    let up_to = highest.entry(user).or_default();
    *up_to = offset.max(*up_to);
}

/// The users' trimmed-to: their highest offset in the runs that go, or what was written before if that is higher.
fn trim(
    work: &ExpireVnode,
    highest: Highest,
    blocks: &dyn Blocks,
) -> Result<(MemTable, Vec<(Bytes, Offset)>), TableError> {
    let (mut mem, mut users) = (MemTable::new(), Vec::with_capacity(highest.len()));
    for (user, offset) in highest {
        let key = rows::trimmed_key(&user);
        let before = work.runs.get(Table::Head, &key, blocks)?;
        let before = before.and_then(|value| rows::read_offset(value).ok()).unwrap_or_default();
        let offset = offset.max(before);
        mem.put(Table::Head, Window::default(), &key, &rows::offset_value(offset));
        users.push((user, offset));
    }
    Ok((mem, users))
}

fn drop_runs(names: &[RunName], engine: &Engine) -> Result<(), StoreError> {
    engine.runs.drop_runs(names)?;
    engine.runs.compact()
}

/// Names a log in an error.
pub(crate) fn log_error(log: LogId, error: &StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { what } => StoreError::Corrupt { what: format!("log {log}: {what}") },
        other => other.clone(),
    }
}
