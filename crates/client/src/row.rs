//! Rows of the local database, laid out by hand, big-endian.
//!
//! ```text
//! text     length u16 · bytes
//! optional 0, or 1 · value
//! unsent   to text · kind u8 · id optional [16] · id given u8 · reference optional text · body (the rest)
//! settled  to text · id optional [16] · reference optional text · 1 · conversation [16] · seq u64 · sent at u64
//!          to text · id optional [16] · reference optional text · 2 · code u16 · retry after u32
//! message  id [16] · from text · with text · origin optional text · sent at u64 · kind u8 · body (the rest)
//! waiting  1 · conversation [16] · seq u64        a message that the application has to take
//!          2 · first u64                          a gap
//! ```

use bytes::Bytes;
use iris_client_core::{Outcome, SendNumber, Settled, Unsent};
use iris_types::{
    Body, BodyKind, ConversationId, DeviceId, ErrorCode, InboxMessage, MessageId, Offset, Refusal, Seq,
    Timestamp, UserId,
};

/// What an entry that waits for the application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitingRow {
    Message { conversation: ConversationId, seq: Seq },
    Gap { first: Offset },
}

pub(crate) fn encode_unsent(unsent: &Unsent) -> Vec<u8> {
    let mut row = Vec::new();
    put_text(&mut row, unsent.to.as_bytes());
    row.push(unsent.body.kind().0);
    put_optional(&mut row, unsent.id, |row, id| row.extend(id.to_bytes()));
    row.push(u8::from(unsent.id_given));
    put_optional(&mut row, unsent.reference.as_ref(), |row, reference| put_text(row, reference));
    row.extend_from_slice(unsent.body.bytes());
    row
}

pub(crate) fn decode_unsent(number: SendNumber, row: &[u8]) -> Option<Unsent> {
    let mut row = Reader(row);
    let to = row.user()?;
    let kind = BodyKind(row.byte()?);
    let id = row.optional(Reader::id)?;
    let id_given = row.byte()? == 1;
    let reference = row.optional(|row| row.text().map(Bytes::copy_from_slice))?;
    Some(Unsent { number, to, id, id_given, reference, body: row.body(kind)? })
}

pub(crate) fn encode_settled(settled: &Settled) -> Vec<u8> {
    let mut row = Vec::new();
    put_text(&mut row, settled.to.as_bytes());
    put_optional(&mut row, settled.id, |row, id| row.extend(id.to_bytes()));
    put_optional(&mut row, settled.reference.as_ref(), |row, reference| put_text(row, reference));
    match settled.outcome {
        Outcome::Sent { conversation, seq, sent_at } => {
            row.push(1);
            row.extend(conversation.0);
            row.extend(seq.0.to_be_bytes());
            row.extend(sent_at.0.to_be_bytes());
        }
        Outcome::Failed(refusal) => {
            row.push(2);
            row.extend((refusal.code as u16).to_be_bytes());
            row.extend(refusal.retry_after_ms.to_be_bytes());
        }
    }
    row
}

pub(crate) fn decode_settled(number: SendNumber, row: &[u8]) -> Option<Settled> {
    let mut row = Reader(row);
    let to = row.user()?;
    let id = row.optional(Reader::id)?;
    let reference = row.optional(|row| row.text().map(Bytes::copy_from_slice))?;
    let outcome = match row.byte()? {
        1 => Outcome::Sent {
            conversation: ConversationId(row.array()?),
            seq: Seq(row.u64()?),
            sent_at: Timestamp(row.u64()?),
        },
        2 => Outcome::Failed(Refusal {
            code: ErrorCode::from_number(u16::from_be_bytes(row.array()?))?,
            retry_after_ms: u32::from_be_bytes(row.array()?),
        }),
        _ => return None,
    };
    row.end(Settled { number, to, id, reference, outcome })
}

pub(crate) fn encode_message(message: &InboxMessage) -> Vec<u8> {
    let mut row = Vec::with_capacity(64 + message.body.bytes().len());
    row.extend(message.id.to_bytes());
    put_text(&mut row, message.from.as_bytes());
    put_text(&mut row, message.with.as_bytes());
    put_optional(&mut row, message.origin.as_ref(), |row, origin| put_text(row, origin.as_bytes()));
    row.extend(message.sent_at.0.to_be_bytes());
    row.push(message.body.kind().0);
    row.extend_from_slice(message.body.bytes());
    row
}

