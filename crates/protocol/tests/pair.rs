//! Both machines together: versions, syncing, pushes, the window, bytes cut anywhere.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod scripted;

use std::sync::Arc;

use iris_protocol::client::ClientEvent;
use iris_protocol::server::ServerConfig;
use iris_protocol::{DrainHint, ServerLimits, Versions};
use iris_types::limits::{IDLE_MS_MAX, PAGE_REQUESTS_IN_FLIGHT_MAX, PING_INTERVAL_MS, PONG_MS_MAX};
use iris_types::request::{HistoryFrom, ListConversations, ReadHistory, RequestId};
use iris_types::{ErrorCode, Offset, Refusal};
use scripted::{Pair, conversation, message, text, user};

const SYNC: RequestId = RequestId(7);

fn server(versions: Versions) -> Arc<ServerConfig> {
    Arc::new(ServerConfig { versions, ..ServerConfig::default() })
}

fn ready(versions: Versions) -> Pair {
    let mut pair = Pair::new(versions, &server(Versions::ALL));
    pair.settle();
    assert!(pair.client.is_ready() && pair.server.is_ready());
    pair.events.clear();
    pair
}

/// Synced and live, with nothing in the inbox.
fn live(versions: Versions) -> Pair {
    let mut pair = ready(versions);
    pair.client.sync(SYNC, Offset(0));
    pair.settle();
    assert_eq!(pair.events, [page_end(0, 0, true)]);
    pair.events.clear();
    pair
}

fn page_end(last: u64, log_end: u64, live: bool) -> ClientEvent {
    ClientEvent::PageEnd { request: SYNC, last: Offset(last), log_end: Offset(log_end), live }
}

fn closed(pair: &Pair) -> Option<(ErrorCode, bool)> {
    match pair.events.last() {
        Some(ClientEvent::Closed { refusal, by_server }) => Some((refusal.code, *by_server)),
        _ => None,
    }
}

#[test]
fn the_best_common_version_is_picked() {
    let check = |client, offered, expected: Option<u8>| {
        let mut pair = Pair::new(client, &server(offered));
        pair.settle();
        match (expected, pair.events.as_slice()) {
            (Some(picked), [ClientEvent::Ready { version, .. }]) => assert_eq!(*version, picked),
            (None, _) => assert_eq!(closed(&pair), Some((ErrorCode::UnsupportedVersion, true))),
            (_, events) => panic!("{client:?} to {offered:?}: {events:?}"),
        }
    };
    check(Versions::ALL, Versions::ALL, Some(2));
    check(Versions::ALL, Versions::ONLY_1, Some(1));
    check(Versions::ONLY_1, Versions::ALL, Some(1));
    check(Versions::ONLY_1, Versions::ONLY_1, Some(1));
    check(Versions::ONLY_2, Versions::ALL, Some(2));
    check(Versions::ONLY_2, Versions::ONLY_1, None);
    check(Versions(0b100), Versions::ALL, None);
    check(Versions(0b101), Versions::ALL, Some(1));
}

#[test]
fn a_version_1_client_never_gets_a_version_2_frame() {
    let mut pair = conversation_of(Versions::ONLY_1, 0);
    pair.flights.retain(|(side, _)| *side == scripted::Side::Server);
    for (_, flight) in &pair.flights {
        let mut rest = flight.as_slice();
        while let Ok(Some(frame)) = iris_protocol::frame::split(rest, 65_535) {
            assert!(frame.opcode < 0xa0, "{:#04x}", frame.opcode);
            rest = frame.rest;
        }
    }
}

