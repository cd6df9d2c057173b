//! Keys and values of every kind of row. Integers are big-endian; names contain no zero byte, so a zero ends
//! them in keys.
//!
//! | table   | key                                    | value |
//! |---------|----------------------------------------|-------|
//! | History | conversation 16, seq 8                 | side 1, id 16, sent-at 8, kind 1, body |
//! | Inbox   | user, 0, offset 8                      | conversation 16, seq 8, id 16, sent-at 8, own 1, with (1 + n), origin device (1 + n, 0: none), kind 1, body |
//! | Dedup   | id 16, conversation 16, side 1         | seq 8, sent-at 8, hash 16 |
//! | Head    | `c`, conversation 16                   | last seq 8, lower name (1 + n), higher name (1 + n) |
//! | Head    | `o`, user                              | last offset 8 |
//! | Head    | `t`, user                              | trimmed-to 8: entries up to here are gone |
//! | Head    | `d`, user                              | [`crate::Devices`] |
//! | Head    | `v`, user                              | [`crate::RevokedDevices`]; none for nearly everybody |
//! | Head    | `x`, user, 0, conversation 16          | last seq 8, other member (1 + n) |
//! | Head    | `s`, destination vnode 2               | last position given 8, last position confirmed 8 |
//! | Head    | `w`, source vnode 2                    | last position taken 8 |
//! | Stream  | destination vnode 2, position 8        | [`crate::Forward`] |
//!
//! A dedup key begins with the id because ids begin with their time: a new id lies outside of every older run.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use iris_tables::{Table, Window};
use iris_types::{
    Body, ConversationId, HistoryEntry, InboxEntry, InboxItem, InboxMessage, MessageId, Offset, Position,
    Seq, Timestamp, UserId, VnodeId,
};

use crate::codec::{Malformed, Reader, put_body, put_name};
use crate::conversation::Side;
use crate::events::PutRow;

/// Room for all of a row but its body.
const ROOM_BYTES: usize = 512; // layout

/// One row after the other of an event.
#[derive(Debug)]
pub struct RowBuffer {
    bytes: Vec<u8>,
    key_bytes: usize,
}

impl RowBuffer {
    #[must_use]
    pub fn for_body(body: &Body) -> Self {
        Self { bytes: Vec::with_capacity(ROOM_BYTES + body.bytes().len()), key_bytes: 0 }
    }

    /// Begins a row with the key that `write` puts.
    pub fn key(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.clear();
        write(&mut self.bytes);
        self.key_bytes = self.bytes.len();
    }

    /// Then the value that `write` puts.
    pub fn value(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
    }

    /// The row is whole.
    pub fn hand_to(&self, put: &mut PutRow<'_>, table: Table, window: Window) {
        let (key, value) = self.bytes.split_at(self.key_bytes);
        put(table, window, key, value);
    }
}

fn cut(capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = Vec::with_capacity(capacity);
    write(&mut bytes);
    Bytes::from(bytes)
}

#[must_use]
pub fn history_key(conversation: ConversationId, seq: Seq) -> Bytes {
    cut(24, |bytes| put_history_key(bytes, conversation, seq))
}

pub fn put_history_key(bytes: &mut Vec<u8>, conversation: ConversationId, seq: Seq) {
    bytes.put_slice(&conversation.0);
    bytes.put_u64(seq.0);
}

pub fn put_history_value(bytes: &mut Vec<u8>, side: Side, id: MessageId, sent_at: Timestamp, body: &Body) {
    bytes.put_u8(side.number());
    bytes.put_slice(&id.to_bytes());
    bytes.put_u64(sent_at.0);
    put_body(bytes, body);
}

/// # Errors
/// [`Malformed`]; `names` are the lower and the higher member.
pub fn read_history(key: &[u8], value: Bytes, names: [&UserId; 2]) -> Result<HistoryEntry, Malformed> {
    let what = "history row";
    let seq = key.get(16..).and_then(|seq| seq.try_into().ok()).map(u64::from_be_bytes);
    let mut reader = Reader::new(value, what);
    let side = Side::from_number(reader.u8()?).ok_or(Malformed(what))?;
    Ok(HistoryEntry {
        seq: Seq(seq.ok_or(Malformed(what))?),
        from: side.of(names).clone(),
        id: reader.message()?,
        sent_at: reader.timestamp()?,
        body: reader.rest_as_body()?,
    })
}

#[must_use]
pub fn inbox_key(user: &UserId, offset: Offset) -> Bytes {
    cut(user.as_bytes().len() + 9, |bytes| put_inbox_key(bytes, user, offset))
}

pub fn put_inbox_key(bytes: &mut Vec<u8>, user: &UserId, offset: Offset) {
    bytes.put_slice(user.as_bytes());
    bytes.put_u8(0);
    bytes.put_u64(offset.0);
}

/// User name and offset of a key.
#[must_use]
pub fn split_inbox_key(key: &[u8]) -> Option<(&[u8], Offset)> {
    let (front, offset) = key.split_last_chunk::<8>()?;
    let (zero, user) = front.split_last()?;
    (*zero == 0).then_some((user, Offset(u64::from_be_bytes(*offset))))
}

