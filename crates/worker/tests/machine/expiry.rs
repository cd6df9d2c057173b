use iris_store::{Runs, StoreError};
use iris_types::RunName;
use iris_types::limits::EXPIRY_START_CAUTION_MS;

use crate::world::*;

fn names(world: &World) -> std::collections::BTreeSet<RunName> {
    Runs::list(&world.engine).unwrap().into_iter().map(|run| run.name).collect()
}

/// Everybody gets old entries, in runs.
fn old_entries(world: &mut World) -> Vec<String> {
    let users: Vec<String> = (0..24).map(|index| format!("user{index}")).collect();
    for user in &users {
        for _ in 0..5 {
            world.send("a", user, "old");
        }
    }
    world.settle();
    users
}

#[test]
fn an_inbox_that_cannot_be_read_does_not_stop_the_expiry_of_others() {
    let mut world = World::new(1, small());
    let users = old_entries(&mut world);
    // The first run that the expiry reads.
    world.hold = vec!["expire"];
    world.pass(31 * DAY);
    let before = names(&world);
    let corrupt = StoreError::Corrupt { what: "rot".to_owned() };
    world.engine.fail_next(iris_store::memory::Operation::GetBlock, corrupt);
    world.release();
    let told = |world: &mut World| users.iter().filter(|user| world.inbox(user, 0).0 == Some((1, 5))).count();
    let told_first = told(&mut world);
    assert!((12..users.len()).contains(&told_first), "{told_first} of {}", users.len());
    assert!(names(&world).len() < before.len());
    // The day after, the others go on expiring; what could not be read is kept.
    for user in &users {
        world.send("a", user, "young");
    }
    world.settle();
    world.pass(31 * DAY);
    let young = users.iter().filter(|user| world.inbox(user, 0).0 == Some((1, 6))).count();
    assert_eq!(young, users.len(), "a window that is unreadable blocks another");
}

#[test]
fn an_expiry_that_fails_is_repeated() {
    let mut world = World::new(1, small());
    let users = old_entries(&mut world);
    world.hold = vec!["expire"];
    world.pass(31 * DAY);
    world.engine.fail_next(iris_store::memory::Operation::GetBlock, StoreError::Io("gone".to_owned()));
    world.release();
    for operation in [iris_store::memory::Operation::PutRuns, iris_store::memory::Operation::CompareAndSet] {
        world.engine.fail_next(operation, StoreError::Io("gone".to_owned()));
        world.pass(10_000);
    }
    world.settle();
    for user in &users {
        assert_eq!(world.inbox(user, 0), (Some((1, 5)), vec![]), "{user}");
    }
}

#[test]
fn while_one_vnode_expires_others_are_flushed() {
    let mut world = World::new(1, small());
    for _ in 0..5 {
        world.send("a", "a", "old");
    }
    world.settle();
    world.hold = vec!["expire"];
    world.pass(31 * DAY);
    assert_eq!(world.held.len(), 1);
    let flushes = |world: &World| world.statistics(|statistics| statistics.flushes);
    let before = flushes(&world);
    let others: Vec<String> = (0..24).map(|index| format!("user{index}")).collect();
    for user in &others {
        world.send(user, user, "young");
    }
    world.send("a", "a", "young");
    world.settle();
    assert!(flushes(&world) > before, "a flush waits for the expiry of another vnode");
    assert!(world.statistics(|statistics| statistics.dirty_bytes) > 0, "trimmed-to is written twice at once");
    world.release();
    world.settle();
    assert_eq!(world.statistics(|statistics| statistics.dirty_bytes), 0);
    assert_eq!(world.inbox("a", 0), (Some((1, 5)), vec![(6, "young".to_owned())]));
}

/// How many entries an inbox still has.
fn entries(world: &mut World, user: &str) -> usize {
    world.inbox(user, 0).1.len()
}

#[test]
fn nothing_expires_by_a_clock_that_is_set_right_again() {
    let mut world = World::new(1, small());
    let users = old_entries(&mut world);
    for restarts in [false, true] {
        world.now += 31 * DAY;
        if restarts {
            world.restart();
        }
        // A server that was off for days has entries that are over, so a start leaves less time.
        for _ in 0..5 {
            world.pass(if restarts { 1_000 } else { 600_000 });
        }
        assert_eq!(entries(&mut world, &users[0]), 5, "expired by a clock that had just jumped");
        world.now -= 31 * DAY;
        world.pass(3_600_000);
        world.settle();
        assert_eq!(entries(&mut world, &users[0]), 5);
    }
    // A jump just now says nothing good about the one before.
    for _ in 0..3 {
        world.now += 31 * DAY;
        world.pass(3_000_000);
        assert_eq!(entries(&mut world, &users[0]), 5);
    }
}

#[test]
fn what_is_over_expires_when_the_clock_stays_as_it_is() {
    for restarts in [false, true] {
        let mut world = World::new(1, small());
        let users = old_entries(&mut world);
        world.now += 31 * DAY;
        if restarts {
            world.restart();
        }
        world.pass(10_000);
        world.pass(if restarts { EXPIRY_START_CAUTION_MS } else { small().expiry_caution_ms });
        world.settle();
        for user in &users {
            assert_eq!(world.inbox(user, 0), (Some((1, 5)), vec![]), "{user}");
        }
    }
}
