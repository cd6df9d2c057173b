use iris_store::Logs;
use iris_types::request::Answer;
use iris_types::{ErrorCode, Offset};
use iris_worker::{Input, WorkerLimits};

use crate::world::*;

fn runs(world: &World) -> usize {
    iris_store::Runs::list(&world.engine).unwrap().len()
}

#[test]
fn memory_becomes_runs_and_runs_are_merged() {
    let mut world = World::new(1, small());
    for index in 0..1_500 {
        world.send("a", &format!("u{}", index % 10), &"x".repeat(100));
        world.pass(100);
    }
    assert!(world.statistics(|statistics| statistics.flushes) > 10);
    assert!(world.statistics(|statistics| statistics.merges) > 3);
    assert!(world.statistics(|statistics| statistics.evictions) > 100);
    assert!(world.statistics(|statistics| statistics.index_bytes) > 1_000);
    world.settle();
    assert!(runs(&world) < 400, "{}", runs(&world));
    assert_eq!(world.statistics(|statistics| statistics.dirty_bytes), 0);
    assert_eq!(world.inbox("a", 0).1.len(), 1_500);
    world.restart();
    assert_eq!(world.inbox("u3", 0).1.len(), 150);
    assert_eq!(world.history("u3", "a", 50).len(), 150);
}

#[test]
fn conversations_are_dropped_although_all_users_are_live() {
    let limits = WorkerLimits { state_cache_bytes: 20_000, ..WorkerLimits::default() };
    let mut world = World::new(1, limits);
    let users: Vec<String> = (0..100).map(|index| format!("u{index}")).collect();
    for user in &users {
        world.attach(user);
    }
    let of_users = world.statistics(|statistics| statistics.state_bytes);
    assert!(of_users > 20_000, "{of_users}");
    for (from, to) in users.iter().zip(users.iter().skip(1)) {
        world.send(from, to, "x");
    }
    world.settle();
    assert!(world.statistics(|statistics| statistics.evictions) >= 90);
    let after = world.statistics(|statistics| statistics.state_bytes);
    assert!(after < of_users + 5_000, "{after}");
    // When they are gone, they are dropped, too.
    for user in &users {
        world.tell_user(user, Input::Detach { session: session(user), user: crate::world::user(user) });
    }
    (0..20).for_each(|_| world.pass(1_000));
    let after = world.statistics(|statistics| statistics.state_bytes);
    assert!(after <= 20_000, "{after}");
}

#[test]
fn the_log_is_trimmed_behind_the_oldest_start() {
    let limits = WorkerLimits { log_tail_bytes_max: 20_000, ..small() };
    let mut world = World::new(1, limits);
    for index in 0..300 {
        world.send("a", &format!("u{}", index % 3), &"x".repeat(300));
    }
    let tail = world.statistics(|statistics| statistics.log_tail_bytes);
    assert!(tail <= 20_000, "{tail}");
    world.restart();
    assert_eq!(world.inbox("a", 0).1.len(), 300);
    let bytes: u64 = Logs::list(&world.engine).unwrap().iter().map(|log| log.bytes).sum();
    assert!(bytes < 100_000, "{bytes}");
}

#[test]
fn what_all_devices_have_is_not_written_and_said_to_be_gone() {
    let mut world = World::new(1, WorkerLimits::default());
    world.attach("b");
    for index in 1..=10 {
        world.send("a", "b", &format!("{index}"));
    }
    world.acknowledge("b", 7);
    world.settle();
    for _ in 0..2 {
        let (gap, entries) = world.inbox("b", 0);
        assert_eq!((gap, entries.len(), entries[0].0), (Some((1, 7)), 3, 8));
        assert_eq!(world.inbox("b", 3).0, Some((4, 7)));
        assert_eq!(world.inbox("b", 7).0, None);
        // The sender never logged in: nothing of theirs is left out. They were told what is delivered.
        let (gap, sent) = world.inbox("a", 0);
        assert_eq!((gap, sent.len(), &sent[10].1[..]), (None, 11, "<receipt>"));
        world.restart();
    }
    // Everything is elided; the head still says how far the log is.
    world.acknowledge("b", 10);
    world.send("a", "b", "11");
    world.acknowledge("b", 11);
    world.settle();
    world.restart();
    assert_eq!(world.inbox("b", 11), (None, vec![]));
    world.send("a", "b", "12");
    assert_eq!(world.inbox("b", 11).1, [(12, "12".to_owned())]);
    assert_eq!(world.history("b", "a", 5).len(), 12);
}

