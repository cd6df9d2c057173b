//! The memory twin, plain and sealed, against the suite of all engines.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use iris_store::keys::{DataKey, KeyEpoch};
use iris_store::memory::{Landing, MemoryEngine, Operation};
use iris_store::sealed::{Randomness, sealed};
use iris_store::{Appended, Change, Doubt, Engine, LogEnd, NewRun, Resolved, StoreError};
use iris_testkit::conformance;
use iris_types::{ChunkId, LogId, Position, RunName, VnodeId};

const LOG: LogId = LogId([1; 16]);
const RUN: RunName = RunName([2; 16]);

fn counting() -> Randomness {
    let next = AtomicU8::new(0);
    Arc::new(move |bytes| bytes.fill(next.fetch_add(1, Ordering::Relaxed)))
}

fn sealed_with(key: u8, epoch: u32, engine: Engine) -> Engine {
    sealed(engine, &DataKey::new([key; 32], KeyEpoch(epoch)), counting()).unwrap()
}

#[test]
fn memory_conforms() {
    conformance::check(|| MemoryEngine::new().engine());
}

#[test]
fn sealed_memory_conforms() {
    conformance::check(|| sealed_with(7, 1, MemoryEngine::new().engine()));
}

fn replay(engine: &Engine) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut seen = Vec::new();
    engine.logs.replay(LOG, Position(1), &mut |chunk| {
        seen.push(chunk.bytes.to_vec());
        Ok(())
    })?;
    Ok(seen)
}

fn write_one_of_each(engine: &Engine) {
    engine.logs.create(LOG).unwrap();
    assert_eq!(engine.logs.append(LOG, Position(1), ChunkId([3; 16]), b"secret text"), Appended::Committed);
    engine.logs.seal(LOG).unwrap();
    let blocks = vec![Bytes::from_static(b"secret text"), Bytes::new()];
    engine.runs.put(&[NewRun { vnode: VnodeId(1), name: RUN, blocks }]).unwrap();
    let bytes = Bytes::from_static(b"secret text");
    engine.registers.compare_and_set(&[Change { key: "k".to_owned(), expected: None, bytes }]).unwrap();
}

#[test]
fn what_is_sealed_shows_nothing_and_opens_with_its_key_only() {
    let memory = MemoryEngine::new().engine();
    write_one_of_each(&sealed_with(7, 1, memory.clone()));
    let hidden = |bytes: &[u8]| !bytes.windows(6).any(|window| window == b"secret");
    assert!(hidden(&replay(&memory).unwrap()[0]));
    assert!(hidden(&memory.runs.get(RUN, 0).unwrap()));
    assert!(hidden(&memory.registers.read("k").unwrap().unwrap().bytes));
    for other in [sealed_with(8, 1, memory.clone()), sealed_with(7, 2, memory.clone())] {
        assert!(matches!(replay(&other), Err(StoreError::Corrupt { .. })));
        assert!(matches!(other.runs.get(RUN, 0), Err(StoreError::Corrupt { .. })));
        assert!(matches!(other.registers.read("k"), Err(StoreError::Corrupt { .. })));
        assert!(matches!(other.registers.scan(""), Err(StoreError::Corrupt { .. })));
    }
    let same = sealed_with(7, 1, memory);
    assert_eq!(replay(&same), Ok(vec![b"secret text".to_vec()]));
    assert_eq!(same.runs.get(RUN, 0), Ok(Bytes::from_static(b"secret text")));
}

