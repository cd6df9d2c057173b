//! Sync, Delivery, GroupDelivery, OwnSent, Gap, PageEnd, SyncNeeded: a device reads the user's inbox log.

use iris_types::request::RequestId;
use iris_types::{ConversationId, InboxMessage, MessageId, Offset, Peer, Seq, Timestamp, UserId};

use crate::frame::{opcode, put_frame};
use crate::wire::{DecodeError, Reader, body_len, name_len, put_body, put_name, put_u32, put_u64};

/// Asks for everything after an offset: pages, then live pushes.
///
/// ```text
/// 0   4  request
/// 4   8  offset of the last entry the device has stored, 0 for none
/// 12     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sync {
    pub request: RequestId,
    pub after: Offset,
}

/// An entry with a message that this device sent.
///
/// ```text
/// 0   8  offset
/// 8   16 conversation
/// 24  8  seq
/// 32  16 message id
/// 48  8  time of the commit, Unix milliseconds
/// 56     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnSent {
    pub offset: Offset,
    pub conversation: ConversationId,
    pub seq: Seq,
    pub id: MessageId,
    pub sent_at: Timestamp,
}

/// Entries that are gone: the first and the last. Comes before a page's entries.
///
/// ```text
/// 0   8  first offset
/// 8   8  last offset
/// 16     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub first: Offset,
    pub last: Offset,
}

/// A page is complete.
///
/// ```text
/// 0   4  request of the Sync
/// 4   8  offset of the page's last entry, or where it stands without entries
/// 12  8  offset of the last entry of the inbox log
/// 20  1  1: live from here on; 0: the next page comes when this offset is acknowledged
/// 21     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageEnd {
    pub request: RequestId,
    pub last: Offset,
    pub log_end: Offset,
    pub live: bool,
}

/// Pushes have stopped: acknowledge, then sync.
///
/// ```text
/// 0  8  offset of the last entry given
/// 8     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncNeeded {
    pub last: Offset,
}

/// Bytes of an item of Batch that holds an own entry.
pub(crate) const OWN_BYTES: usize = 56;

/// Bytes that [`put_message`] takes.
pub(crate) fn message_len(message: &InboxMessage) -> usize {
    56 + name_len(message.from.as_bytes()) + name_len(place(message)) + body_len(&message.body)
}

/// Fields of a Delivery and of a GroupDelivery, entries: a message that another device sent, or a change of a group.
///
/// ```text
/// 0      8  offset
/// 8      16 conversation
/// 24     8  seq
/// 32     16 message id
/// 48     1  length of the sender's name, f
/// 49     f  sender
/// 49+f   1  length of the next, w
/// 50+f   w  Delivery: the other member, 0 bytes when that is the sender; GroupDelivery: the group's title as it was
///           when the message was decided
/// 50+f+w 8  time of the commit, Unix milliseconds
/// 58+f+w 1  kind of the body
/// 59+f+w 2  length of the body, b
/// 61+f+w b  body
/// ```
pub(crate) fn put_message(out: &mut Vec<u8>, offset: Offset, message: &InboxMessage) {
    put_u64(out, offset.0);
    out.extend_from_slice(&message.conversation.0);
    put_u64(out, message.seq.0);
    out.extend_from_slice(&message.id.to_bytes());
    put_name(out, message.from.as_bytes());
    put_name(out, place(message));
    put_u64(out, message.sent_at.0);
    put_body(out, &message.body);
}

/// Reads what follows the offset.
pub(crate) fn read_message(reader: &mut Reader<'_>, is_of_group: bool) -> Result<InboxMessage, DecodeError> {
    let (conversation, seq, id) = (reader.conversation()?, reader.seq()?, reader.message_id()?);
    let from = reader.user()?;
    let with = if is_of_group {
        Peer::Group(reader.title()?)
    } else {
        match reader.name()? {
            [] => Peer::User(from.clone()),
            name => Peer::User(UserId::from_bytes(name).map_err(|_| DecodeError::Value)?),
        }
    };
    let (sent_at, body) = (reader.timestamp()?, reader.checked_body()?);
    Ok(InboxMessage { conversation, seq, id, from, with, origin: None, sent_at, body })
}

/// The other member or the title.
fn place(message: &InboxMessage) -> &[u8] {
    match &message.with {
        Peer::User(user) if *user == message.from => &[],
        Peer::User(user) => user.as_bytes(),
        Peer::Group(title) => title.as_bytes(),
    }
}

pub(crate) fn put_own(out: &mut Vec<u8>, own: &OwnSent) {
    put_u64(out, own.offset.0);
    out.extend_from_slice(&own.conversation.0);
    put_u64(out, own.seq.0);
    out.extend_from_slice(&own.id.to_bytes());
    put_u64(out, own.sent_at.0);
}

impl Sync {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::SYNC, |out| {
            put_u32(out, self.request.0);
            put_u64(out, self.after.0);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let sync = Self { request: reader.request()?, after: reader.offset()? };
        reader.finish()?;
        Ok(sync)
    }
}

impl OwnSent {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            offset: reader.offset()?,
            conversation: reader.conversation()?,
            seq: reader.seq()?,
            id: reader.message_id()?,
            sent_at: reader.timestamp()?,
        })
    }
}

impl Gap {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::GAP, |out| {
            put_u64(out, self.first.0);
            put_u64(out, self.last.0);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let gap = Self { first: reader.offset()?, last: reader.offset()? };
        reader.finish()?;
        if gap.first <= gap.last { Ok(gap) } else { Err(DecodeError::Value) }
    }
}

impl PageEnd {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::PAGE_END, |out| {
            put_u32(out, self.request.0);
            put_u64(out, self.last.0);
            put_u64(out, self.log_end.0);
            out.push(u8::from(self.live));
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let end = Self {
            request: reader.request()?,
            last: reader.offset()?,
            log_end: reader.offset()?,
            live: reader.flag()?,
        };
        reader.finish()?;
        Ok(end)
    }
}

impl SyncNeeded {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::SYNC_NEEDED, |out| put_u64(out, self.last.0));
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let last = reader.offset()?;
        reader.finish()?;
        Ok(Self { last })
    }
}
