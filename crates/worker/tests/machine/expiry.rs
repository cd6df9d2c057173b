use iris_store::{Runs, StoreError};
use iris_types::RunName;

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