#[test]
fn a_sealed_value_cannot_be_moved_or_changed() {
    let memory = MemoryEngine::new().engine();
    let engine = sealed_with(7, 1, memory.clone());
    write_one_of_each(&engine);
    let value = memory.registers.read("k").unwrap().unwrap().bytes;
    let moved = Change { key: "other".to_owned(), expected: None, bytes: value.clone() };
    memory.registers.compare_and_set(&[moved]).unwrap();
    assert!(matches!(engine.registers.read("other"), Err(StoreError::Corrupt { .. })));
    let block = memory.runs.get(RUN, 0).unwrap();
    let other = RunName([9; 16]);
    memory.runs.put(&[NewRun { vnode: VnodeId(1), name: other, blocks: vec![block.clone()] }]).unwrap();
    assert!(matches!(engine.runs.get(other, 0), Err(StoreError::Corrupt { .. })));
    for at in 0..value.len() {
        let mut changed = value.to_vec();
        changed[at] ^= 1;
        let memory = MemoryEngine::new().engine();
        let change = Change { key: "k".to_owned(), expected: None, bytes: Bytes::from(changed) };
        memory.registers.compare_and_set(&[change]).unwrap();
        let answer = sealed_with(7, 1, memory).registers.read("k");
        assert!(matches!(answer, Err(StoreError::Corrupt { .. })), "byte {at}");
    }
}

/// One append in doubt, resolved as `resolved` says, sealed with `last` as its end.
fn check_doubt(landing: Landing, resolved: [Resolved; 2], last: u64) {
    let memory = MemoryEngine::new();
    let engine = memory.engine();
    let (first, second) = (ChunkId([1; 16]), ChunkId([2; 16]));
    engine.logs.create(LOG).unwrap();
    engine.logs.append(LOG, Position(1), first, b"first");
    memory.doubt_next_append(landing, Doubt::NoAnswer);
    let answer = engine.logs.append(LOG, Position(2), second, b"second");
    assert_eq!(answer, Appended::InDoubt(Doubt::NoAnswer));
    for expected in resolved {
        assert_eq!(engine.logs.resolve(LOG, Position(2), second), Ok(expected), "{landing:?}");
    }
    let chunk = if last == 2 { second } else { first };
    assert_eq!(engine.logs.seal(LOG), Ok(LogEnd { last: Position(last), chunk: Some(chunk) }), "{landing:?}");
    let expected: Vec<&[u8]> = [&b"first"[..], b"second"].into_iter().take(last as usize).collect();
    assert_eq!(replay(&engine).unwrap(), expected, "{landing:?}");
}

#[test]
fn appends_in_doubt_that_did_or_did_not_land() {
    check_doubt(Landing::Landed, [Resolved::Committed, Resolved::Committed], 2);
    check_doubt(Landing::Late, [Resolved::Open, Resolved::Committed], 2);
    check_doubt(Landing::Lost, [Resolved::Open, Resolved::Open], 1);
}

#[test]
fn a_position_in_doubt_is_never_given_to_other_bytes() {
    for landing in [Landing::Landed, Landing::Late, Landing::Lost] {
        let memory = MemoryEngine::new();
        let engine = memory.engine();
        engine.logs.create(LOG).unwrap();
        memory.doubt_next_append(landing, Doubt::NoSpace);
        engine.logs.append(LOG, Position(1), ChunkId([1; 16]), b"first");
        let other = engine.logs.append(LOG, Position(1), ChunkId([2; 16]), b"other");
        assert!(matches!(other, Appended::InDoubt(Doubt::Misuse(_))), "{landing:?}");
        let same = engine.logs.append(LOG, Position(1), ChunkId([1; 16]), b"first");
        assert_eq!(same, Appended::Committed, "{landing:?}");
    }
}

#[test]
fn somebody_else_seals_first() {
    let memory = MemoryEngine::new();
    let engine = memory.engine();
    engine.logs.create(LOG).unwrap();
    memory.seal_before_next_append();
    let end = LogEnd { last: Position(0), chunk: None };
    assert_eq!(engine.logs.append(LOG, Position(1), ChunkId([1; 16]), b"x"), Appended::Sealed(end));
    assert_eq!(engine.logs.seal(LOG), Ok(end));
}

#[test]
fn planned_failures_happen_once() {
    let memory = MemoryEngine::new();
    let engine = memory.engine();
    memory.fail_next(Operation::CreateLog, StoreError::NoSpace);
    assert_eq!(engine.logs.create(LOG), Err(StoreError::NoSpace));
    assert_eq!(engine.logs.create(LOG), Ok(()));
}
