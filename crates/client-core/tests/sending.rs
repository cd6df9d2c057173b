//! Sends: ids, order, refusals, the window.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

mod world;

use bytes::Bytes;
use iris_client_core::{ClientEvent, NewMessage, Outcome, SendError, SendNumber};
use iris_protocol::Versions;
use iris_types::limits::{
    BODY_BYTES_MAX, CLIENT_WINDOW, DEDUP_WINDOW_MS, ID_AHEAD_MS_MAX, OUTBOX_BYTES_MAX, OUTBOX_SENDS_MAX,
    REFERENCE_BYTES_MAX,
};
use iris_types::{ErrorCode, MessageId, Refusal, Seq, Timestamp};
use world::{START, World, message, text, user};

const DAY_MS: u64 = 24 * 3_600_000;

fn connected() -> (World, usize) {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    (world, alice)
}

fn texts(world: &World) -> Vec<String> {
    let history = world.server.history_of(&user("alice"), &user("bob"));
    history.iter().map(|entry| entry.body.as_text().unwrap().to_owned()).collect()
}

#[test]
fn a_send_is_stored_before_it_leaves_and_dropped_after_its_outcome_is_taken() {
    let (mut world, alice) = connected();
    world.devices[alice].holds_stores = true;
    world.devices[alice].takes = false;
    let number = world.send(alice, message("bob", "hello"));
    world.drain();
    assert_eq!(world.server.sends, [], "not before it is stored");
    world.devices[alice].holds_stores = false;
    world.drain();
    assert_eq!(texts(&world), ["hello"]);
    let restored = world.devices[alice].database.restored();
    assert_eq!((restored.unsent.len(), restored.settled.len()), (0, 1), "kept until it is taken");
    let outcome = restored.settled[0].clone();
    assert!(matches!(outcome.outcome, Outcome::Sent { seq: Seq(1), .. }));
    world.restart(alice);
    world.settle();
    assert_eq!(world.devices[alice].outcomes().len(), 2, "told again after a restart");
    world.devices[alice].take(iris_client_core::Mark::Send(number));
    world.settle();
    assert_eq!(world.devices[alice].database.restored().settled, []);
    assert_eq!(world.server.sends.len(), 1, "a settled send is never repeated");
    let own = world.devices[alice].database.messages().values().next().unwrap();
    assert_eq!(*own, text("hello"));
}

#[test]
fn a_send_without_connection_gets_its_id_when_it_is_first_tried() {
    let mut world = World::new(Versions::ALL);
    world.is_down = true;
    let alice = world.add("alice", "laptop");
    world.devices[alice].skew_ms = -3 * DAY_MS as i64;
    for number in 0..3 {
        world.send(alice, message("bob", &number.to_string()));
    }
    world.drain();
    assert_eq!(world.devices[alice].ids_unsent(), [None, None, None]);
    assert_eq!(world.devices[alice].count(|event| matches!(event, ClientEvent::Accepted { .. })), 3);
    world.pass_ms(10 * DAY_MS);
    world.is_down = false;
    world.settle();
    assert_eq!(texts(&world), ["0", "1", "2"]);
    for send in &world.server.sends {
        let minted = send.id.timestamp();
        assert!(minted >= Timestamp(START + 10 * DAY_MS) && minted <= world.server.now, "the server's clock");
    }
}

#[test]
fn every_retry_has_the_same_id() {
    for code in [ErrorCode::Busy, ErrorCode::Unavailable, ErrorCode::StorageFull, ErrorCode::TimedOut] {
        let (mut world, alice) = connected();
        let refusal = Refusal::after(code, 3_000);
        world.server.refuse_sends.extend([Some(refusal), Some(refusal)]);
        let before = world.now;
        world.send(alice, message("bob", "hello"));
        world.settle();
        assert!(world.now.millis_since(before) >= 6_000, "the server's wish counts");
        assert_eq!(world.server.sends.len(), 3);
        assert!(world.server.sends.iter().all(|send| send.id == world.server.sends[0].id));
        assert_eq!(world.devices[alice].seqs_sent(), [Seq(1)]);
    }
}

