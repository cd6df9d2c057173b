//! What is committed: resulting values, never differences.
//!
//! A chunk is a version byte (1) and events, each: vnode 2, epoch 8, kind 1, length 4 of what follows, fields.
//! Kinds and their fields (names behind a length byte):
//!
//! 1. message: conversation 16, lower, higher, side 1, seq 8, id 16, sent-at 8, hash 16, kind 1, body
//! 2. entry: user, offset 8, source vnode 2 and position 8 (both 0: not by a stream), conversation 16, seq 8,
//!    id 16, sent-at 8, with, origin device (empty: received), 1 when the body is that of the message before in
//!    this chunk, else 0, kind 1, body
//! 3. forward: destination 2, position 8, confirmed 8, [`crate::Forward`]
//! 4. stream: destination 2, last position 8, confirmed 8
//! 5. devices: user, [`crate::Devices`]
//! 6. revoked devices: user, [`crate::RevokedDevices`]
//!
//! Replay turns events into rows and decides nothing, so it cannot fail on anything but a broken layout.

use bytes::{BufMut, Bytes};
use iris_tables::{Table, Window};
use iris_types::{
    Body, ConversationId, Epoch, InboxMessage, MessageId, Offset, Position, Seq, Timestamp, UserId, VnodeId,
};

use crate::codec::{Malformed, Reader, put_body, put_name};
use crate::conversation::Side;
use crate::rows::{self, First, RowBuffer};

const VERSION: u8 = 1;

/// One change of one vnode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Message(MessageEvent),
    Entry(EntryEvent),
    /// A forward waits for its destination.
    Forward {
        destination: VnodeId,
        position: Position,
        confirmed: Position,
        forward: Bytes,
    },
    /// How far a stream is given out and confirmed.
    Stream {
        destination: VnodeId,
        last: Position,
        confirmed: Position,
    },
    Devices {
        user: UserId,
        devices: Bytes,
    },
    /// Together with the devices, which are without them from then on.
    RevokedDevices {
        user: UserId,
        revoked: Bytes,
    },
}

/// A message got its seq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEvent {
    pub conversation: ConversationId,
    pub lower: UserId,
    pub higher: UserId,
    pub side: Side,
    pub seq: Seq,
    pub id: MessageId,
    pub sent_at: Timestamp,
    pub hash: [u8; 16],
    pub body: Body,
}

/// A message got its place in a member's inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryEvent {
    pub user: UserId,
    pub offset: Offset,
    /// The stream that brought it, and the place in it.
    pub from: Option<(VnodeId, Position)>,
    pub message: InboxMessage,
}

/// Takes a row: table, window, key, value.
pub type PutRow<'a> = dyn FnMut(Table, Window, &[u8], &[u8]) + 'a;

/// How far a stream is, as an event says it: a row that changes with most messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRow {
    Outgoing { destination: VnodeId, last: Position, confirmed: Position },
    Watermark { source: VnodeId, position: Position },
}

impl Event {
    /// The rows that the event sets.
    pub fn rows(&self, put: &mut PutRow<'_>) {
        self.lasting_rows(put);
        if let Some(row) = self.stream_row() {
            row.put(put);
        }
    }

    /// The rows without that of a stream's end.
    pub fn lasting_rows(&self, put: &mut PutRow<'_>) {
        let none = Window::default();
        match self {
            Self::Message(event) => event.rows(put),
            Self::Entry(event) => event.rows(put),
            Self::Forward { destination, position, forward, .. } => {
                put(Table::Stream, none, &rows::stream_key(*destination, *position), forward);
            }
            Self::Stream { .. } => {}
            Self::Devices { user, devices } => {
                put(Table::Head, none, &rows::devices_key(user), devices);
            }
            Self::RevokedDevices { user, revoked } => {
                put(Table::Head, none, &rows::revoked_devices_key(user), revoked);
            }
        }
    }

    /// The row of a stream's end, if the event moves one.
    #[must_use]
    pub fn stream_row(&self) -> Option<StreamRow> {
        match self {
            Self::Forward { destination, position: last, confirmed, .. }
            | Self::Stream { destination, last, confirmed } => {
                Some(StreamRow::Outgoing { destination: *destination, last: *last, confirmed: *confirmed })
            }
            Self::Entry(EntryEvent { from: Some((source, position)), .. }) => {
                Some(StreamRow::Watermark { source: *source, position: *position })
            }
            Self::Entry(_) | Self::Message(_) | Self::Devices { .. } | Self::RevokedDevices { .. } => None,
        }
    }
}

impl StreamRow {
    pub fn put(&self, put: &mut PutRow<'_>) {
        let (key, value) = match self {
            Self::Outgoing { destination, last, confirmed } => {
                (rows::outgoing_key(*destination), rows::outgoing_value(*last, *confirmed))
            }
            Self::Watermark { source, position } => {
                (rows::watermark_key(*source), rows::offset_value(Offset(position.0)))
            }
        };
        put(Table::Head, Window::default(), &key, &value);
    }
}

