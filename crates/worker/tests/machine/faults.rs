use iris_store::memory::{Landing, Operation};
use iris_store::{Doubt, StoreError};
use iris_types::ErrorCode;
use iris_types::request::Answer;
use iris_worker::{Input, StopReason, WorkerLimits};

use crate::world::*;

#[test]
fn an_append_in_doubt_is_resolved_never_replaced() {
    for landing in [Landing::Landed, Landing::Late, Landing::Lost] {
        let mut world = World::new(1, WorkerLimits::default());
        world.send("a", "b", "1");
        world.engine.doubt_next_append(landing, Doubt::NoAnswer);
        let id = world.id();
        let first = world.begin("a", message(id, "b", "2"));
        world.run();
        world.send("a", "b", "3");
        assert_eq!(sent(world.answer(first).unwrap()).unwrap().seq.0, 2, "{landing:?}");
        world.restart();
        let texts: Vec<_> = world.history("a", "b", 9).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["1", "2", "3"], "{landing:?}");
    }
}

#[test]
fn without_room_the_identical_chunk_is_repeated_and_reads_work() {
    let mut world = World::new(1, WorkerLimits::default());
    world.attach("b");
    world.send("a", "b", "1");
    world.tell_all(|| Input::SafeMode(true));
    let id = world.id();
    assert_eq!(world.send_as("a", message(id, "b", "x")), Err(ErrorCode::StorageFull));
    world.tell_all(|| Input::SafeMode(false));
    world.engine.doubt_next_append(Landing::Lost, Doubt::NoSpace);
    let id = world.id();
    let waiting = world.begin("a", message(id, "b", "2"));
    world.run();
    assert_eq!(world.answer(waiting), None);
    let other = world.id();
    assert_eq!(world.send_as("a", message(other, "b", "x")), Err(ErrorCode::StorageFull));
    assert_eq!(world.inbox("b", 0).1.len(), 1);
    assert_eq!(world.history("b", "a", 9).len(), 1);
    // A login that needs nothing written works, too; others are told why not.
    let mut login = world.login("b", "d");
    login.at.0 -= 1;
    assert_eq!(refused(world.attach_as(session("b"), login)), Some(ErrorCode::StaleTimestamp));
    world.now += 2;
    let mut login = world.login("b", "d");
    login.at.0 -= 1;
    assert_eq!(refused(world.attach_as(session("b"), login)), None);
    assert_eq!(refused(world.attach("b")), Some(ErrorCode::StaleTimestamp));
    assert_eq!(refused(world.attach("new")), Some(ErrorCode::StorageFull));
    assert!(
        matches!(world.attach("a"), Answer::Refused { .. } | Answer::Attached(_)) || world.answers.is_empty()
    );
    world.tell_all(|| Input::SafeMode(false));
    assert_eq!(sent(world.answer(waiting).unwrap()).unwrap().seq.0, 2);
    assert_eq!(world.send("a", "b", "3").seq.0, 3);
}

#[test]
fn after_a_failed_flush_of_the_log_nothing_leaves() {
    let mut world = World::new(1, WorkerLimits::default());
    world.attach("b");
    world.engine.doubt_next_append(Landing::Landed, Doubt::Poisoned("EIO".to_owned()));
    let id = world.id();
    let request = world.begin("a", message(id, "b", "1"));
    world.run();
    assert_eq!(world.stops, [StopReason::Poisoned("EIO".to_owned())]);
    assert_eq!((world.answer(request), world.pushes.len()), (None, 0));
    let id = world.id();
    let request = world.begin("a", message(id, "b", "2"));
    world.run();
    assert_eq!(world.answer(request), None);
    world.stops.clear();
    // It did land: the next start decides, and a retry gets its seq.
    world.restart();
    assert_eq!(world.history("a", "b", 9).len(), 1);
}

#[test]
fn a_flush_that_fails_is_repeated() {
    for operation in [Operation::PutRuns, Operation::CompareAndSet, Operation::Trim, Operation::DropRuns] {
        // Nothing is flushed before `settle`, so that there is something to fail.
        let limits = WorkerLimits { flush_bytes: 1 << 20, ..small() };
        let mut world = World::new(1, limits);
        for round in 0..5 {
            for _ in 0..20 {
                world.send("a", "b", "x");
            }
            world.engine.fail_next(operation, StoreError::Io("gone".to_owned()));
            world.settle();
            if round == 3 {
                world.restart();
            }
        }
        world.settle();
        assert_eq!(world.stops, [], "{operation:?}");
        assert_eq!(world.history("a", "b", 100).len(), 100);
        assert_eq!(world.statistics(|statistics| statistics.dirty_bytes), 0, "{operation:?}");
        world.restart();
        assert_eq!(world.inbox("b", 0).1.len(), 100);
    }
}

