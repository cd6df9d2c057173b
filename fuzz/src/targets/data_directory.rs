//! A data directory with damage in several places: the start is refused, a read is an error, or everything that
//! was acknowledged reads back equal.
//!
//! An input says which bytes of which files change and which files are cut. Single bytes are tried exhaustively in
//! the tests of `iris-store-local`.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use iris_store::{Appended, Change, Compared, Engine, NewRun, StoreError};
use iris_store_local::{Config, LocalEngine, OpenError, SimDisk};
use iris_types::{ChunkId, LogId, Position, RunName, VnodeId};

use super::Script;
use crate::{behaviour, behaviour_of_text};

const STORE: [u8; 16] = [0x51; 16];
const LOG: LogId = LogId([1; 16]);
const CHUNKS: u64 = 9;
const RUNS: u8 = 3;
const KEYS: [&str; 2] = ["vnode/1", "vnode/2"];
/// Damages of one input.
const DAMAGES_MAX: usize = 6;

pub(crate) fn run(input: &[u8]) -> u64 {
    static WRITTEN: OnceLock<Option<SimDisk>> = OnceLock::new();
    let Some(written) = WRITTEN.get_or_init(written) else { panic!("an intact directory cannot be written") };
    let disk = written.copy();
    let is_damaged = damage(&disk, input);
    match open(&disk) {
        Ok(engine) => read_all(&engine.engine()),
        Err(error) => {
            assert!(is_damaged, "an intact directory is refused: {error}");
            behaviour_of_text(&error.to_string())
        }
    }
}

fn damage(disk: &SimDisk, input: &[u8]) -> bool {
    let (files, mut script, mut is_damaged) = (disk.files(), Script::new(input), false);
    for _ in 0..DAMAGES_MAX {
        if script.is_over() || files.is_empty() {
            break;
        }
        let (name, length) = &files[usize::from(script.byte()) % files.len()];
        let (at, mask) = (script.number() << 8 | u64::from(script.byte()), script.byte());
        let at = at % length.max(&1);
        if mask == 0 {
            disk.truncate(name, at);
            is_damaged = true;
        } else {
            is_damaged |= disk.flip(name, at, mask);
        }
    }
    is_damaged
}

fn open(disk: &SimDisk) -> Result<LocalEngine, OpenError> {
    LocalEngine::open(Arc::new(disk.clone()), Config::small(STORE))
}

fn read_all(engine: &Engine) -> u64 {
    let outcomes = [read_log(engine), read_runs(engine), read_registers(engine)];
    let seen =
        outcomes.map(|outcome| outcome.map_or_else(|error| behaviour_of_text(&error.to_string()), |()| 1));
    behaviour(&seen)
}

fn read_log(engine: &Engine) -> Result<(), StoreError> {
    let end = engine.logs.seal(LOG)?;
    assert_eq!((end.last, end.chunk), (Position(CHUNKS), Some(chunk(CHUNKS))), "the log ends elsewhere");
    let mut next = 1;
    engine.logs.replay(LOG, Position(1), &mut |found| {
        assert_eq!((found.position.0, found.chunk), (next, chunk(next)), "another chunk");
        assert!(found.bytes == body(next), "chunk {next} has other bytes");
        next += 1;
        Ok(())
    })?;
    assert_eq!(next, CHUNKS + 1, "chunks vanished without an error");
    Ok(())
}

fn read_runs(engine: &Engine) -> Result<(), StoreError> {
    for number in 1..=RUNS {
        for (at, block) in (0..).zip(&new_run(number).blocks) {
            assert_eq!(&engine.runs.get(RunName([number; 16]), at)?, block, "a block has other bytes");
        }
    }
    Ok(())
}

fn read_registers(engine: &Engine) -> Result<(), StoreError> {
    for key in KEYS {
        let value = engine.registers.read(key)?;
        let value = value.map(|value| (value.version.0, value.bytes));
        assert_eq!(value, Some((2, Bytes::from(format!("{key} 2")))), "a register has another value");
    }
    Ok(())
}

/// A directory with a log of two segments, two files of runs and a journal, stopped cleanly.
fn written() -> Option<SimDisk> {
    let disk = SimDisk::new(1);
    let local = open(&disk).ok()?;
    let engine = local.engine();
    engine.logs.create(LOG).ok()?;
    for at in 1..=CHUNKS {
        let appended = engine.logs.append(LOG, Position(at), chunk(at), &body(at));
        if appended != Appended::Committed {
            return None;
        }
    }
    engine.runs.put(&[new_run(1), new_run(2)]).ok()?;
    engine.runs.put(&[new_run(3)]).ok()?;
    for version in 1..=2 {
        let changes = KEYS.map(|key| change(key, version));
        (engine.registers.compare_and_set(&changes).ok()? == Compared::Set).then_some(())?;
    }
    local.write_mark().ok()?;
    disk.kill();
    Some(disk)
}

fn change(key: &str, version: u64) -> Change {
    let expected = version.checked_sub(1).filter(|before| *before > 0).map(iris_store::Version);
    Change { key: key.to_owned(), expected, bytes: Bytes::from(format!("{key} {version}")) }
}

fn new_run(number: u8) -> NewRun {
    let block = |index: u8| Bytes::from(vec![number ^ index; 100 + usize::from(index) * 300]);
    NewRun { vnode: VnodeId(1), name: RunName([number; 16]), blocks: (0..3).map(block).collect() }
}

fn chunk(at: u64) -> ChunkId {
    ChunkId(u128::from(at + 7).to_be_bytes())
}

fn body(at: u64) -> Vec<u8> {
    (0..at * 397 % 3_000).map(|byte| (byte * 31 + at) as u8).collect()
}

/// One damaged byte at the start, in the middle and near the end of each file, and each file cut.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let places = [[0, 0, 0], [0, 2, 9], [0, 0x20, 0x40]];
    let damages = (0..8).flat_map(|file| places.map(|[a, b, c]| [[file, a, b, c, 0x10], [file, a, b, c, 0]]));
    damages.flatten().map(|damage| damage.to_vec()).collect()
}
