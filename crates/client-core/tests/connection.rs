//! The connection's life and the questions asked over it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

mod world;

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use iris_client_core::{ClientEvent, HistoryQuestion, QueryError, QueryNumber};
use iris_protocol::{DrainHint, Versions};
use iris_types::limits::{LOGIN_REPEATS_MAX, PING_INTERVAL_MS, QUERIES_MAX};
use iris_types::request::{HistoryFrom, SendMessage};
use iris_types::{ErrorCode, MessageId, Refusal, Seq, Timestamp};
use world::{START, World, message, text, user};

fn connected() -> (World, usize) {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    (world, alice)
}

#[test]
fn ready_and_synced_come_once_per_connection_and_the_loss_once_per_outage() {
    let (mut world, alice) = connected();
    for _ in 0..3 {
        world.is_down = true;
        world.disconnect(alice);
        world.drain();
        for _ in 0..4 {
            let at = world.devices[alice].core.deadline();
            assert_eq!(at, None, "only the driver knows when to connect");
            world.pass_ms(60_000);
            world.drain();
        }
        world.is_down = false;
        world.settle();
    }
    let device = &world.devices[alice];
    assert_eq!(device.count(|event| matches!(event, ClientEvent::Ready)), 4);
    assert_eq!(device.count(|event| matches!(event, ClientEvent::Synced)), 4);
    assert_eq!(device.count(|event| matches!(event, ClientEvent::Disconnected)), 3);
    assert_eq!(world.nonces.iter().collect::<BTreeSet<_>>().len(), world.nonces.len(), "no nonce twice");
}

#[test]
fn what_cannot_succeed_is_not_tried_again() {
    for code in [
        ErrorCode::BadToken,
        ErrorCode::TokenRevoked,
        ErrorCode::Replaced,
        ErrorCode::InvalidName,
        ErrorCode::TooManyDevices,
        ErrorCode::DeviceRevoked,
        ErrorCode::UnsupportedVersion,
    ] {
        for live in [false, true] {
            let mut world = World::new(Versions::ALL);
            let alice = world.add("alice", "laptop");
            if live {
                world.settle();
                world.server_says(alice, |connection| connection.close(code));
            } else {
                world.refuse_logins.push_back(code.into());
            }
            world.run_until(|world| world.devices[0].core.is_stopped());
            world.drain();
            let device = &world.devices[alice];
            assert_eq!(device.connections, 1);
            assert_eq!(device.count(|event| *event == ClientEvent::Stopped(code.into())), 1);
            assert_eq!(device.core.deadline(), None);
        }
    }
}

#[test]
fn what_may_pass_is_tried_again_after_a_while() {
    let refusals = [ErrorCode::TokenExpired, ErrorCode::Busy, ErrorCode::Unavailable, ErrorCode::DataCorrupt];
    for code in refusals {
        let mut world = World::new(Versions::ALL);
        let alice = world.add("alice", "laptop");
        world.refuse_logins.extend([Refusal::after(code, 2_000), Refusal::after(code, 2_000)]);
        world.settle();
        assert!(world.now.0 >= 4_000);
        assert_eq!(world.devices[alice].connections, 3);
        assert_eq!(world.devices[alice].count(|event| matches!(event, ClientEvent::Refused(_))), 2);
    }
}

#[test]
fn a_wrong_clock_is_corrected_at_once() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.devices[alice].skew_ms = 3_600_000;
    world.refuse_logins.push_back(ErrorCode::StaleTimestamp.into());
    world.settle();
    assert_eq!(world.now.0, 0, "without waiting");
    assert_eq!(world.login_times, [Timestamp(START + 3_600_000), Timestamp(START)]);
    assert_eq!(world.devices[alice].connections, 2);
}

#[test]
fn logins_are_not_repeated_at_once_for_ever() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.refuse_logins.extend((0..10).map(|_| Refusal::from(ErrorCode::NonceReplayed)));
    world.settle();
    assert!(world.now.0 > 0, "after {LOGIN_REPEATS_MAX} it waits");
    assert_eq!(world.devices[alice].connections, 11);
}