#[test]
fn a_device_without_acknowledgement_keeps_entries() {
    let mut world = World::new(1, WorkerLimits::default());
    world.attach("b");
    let login = world.login("b", "second");
    world.attach_as(session("second"), login);
    for _ in 0..5 {
        world.send("a", "b", "x");
    }
    world.acknowledge("b", 5);
    world.settle();
    assert_eq!(world.inbox("b", 0).0, None);
}

#[test]
fn entries_expire_after_thirty_days_and_the_gap_is_told() {
    let mut world = World::new(1, small());
    world.attach("b");
    for index in 1..=50 {
        world.send("a", "b", &format!("old {index}"));
    }
    world.settle();
    world.pass(20 * DAY);
    for index in 51..=60 {
        world.send("a", "b", &format!("young {index}"));
    }
    world.settle();
    assert_eq!(world.inbox("b", 0).0, None);
    for _ in 0..11 {
        world.pass(DAY);
    }
    world.settle();
    for _ in 0..2 {
        let (gap, entries) = world.inbox("b", 0);
        assert_eq!((gap, entries.len()), (Some((1, 50)), 10));
        assert_eq!(world.inbox("b", 45).0, Some((46, 50)));
        assert_eq!(world.inbox("a", 0).0, Some((1, 50)));
        world.restart();
    }
    // History stays.
    assert_eq!(world.history("b", "a", 100).len(), 60);
    // A start after everything has expired knows where the log was.
    world.pass(40 * DAY);
    world.settle();
    world.restart();
    assert_eq!(world.inbox("b", 0), (Some((1, 60)), vec![]));
    world.send("a", "b", "new");
    assert_eq!(world.inbox("b", 0), (Some((1, 60)), vec![(61, "new".to_owned())]));
}

#[test]
fn a_user_who_comes_while_entries_expire_is_told_of_the_gap() {
    let mut world = World::new(1, small());
    for index in 1..=50 {
        world.send("a", "b", &format!("old {index}"));
    }
    world.settle();
    world.restart();
    // The expired runs are looked through, the directory does not say so yet.
    world.hold = vec!["compare and set"];
    world.pass(31 * DAY);
    world.attach("b");
    world.release();
    assert_eq!(world.inbox("b", 0), (Some((1, 50)), vec![]));
}

#[test]
fn too_much_that_is_not_flushed_slows_the_intake() {
    let limits = WorkerLimits { dirty_bytes_max: 50_000, flush_bytes: 10_000, ..WorkerLimits::default() };
    let mut world = World::new(1, limits);
    world.hold = vec!["flush"];
    let mut last = Ok(());
    for _ in 0..200 {
        let id = world.id();
        last = world.send_as("a", message(id, "b", &"x".repeat(300))).map(drop);
    }
    assert_eq!(last, Err(ErrorCode::Busy));
    assert!(world.statistics(|statistics| statistics.dirty_bytes) < 60_000);
    world.release();
    world.send("a", "b", "there is room");
}

#[test]
fn draining_commits_and_flushes_everything() {
    let mut world = World::new(1, WorkerLimits::default());
    world.attach("b");
    for _ in 0..10 {
        world.send("a", "b", "x");
    }
    world.acknowledge("b", 4);
    world.tell_all(|| Input::Drain);
    assert_eq!(world.drained, 1);
    let id = world.id();
    assert_eq!(world.send_as("a", message(id, "b", "y")), Err(ErrorCode::Draining));
    world.restart();
    let attached = world.attach("b");
    assert!(
        matches!(attached, Answer::Attached(attached) if (attached.cursor, attached.last) == (Offset(4), Offset(10)))
    );
}