#[must_use]
pub fn inbox_value(message: &InboxMessage) -> Bytes {
    cut(inbox_value_bytes(message), |bytes| put_inbox_value(bytes, message))
}

/// Bytes of an inbox row's value.
#[must_use]
pub fn inbox_value_bytes(message: &InboxMessage) -> usize {
    let origin = message.origin.as_ref().map_or(0, |device| device.as_bytes().len());
    52 + message.with.as_bytes().len() + origin + message.body.bytes().len()
}

pub fn put_inbox_value(bytes: &mut Vec<u8>, message: &InboxMessage) {
    let origin = message.origin.as_ref().map_or(&[][..], |device| device.as_bytes());
    bytes.put_slice(&message.conversation.0);
    bytes.put_u64(message.seq.0);
    bytes.put_slice(&message.id.to_bytes());
    bytes.put_u64(message.sent_at.0);
    bytes.put_u8(u8::from(message.origin.is_some()));
    put_name(bytes, message.with.as_bytes());
    put_name(bytes, origin);
    put_body(bytes, &message.body);
}

/// # Errors
/// [`Malformed`]; `owner` is whose inbox it is.
pub fn read_inbox(key: &[u8], value: Bytes, owner: &UserId) -> Result<Arc<InboxEntry>, Malformed> {
    let what = "inbox row";
    let (_, offset) = split_inbox_key(key).ok_or(Malformed(what))?;
    let mut reader = Reader::new(value, what);
    let (conversation, seq, id) = (reader.conversation()?, reader.seq()?, reader.message()?);
    let (sent_at, own, with) = (reader.timestamp()?, reader.u8()? != 0, reader.user()?);
    let (origin, body) = (reader.optional_device()?, reader.rest_as_body()?);
    let from = if own { owner.clone() } else { with.clone() };
    let message = InboxMessage { conversation, seq, id, from, with, origin, sent_at, body };
    Ok(Arc::new(InboxEntry { offset, item: InboxItem::Message(message) }))
}

#[must_use]
pub fn dedup_key(id: MessageId, conversation: ConversationId, side: Side) -> Bytes {
    cut(33, |bytes| put_dedup_key(bytes, id, conversation, side))
}

pub fn put_dedup_key(bytes: &mut Vec<u8>, id: MessageId, conversation: ConversationId, side: Side) {
    bytes.put_slice(&id.to_bytes());
    bytes.put_slice(&conversation.0);
    bytes.put_u8(side.number());
}

/// The id of a key.
#[must_use]
pub fn split_dedup_key(key: &[u8]) -> Option<MessageId> {
    MessageId::from_bytes(*key.first_chunk::<16>()?).ok()
}

/// What the first send of an id led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    pub seq: Seq,
    pub sent_at: Timestamp,
    /// First 16 bytes of SHA-256 over kind and body.
    pub hash: [u8; 16],
}

#[must_use]
pub fn dedup_value(first: &First) -> Bytes {
    cut(32, |bytes| put_dedup_value(bytes, first))
}

pub fn put_dedup_value(bytes: &mut Vec<u8>, first: &First) {
    bytes.put_u64(first.seq.0);
    bytes.put_u64(first.sent_at.0);
    bytes.put_slice(&first.hash);
}

/// # Errors
/// [`Malformed`]; likewise below.
pub fn read_dedup(value: Bytes) -> Result<First, Malformed> {
    let mut reader = Reader::new(value, "dedup row");
    let first = First { seq: reader.seq()?, sent_at: reader.timestamp()?, hash: reader.array()? };
    reader.end()?;
    Ok(first)
}

#[must_use]
pub fn conversation_key(conversation: ConversationId) -> Bytes {
    head_key(b'c', &conversation.0)
}

pub fn put_conversation_key(bytes: &mut Vec<u8>, conversation: ConversationId) {
    put_head_key(bytes, b'c', &conversation.0);
}

#[must_use]
pub fn conversation_value(last: Seq, lower: &UserId, higher: &UserId) -> Bytes {
    cut(10 + lower.as_bytes().len() + higher.as_bytes().len(), |bytes| {
        put_conversation_value(bytes, last, lower, higher)
    })
}

pub fn put_conversation_value(bytes: &mut Vec<u8>, last: Seq, lower: &UserId, higher: &UserId) {
    bytes.put_u64(last.0);
    put_name(bytes, lower.as_bytes());
    put_name(bytes, higher.as_bytes());
}

pub fn read_conversation(value: Bytes) -> Result<(Seq, UserId, UserId), Malformed> {
    let mut reader = Reader::new(value, "conversation head");
    let head = (reader.seq()?, reader.user()?, reader.user()?);
    reader.end()?;
    Ok(head)
}

#[must_use]
pub fn last_offset_key(user: &UserId) -> Bytes {
    head_key(b'o', user.as_bytes())
}

