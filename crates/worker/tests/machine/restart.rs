use iris_store::{Change, Compared, Logs, Registers, Runs, StoreError};
use iris_types::{LogId, Position};
use iris_worker::{StopReason, WorkerLimits};

use crate::world::*;

#[test]
fn a_start_takes_over_what_was_committed() {
    for limits in [WorkerLimits::default(), small()] {
        let mut world = World::new(1, limits);
        for round in 1..=5_u64 {
            for _ in 0..10 {
                world.send("a", "b", "x");
            }
            if round == 3 {
                world.settle();
            }
            world.restart();
            assert_eq!(world.history("a", "b", 100).len() as u64, round * 10);
            assert_eq!(world.inbox("b", 0).1.len() as u64, round * 10);
            assert_eq!(world.inbox("a", 0).1.len() as u64, round * 10);
        }
    }
}

#[test]
fn what_was_not_committed_never_was() {
    let mut world = World::new(1, WorkerLimits::default());
    world.send("a", "b", "one");
    world.hold = vec!["append"];
    let id = world.id();
    world.begin("a", message(id, "b", "two"));
    world.run();
    world.hold.clear();
    world.restart();
    assert_eq!(world.history("a", "b", 9).len(), 1);
    let again = world.send_as("a", message(id, "b", "two")).unwrap();
    assert_eq!(again.seq.0, 2);
}

#[test]
fn a_worker_whose_log_was_sealed_says_nothing_more() {
    let mut world = World::new(1, WorkerLimits::default());
    world.send("a", "b", "one");
    let mut old = std::mem::take(&mut world.workers);
    world.start(1);
    std::mem::swap(&mut old, &mut world.workers);
    let id = world.id();
    let request = world.begin("a", message(id, "b", "two"));
    world.run();
    assert_eq!(world.stops, [StopReason::Sealed]);
    assert_eq!(world.answer(request), None);
    std::mem::swap(&mut old, &mut world.workers);
    assert_eq!(world.history("a", "b", 9).len(), 1);
}

#[test]
fn a_start_may_be_cut_off_anywhere() {
    let steps = [
        "create log",
        "append",
        "survey",
        "seal",
        "recover",
        "check",
        "compare and set",
        "load streams",
        "trim",
        "drop runs",
    ];
    let mut world = World::new(1, small());
    let mut count = 0;
    for round in 0..3 {
        for step in steps {
            for _ in 0..3 {
                world.send("a", "b", "x");
                count += 1;
            }
            if round == 1 {
                world.settle();
            }
            world.hold = vec![step];
            world.start(1);
            world.hold.clear();
            world.restart();
            assert_eq!(world.ready, 1);
            assert_eq!(world.history("a", "b", 100).len(), count, "cut off at {step}");
            assert_eq!(world.inbox("b", 0).1.len(), count, "cut off at {step}");
        }
    }
}

#[test]
fn number_of_workers_may_change_at_a_start() {
    let mut world = World::new(2, small());
    let mut count = 0;
    for workers in [1, 3, 2, 1] {
        for index in 0..20 {
            world.send(&format!("u{index}"), "a", "x");
            world.send("a", &format!("u{index}"), "y");
            count += 2;
        }
        world.pass(2_000);
        world.start(workers);
        assert_eq!((world.stops.as_slice(), world.ready), (&[][..], usize::from(workers)));
        assert_eq!(world.inbox("a", 0).1.len(), count, "{workers} workers");
    }
}

#[test]
fn number_of_vnodes_never_changes() {
    for (workers, vnodes) in [(1, 8), (1, 32), (2, 8), (2, 32), (3, 32)] {
        let mut world = World::new(workers, small());
        world.send("a", "b", "x");
        world.vnodes = vnodes;
        world.start(workers);
        assert_eq!((world.ready, world.stops.len()), (0, usize::from(workers)), "{workers} {vnodes}");
        let is_refused = |stop: &StopReason| stop.to_string().contains("the number is fixed for ever");
        assert!(world.stops.iter().all(is_refused), "{:?}", world.stops);
    }
}