impl MessageEvent {
    #[must_use]
    pub fn first(&self) -> First {
        First { seq: self.seq, sent_at: self.sent_at, hash: self.hash }
    }

    fn rows(&self, put: &mut PutRow<'_>) {
        let (none, mut row) = (Window::default(), RowBuffer::for_body(&self.body));
        row.key(|bytes| rows::put_history_key(bytes, self.conversation, self.seq));
        row.value(|bytes| rows::put_history_value(bytes, self.side, self.id, self.sent_at, &self.body));
        row.hand_to(put, Table::History, none);
        row.key(|bytes| rows::put_dedup_key(bytes, self.id, self.conversation, self.side));
        row.value(|bytes| rows::put_dedup_value(bytes, &self.first()));
        row.hand_to(put, Table::Dedup, Window::of(self.id.timestamp()));
        row.key(|bytes| rows::put_conversation_key(bytes, self.conversation));
        row.value(|bytes| rows::put_conversation_value(bytes, self.seq, &self.lower, &self.higher));
        row.hand_to(put, Table::Head, none);
    }
}

impl EntryEvent {
    fn rows(&self, put: &mut PutRow<'_>) {
        let (none, message) = (Window::default(), &self.message);
        let mut row = RowBuffer::for_body(&message.body);
        row.key(|bytes| rows::put_inbox_key(bytes, &self.user, self.offset));
        row.value(|bytes| rows::put_inbox_value(bytes, message));
        row.hand_to(put, Table::Inbox, Window::of(message.sent_at));
        row.key(|bytes| rows::put_last_offset_key(bytes, &self.user));
        row.value(|bytes| bytes.put_u64(self.offset.0));
        row.hand_to(put, Table::Head, none);
        row.key(|bytes| rows::put_listed_key(bytes, &self.user, message.conversation));
        row.value(|bytes| rows::put_listed_value(bytes, message.seq, &message.with));
        row.hand_to(put, Table::Head, none);
    }
}

/// Gathers events as the bytes of a chunk.
#[derive(Debug)]
pub struct ChunkWriter {
    bytes: Vec<u8>,
    /// Body of the last message event.
    body: Option<Body>,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        let mut bytes = Vec::new();
        bytes.put_u8(VERSION);
        Self { bytes, body: None }
    }
}

impl ChunkWriter {
    pub fn push(&mut self, vnode: VnodeId, epoch: Epoch, event: &Event) {
        self.bytes.put_u16(vnode.0);
        self.bytes.put_u64(epoch.0);
        self.bytes.put_u8(event.kind());
        let start = self.bytes.len();
        self.bytes.put_u32(0);
        self.put_fields(event);
        let length = u32::try_from(self.bytes.len() - start - 4).unwrap_or(u32::MAX);
        if let Some(field) = self.bytes.get_mut(start..start + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// Bytes gathered, the version byte included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.len() <= 1
    }

    #[must_use]
    pub fn finish(self) -> Bytes {
        Bytes::from(self.bytes)
    }

    fn put_fields(&mut self, event: &Event) {
        match event {
            Event::Message(event) => {
                put_message(&mut self.bytes, event);
                self.body = Some(event.body.clone());
            }
            Event::Entry(event) => {
                let is_same = self.body.as_ref().is_some_and(|body| is_same(body, &event.message.body));
                put_entry(&mut self.bytes, event, is_same);
            }
            Event::Forward { destination, position, confirmed, forward } => {
                put_stream(&mut self.bytes, *destination, *position, *confirmed);
                self.bytes.put_slice(forward);
            }
            Event::Stream { destination, last, confirmed } => {
                put_stream(&mut self.bytes, *destination, *last, *confirmed);
            }
            Event::Devices { user, devices: row } | Event::RevokedDevices { user, revoked: row } => {
                put_name(&mut self.bytes, user.as_bytes());
                self.bytes.put_slice(row);
            }
        }
    }
}

/// Whether two bodies are the same memory, so that one of them need not be written.
fn is_same(one: &Body, other: &Body) -> bool {
    let (a, b) = (one.bytes(), other.bytes());
    one.kind() == other.kind() && std::ptr::eq(a.as_ptr(), b.as_ptr()) && a.len() == b.len()
}

fn put_message(bytes: &mut Vec<u8>, event: &MessageEvent) {
    bytes.put_slice(&event.conversation.0);
    put_name(bytes, event.lower.as_bytes());
    put_name(bytes, event.higher.as_bytes());
    bytes.put_u8(event.side.number());
    bytes.put_u64(event.seq.0);
    bytes.put_slice(&event.id.to_bytes());
    bytes.put_u64(event.sent_at.0);
    bytes.put_slice(&event.hash);
    put_body(bytes, &event.body);
}

fn put_entry(bytes: &mut Vec<u8>, event: &EntryEvent, is_same_body: bool) {
    let (source, position) = event.from.unwrap_or_default();
    let message = &event.message;
    put_name(bytes, event.user.as_bytes());
    bytes.put_u64(event.offset.0);
    bytes.put_u16(source.0);
    bytes.put_u64(position.0);
    bytes.put_slice(&message.conversation.0);
    bytes.put_u64(message.seq.0);
    bytes.put_slice(&message.id.to_bytes());
    bytes.put_u64(message.sent_at.0);
    put_name(bytes, message.with.as_bytes());
    put_name(bytes, message.origin.as_ref().map_or(&[], |device| device.as_bytes()));
    bytes.put_u8(u8::from(is_same_body));
    if !is_same_body {
        put_body(bytes, &message.body);
    }
}

fn put_stream(bytes: &mut Vec<u8>, destination: VnodeId, last: Position, confirmed: Position) {
    bytes.put_u16(destination.0);
    bytes.put_u64(last.0);
    bytes.put_u64(confirmed.0);
}

impl Event {
    const fn kind(&self) -> u8 {
        match self {
            Self::Message(_) => 1,
            Self::Entry(_) => 2,
            Self::Forward { .. } => 3,
            Self::Stream { .. } => 4,
            Self::Devices { .. } => 5,
            Self::RevokedDevices { .. } => 6,
        }
    }
}

/// Reads a chunk's events back, in order.
#[derive(Debug)]
pub struct ChunkReader {
    reader: Reader,
    body: Option<Body>,
}

impl ChunkReader {
    /// # Errors
    /// [`Malformed`] for another version.
    pub fn new(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "chunk");
        if reader.u8()? == VERSION {
            Ok(Self { reader, body: None })
        } else {
            Err(Malformed("chunk version"))
        }
    }