pub fn put_last_offset_key(bytes: &mut Vec<u8>, user: &UserId) {
    put_head_key(bytes, b'o', user.as_bytes());
}

#[must_use]
pub fn trimmed_key(user: &[u8]) -> Bytes {
    head_key(b't', user)
}

#[must_use]
pub fn devices_key(user: &UserId) -> Bytes {
    head_key(b'd', user.as_bytes())
}

#[must_use]
pub fn revoked_devices_key(user: &UserId) -> Bytes {
    head_key(b'v', user.as_bytes())
}

/// Name of the user when the key is that of a last offset.
#[must_use]
pub fn split_last_offset_key(key: &[u8]) -> Option<&[u8]> {
    key.strip_prefix(b"o")
}

#[must_use]
pub fn offset_value(offset: Offset) -> Bytes {
    Bytes::copy_from_slice(&offset.0.to_be_bytes())
}

pub fn read_offset(value: Bytes) -> Result<Offset, Malformed> {
    let mut reader = Reader::new(value, "offset row");
    let offset = reader.offset()?;
    reader.end()?;
    Ok(offset)
}

#[must_use]
pub fn listed_key(user: &UserId, conversation: ConversationId) -> Bytes {
    cut(user.as_bytes().len() + 18, |bytes| put_listed_key(bytes, user, conversation))
}

pub fn put_listed_key(bytes: &mut Vec<u8>, user: &UserId, conversation: ConversationId) {
    bytes.put_u8(b'x');
    bytes.put_slice(user.as_bytes());
    bytes.put_u8(0);
    bytes.put_slice(&conversation.0);
}

/// User name and conversation of a key.
#[must_use]
pub fn split_listed_key(key: &[u8]) -> Option<(&[u8], ConversationId)> {
    let (front, conversation) = key.split_last_chunk::<16>()?;
    let (zero, user) = front.strip_prefix(b"x")?.split_last()?;
    (*zero == 0).then_some((user, ConversationId(*conversation)))
}

#[must_use]
pub fn listed_value(last: Seq, with: &UserId) -> Bytes {
    cut(9 + with.as_bytes().len(), |bytes| put_listed_value(bytes, last, with))
}

pub fn put_listed_value(bytes: &mut Vec<u8>, last: Seq, with: &UserId) {
    bytes.put_u64(last.0);
    put_name(bytes, with.as_bytes());
}

pub fn read_listed(value: Bytes) -> Result<(Seq, UserId), Malformed> {
    let mut reader = Reader::new(value, "conversation list row");
    let line = (reader.seq()?, reader.user()?);
    reader.end()?;
    Ok(line)
}

#[must_use]
pub fn outgoing_key(destination: VnodeId) -> Bytes {
    head_key(b's', &destination.0.to_be_bytes())
}

#[must_use]
pub fn outgoing_value(last: Position, confirmed: Position) -> Bytes {
    cut(16, |bytes| put_outgoing_value(bytes, last, confirmed))
}

pub fn put_outgoing_value(bytes: &mut Vec<u8>, last: Position, confirmed: Position) {
    bytes.put_u64(last.0);
    bytes.put_u64(confirmed.0);
}

pub fn read_outgoing(value: Bytes) -> Result<(Position, Position), Malformed> {
    let mut reader = Reader::new(value, "outgoing stream row");
    let positions = (reader.position()?, reader.position()?);
    reader.end()?;
    Ok(positions)
}

#[must_use]
pub fn watermark_key(source: VnodeId) -> Bytes {
    head_key(b'w', &source.0.to_be_bytes())
}

pub fn read_watermark(value: Bytes) -> Result<Position, Malformed> {
    read_offset(value).map(|value| Position(value.0))
}

/// The vnode that an outgoing-stream or watermark key names.
#[must_use]
pub fn split_vnode_key(key: &[u8]) -> Option<VnodeId> {
    let vnode: [u8; 2] = key.get(1..)?.try_into().ok()?;
    Some(VnodeId(u16::from_be_bytes(vnode)))
}

#[must_use]
pub fn stream_key(destination: VnodeId, position: Position) -> Bytes {
    cut(10, |bytes| put_stream_key(bytes, destination, position))
}

pub fn put_stream_key(bytes: &mut Vec<u8>, destination: VnodeId, position: Position) {
    bytes.put_u16(destination.0);
    bytes.put_u64(position.0);
}

/// Destination and position of a stream row's key.
#[must_use]
pub fn split_stream_key(key: &[u8]) -> Option<(VnodeId, Position)> {
    let mut reader = Reader::new(Bytes::copy_from_slice(key), "stream key");
    Some((reader.vnode().ok()?, reader.position().ok()?))
}

fn head_key(kind: u8, name: &[u8]) -> Bytes {
    cut(1 + name.len(), |bytes| put_head_key(bytes, kind, name))
}

fn put_head_key(bytes: &mut Vec<u8>, kind: u8, name: &[u8]) {
    bytes.put_u8(kind);
    bytes.put_slice(name);
}