#[test]
fn a_late_look_up_is_no_answer_for_another_send() {
    let mut world = World::new(1, small());
    let (one, two) = (world.id(), world.id());
    world.send_as("a", message(one, "b", "1")).unwrap();
    world.send_as("a", message(two, "b", "2")).unwrap();
    let others: Vec<String> = (0..31).map(|index| format!("u{index}")).collect();
    for other in &others {
        world.send("a", other, "x");
    }
    world.settle();
    world.restart();
    world.cache = iris_worker::SharedCache::new(0);
    world.hold = vec!["load"];
    // One call has the conversation in its last place, the next one the look-up.
    for other in &others {
        let read = iris_types::request::Request::ReadInbox { after: iris_types::Offset(0) };
        world.request(0, other, read);
    }
    let first = world.begin("a", message(one, "b", "1"));
    world.run();
    let held = std::mem::take(&mut world.held);
    let [(_, conversation, work), (_, look_up, late)] = <[_; 2]>::try_from(held).unwrap();
    (0..32).for_each(|_| world.engine.fail_next(Operation::GetBlock, StoreError::Io("gone".to_owned())));
    world.finish(0, conversation, work);
    world.run();
    assert_eq!(sent(world.answer(first).unwrap()), Err(ErrorCode::Unavailable));
    let second = world.begin("a", message(two, "b", "2"));
    world.run();
    world.finish(0, look_up, late);
    world.release();
    assert_eq!(sent(world.answer(second).unwrap()).unwrap().seq.0, 2);
}

#[test]
fn a_directory_changed_by_others_ends_the_worker() {
    let mut world = World::new(1, small());
    world.send("a", "b", "x");
    let old = std::mem::take(&mut world.workers);
    world.start(1);
    world.workers = old;
    world.settle();
    assert!(
        matches!(world.stops.as_slice(), [StopReason::Superseded { .. } | StopReason::Sealed]),
        "{:?}",
        world.stops
    );
}

#[test]
fn garbage_that_could_not_be_dropped_is_dropped_later() {
    let mut world = World::new(1, small());
    let runs = |world: &World| iris_store::Runs::list(&world.engine).unwrap().len();
    world.engine.fail_next(Operation::DropRuns, StoreError::Io("gone".to_owned()));
    while world.statistics(|statistics| statistics.merges) == 0 {
        world.send("a", "b", "x");
        world.pass(60_000);
    }
    (0..60).for_each(|_| world.pass(10_000));
    let before = runs(&world);
    world.restart();
    world.settle();
    // A start drops what no manifest names.
    assert_eq!(runs(&world), before, "garbage was left");
}

#[test]
fn a_store_that_is_poisoned_when_garbage_goes_ends_the_worker() {
    let mut world = World::new(1, small());
    world.engine.fail_next(Operation::DropRuns, StoreError::Poisoned("EIO".to_owned()));
    for _ in 0..40 {
        if !world.stops.is_empty() {
            break;
        }
        let id = world.id();
        world.begin("a", message(id, "b", "x"));
        world.run();
        world.pass(60_000);
    }
    assert_eq!(world.stops, [StopReason::Poisoned("EIO".to_owned())]);
}

#[test]
fn acknowledgements_wait_in_peace_for_room_in_the_log() {
    let limits = WorkerLimits { gathered_bytes_max: 2_000, ..WorkerLimits::default() };
    let mut world = World::new(1, limits);
    world.attach("b");
    world.send("a", "b", "x");
    world.hold = vec!["append"];
    while !world.workers[0].is_pressed() {
        let id = world.id();
        world.begin("a", message(id, "b", &"x".repeat(300)));
        world.run();
    }
    world.acknowledge("b", 1);
    // A worker whose deadline stays in the past would turn without end: the world looks at that.
    world.pass(limits.acknowledge_interval_ms);
    world.release();
    world.settle();
    world.restart();
    assert!(matches!(world.attach("b"), Answer::Attached(attached) if attached.cursor.0 == 1));
}
