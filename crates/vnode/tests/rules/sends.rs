use iris_types::request::SendMessage;
use iris_types::{ConversationId, ErrorCode, Seq, Timestamp};
use iris_vnode::events::Written;
use iris_vnode::rows::First;
use iris_vnode::send_message::{Decision, Lookups, body_hash, decide, needs_previous};
use iris_vnode::{Author, Conversation, Side, Stamp};

use crate::{NOW, body, id, user};

const LOWER: Author = Author::Side(Side::Lower);
const HIGHER: Author = Author::Side(Side::Higher);
const WEEK: u64 = 7 * 24 * 3_600_000;

/// A conversation of `a` and `b`: seq 4 committed, then seq 5 of `a`, id 5, text "five", in chunk 9.
fn conversation() -> Conversation {
    let mut one = Conversation::new(ConversationId([1; 16]), user("a"), user("b"), Seq(4));
    let decision =
        decide(&mut one, &LOWER, &send(5, "five", None), Lookups::default(), Timestamp(NOW), Stamp(9));
    assert!(matches!(decision, Decision::New { .. }));
    one
}

fn send(number: u8, text: &str, previous: Option<u8>) -> SendMessage {
    let previous = previous.map(|number| id(number, NOW));
    SendMessage { id: id(number, NOW), to: user("b").into(), previous, body: body(text) }
}

/// What is decided: seq and the chunk to wait for.
fn check(side: Side, send: &SendMessage, lookups: Lookups) -> Result<(u64, u64), (ErrorCode, u64)> {
    let mut one = conversation();
    match decide(&mut one, &Author::Side(side), send, lookups, Timestamp(NOW), Stamp(10)) {
        Decision::New { event, sent } => {
            assert_eq!((event.seq, event.sent_at), (sent.seq, Timestamp(NOW)));
            assert!(matches!(event.written, Written::Direct { side: by, .. } if by == side));
            assert_eq!((one.last, one.touched, one.committed), (sent.seq, Stamp(10), Seq(4)));
            Ok((sent.seq.0, 10))
        }
        Decision::Duplicate { sent, after } => {
            assert_eq!((one.last, one.touched), (Seq(5), Stamp(9)));
            Ok((sent.seq.0, after.0))
        }
        Decision::Refused { code, after } => {
            assert_eq!((one.last, one.touched), (Seq(5), Stamp(9)));
            Err((code, after.0))
        }
    }
}

#[test]
fn a_send_is_new_known_or_refused() {
    let none = Lookups::default();
    let stored = |text| {
        let first = First { seq: Seq(2), sent_at: Timestamp(7), hash: body_hash(&body(text)) };
        Lookups { first: Some(first), ..Lookups::default() }
    };
    let previous = Lookups { previous: true, ..Lookups::default() };
    let ended = Lookups { is_ended: true, ..Lookups::default() };
    let cases = [
        ("new", Side::Lower, send(6, "six", None), none, Ok((6, 10))),
        ("a retry before the commit", Side::Lower, send(5, "five", None), none, Ok((5, 9))),
        ("with another body", Side::Lower, send(5, "V", None), none, Err((ErrorCode::IdConflict, 9))),
        ("the other side's id", Side::Higher, send(5, "V", None), none, Ok((6, 10))),
        ("a retry long after", Side::Lower, send(2, "two", None), stored("two"), Ok((2, 0))),
        (
            "with another body",
            Side::Lower,
            send(2, "II", None),
            stored("two"),
            Err((ErrorCode::IdConflict, 0)),
        ),
        ("behind one decided", Side::Lower, send(6, "six", Some(5)), none, Ok((6, 10))),
        ("behind one committed", Side::Lower, send(6, "six", Some(3)), previous, Ok((6, 10))),
        ("behind nothing", Side::Lower, send(6, "six", Some(3)), none, Err((ErrorCode::OutOfOrder, 9))),
        (
            "behind the other side's",
            Side::Higher,
            send(6, "six", Some(5)),
            none,
            Err((ErrorCode::OutOfOrder, 9)),
        ),
        (
            "new, of a revoked device",
            Side::Lower,
            send(6, "six", None),
            ended,
            Err((ErrorCode::DeviceRevoked, 9)),
        ),
        ("a retry of a revoked device", Side::Lower, send(5, "five", None), ended, Ok((5, 9))),
        ("a retry is not asked for more", Side::Lower, send(5, "five", Some(77)), none, Ok((5, 9))),
    ];
    for (name, side, send, lookups, expected) in cases {
        assert_eq!(check(side, &send, lookups), expected, "{name}");
    }
}

#[test]
fn an_id_has_a_window() {
    let cases = [
        (NOW - WEEK, Ok((6, 10))),
        (NOW - WEEK - 1, Err((ErrorCode::IdTooOld, 9))),
        (NOW + 300_000, Ok((6, 10))),
        (NOW + 300_001, Err((ErrorCode::IdInFuture, 9))),
    ];
    for (at, expected) in cases {
        let send = SendMessage { id: id(6, at), ..send(6, "six", None) };
        assert_eq!(check(Side::Lower, &send, Lookups::default()), expected, "{at}");
    }
}

#[test]
fn a_commit_forgets_what_rows_know() {
    let mut one = conversation();
    assert!(!needs_previous(&one, &LOWER, id(5, NOW)));
    assert!(needs_previous(&one, &HIGHER, id(5, NOW)));
    one.commit(Seq(5), Stamp(9));
    assert_eq!((one.committed, one.recent.len()), (Seq(5), 0));
    // The last id of each side stays at hand.
    assert!(!needs_previous(&one, &LOWER, id(5, NOW)));
    assert!(needs_previous(&one, &LOWER, id(4, NOW)));
}

#[test]
fn the_counter_ends_without_a_wrap() {
    let mut one = Conversation::new(ConversationId([1; 16]), user("a"), user("b"), Seq(u64::MAX));
    let decision =
        decide(&mut one, &LOWER, &send(6, "x", None), Lookups::default(), Timestamp(NOW), Stamp(1));
    assert!(matches!(decision, Decision::Refused { code: ErrorCode::Unavailable, .. }));
}
