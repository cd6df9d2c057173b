//! MSG-9: what is acknowledged is told to who wrote it, soon, and not more often than it pays.

use iris_types::InboxItem;
use iris_types::limits::{ACKNOWLEDGE_INTERVAL_MS_MAX, ARRIVALS_PER_USER_MAX};
use iris_worker::{Input, WorkerLimits};

use crate::world::{World, message, session};

fn world(workers: u16) -> World {
    let mut world = World::new(workers, WorkerLimits::default());
    world.attach("alice");
    world.attach("bob");
    world
}

/// What alice was told is delivered, since the last time this was asked.
fn delivered(world: &mut World) -> Vec<u64> {
    let pushes = std::mem::take(&mut world.pushes);
    let of = |item: &InboxItem| match item {
        InboxItem::Receipt(receipt) => Some(receipt.marks.delivered.0),
        _ => None,
    };
    pushes.iter().filter(|(to, _)| *to == session("alice")).filter_map(|(_, entry)| of(&entry.item)).collect()
}

#[test]
fn one_receipt_says_it_for_all_messages_of_an_interval() {
    for workers in [1, 2] {
        let mut world = world(workers);
        for _ in 0..3 {
            world.send("alice", "bob", "hello");
        }
        world.acknowledge("bob", 2);
        world.acknowledge("bob", 3);
        assert_eq!(delivered(&mut world), [], "not yet");
        world.pass(WorkerLimits::default().acknowledge_interval_ms);
        assert_eq!(delivered(&mut world), [3]);
    }
}

#[test]
fn more_messages_than_are_known_in_memory_give_their_receipt_too() {
    let mut world = world(1);
    let count = ARRIVALS_PER_USER_MAX as u64 + 10;
    for _ in 0..count {
        world.send("alice", "bob", "hello");
    }
    world.acknowledge("bob", 5);
    world.settle();
    assert_eq!(delivered(&mut world), [5]);
    world.acknowledge("bob", count);
    world.settle();
    assert_eq!(delivered(&mut world).last(), Some(&count));
}

#[test]
fn what_came_before_the_connection_gives_its_receipt_too() {
    let mut world = World::new(1, WorkerLimits::default());
    world.attach("alice");
    world.send("alice", "bob", "hello");
    world.attach("bob");
    world.send("alice", "bob", "are you there?");
    world.acknowledge("bob", 2);
    world.settle();
    assert_eq!(delivered(&mut world), [2]);
}

#[test]
fn of_many_acknowledgements_a_turn_decides_some_and_all_that_are_old() {
    let interval = WorkerLimits::default().acknowledge_interval_ms;
    for (ms, is_all) in [(interval, false), (ACKNOWLEDGE_INTERVAL_MS_MAX, true)] {
        let mut world = World::new(1, WorkerLimits::default());
        world.attach("alice");
        let names: Vec<String> = (0..100).map(|number| format!("bob{number}")).collect();
        for name in &names {
            world.attach(name);
            world.send("alice", name, "hello");
        }
        for name in &names {
            world.acknowledge(name, 1);
        }
        // No commit, so that there is one turn.
        world.hold = vec!["append"];
        let id = world.id();
        world.begin("alice", message(id, "bob0", "hello"));
        world.run();
        (world.now, world.mono) = (world.now + ms, world.mono + ms);
        world.tell(0, Input::Tick);
        assert_eq!(world.workers[0].outputs().count(), 0);
        let has_more = world.workers[0].deadline().is_some_and(|at| at.0 <= world.mono);
        assert_eq!(has_more, !is_all, "after {ms} ms");
        world.release();
        world.pass(interval);
        assert_eq!(delivered(&mut world).len(), 100);
    }
}