/// A whole conversation: sync in pages with a gap, sends and pushes interleaved, history, list, drain, close.
fn conversation_of(versions: Versions, piece_bytes: usize) -> Pair {
    let mut pair = Pair::new(versions, &server(Versions::ALL));
    pair.piece_bytes = piece_bytes;
    for number in 1..=9 {
        pair.core.receive(number, &format!("early {number}"));
    }
    pair.core.commit("alice", Some("phone"), scripted::message_id(10), text("own, early"));
    pair.core.commit("alice", Some("laptop"), scripted::message_id(11), text("own, elsewhere"));
    pair.core.trimmed_to = 4;
    pair.settle();
    pair.client.sync(SYNC, Offset(2));
    pair.settle();
    pair.client.send(RequestId(20), &message(20, "one"));
    pair.client.send(RequestId(21), &message(21, "two"));
    pair.client_flight();
    pair.receive(22, "answer");
    pair.client.send(RequestId(22), &message(23, "three"));
    pair.settle();
    pair.client.read_history(
        RequestId(30),
        &ReadHistory { with: user("bob").into(), from: HistoryFrom::Before(iris_types::Seq(5)), limit: 3 },
    );
    pair.client.list_conversations(RequestId(31), &ListConversations { after: None, limit: 10 });
    pair.client.ping(pair.now);
    pair.settle();
    pair.server.drain(DrainHint { reconnect_after_ms: 500, jitter_ms: 2_000 });
    pair.settle();
    pair.client.send(RequestId(40), &message(40, "too late"));
    pair.settle();
    pair.server.close(ErrorCode::Draining);
    pair.settle();
    pair
}

#[test]
fn both_versions_tell_the_same() {
    for versions in [Versions::ONLY_1, Versions::ONLY_2] {
        let pair = conversation_of(versions, 0);
        assert_eq!(
            pair.given(),
            [-3, -4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
            "gap, pages, then live results and pushes in the inbox's order"
        );
        let texts = pair.texts();
        assert_eq!(texts[..5], ["early 5", "early 6", "early 7", "early 8", "early 9"]);
        assert_eq!(texts[5..], ["(own)", "own, elsewhere", "answer"]);
        let histories: Vec<_> = pair
            .events
            .iter()
            .filter_map(|event| match event {
                ClientEvent::HistoryPage { request: RequestId(30), page } => Some(page),
                _ => None,
            })
            .collect();
        assert_eq!(histories.len(), 1);
        assert!(histories[0].more && histories[0].conversation == conversation());
        assert_eq!(histories[0].entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), [2, 3, 4]);
        assert!(pair.events.iter().any(|event| matches!(event,
            ClientEvent::Conversations { request: RequestId(31), page } if page.items.len() == 1)));
        assert!(pair.events.contains(&ClientEvent::Pong));
        let hint = DrainHint { reconnect_after_ms: 500, jitter_ms: 2_000 };
        assert!(pair.events.contains(&ClientEvent::Drain(hint)));
        assert!(pair.events.iter().any(|event| matches!(event,
            ClientEvent::Refused { request: RequestId(40), refusal, .. } if refusal.code == ErrorCode::Draining)));
        assert_eq!(closed(&pair), Some((ErrorCode::Draining, true)));
        assert_eq!(pair.core.cursor, Offset(15), "everything was acknowledged");
        assert_eq!(pair.server.closed_with(), Some(ErrorCode::Draining));
    }
}

#[test]
fn bytes_may_be_cut_anywhere() {
    for versions in [Versions::ONLY_1, Versions::ONLY_2] {
        let whole = conversation_of(versions, 0);
        for piece_bytes in (1..=64).chain([100, 255, 256, 257, 1_000]) {
            let cut = conversation_of(versions, piece_bytes);
            assert_eq!(cut.given(), whole.given(), "{piece_bytes} bytes at once");
            assert_eq!(cut.texts(), whole.texts(), "{piece_bytes} bytes at once");
            assert_eq!(cut.core.cursor, whole.core.cursor);
            assert_eq!(closed(&cut), closed(&whole));
        }
    }
}

#[test]
fn version_2_puts_a_turn_into_one_frame_each_way() {
    let mut pair = live(Versions::ONLY_2);
    pair.flights.clear();
    for number in 1..=100 {
        pair.client.send(RequestId(100 + u32::from(number)), &message(number, "hi"));
    }
    pair.client_flight();
    pair.receive(200, "between");
    pair.server_flight();
    pair.client_flight();
    let opcodes: Vec<_> = pair.flights.iter().map(|(_, bytes)| frames(bytes)).collect();
    assert_eq!(opcodes, [vec![0x20], vec![0xa0], vec![0x04]]);
    assert_eq!(pair.core.cursor, Offset(101));
}

#[test]
fn version_1_acknowledges_each_entry() {
    let mut pair = live(Versions::ONLY_1);
    for number in 1..=4 {
        pair.receive(number, "hi");
    }
    pair.flights.clear();
    pair.settle();
    let opcodes: Vec<_> = pair.flights.iter().map(|(_, bytes)| frames(bytes)).collect();
    assert_eq!(opcodes, [vec![0x85; 4], vec![0x04; 4]]);
}