#[test]
fn a_refused_send_is_not_overtaken_by_those_behind_it() {
    for refused_at in 0..5 {
        let (mut world, alice) = connected();
        world.server.refuse_sends.extend((0..refused_at).map(|_| None));
        world.server.refuse_sends.push_back(Some(ErrorCode::Busy.into()));
        for number in 0..5 {
            world.send(alice, message("bob", &number.to_string()));
            world.send(alice, message("carol", &number.to_string()));
        }
        world.settle();
        assert_eq!(texts(&world), ["0", "1", "2", "3", "4"]);
        assert_eq!(world.server.history_of(&user("alice"), &user("carol")).len(), 5);
    }
}

#[test]
fn each_send_names_the_one_before_it_while_that_is_not_settled() {
    let (mut world, alice) = connected();
    for (to, body) in [("bob", "0"), ("carol", "0"), ("bob", "1"), ("bob", "2")] {
        world.send(alice, message(to, body));
    }
    world.settle();
    let ids: Vec<MessageId> = world.server.sends.iter().map(|send| send.id).collect();
    let previous: Vec<_> = world.server.sends.iter().map(|send| send.previous).collect();
    assert_eq!(previous, [None, None, Some(ids[0]), Some(ids[2])]);
    world.send(alice, message("bob", "3"));
    world.settle();
    assert_eq!(world.server.sends[4].previous, None, "nothing is unsettled any more");
}

#[test]
fn a_send_refused_for_good_is_reported_and_those_behind_it_go_on() {
    for code in [ErrorCode::InvalidBody, ErrorCode::IdConflict, ErrorCode::DataCorrupt, ErrorCode::NotMember]
    {
        let (mut world, alice) = connected();
        world.server.refuse_sends.push_back(Some(code.into()));
        let numbers: Vec<SendNumber> =
            (0..3).map(|number| world.send(alice, message("bob", &number.to_string()))).collect();
        world.settle();
        assert_eq!(texts(&world), ["1", "2"]);
        let outcomes = world.devices[alice].outcomes();
        assert!(outcomes.contains(&(numbers[0], Outcome::Failed(code.into()))));
        assert_eq!(outcomes.len(), 3);
        assert_eq!(world.devices[alice].database.restored().unsent, []);
    }
}

#[test]
fn a_success_does_not_cut_short_the_time_that_another_sends_refusal_asked_for() {
    let (mut world, alice) = connected();
    world.server.refuse_sends.extend([None, Some(Refusal::after(ErrorCode::Busy, 5_000))]);
    // The first is committed late: its answer comes behind the second one's refusal.
    world.holds_decisions = 1;
    for number in 0..2 {
        world.send(alice, message("bob", &number.to_string()));
    }
    world.drain();
    world.tell_held();
    world.run_for_ms(4_999);
    assert_eq!(world.devices[alice].seqs_sent(), [Seq(1)]);
    assert_eq!(world.server.sends.len(), 2, "the second is not tried again before its time");
    world.settle();
    assert_eq!(texts(&world), ["0", "1"]);
    assert_eq!(world.devices[alice].seqs_sent(), [Seq(1), Seq(2)]);
}

#[test]
fn a_failure_opens_the_lane_for_what_waited_for_it() {
    let (mut world, alice) = connected();
    world
        .server
        .refuse_sends
        .extend([Some(ErrorCode::InvalidBody.into()), Some(Refusal::after(ErrorCode::OutOfOrder, 5_000))]);
    world.holds_decisions = 1;
    for number in 0..2 {
        world.send(alice, message("bob", &number.to_string()));
    }
    world.drain();
    world.tell_held();
    world.drain();
    assert_eq!(texts(&world), ["1"]);
}

