//! Messages between devices: once each, in order, whatever breaks on the way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod world;

use std::collections::BTreeSet;

use iris_client_core::{ClientEvent, Mark};
use iris_protocol::Versions;
use iris_types::limits::{ACKNOWLEDGE_DELAY_MS, UNREPORTED_ENTRIES_MAX};
use iris_types::request::SendMessage;
use iris_types::{MessageId, Offset, Timestamp};
use world::{Death, START, World, message, seed, text, user};

const VERSIONS: [(Versions, Versions); 3] =
    [(Versions::ALL, Versions::ALL), (Versions::ALL, Versions::ONLY_1), (Versions::ONLY_1, Versions::ALL)];

/// Events that the application acted on and whose word can be missing in the database when it dies.
const REPEATS_MAX: usize = 9;

/// Alice on two devices and bob on one write to each other; carol is away until the end.
fn conversation(mut prepare: impl FnMut(&mut World), versions: (Versions, Versions)) -> World {
    let mut world = World::new(versions.1);
    let alice = world.add_with("alice", "laptop", versions.0);
    let phone = world.add_with("alice", "phone", versions.0);
    let bob = world.add_with("bob", "laptop", versions.0);
    prepare(&mut world);
    for round in 0..3 {
        world.send(alice, message("bob", &format!("a{round}")));
        world.send(alice, message("carol", &format!("c{round}")));
        world.send(bob, message("alice", &format!("b{round}")));
        world.send(phone, message("bob", &format!("p{round}")));
        if round == 0 {
            world.drain();
        }
    }
    world.settle();
    world
}

/// Every message is where it belongs, once and in the order of its conversation, with one id.
fn check(world: &World, repeats_allowed: usize) {
    let with_bob: Vec<String> =
        world.server.history_of(&user("alice"), &user("bob")).iter().map(line).collect();
    assert_eq!(with_bob.len(), 9, "each message has one seq: {with_bob:?}");
    for writer in ["a", "b", "p"] {
        let own: Vec<_> = with_bob.iter().filter(|line| line.contains(&format!(": {writer}"))).collect();
        assert!(own.is_sorted(), "the order of one device: {own:?}");
    }
    assert_eq!(world.server.history_of(&user("alice"), &user("carol")).len(), 3);
    let mut repeats = 0;
    for (at, own) in [(0, vec![": a", ": c"]), (1, vec![": p"]), (2, vec![": b"])] {
        let device = &world.devices[at];
        let mut shown = device.shown();
        let before = shown.len();
        let mut seen = BTreeSet::new();
        shown.retain(|line| seen.insert(line.clone()));
        repeats += before - shown.len();
        let with_bob_shown: Vec<_> = shown.iter().filter(|line| !line.contains(": c")).cloned().collect();
        let others = |line: &&String| !own.iter().any(|own| line.contains(own));
        let expected: Vec<String> = with_bob.iter().filter(others).cloned().collect();
        assert_eq!(with_bob_shown, expected, "device {at}");
        assert_eq!(device.core.unsettled(), 0);
        let numbers: Vec<_> = device.outcomes().into_iter().map(|(number, _)| number).collect();
        let distinct: BTreeSet<_> = numbers.iter().collect();
        repeats += numbers.len() - distinct.len();
        assert_eq!(distinct.len(), [6, 3, 3][at], "every send is reported");
        assert!(
            device.database.restored().unsent.is_empty() && device.database.restored().settled.is_empty()
        );
    }
    assert!(repeats <= repeats_allowed, "{repeats} repeats");
}

fn line(entry: &iris_types::HistoryEntry) -> String {
    format!("{}: {}", entry.from, entry.body.as_text().unwrap_or("?"))
}

#[test]
fn devices_of_all_versions_talk() {
    for versions in VERSIONS {
        for hides_offsets in [false, true] {
            check(&conversation(|world| world.server.hides_offsets = hides_offsets, versions), 0);
        }
    }
}

#[test]
fn a_connection_may_break_anywhere() {
    for versions in VERSIONS {
        let whole = conversation(|_| {}, versions).carried;
        // Every byte takes a minute; each seed takes another part of them.
        for cut_after in (seed() as usize % 13..whole).step_by(13) {
            let world = conversation(|world| world.cut_after = Some(cut_after), versions);
            check(&world, 0);
        }
    }
}

#[test]
fn an_application_may_die_at_every_store() {
    for (at, death) in [0, 1, 2].into_iter().flat_map(|at| {
        let deaths: [fn(usize) -> Death; 2] = [Death::BeforeStore, Death::AfterStore];
        deaths.into_iter().map(move |death| (at, death))
    }) {
        let mut died = 0;
        for number in 1..100 {
            let world = conversation_over_death(at, death(number));
            died += world.devices[at].deaths;
            check(&world, REPEATS_MAX);
            if world.devices[at].deaths == 0 {
                break;
            }
        }
        assert!(died > 5, "device {at} died {died} times");
    }
}

#[test]
fn an_application_that_dies_over_an_event_gets_again_only_what_it_had_no_word_stored_for() {
    for at in [0, 1, 2] {
        let mut died = 0;
        for number in 1..100 {
            let world = conversation_over_death(at, Death::AfterEvent(number));
            died += world.devices[at].deaths;
            // One turn's events are given together, so the word for all of them was missing.
            check(&world, REPEATS_MAX);
            if world.devices[at].deaths == 0 {
                break;
            }
        }
        assert!(died > 10, "device {at} died {died} times");
    }
}

