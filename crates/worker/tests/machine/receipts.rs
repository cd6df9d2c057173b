//! MSG-9: what is acknowledged is told to who wrote it, soon, and not more often than it pays.

use iris_types::limits::{ACKNOWLEDGE_INTERVAL_MS_MAX, ARRIVALS_PER_USER_MAX, RECEIPT_INTERVAL_MS};
use iris_types::request::{Answer, MarkRead, Request};
use iris_types::{InboxItem, Seq, Target};
use iris_worker::WorkerLimits;

use crate::world::{World, session, user};

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
fn while_messages_go_on_receipts_come_less_and_less_often() {
    let mut world = world(1);
    let (mut offset, mut given) = (0, Vec::new());
    let begin = world.mono;
    while world.mono - begin < 10_000 {
        world.send("alice", "bob", "hello");
        offset += 1;
        world.acknowledge("bob", offset);
        world.pass(25);
        given.extend(delivered(&mut world).iter().map(|_| world.mono - begin));
    }
    assert_eq!(given[..4], [250, 500, 1_000, 2_000]);
    let longest = given.windows(2).map(|two| two[1] - two[0]).max();
    assert_eq!(longest, Some(ACKNOWLEDGE_INTERVAL_MS_MAX), "{given:?}");
    // After a pause the next one is quick again, and so is what somebody waits for at any time.
    world.pass(3 * ACKNOWLEDGE_INTERVAL_MS_MAX);
    delivered(&mut world);
    for _ in 0..2 {
        world.send("alice", "bob", "hello");
        offset += 1;
        world.acknowledge("bob", offset);
        let read = MarkRead { target: Target::User(user("alice")), up_to: Seq(offset) };
        let asked = world.begin_any("bob", Request::MarkRead(read));
        world.pass(RECEIPT_INTERVAL_MS);
        assert_eq!(world.answer(asked), Some(Answer::Done));
        assert_eq!(delivered(&mut world), [offset]);
    }
}