pub(crate) fn decode_message(conversation: ConversationId, seq: Seq, row: &[u8]) -> Option<InboxMessage> {
    let mut row = Reader(row);
    let id = row.id()?;
    let (from, with) = (row.user()?, row.user()?);
    let origin = row.optional(|row| DeviceId::from_bytes(row.text()?).ok())?;
    let sent_at = Timestamp(row.u64()?);
    let kind = BodyKind(row.byte()?);
    Some(InboxMessage { conversation, seq, id, from, with, origin, sent_at, body: row.body(kind)? })
}

pub(crate) fn encode_waiting(waiting: WaitingRow) -> Vec<u8> {
    let mut row = Vec::with_capacity(25);
    match waiting {
        WaitingRow::Message { conversation, seq } => {
            row.push(1);
            row.extend(conversation.0);
            row.extend(seq.0.to_be_bytes());
        }
        WaitingRow::Gap { first } => {
            row.push(2);
            row.extend(first.0.to_be_bytes());
        }
    }
    row
}

pub(crate) fn decode_waiting(row: &[u8]) -> Option<WaitingRow> {
    let mut row = Reader(row);
    let waiting = match row.byte()? {
        1 => WaitingRow::Message { conversation: ConversationId(row.array()?), seq: Seq(row.u64()?) },
        2 => WaitingRow::Gap { first: Offset(row.u64()?) },
        _ => return None,
    };
    row.end(waiting)
}

/// Texts here are names and references: far below what two bytes can say.
fn put_text(row: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    row.extend(length.to_be_bytes());
    row.extend_from_slice(&text[..usize::from(length)]);
}

fn put_optional<T>(row: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    row.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(row, value);
    }
}

/// Takes a row apart; `None` for anything that was not written here.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }

    fn user(&mut self) -> Option<UserId> {
        UserId::from_bytes(self.text()?).ok()
    }

    fn id(&mut self) -> Option<MessageId> {
        MessageId::from_bytes(self.array()?).ok()
    }

    fn body(&mut self, kind: BodyKind) -> Option<Body> {
        Body::new(kind, Bytes::copy_from_slice(std::mem::take(&mut self.0))).ok()
    }

    /// The outer `None`: damaged. The inner: not there.
    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }

    fn end<T>(&self, value: T) -> Option<T> {
        self.0.is_empty().then_some(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
        for (id, reference) in [(None, None), (Some(id()), Some(Bytes::from_static(b"\"r\"")))] {
            let number = SendNumber(4);
            let id_given = id.is_some();
            let unsent =
                Unsent { number, to: bob(), body: body(), id, id_given, reference: reference.clone() };
            check(unsent.clone(), encode_unsent(&unsent), 3, |row| decode_unsent(number, row));
            let sent =
                Outcome::Sent { conversation: ConversationId([3; 16]), seq: Seq(8), sent_at: Timestamp(9) };
            for outcome in [sent, Outcome::Failed(Refusal::after(ErrorCode::IdTooOld, 5))] {
                let settled = Settled { number, to: bob(), id, reference: reference.clone(), outcome };
                check(settled.clone(), encode_settled(&settled), 0, |row| decode_settled(number, row));
            }
        }
    }

    #[test]
    fn messages_read_back() {
        for origin in [None, Some(DeviceId::new("laptop").unwrap())] {
            let (conversation, seq) = (ConversationId([3; 16]), Seq(8));
            let (from, with, sent_at) = (bob(), bob(), Timestamp(1_234));
            let message =
                InboxMessage { conversation, seq, id: id(), from, with, origin, sent_at, body: body() };
            check(message.clone(), encode_message(&message), 3, |row| decode_message(conversation, seq, row));
        }
    }

    #[test]
    fn waiting_entries_read_back() {
        let message = WaitingRow::Message { conversation: ConversationId([3; 16]), seq: Seq(8) };
        for waiting in [message, WaitingRow::Gap { first: Offset(6) }] {
            check(waiting, encode_waiting(waiting), 0, decode_waiting);
        }
    }
}