    /// The next event and the vnode and epoch it was decided in; `None` at the end.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn next_event(&mut self) -> Result<Option<(VnodeId, Epoch, Event)>, Malformed> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let (vnode, epoch, kind) = (self.reader.vnode()?, self.reader.epoch()?, self.reader.u8()?);
        let length = usize::try_from(self.reader.u32()?).map_err(|_| self.reader.malformed())?;
        let fields = Reader::new(self.reader.bytes(length)?, "event");
        Ok(Some((vnode, epoch, self.event(kind, fields)?)))
    }

    fn event(&mut self, kind: u8, mut fields: Reader) -> Result<Event, Malformed> {
        match kind {
            1 => {
                let event = read_message(fields)?;
                self.body = Some(event.body.clone());
                Ok(Event::Message(event))
            }
            2 => Ok(Event::Entry(read_entry(fields, self.body.as_ref())?)),
            3 => {
                let (destination, position, confirmed) = read_stream(&mut fields)?;
                Ok(Event::Forward { destination, position, confirmed, forward: fields.rest() })
            }
            4 => {
                let (destination, last, confirmed) = read_stream(&mut fields)?;
                Ok(Event::Stream { destination, last, confirmed })
            }
            5 => Ok(Event::Devices { user: fields.user()?, devices: fields.rest() }),
            6 => Ok(Event::RevokedDevices { user: fields.user()?, revoked: fields.rest() }),
            _ => Err(Malformed("event kind")),
        }
    }
}

fn read_message(mut fields: Reader) -> Result<MessageEvent, Malformed> {
    Ok(MessageEvent {
        conversation: fields.conversation()?,
        lower: fields.user()?,
        higher: fields.user()?,
        side: Side::from_number(fields.u8()?).ok_or(Malformed("side"))?,
        seq: fields.seq()?,
        id: fields.message()?,
        sent_at: fields.timestamp()?,
        hash: fields.array()?,
        body: fields.rest_as_body()?,
    })
}

fn read_entry(mut fields: Reader, same: Option<&Body>) -> Result<EntryEvent, Malformed> {
    let (user, offset) = (fields.user()?, fields.offset()?);
    let (source, position) = (fields.vnode()?, fields.position()?);
    let (conversation, seq, id) = (fields.conversation()?, fields.seq()?, fields.message()?);
    let (sent_at, with, origin) = (fields.timestamp()?, fields.user()?, fields.optional_device()?);
    let body = match fields.u8()? {
        0 => fields.rest_as_body()?,
        _ => same.cloned().ok_or(Malformed("body of an entry"))?,
    };
    let sender = if origin.is_some() { &user } else { &with };
    let message = InboxMessage {
        conversation,
        seq,
        id,
        from: sender.clone(),
        with: with.clone(),
        origin,
        sent_at,
        body,
    };
    let from = (position > Position::ZERO).then_some((source, position));
    Ok(EntryEvent { user, offset, from, message })
}

fn read_stream(fields: &mut Reader) -> Result<(VnodeId, Position, Position), Malformed> {
    Ok((fields.vnode()?, fields.position()?, fields.position()?))
}