#[test]
fn only_a_date_in_the_future_allows_a_new_id() {
    let (mut world, alice) = connected();
    world.server.refuse_sends.push_back(Some(ErrorCode::IdInFuture.into()));
    for number in 0..3 {
        world.send(alice, message("bob", &number.to_string()));
    }
    world.settle();
    assert_eq!(texts(&world), ["0", "1", "2"]);
    let first = world.server.sends[0].id;
    assert!(world.server.sends[1..].iter().all(|send| send.id != first), "a new one, and only that");
    assert_eq!(world.devices[alice].seqs_sent(), [Seq(1), Seq(2), Seq(3)]);
}

#[test]
fn an_id_of_the_application_is_never_replaced() {
    let (mut world, alice) = connected();
    let at = Timestamp(START + ID_AHEAD_MS_MAX + DAY_MS);
    let id = Some(MessageId::from_parts(at, [1; 10]));
    let number = world.send(alice, NewMessage { id, ..message("bob", "early") });
    world.settle();
    assert_eq!(world.devices[alice].outcomes(), [(number, Outcome::Failed(ErrorCode::IdInFuture.into()))]);
    // The same id twice is one message; with another body it is a conflict.
    let id = Some(MessageId::from_parts(world.server.now, [1; 10]));
    for body in ["same", "same", "other"] {
        world.send(alice, NewMessage { id, ..message("bob", body) });
    }
    world.settle();
    assert_eq!(texts(&world), ["same"]);
    assert_eq!(world.devices[alice].seqs_sent(), [Seq(1), Seq(1)]);
    assert_eq!(world.devices[alice].outcomes()[3].1, Outcome::Failed(ErrorCode::IdConflict.into()));
}

#[test]
fn an_entry_of_the_inbox_is_not_taken_for_another_message_of_the_same_id() {
    let (mut world, alice) = connected();
    let id = MessageId::from_parts(world.server.now, [1; 10]);
    world.is_down = true;
    world.disconnect(alice);
    let number = world.send(alice, NewMessage { id: Some(id), ..message("bob", "other") });
    world.drain();
    // Committed by this device before, with a database that is gone.
    let send =
        iris_types::request::SendMessage { id, to: user("bob").into(), previous: None, body: text("first") };
    let device = world.devices[alice].name.clone();
    world.server.commit(&user("alice"), Some(&device), &send);
    world.server.refuse_sends.push_back(Some(Refusal::after(ErrorCode::Busy, 5_000)));
    world.is_down = false;
    world.settle();
    let conflict = Outcome::Failed(ErrorCode::IdConflict.into());
    assert_eq!(world.devices[alice].outcomes(), [(number, conflict)]);
}

/// A send reached the server, the answer did not reach the device, and a week passes.
fn in_doubt_for_a_week(committed: bool) -> (World, usize) {
    let (mut world, alice) = connected();
    let number = world.send(alice, message("bob", "doubtful"));
    world.send(alice, message("bob", "next"));
    world.devices[alice].holds_stores = true;
    world.drain();
    world.devices[alice].holds_stores = false;
    // The rows get stored and the sends leave; the connection breaks before their answers arrive.
    world.cut_after = Some(world.carried);
    world.is_down = true;
    world.drain();
    assert_eq!(world.devices[alice].core.unsettled(), 2);
    let ids = world.devices[alice].ids_unsent();
    if committed {
        let id = ids[0].unwrap();
        let send = iris_types::request::SendMessage {
            id,
            to: user("bob").into(),
            previous: None,
            body: text("doubtful"),
        };
        world.server.commit(&user("alice"), None, &send);
    }
    for number in 0..20 {
        let id = MessageId::from_parts(world.server.now, [number; 10]);
        let send = iris_types::request::SendMessage {
            id,
            to: user("alice").into(),
            previous: None,
            body: text("later"),
        };
        world.pass_ms(DAY_MS / 2);
        world.server.commit(&user("bob"), None, &send);
    }
    assert!(world.server.now.millis_since(Timestamp(START)) > DEDUP_WINDOW_MS);
    // The inbox has nothing to say about it any more: only history knows.
    world.server.trimmed_to.insert(user("alice"), world.server.last(&user("alice")).0);
    world.is_down = false;
    world.settle();
    assert_eq!(number, SendNumber(1));
    (world, alice)
}