/// The same conversation; every send is accepted before anything else happens, so that a death loses none.
fn conversation_over_death(at: usize, death: Death) -> World {
    let mut world = World::new(Versions::ALL);
    let devices = [world.add("alice", "laptop"), world.add("alice", "phone"), world.add("bob", "laptop")];
    let [alice, phone, bob] = devices;
    world.is_down = true;
    for round in 0..3 {
        world.send(alice, message("bob", &format!("a{round}")));
        world.send(alice, message("carol", &format!("c{round}")));
        world.send(bob, message("alice", &format!("b{round}")));
        world.send(phone, message("bob", &format!("p{round}")));
    }
    world.drain();
    assert!(
        devices.iter().all(|at| world.devices[*at].count(|e| matches!(e, ClientEvent::Accepted { .. })) >= 3)
    );
    world.is_down = false;
    let shift = |seen: usize, number: usize| seen + number;
    world.devices[at].dies = Some(match death {
        Death::BeforeStore(number) => Death::BeforeStore(shift(world.devices[at].stores_seen(), number)),
        Death::AfterStore(number) => Death::AfterStore(shift(world.devices[at].stores_seen(), number)),
        Death::AfterEvent(number) => Death::AfterEvent(shift(world.devices[at].events_seen(), number)),
    });
    world.settle();
    world
}

#[test]
fn nothing_is_acknowledged_before_it_is_stored() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    world.devices[alice].holds_stores = true;
    for number in 0..4 {
        arrive(&mut world, number);
    }
    world.drain();
    assert_eq!(world.server.acknowledged, []);
    assert_eq!(world.devices[alice].shown(), [] as [&str; 0], "and not shown either");
    world.devices[alice].holds_stores = false;
    world.drain();
    assert_eq!(world.devices[alice].shown().len(), 4);
    world.run_for_ms(ACKNOWLEDGE_DELAY_MS);
    let cursor = world.server.acknowledged.last().unwrap().1;
    assert_eq!(cursor, Offset(4));
}

#[test]
fn a_live_device_gathers_acknowledgements_and_sends_them_along() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    for number in 0..4 {
        arrive(&mut world, number);
        world.run_for_ms(ACKNOWLEDGE_DELAY_MS / 8);
    }
    assert_eq!(world.server.acknowledged, [], "something may come along");
    world.run_for_ms(ACKNOWLEDGE_DELAY_MS);
    assert_eq!(world.server.acknowledged.len(), 1);
    arrive(&mut world, 4);
    world.run_for_ms(ACKNOWLEDGE_DELAY_MS / 8);
    world.send(alice, message("bob", "goes to the server anyway"));
    world.run_for_ms(ACKNOWLEDGE_DELAY_MS / 8);
    assert_eq!(world.server.acknowledged.last().unwrap().1, Offset(5));
}

#[test]
fn a_gap_is_told_once_and_what_follows_comes() {
    for versions in VERSIONS {
        let mut world = World::new(versions.1);
        for number in 0..10 {
            arrive(&mut world, number);
        }
        world.server.trimmed_to.insert(user("alice"), 4);
        let alice = world.add_with("alice", "laptop", versions.0);
        world.settle();
        let lines = world.devices[alice].shown();
        assert_eq!(lines[0], "gap 1-4");
        assert_eq!(lines[1..], (4..10).map(|number| format!("bob: m{number}")).collect::<Vec<_>>());
        assert_eq!(world.devices[alice].count(|event| matches!(event, ClientEvent::Synced)), 1);
        world.restart(alice);
        world.settle();
        assert_eq!(world.devices[alice].shown().len(), 7, "and not again after a restart");
    }
}

#[test]
fn what_the_application_did_not_take_comes_again_after_a_restart() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.devices[alice].takes = false;
    for number in 0..3 {
        arrive(&mut world, number);
    }
    world.settle();
    assert_eq!(world.devices[alice].shown(), ["bob: m0", "bob: m1", "bob: m2"]);
    world.devices[alice].take(Mark::Entries(Offset(2)));
    world.settle();
    world.devices[alice].events.clear();
    world.restart(alice);
    world.settle();
    assert_eq!(world.devices[alice].shown(), ["bob: m2"]);
}

#[test]
fn an_application_that_does_not_take_stops_the_server_and_goes_on_when_it_does() {
    let mut world = World::new(Versions::ALL);
    world.server.page_items = 256;
    let alice = world.add("alice", "laptop");
    world.settle();
    world.devices[alice].takes = false;
    let total = 3 * UNREPORTED_ENTRIES_MAX as u64;
    for number in 0..total {
        arrive(&mut world, number);
        if number % 512 == 0 {
            world.drain();
        }
    }
    world.drain();
    let given = world.devices[alice].shown().len();
    assert!(given > UNREPORTED_ENTRIES_MAX && given < total as usize, "{given} given");
    world.devices[alice].takes = true;
    let last = world.devices[alice].cursor();
    world.devices[alice].take(Mark::Entries(last));
    world.settle();
    let expected: Vec<_> = (0..total).map(|number| format!("bob: m{number}")).collect();
    assert_eq!(world.devices[alice].shown(), expected);
}

/// Bob, who has no device in this world, writes to alice.
fn arrive(world: &mut World, number: u64) {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let id = MessageId::from_parts(Timestamp(START), random);
    let send =
        SendMessage { id, to: user("alice").into(), previous: None, body: text(&format!("m{number}")) };
    let (_, pushes) = world.server.commit(&user("bob"), None, &send);
    world.push(&pushes);
}