/// Sends, restarts a few times, spoils something, and expects the start to be refused for that reason.
fn check_refused(reason: &str, spoil: impl FnOnce(&mut World)) {
    let mut world = World::new(1, small());
    for _ in 0..30 {
        world.send("a", "b", "x");
    }
    world.settle();
    world.send("a", "b", "x");
    spoil(&mut world);
    let bytes = log_bytes(&world);
    world.start(1);
    assert_eq!(log_bytes(&world), bytes, "{reason}: a start that is refused leaves nothing behind");
    match world.stops.as_slice() {
        [StopReason::StartRefused(why)] if why.contains(reason) => {}
        other => panic!("{reason}: {other:?}"),
    }
    assert_eq!(world.ready, 0);
}

fn log_bytes(world: &World) -> u64 {
    Logs::list(&world.engine).unwrap().iter().map(|log| log.bytes).sum()
}

#[test]
fn starts_that_end_early_do_not_add_up() {
    let mut world = World::new(1, WorkerLimits::default());
    world.send("a", "b", "x");
    world.hold = vec!["recover"];
    world.start(1);
    let after_one = log_bytes(&world);
    for _ in 0..3 {
        world.start(1);
        assert_eq!(log_bytes(&world), after_one);
    }
    world.hold.clear();
    world.restart();
    assert_eq!(world.history("a", "b", 9).len(), 1);
}

#[test]
fn a_start_is_refused_when_something_is_missing() {
    check_refused("fixed for ever", |world| world.vnodes = 8);
    check_refused("fixed for ever", |world| world.vnodes = 32);
    check_refused("missing", |world| {
        let runs = Runs::list(&world.engine).unwrap();
        let names: Vec<_> = runs.iter().map(|run| run.name).collect();
        world.engine.drop_runs(&names[..1]).unwrap();
    });
    check_refused("corrupt", |world| {
        let error = StoreError::Corrupt { what: "register".to_owned() };
        world.engine.fail_next(iris_store::memory::Operation::ReadRegister, error);
    });
    check_refused("directory entry", |world| overwrite(world, |_| b"nonsense".to_vec()));
    check_refused("does not exist", |world| {
        overwrite(world, |bytes| {
            let mut bytes = bytes.to_vec();
            bytes[9..25].copy_from_slice(&[7; 16]);
            bytes
        });
    });
}

/// Changes the first directory entry behind the worker's back.
fn overwrite(world: &World, change: impl FnOnce(&[u8]) -> Vec<u8>) {
    let (key, value) = world.engine.scan("vnode/").unwrap().swap_remove(0);
    let bytes = change(&value.bytes).into();
    let changes = [Change { key, expected: Some(value.version), bytes }];
    assert_eq!(world.engine.compare_and_set(&changes), Ok(Compared::Set));
}

#[test]
fn an_old_copy_of_the_directory_is_refused() {
    let mut world = World::new(1, WorkerLimits::default());
    world.send("a", "b", "x");
    let old = world.engine.scan("vnode/").unwrap();
    world.restart();
    world.send("a", "b", "y");
    for (key, value) in old {
        let now = world.engine.read(&key).unwrap().unwrap();
        let changes = [Change { key, expected: Some(now.version), bytes: value.bytes }];
        world.engine.compare_and_set(&changes).unwrap();
    }
    world.start(1);
    assert!(matches!(world.stops.as_slice(), [StopReason::StartRefused(why)] if why.contains("old copy")));
}

#[test]
fn a_malformed_chunk_refuses_the_start() {
    let mut world = World::new(1, WorkerLimits::default());
    world.send("a", "b", "x");
    let logs = Logs::list(&world.engine).unwrap();
    let log: LogId = logs[0].log;
    world.workers.clear();
    let chunk = iris_types::ChunkId([5; 16]);
    assert_eq!(world.engine.append(log, Position(3), chunk, &[1, 2, 3]), iris_store::Appended::Committed);
    world.start(1);
    assert!(
        matches!(world.stops.as_slice(), [StopReason::StartRefused(why)] if why.contains("malformed")),
        "{:?}",
        world.stops
    );
}