#[test]
fn a_draining_server_is_left_at_the_time_it_names() {
    let (mut world, alice) = connected();
    let hint = DrainHint { reconnect_after_ms: 5_000, jitter_ms: 1_000 };
    world.server_says(alice, |connection| connection.drain(hint));
    world.drain();
    let before = world.now;
    world.send(alice, message("bob", "hello"));
    world.settle();
    let waited = world.now.millis_since(before);
    assert!((5_000..=6_000).contains(&waited), "{waited}");
    assert_eq!(world.devices[alice].connections, 2);
    assert_eq!(world.devices[alice].seqs_sent(), [Seq(1)]);
}

#[test]
fn a_cursor_ahead_of_the_log_stops_the_device() {
    let (mut world, alice) = connected();
    world.devices[alice]
        .database
        .apply(vec![iris_client_core::StoreOperation::SetCursor(iris_types::Offset(9))]);
    world.restart(alice);
    world.run_until(|world| world.devices[0].core.is_stopped());
    world.drain();
    let stopped = ClientEvent::Stopped(ErrorCode::CursorAhead.into());
    assert_eq!(world.devices[alice].events.last(), Some(&stopped));
}

#[test]
fn a_quiet_connection_is_kept_alive() {
    let (mut world, alice) = connected();
    let carried = world.carried;
    let end = world.now.plus_millis(10 * PING_INTERVAL_MS);
    world.run_until(|world| world.now >= end);
    assert_eq!(world.devices[alice].connections, 1);
    assert!(world.carried > carried);
}

#[test]
fn a_new_database_of_an_old_device_gets_everything_again() {
    let (mut world, alice) = connected();
    fill(&mut world, 10);
    world.settle();
    assert_eq!(world.devices[alice].shown().len(), 10);
    world.devices[alice].database = iris_client_core::MemoryDatabase::default();
    world.devices[alice].events.clear();
    world.restart(alice);
    world.settle();
    assert_eq!(world.devices[alice].shown().len(), 10);
}

/// Bob writes to alice.
fn fill(world: &mut World, count: u64) {
    for number in 0..count {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        let id = MessageId::from_parts(Timestamp(START), random);
        let send =
            SendMessage { id, to: user("alice").into(), previous: None, body: text(&number.to_string()) };
        let (_, pushes) = world.server.commit(&user("bob"), None, &send);
        world.push(&pushes);
    }
}

fn ask(world: &mut World, at: usize, from: HistoryFrom, limit: u64) -> QueryNumber {
    let limit = NonZeroU64::new(limit).unwrap();
    world.devices[at].core.history(HistoryQuestion { with: user("bob").into(), from, limit }).unwrap()
}

/// The seqs given for a question, and the end that was told.
fn answer(world: &World, at: usize, number: QueryNumber) -> (Vec<u64>, Option<(u64, bool)>) {
    let mut seqs = Vec::new();
    let mut end = None;
    for event in &world.devices[at].events {
        match event {
            ClientEvent::HistoryPage { query, entries, .. } if *query == number => {
                assert_eq!(end, None);
                seqs.extend(entries.iter().map(|entry| entry.seq.0));
            }
            ClientEvent::HistoryEnd { query, count, more, .. } if *query == number => {
                assert_eq!(end.replace((*count, *more)), None, "one end");
            }
            _ => {}
        }
    }
    (seqs, end)
}

