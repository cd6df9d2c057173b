//! What is kept of groups: in memory, in memory tables, in runs.

use iris_types::{Policy, Role, Target};
use iris_worker::WorkerLimits;

use crate::groups::{names, received, refs, roster};
use crate::world::*;

const ADDS: Policy = Policy::ADMINS_ADD;

/// The same changes, with flushes, evictions and restarts in between or without.
#[test]
fn a_roster_is_the_same_from_memory_and_from_runs() {
    let mut rosters = Vec::new();
    for (limits, flushes, restarts) in [
        (WorkerLimits::default(), false, false),
        (small(), false, false),
        (small(), true, false),
        (small(), true, true),
        (WorkerLimits::default(), false, true),
    ] {
        let mut world = World::new(1, limits);
        let names = names(40);
        let group = world.group("o", ADDS, &refs(&names));
        for (index, name) in names.iter().enumerate() {
            let change = match index % 5 {
                0 => format!("remove {name}"),
                1 => format!("role {name} admin"),
                2 => format!("invite new{name}"),
                3 => format!("add late{name}"),
                _ => "rename other".to_owned(),
            };
            world.change("o", group, &change);
            world.say("o", group, &change).unwrap();
            // Others, so that the group is dropped from memory where that is small.
            world.send(name, "somebody", "x");
            if flushes && index % 6 == 0 {
                world.settle();
            }
            if restarts && index % 7 == 0 {
                world.restart();
            }
        }
        for name in names.iter().step_by(10) {
            world.change("o", group, &format!("add {name}"));
        }
        let history = world.history_of("o", Target::Group(group), 50).len();
        let received = received(&mut world, &names[10]).len();
        rosters.push((roster(&mut world, "o", group, 7), history, received));
    }
    let first = rosters.remove(0);
    assert_eq!(first.0.len(), 1 + 40 - 8 + 8 + 8 + 4);
    assert_eq!(first.0.iter().filter(|(_, role)| *role == Some(Role::Admin)).count(), 8);
    for other in rosters {
        assert_eq!(other, first);
    }
}

#[test]
fn rosters_count_where_memory_is_bounded() {
    let limits = WorkerLimits { state_cache_bytes: 200_000, ..WorkerLimits::default() };
    let mut world = World::new(1, limits);
    let names = names(100);
    let mut groups = Vec::new();
    for index in 0..40 {
        groups.push(world.group(&names[index], ADDS, &refs(&names)));
        world.pass(10);
    }
    let bytes = |world: &World| world.statistics(|statistics| statistics.state_bytes);
    assert!(bytes(&world) < 300_000, "{}", bytes(&world));
    for (index, group) in groups.iter().enumerate() {
        world.say(&names[index], *group, "x").unwrap();
        world.pass(10);
    }
    assert!(world.statistics(|statistics| statistics.evictions) > 40);
    assert!(bytes(&world) < 300_000, "{}", bytes(&world));
    assert_eq!(received(&mut world, &names[99]).len(), 80);
}

#[test]
fn many_groups_take_no_more_of_a_users_memory_than_few() {
    let mut world = World::new(1, WorkerLimits::default());
    world.attach("a");
    let mut last = None;
    for index in 0..200 {
        last = Some(world.group(&format!("o{index}"), ADDS, &["a"]));
    }
    // Lines begun by others are forgotten like those that were asked for; what is asked is right either way.
    assert_eq!(world.list("a", 100).len(), 200);
    assert!(world.list("a", 100).iter().all(|one| (one.read.0, one.unread) == (0, 1)));
    world.say("a", last.unwrap(), "x").unwrap();
    let of_last = world.list("a", 100).into_iter().find(|one| Some(one.conversation) == last).unwrap();
    assert_eq!((of_last.unread, of_last.last_seq.0), (1, 2));
}
