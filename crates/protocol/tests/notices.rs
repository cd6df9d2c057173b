//! Both machines together: presence and typing, which are pushed and no entries.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod scripted;

use std::sync::Arc;

use iris_protocol::client::ClientEvent;
use iris_protocol::server::{ServerConfig, ServerEvent};
use iris_protocol::{ServerLimits, Versions};
use iris_types::limits::{
    PRESENCE_OUTPUT_BYTES_MAX, TYPING_OUTPUT_BYTES_MAX, TYPING_PACE_MS, TYPING_PER_PACE_MAX, WATCHED_MAX,
};
use iris_types::request::{Request, RequestId};
use iris_types::{ConversationId, ErrorCode, Offset, Presence, PresenceState, Target, Timestamp, Typing};
use scripted::{Pair, message_id, user};

fn live(versions: Versions) -> Pair {
    let mut pair = Pair::new(versions, &Arc::new(ServerConfig::default()));
    pair.settle();
    pair.client.sync(RequestId(1), Offset(0));
    pair.settle();
    pair.events.clear();
    pair
}

fn group() -> ConversationId {
    ConversationId::group(&user("alice"), message_id(1))
}

fn is_closed(pair: &Pair) -> bool {
    matches!(pair.events.last(), Some(ClientEvent::Closed { .. }))
}

fn online(name: &str) -> Presence {
    Presence { user: user(name), state: PresenceState::Online }
}

fn last_seen(name: &str, at: u64) -> Presence {
    Presence { user: user(name), state: PresenceState::LastSeen(Timestamp(at)) }
}

fn typing(on: bool) -> Typing {
    Typing { conversation: group(), user: user("bob"), on }
}

/// Fills the server's output with about so many bytes.
fn fill(pair: &mut Pair, bytes: usize) {
    let mut number = 0;
    while pair.server.pending_output_bytes() <= bytes {
        number += 1;
        pair.core.receive(number, &"x".repeat(30_000));
        let entry = Arc::clone(pair.core.inbox.last().unwrap());
        pair.server.push(&entry);
    }
}

#[test]
fn presence_and_typing_are_told_in_any_state_behind_the_login() {
    for versions in [Versions::ONLY_1, Versions::ONLY_2] {
        let mut pair = Pair::new(versions, &Arc::new(ServerConfig::default()));
        pair.server.tell_presence(&online("bob"));
        pair.server.tell_typing(&typing(true));
        pair.settle();
        assert_eq!(pair.events.len(), 1, "nothing before Ready");
        pair.events.clear();
        pair.server.tell_typing(&typing(true));
        pair.server.tell_presence(&online("bob"));
        pair.receive(1, "dropped: not synced");
        pair.server.tell_typing(&typing(false));
        pair.settle();
        assert_eq!(
            pair.events,
            [
                ClientEvent::Typing(typing(true)),
                ClientEvent::Presence(online("bob")),
                ClientEvent::Typing(typing(false))
            ]
        );
    }
}

#[test]
fn under_load_typing_goes_first_and_of_presence_the_latest_stays() {
    let mut pair = live(Versions::ALL);
    fill(&mut pair, TYPING_OUTPUT_BYTES_MAX);
    pair.server.tell_typing(&typing(true));
    pair.server.tell_presence(&online("bob"));
    fill(&mut pair, PRESENCE_OUTPUT_BYTES_MAX - 40_000);
    let limits = ServerLimits::default();
    assert!(limits.window_bytes_max as usize >= PRESENCE_OUTPUT_BYTES_MAX, "or this test fills nothing");
    let before = pair.server.pending_output_bytes();
    pair.server.tell_presence(&online("carol"));
    assert!(pair.server.pending_output_bytes() > before);
    while pair.server.pending_output_bytes() <= PRESENCE_OUTPUT_BYTES_MAX {
        pair.server.tell_presence(&online("dave"));
    }
    let full = pair.server.pending_output_bytes();
    pair.server.tell_presence(&last_seen("bob", 1));
    pair.server.tell_presence(&last_seen("carol", 2));
    pair.server.tell_presence(&online("bob"));
    pair.server.tell_presence(&last_seen("bob", 3));
    (0..2 * WATCHED_MAX).for_each(|number| pair.server.tell_presence(&online(&format!("u{number}"))));
    assert_eq!(pair.server.pending_output_bytes(), full);
    pair.settle();
    assert_eq!(pair.server.heap_bytes(), 0, "nothing is kept");
    let told: Vec<_> = pair
        .events
        .iter()
        .filter_map(|event| match event {
            ClientEvent::Presence(presence) if presence.user != user("dave") => Some(presence.clone()),
            ClientEvent::Typing(typing) => panic!("{typing:?}"),
            _ => None,
        })
        .collect();
    assert_eq!(told[..4], [online("bob"), online("carol"), last_seen("bob", 3), last_seen("carol", 2)]);
    assert_eq!(told.len(), 2 + WATCHED_MAX, "as many as can be watched");
    pair.server.tell_typing(&typing(true));
    pair.settle();
    assert_eq!(pair.events.last(), Some(&ClientEvent::Typing(typing(true))));
}

#[test]
fn late_presences_do_not_outlive_what_is_watched_nor_the_connection() {
    for closes in [false, true] {
        let mut pair = live(Versions::ALL);
        while pair.server.pending_output_bytes() <= PRESENCE_OUTPUT_BYTES_MAX {
            pair.server.tell_presence(&online("dave"));
        }
        pair.server.tell_presence(&online("late"));
        if closes {
            pair.server.close(ErrorCode::Replaced);
            pair.server.tell_presence(&online("too-late"));
            pair.server.tell_typing(&typing(true));
        } else {
            pair.client.watch(RequestId(2), &[]).unwrap();
        }
        pair.settle();
        let told = |name: &str| pair.events.contains(&ClientEvent::Presence(online(name)));
        assert!(told("dave") && !told("late"));
        assert_eq!(is_closed(&pair), closes, "Closed is the last word");
    }
}

#[test]
fn saying_typing_has_a_pace_and_no_answer() {
    let mut pair = live(Versions::ALL);
    let target = Target::Group(group());
    let say = |times: usize, pair: &mut Pair| {
        (0..times).for_each(|_| pair.client.say_typing(&target, true));
        let (mut bytes, mut asked) = (Vec::new(), Vec::new());
        pair.client.transmit(&mut bytes);
        pair.server.receive(&bytes, pair.now, &mut asked);
        assert!(asked.iter().all(|event| matches!(
            event,
            ServerEvent::Request { id: RequestId(0), request: Request::Typing { on: true, .. } }
        )));
        assert!(!pair.server_flight() && pair.server.is_ready());
        asked.len()
    };
    assert_eq!(say(TYPING_PER_PACE_MAX + 50, &mut pair), TYPING_PER_PACE_MAX);
    assert_eq!(say(1, &mut pair), 0);
    pair.now = pair.now.plus_millis(TYPING_PACE_MS);
    assert_eq!(say(3, &mut pair), 3);
    // It waits for nothing, so it is no reason to ping; and a server that stops does not take it.
    let hint = iris_protocol::DrainHint { reconnect_after_ms: 1, jitter_ms: 1 };
    pair.server.drain(hint);
    pair.server_flight();
    pair.now = pair.now.plus_millis(TYPING_PACE_MS);
    assert_eq!(say(1, &mut pair), 0);
}