#[test]
fn history_is_paged_to_any_length_in_both_directions() {
    let (mut world, alice) = connected();
    fill(&mut world, 20);
    use HistoryFrom::{After, Before, Latest};
    for (from, limit, first, last, more) in [
        (Latest, 1, 20, 20, true),
        (Latest, 3, 18, 20, true),
        (Latest, 7, 14, 20, true),
        (Latest, 20, 1, 20, false),
        (Latest, u64::MAX, 1, 20, false),
        (Before(Seq(15)), 2, 13, 14, true),
        (Before(Seq(15)), 14, 1, 14, false),
        (Before(Seq(15)), 10, 5, 14, true),
        (Before(Seq(99)), 4, 17, 20, true),
        (After(Seq(0)), 20, 1, 20, false),
        (After(Seq(0)), 5, 1, 5, true),
        (After(Seq(17)), 50, 18, 20, false),
        (After(Seq(12)), 8, 13, 20, false),
    ] {
        let number = ask(&mut world, alice, from, limit);
        world.settle();
        let (seqs, end) = answer(&world, alice, number);
        assert_eq!(seqs, (first..=last).collect::<Vec<u64>>(), "{from:?} {limit}");
        assert_eq!(end, Some((last - first + 1, more)), "{from:?} {limit}");
    }
    for from in [After(Seq(20)), Before(Seq(1))] {
        let number = ask(&mut world, alice, from, 5);
        world.settle();
        assert_eq!(answer(&world, alice, number), (vec![], Some((0, false))));
    }
}

#[test]
fn questions_survive_lost_connections_and_refusals() {
    for cut in (0..600).step_by(20) {
        let (mut world, alice) = connected();
        fill(&mut world, 20);
        world.settle();
        world.server.refuse_reads.extend([ErrorCode::Busy, ErrorCode::Unavailable].map(Refusal::from));
        let history = ask(&mut world, alice, HistoryFrom::Latest, 20);
        let list = world.devices[alice].core.conversations().unwrap();
        world.cut_after = Some(world.carried + cut);
        world.settle();
        assert_eq!(world.cut_after, None, "the connection broke");
        assert_eq!(answer(&world, alice, history), ((1..=20).collect(), Some((20, false))));
        let lists =
            |event: &ClientEvent| matches!(event, ClientEvent::Conversations { query, .. } if *query == list);
        assert_eq!(world.devices[alice].count(lists), 1);
    }
}

#[test]
fn the_next_part_is_asked_for_when_the_last_one_is_taken() {
    let (mut world, alice) = connected();
    fill(&mut world, 9);
    world.settle();
    world.devices[alice].takes = false;
    let number = ask(&mut world, alice, HistoryFrom::After(Seq(0)), 9);
    world.drain();
    assert_eq!(answer(&world, alice, number), (vec![1, 2, 3], None));
    world.devices[alice].take(iris_client_core::Mark::Query(number));
    world.drain();
    assert_eq!(answer(&world, alice, number), (vec![1, 2, 3, 4, 5, 6], None));
}

#[test]
fn conversations_come_complete_however_many_pages_they_take() {
    let (mut world, alice) = connected();
    for number in 0..10 {
        world.send(alice, message(&format!("user{number}"), "hello"));
    }
    world.settle();
    let number = world.devices[alice].core.conversations().unwrap();
    world.settle();
    let items = world.devices[alice].events.iter().find_map(|event| match event {
        ClientEvent::Conversations { query, items, next: None } if *query == number => Some(items),
        _ => None,
    });
    let items = items.unwrap();
    assert_eq!(items.len(), 10);
    assert!(items.is_sorted_by_key(|item| item.conversation));
}

#[test]
fn a_question_refused_for_good_is_reported_and_their_number_is_bounded() {
    let (mut world, alice) = connected();
    world.server.refuse_reads.push_back(ErrorCode::NotMember.into());
    let number = ask(&mut world, alice, HistoryFrom::Latest, 20);
    world.settle();
    let failed = ClientEvent::QueryFailed { query: number, refusal: ErrorCode::NotMember.into() };
    assert_eq!(world.devices[alice].events.last(), Some(&failed));
    let core = &mut world.devices[alice].core;
    for _ in 0..QUERIES_MAX {
        core.conversations().unwrap();
    }
    assert_eq!(core.conversations(), Err(QueryError::TooMany));
}