fn frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut opcodes = Vec::new();
    while let Ok(Some(frame)) = iris_protocol::frame::split(bytes, 65_535) {
        opcodes.push(frame.opcode);
        bytes = frame.rest;
    }
    opcodes
}

#[test]
fn a_page_waits_for_the_acknowledgement_of_the_one_before() {
    for versions in [Versions::ONLY_1, Versions::ONLY_2] {
        let mut pair = ready(versions);
        pair.acknowledges = false;
        for number in 1..=5 {
            pair.core.receive(number, "hi");
        }
        pair.client.sync(SYNC, Offset(0));
        pair.settle();
        assert_eq!((pair.given(), pair.events.last()), (vec![1, 2, 3], Some(&page_end(3, 5, false))));
        pair.client.acknowledge(Offset(2));
        pair.settle();
        assert_eq!(pair.given(), [1, 2, 3]);
        pair.receive(6, "pushed while syncing: dropped, comes by page");
        pair.client.acknowledge(Offset(3));
        pair.settle();
        assert_eq!(pair.given(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(pair.events.last(), Some(&page_end(6, 6, true)));
    }
}

#[test]
fn a_push_that_overtakes_its_page_is_not_lost() {
    let mut pair = ready(Versions::ALL);
    pair.core.receive(1, "first");
    pair.client.sync(SYNC, Offset(0));
    // The page is read, then an entry is committed and pushed, then the page arrives: also when it is empty.
    let page = pair.core.handle(iris_types::request::Request::ReadInbox { after: Offset(0) }).0.unwrap();
    let mut bytes = Vec::new();
    pair.client.transmit(&mut bytes);
    pair.server.receive(&bytes, pair.now, &mut Vec::new());
    pair.receive(2, "second");
    pair.server.answer(iris_protocol::server::SYNC_REQUEST, page);
    pair.settle();
    assert_eq!(pair.given(), [1, 2]);
    assert_eq!(pair.events.last(), Some(&page_end(2, 2, true)));
}

#[test]
fn an_empty_page_that_is_not_the_last_goes_on_by_itself() {
    for versions in [Versions::ONLY_1, Versions::ONLY_2] {
        let mut pair = ready(versions);
        pair.client.sync(SYNC, Offset(0));
        let page = pair.core.handle(iris_types::request::Request::ReadInbox { after: Offset(0) }).0.unwrap();
        let mut bytes = Vec::new();
        pair.client.transmit(&mut bytes);
        pair.server.receive(&bytes, pair.now, &mut Vec::new());
        pair.receive(1, "while the page was read");
        pair.server.answer(iris_protocol::server::SYNC_REQUEST, page);
        pair.settle();
        assert_eq!(pair.given(), [1]);
        assert_eq!(pair.events.last(), Some(&page_end(1, 1, true)));
    }
}

#[test]
fn a_full_window_stops_pushes_and_a_sync_repairs_it() {
    let limits = ServerLimits { window_entries_max: 3, ..ServerLimits::default() };
    for versions in [Versions::ONLY_1, Versions::ONLY_2] {
        let config = Arc::new(ServerConfig { limits, ..ServerConfig::default() });
        let mut pair = Pair::new(versions, &config);
        pair.settle();
        pair.client.sync(SYNC, Offset(0));
        pair.settle();
        pair.acknowledges = false;
        for number in 1..=9 {
            pair.receive(number, "hi");
        }
        pair.client.send(RequestId(50), &message(50, "a result without its place"));
        pair.settle();
        assert_eq!(pair.given(), [1, 2, 3]);
        let asked = pair.events.iter().filter(|event| **event == ClientEvent::SyncNeeded).count();
        assert_eq!(asked, 1);
        pair.acknowledges = true;
        pair.client.acknowledge(Offset(3));
        pair.client.sync(SYNC, Offset(3));
        pair.settle();
        assert_eq!(pair.given(), (1..=10).collect::<Vec<_>>());
        pair.receive(99, "live again");
        pair.settle();
        assert_eq!(pair.given(), (1..=11).collect::<Vec<_>>());
    }
}

#[test]
fn a_push_out_of_turn_is_not_passed_on() {
    let mut pair = live(Versions::ALL);
    let skipped = pair.core.receive(1, "skipped");
    pair.receive(2, "too early");
    pair.server.push(&skipped);
    pair.settle();
    assert_eq!(pair.given(), []);
    assert_eq!(pair.events, [ClientEvent::SyncNeeded]);
    pair.client.sync(SYNC, Offset(0));
    pair.settle();
    pair.server.push(&skipped);
    pair.settle();
    assert_eq!(pair.given(), [1, 2]);
}

#[test]
fn an_own_send_is_told_once_folded_in_or_not() {
    for (versions, folds_offsets) in [
        (Versions::ONLY_1, true),
        (Versions::ONLY_2, true),
        (Versions::ONLY_1, false),
        (Versions::ONLY_2, false),
    ] {
        let mut pair = live(versions);
        pair.core.folds_offsets = folds_offsets;
        pair.client.send(RequestId(1), &message(1, "mine"));
        pair.settle();
        assert_eq!(pair.given(), [1]);
        assert_eq!(pair.texts(), if folds_offsets { vec![] } else { vec!["(own)"] });
        assert_eq!(pair.core.cursor, Offset(1));
    }
}

#[test]
fn a_sync_can_be_refused_and_asked_again() {
    let mut pair = ready(Versions::ALL);
    pair.client.sync(SYNC, Offset(9));
    pair.settle();
    assert!(matches!(&pair.events[..],
        [ClientEvent::Refused { request: SYNC, refusal, .. }] if refusal.code == ErrorCode::CursorAhead));
    pair.client.acknowledge(Offset(9));
    pair.settle();
    assert!(matches!(&pair.events[1..],
        [ClientEvent::Refused { request: RequestId(0), refusal, .. }] if refusal.code == ErrorCode::CursorAhead));
    pair.client.sync(SYNC, Offset(0));
    pair.settle();
    assert_eq!(pair.events.last(), Some(&page_end(0, 0, true)));
}

#[test]
fn a_hole_in_a_page_is_refused_never_passed_on() {
    let mut pair = ready(Versions::ALL);
    (1..=3).for_each(|number| drop(pair.core.receive(number, "hi")));
    pair.core.inbox.remove(1);
    pair.client.sync(SYNC, Offset(0));
    pair.settle();
    assert_eq!(pair.given(), [1]);
    assert!(matches!(pair.events.last(),
        Some(ClientEvent::Refused { request: SYNC, refusal, .. }) if refusal.code == ErrorCode::DataCorrupt));
}

#[test]
fn a_refused_login_closes() {
    let mut pair = Pair::new(Versions::ALL, &server(Versions::ALL));
    let mut bytes = Vec::new();
    pair.client.transmit(&mut bytes);
    pair.server.receive(&bytes, pair.now, &mut Vec::new());
    pair.server.answer(RequestId(0), scripted::refusal(ErrorCode::StaleTimestamp));
    pair.server_flight();
    assert!(matches!(&pair.events[..], [ClientEvent::LoginRefused { refusal, server_time }, _]
        if refusal.code == ErrorCode::StaleTimestamp && server_time.0 == scripted::START));
    assert_eq!(closed(&pair), Some((ErrorCode::StaleTimestamp, true)));
    assert!(pair.server.is_closing() && pair.server.deadline().is_none());
}

#[test]
fn requests_in_flight_are_bounded() {
    let limits = ServerLimits { requests_in_flight_max: 2, ..ServerLimits::default() };
    let config = Arc::new(ServerConfig { limits, ..ServerConfig::default() });
    for versions in [Versions::ONLY_1, Versions::ONLY_2] {
        let mut pair = Pair::new(versions, &config);
        pair.settle();
        pair.events.clear();
        (1..=3).for_each(|number| pair.client.send(RequestId(number), &message(number as u8, "hi")));
        let (mut bytes, mut asked) = (Vec::new(), Vec::new());
        pair.client.transmit(&mut bytes);
        pair.server.receive(&bytes, pair.now, &mut asked);
        assert_eq!(asked.len(), 2);
        pair.server_flight();
        assert!(matches!(&pair.events[..], [ClientEvent::Refused { request: RequestId(3), refusal, .. }]
            if refusal.code == ErrorCode::Busy && refusal.retry_after_ms > 0));
        pair.server.answer(RequestId(1), scripted::refusal(ErrorCode::Busy));
        pair.client.send(RequestId(4), &message(4, "room again"));
        pair.client_flight();
        pair.server_flight();
        assert!(matches!(pair.events.last(), Some(ClientEvent::Sent { request: RequestId(4), .. })));
    }
}

#[test]
fn pages_in_flight_are_bounded() {
    let mut pair = ready(Versions::ALL);
    let read = ReadHistory { with: user("bob").into(), from: HistoryFrom::Latest, limit: u16::MAX };
    let bound = PAGE_REQUESTS_IN_FLIGHT_MAX as u32;
    (1..=bound + 1).for_each(|number| pair.client.read_history(RequestId(number), &read));
    let (mut bytes, mut asked) = (Vec::new(), Vec::new());
    pair.client.transmit(&mut bytes);
    pair.server.receive(&bytes, pair.now, &mut asked);
    assert_eq!(asked.len() as u32, bound);
    pair.server_flight();
    assert!(matches!(&pair.events[..], [ClientEvent::Refused { refusal, .. }]
        if refusal.code == ErrorCode::Busy));
}

#[test]
fn a_silent_peer_is_noticed_from_both_sides() {
    let mut pair = live(Versions::ALL);
    let ping_at = pair.now.plus_millis(PING_INTERVAL_MS);
    assert_eq!(pair.client.deadline(), Some(ping_at));
    pair.now = ping_at;
    pair.client.handle_deadline(pair.now, &mut pair.events);
    pair.settle();
    assert_eq!(pair.events, [ClientEvent::Pong]);
    assert_eq!(pair.server.deadline(), Some(pair.now.plus_millis(IDLE_MS_MAX)));

    pair.client.ping(pair.now);
    let dead_at = pair.now.plus_millis(PONG_MS_MAX);
    assert_eq!(pair.client.deadline(), Some(dead_at));
    pair.client.handle_deadline(dead_at, &mut pair.events);
    assert_eq!(closed(&pair), Some((ErrorCode::TimedOut, false)));
    assert_eq!(pair.client.deadline(), None);

    pair.server.handle_deadline(pair.now.plus_millis(IDLE_MS_MAX - 1));
    assert!(pair.server.is_ready());
    pair.server.handle_deadline(pair.now.plus_millis(IDLE_MS_MAX));
    assert_eq!(pair.server.closed_with(), Some(ErrorCode::TimedOut));
}

#[test]
fn a_waiting_client_pings_soon() {
    let mut pair = live(Versions::ALL);
    pair.client.send(RequestId(1), &message(1, "hi"));
    let mut bytes = Vec::new();
    pair.client.transmit(&mut bytes);
    let soon = pair.now.plus_millis(iris_types::limits::WAITING_PING_INTERVAL_MS);
    assert_eq!(pair.client.deadline(), Some(soon));
    pair.client.handle_deadline(soon, &mut pair.events);
    assert_eq!(pair.client.deadline(), Some(soon.plus_millis(PONG_MS_MAX)));
}

#[test]
fn a_closed_connection_does_nothing_more() {
    let mut pair = live(Versions::ALL);
    pair.server.close(Refusal::new(ErrorCode::Replaced));
    pair.server.close(ErrorCode::BadFrame);
    pair.receive(1, "hi");
    pair.settle();
    assert_eq!(closed(&pair), Some((ErrorCode::Replaced, true)));
    assert_eq!((pair.given(), pair.events.len()), (vec![], 1));
    pair.client.send(RequestId(1), &message(1, "hi"));
    pair.client.acknowledge(Offset(1));
    assert!(!pair.client_flight() && !pair.server_flight());
}

#[test]
fn an_idle_connection_is_small() {
    let mut pair = live(Versions::ALL);
    pair.receive(1, "hi");
    pair.client.send(RequestId(1), &message(1, "hi"));
    pair.client.read_history(
        RequestId(2),
        &ReadHistory { with: user("bob").into(), from: HistoryFrom::Latest, limit: 9 },
    );
    pair.settle();
    let inline = size_of::<iris_protocol::server::ServerConnection>();
    assert_eq!(pair.server.heap_bytes(), 0);
    assert!(inline <= 256, "{inline} bytes");
}