#[test]
fn a_send_in_doubt_for_longer_than_the_window_is_looked_up_and_never_repeated() {
    for committed in [true, false] {
        let (world, alice) = in_doubt_for_a_week(committed);
        let outcomes = world.devices[alice].outcomes();
        let too_old = Outcome::Failed(ErrorCode::IdTooOld.into());
        assert_eq!(outcomes.len(), 2);
        assert_eq!(matches!(outcomes[0].1, Outcome::Sent { seq: Seq(1), .. }), committed);
        assert_eq!(outcomes[0].1 == too_old, !committed);
        assert_eq!(outcomes[1].1, too_old, "that one never arrived");
        assert_eq!(texts(&world).len(), 20 + usize::from(committed));
    }
}

#[test]
fn the_inbox_settles_a_send_whose_answer_was_lost() {
    let (mut world, alice) = connected();
    world.send(alice, message("bob", "hello"));
    // Cut behind the request: the server commits it, the answer is lost.
    let before = world.carried;
    world.run_until(|world| !world.server.sends.is_empty());
    assert!(world.carried > before);
    world.disconnect(alice);
    world.settle();
    assert_eq!(texts(&world), ["hello"]);
    assert_eq!(world.devices[alice].seqs_sent(), [Seq(1)]);
}

#[test]
fn the_window_bounds_what_is_on_its_way() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    let total = 3 * CLIENT_WINDOW;
    for number in 0..total {
        world.send(alice, message(&format!("user{}", number % 7), &number.to_string()));
    }
    // Nothing is answered while the first refusals close every lane.
    world.server.refuse_sends.extend((0..total).map(|_| Some(ErrorCode::Busy.into())));
    world.drain();
    assert!(world.server.sends.len() <= CLIENT_WINDOW + 7, "{} went out", world.server.sends.len());
    world.server.refuse_sends.clear();
    world.settle();
    for to in 0..7 {
        let history = world.server.history_of(&user("alice"), &user(&format!("user{to}")));
        let numbers: Vec<usize> =
            history.iter().map(|e| e.body.as_text().unwrap().parse().unwrap()).collect();
        assert!(numbers.is_sorted() && numbers.iter().all(|number| number % 7 == to));
    }
    assert_eq!(world.devices[alice].outcomes().len(), total);
}

#[test]
fn the_outbox_is_bounded_and_a_refused_send_leaves_nothing() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    let now = world.now_of(alice);
    let core = &mut world.devices[alice].core;
    let reference = Some(Bytes::from(vec![0; REFERENCE_BYTES_MAX + 1]));
    let long = NewMessage { reference, ..message("bob", "x") };
    assert_eq!(core.send(long, now), Err(SendError::ReferenceTooLong(REFERENCE_BYTES_MAX)));
    let large = || message("bob", &"x".repeat(BODY_BYTES_MAX));
    for _ in 0..OUTBOX_BYTES_MAX / BODY_BYTES_MAX {
        core.send(large(), now).unwrap();
    }
    assert_eq!(core.send(large(), now), Err(SendError::OutboxFull));
    assert_eq!(core.unsettled(), OUTBOX_BYTES_MAX / BODY_BYTES_MAX);
    let other = world.add("alice", "phone");
    let core = &mut world.devices[other].core;
    for _ in 0..OUTBOX_SENDS_MAX {
        core.send(message("bob", "x"), now).unwrap();
    }
    assert_eq!(core.send(message("bob", "x"), now), Err(SendError::OutboxFull));
}

#[test]
fn a_reference_comes_back_after_a_restart() {
    let mut world = World::new(Versions::ALL);
    world.is_down = true;
    let alice = world.add("alice", "laptop");
    let reference = Some(Bytes::from_static(b"{\"a\":1}"));
    world.send(alice, NewMessage { reference: reference.clone(), ..message("bob", "x") });
    world.drain();
    world.restart(alice);
    world.is_down = false;
    world.settle();
    let settled = |event: &ClientEvent| matches!(event, ClientEvent::Settled(s) if s.reference == reference);
    assert_eq!(world.devices[alice].count(settled), 1);
}
