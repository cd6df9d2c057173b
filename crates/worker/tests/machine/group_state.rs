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

#[test]
fn what_all_devices_have_of_a_group_is_not_written_and_the_rest_is() {
    for workers in [1, 2] {
        let mut world = World::new(workers, WorkerLimits::default());
        let group = world.group("o", ADDS, &["a", "b"]);
        for name in ["a", "b"] {
            world.attach(name);
        }
        for text in ["2", "3", "4"] {
            world.say("o", group, text).unwrap();
        }
        world.pass(2_000);
        // One has all but the last, the other nothing.
        world.acknowledge("a", 3);
        world.settle();
        for _ in 0..2 {
            let (gap, entries) = world.inbox("a", 0);
            assert_eq!((gap, entries), (Some((1, 3)), vec![(4, "4".to_owned())]), "{workers} workers");
            assert_eq!(world.inbox("b", 0).0, None);
            assert_eq!(received(&mut world, "b"), ["<created>", "2", "3", "4"]);
            world.restart();
        }
        // Everything is elided; the next entry comes behind it, and the list still knows the group.
        world.attach("a");
        world.acknowledge("a", 4);
        world.settle();
        world.restart();
        assert_eq!(world.inbox("a", 4), (None, vec![]));
        assert_eq!(world.list("a", 9).len(), 1);
        world.say("b", group, "5").unwrap();
        world.pass(2_000);
        assert_eq!(world.inbox("a", 4).1, [(5, "5".to_owned())]);
        assert_eq!(world.history_of("a", Target::Group(group), 9).len(), 5);
    }
}

#[test]
fn entries_of_a_group_expire_and_the_group_stays() {
    let mut world = World::new(1, small());
    let group = world.group("o", ADDS, &["a"]);
    for _ in 0..9 {
        world.say("o", group, "old").unwrap();
    }
    world.settle();
    world.pass(20 * DAY);
    world.say("a", group, "young").unwrap();
    world.settle();
    for _ in 0..11 {
        world.pass(DAY);
    }
    world.settle();
    for _ in 0..2 {
        for name in ["a", "o"] {
            assert_eq!(world.inbox(name, 0), (Some((1, 10)), vec![(11, "young".to_owned())]), "{name}");
            assert_eq!(world.history_of(name, Target::Group(group), 50).len(), 11);
        }
        let [line] = <[_; 1]>::try_from(world.list("a", 9)).unwrap();
        assert_eq!((line.last_seq.0, line.unread), (11, 10));
        assert_eq!(roster(&mut world, "a", group, 9).len(), 2);
        world.restart();
    }
    // After everything is gone, everybody goes on where they were.
    world.pass(40 * DAY);
    world.settle();
    world.restart();
    assert_eq!(world.say("a", group, "new").unwrap().seq.0, 12);
    assert_eq!(world.inbox("o", 0), (Some((1, 11)), vec![(12, "new".to_owned())]));
}

/// Ids are known for a week, those of changes, too; then they are refused.
#[test]
fn an_old_change_is_not_made_again() {
    let mut world = World::new(1, small());
    let group = world.group("o", ADDS, &["a"]);
    let (id, change) = (world.id(), change_of("remove a"));
    let remove = iris_types::request::Request::ChangeGroup(iris_types::ChangeGroup { id, group, change });
    assert_eq!(sent(world.ask("o", remove.clone())).unwrap().seq.0, 2);
    world.change("o", group, "add a");
    world.settle();
    world.pass(6 * DAY);
    world.settle();
    assert_eq!(sent(world.ask("o", remove.clone())).unwrap().seq.0, 2);
    for _ in 0..4 {
        world.pass(DAY);
        world.settle();
    }
    world.restart();
    assert_eq!(refused(world.ask("o", remove)), Some(iris_types::ErrorCode::IdTooOld));
    assert_eq!(roster(&mut world, "o", group, 9).len(), 2);
}
