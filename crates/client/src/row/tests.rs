//! Every row reads back, and no part of one is taken for another.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use iris_client_core::{Outcome, SendNumber, Settled, Unsent};
use iris_types::{
    Audience, Body, BodyKind, ConversationId, ConversationState, DeviceId, ErrorCode, Flags, GroupReceipt,
    GroupTitle, InboxItem, InboxMessage, Marks, MessageId, Offset, Peer, Receipt, Refusal, Seq, Settings,
    Target, Timestamp, UserId,
};

use super::*;

fn body() -> Body {
    Body::new(BodyKind(9), Bytes::from_static(&[0, 1, 255])).unwrap()
}

fn id() -> MessageId {
    MessageId::from_parts(Timestamp(77), [5; 10])
}

fn bob() -> UserId {
    UserId::new("bob").unwrap()
}

fn group() -> ConversationId {
    ConversationId([3; 16])
}

/// The whole row reads back; no beginning of it is taken for something else but for a shorter body.
fn check<T: PartialEq + std::fmt::Debug>(
    value: T,
    row: Vec<u8>,
    body_bytes: usize,
    read: impl Fn(&[u8]) -> Option<T>,
) {
    assert_eq!(read(&row), Some(value));
    for length in 0..=row.len() - body_bytes.max(1) {
        assert_eq!(read(&row[..length]), None, "cut to {length} bytes");
    }
}

#[test]
fn sends_read_back() {
    let number = SendNumber(4);
    for to in [Target::User(bob()), Target::Group(group())] {
        for (id, reference) in [(None, None), (Some(id()), Some(Bytes::from_static(b"\"r\"")))] {
            let id_given = id.is_some();
            let unsent =
                Unsent { number, to: to.clone(), body: body(), id, id_given, reference: reference.clone() };
            check(unsent.clone(), encode_unsent(&unsent), 3, |row| decode_unsent(number, row));
            let sent = Outcome::Sent { conversation: group(), seq: Seq(8), sent_at: Timestamp(9) };
            for outcome in [sent, Outcome::Failed(Refusal::after(ErrorCode::IdTooOld, 5))] {
                let settled = Settled { number, to: to.clone(), id, reference: reference.clone(), outcome };
                check(settled.clone(), encode_settled(&settled), 0, |row| decode_settled(number, row));
            }
        }
        check(to.clone(), encode_target(&to), 0, decode_target);
    }
}

#[test]
fn messages_read_back() {
    for with in [Peer::User(bob()), Peer::Group(GroupTitle::new("Tea").unwrap())] {
        for origin in [None, Some(DeviceId::new("laptop").unwrap())] {
            let (conversation, seq) = (group(), Seq(8));
            let (from, with, sent_at) = (bob(), with.clone(), Timestamp(1_234));
            let message =
                InboxMessage { conversation, seq, id: id(), from, with, origin, sent_at, body: body() };
            check(message.clone(), encode_message(&message), 3, |row| decode_message(conversation, seq, row));
        }
    }
}

#[test]
fn waiting_entries_read_back() {
    let marks = Marks { delivered: Seq(9), read: Seq(7) };
    let (conversation, at) = (group(), Timestamp(1_234));
    let settings = Settings { read_receipts: false, last_seen: Audience::Nobody, typing: true };
    let (read, unread, flags) = (Seq(5), 6, Flags::MUTED);
    for waiting in [
        WaitingRow::Message { conversation, seq: Seq(8) },
        WaitingRow::Gap { first: Offset(6) },
        WaitingRow::Item(InboxItem::Receipt(Receipt { conversation, user: bob(), marks, at })),
        WaitingRow::Item(InboxItem::GroupReceipt(GroupReceipt {
            group: group(),
            seq: Seq(9),
            delivered: 4,
            read: 2,
            members: 5,
            everybody: marks,
            at,
        })),
        WaitingRow::Item(InboxItem::State(ConversationState { conversation, read, unread, flags, at })),
        WaitingRow::Item(InboxItem::Settings(settings, at)),
    ] {
        check(waiting.clone(), encode_waiting(&waiting), 0, decode_waiting);
    }
}
