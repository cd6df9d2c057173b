//! What an entry of an inbox tells, as bytes: the value of an inbox row, and what a forward carries.
//!
//! Kind 1, then:
//!
//! 1. direct message: conversation 16, seq 8, id 16, sent-at 8, own 1, with (1 + n), origin device (1 + n, 0: none),
//!    kind 1, body
//! 2. group message: conversation 16, seq 8, id 16, sent-at 8, author (1 + n), title (1 + n), origin device (1 + n,
//!    0: none), kind 1, body
//! 3. receipt: conversation 16, user (1 + n), delivered 8, read 8, at 8
//! 4. group receipt: group 16, seq 8, delivered 4, read 4, members 4, everybody: delivered 8, read 8, at 8
//! 5. state: conversation 16, read 8, unread 8, flags 1, at 8
//! 6. settings: read receipts 1, last seen 1, typing 1, at 8

use bytes::{BufMut, Bytes};
use iris_types::{
    ConversationState, DeviceId, Flags, GroupReceipt, InboxItem, InboxMessage, Marks, Peer, Receipt, UserId,
};

use crate::codec::{Malformed, Reader, put_body, put_name};
use crate::settings::{put_settings, read_settings};

const WHAT: &str = "inbox item";

#[must_use]
pub fn encode(item: &InboxItem) -> Bytes {
    let mut bytes = Vec::with_capacity(bytes_of(item));
    put(&mut bytes, item);
    Bytes::from(bytes)
}

/// Bytes that [`put`] takes, or a few more.
#[must_use]
pub fn bytes_of(item: &InboxItem) -> usize {
    match item {
        InboxItem::Message(message) => 280 + message.body.bytes().len(),
        _ => 120,
    }
}

pub fn put(bytes: &mut Vec<u8>, item: &InboxItem) {
    match item {
        InboxItem::Message(message) => put_message(bytes, message),
        InboxItem::Receipt(receipt) => {
            bytes.put_u8(3);
            bytes.put_slice(&receipt.conversation.0);
            put_name(bytes, receipt.user.as_bytes());
            put_marks(bytes, receipt.marks);
            bytes.put_u64(receipt.at.0);
        }
        InboxItem::GroupReceipt(receipt) => {
            bytes.put_u8(4);
            bytes.put_slice(&receipt.group.0);
            bytes.put_u64(receipt.seq.0);
            bytes.put_u32(receipt.delivered);
            bytes.put_u32(receipt.read);
            bytes.put_u32(receipt.members);
            put_marks(bytes, receipt.everybody);
            bytes.put_u64(receipt.at.0);
        }
        InboxItem::State(state) => {
            bytes.put_u8(5);
            bytes.put_slice(&state.conversation.0);
            bytes.put_u64(state.read.0);
            bytes.put_u64(state.unread);
            bytes.put_u8(state.flags.bits());
            bytes.put_u64(state.at.0);
        }
        InboxItem::Settings(settings, at) => {
            bytes.put_u8(6);
            put_settings(bytes, *settings);
            bytes.put_u64(at.0);
        }
    }
}

pub(crate) fn put_message(bytes: &mut Vec<u8>, message: &InboxMessage) {
    bytes.put_u8(if matches!(message.with, Peer::User(_)) { 1 } else { 2 });
    bytes.put_slice(&message.conversation.0);
    bytes.put_u64(message.seq.0);
    bytes.put_slice(&message.id.to_bytes());
    bytes.put_u64(message.sent_at.0);
    match &message.with {
        Peer::User(with) => {
            bytes.put_u8(u8::from(message.origin.is_some()));
            put_name(bytes, with.as_bytes());
        }
        Peer::Group(title) => {
            put_name(bytes, message.from.as_bytes());
            put_name(bytes, title.as_bytes());
        }
    }
    put_name(bytes, message.origin.as_ref().map_or(&[][..], DeviceId::as_bytes));
    put_body(bytes, &message.body);
}

/// # Errors
/// [`Malformed`]; `owner` is whose inbox it is.
pub fn decode(value: Bytes, owner: &UserId) -> Result<InboxItem, Malformed> {
    let mut reader = Reader::new(value, WHAT);
    let item = match reader.u8()? {
        1 => return read_message(reader, Some(owner)).map(InboxItem::Message),
        2 => return read_message(reader, None).map(InboxItem::Message),
        3 => InboxItem::Receipt(Receipt {
            conversation: reader.conversation()?,
            user: reader.user()?,
            marks: read_marks(&mut reader)?,
            at: reader.timestamp()?,
        }),
        4 => InboxItem::GroupReceipt(GroupReceipt {
            group: reader.conversation()?,
            seq: reader.seq()?,
            delivered: reader.u32()?,
            read: reader.u32()?,
            members: reader.u32()?,
            everybody: read_marks(&mut reader)?,
            at: reader.timestamp()?,
        }),
        5 => InboxItem::State(ConversationState {
            conversation: reader.conversation()?,
            read: reader.seq()?,
            unread: reader.u64()?,
            flags: Flags::from_bits(reader.u8()?).ok_or(Malformed(WHAT))?,
            at: reader.timestamp()?,
        }),
        6 => InboxItem::Settings(read_settings(&mut reader)?, reader.timestamp()?),
        _ => return Err(Malformed(WHAT)),
    };
    reader.end()?;
    Ok(item)
}

/// A group's message: whose inbox it is for does not matter.
///
/// # Errors
/// [`Malformed`], also for anything else.
pub(crate) fn decode_group(value: Bytes) -> Result<InboxMessage, Malformed> {
    let mut reader = Reader::new(value, WHAT);
    if reader.u8()? == 2 { read_message(reader, None) } else { Err(Malformed(WHAT)) }
}

/// `owner`: whose inbox a direct message is in; `None` for a group's.
fn read_message(mut reader: Reader, owner: Option<&UserId>) -> Result<InboxMessage, Malformed> {
    let (conversation, seq, id) = (reader.conversation()?, reader.seq()?, reader.message()?);
    let sent_at = reader.timestamp()?;
    let (own, from, with) = match owner {
        None => (None, reader.user()?, Peer::Group(reader.title()?)),
        Some(owner) => {
            let (own, with) = (reader.flag()?, reader.user()?);
            (Some(own), if own { owner.clone() } else { with.clone() }, Peer::User(with))
        }
    };
    let origin = reader.optional_device()?;
    if own.is_some_and(|own| own != origin.is_some()) {
        return Err(reader.malformed());
    }
    let body = reader.rest_as_body()?;
    Ok(InboxMessage { conversation, seq, id, from, with, origin, sent_at, body })
}

pub(crate) fn put_marks(bytes: &mut impl BufMut, marks: Marks) {
    bytes.put_u64(marks.delivered.0);
    bytes.put_u64(marks.read.0);
}

pub(crate) fn read_marks(reader: &mut Reader) -> Result<Marks, Malformed> {
    Ok(Marks { delivered: reader.seq()?, read: reader.seq()? })
}
