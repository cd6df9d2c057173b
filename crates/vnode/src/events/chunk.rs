//! Events as the bytes of a chunk, and back.

use bytes::{BufMut, Bytes};
use iris_types::{Body, DeviceId, Epoch, InboxItem, InboxMessage, Peer, Position, UserId, VnodeId};

use super::{EntryEvent, Event, GroupEntriesEvent, GroupEntry, MessageEvent, Written};
use crate::codec::{Malformed, Reader, put_body, put_name};
use crate::conversation::Side;
use crate::forward::Recipient;
use crate::{item, rows};

const VERSION: u8 = 1;
/// Bytes of a body that are worth looking for at the end of a forward.
const SHARED_BYTES_MIN: usize = 64; // layout
const FORWARD: u8 = 3;
/// A forward without the body that it ends with.
const FORWARD_OF_BODY: u8 = 17;

/// Gathers events as the bytes of a chunk.
#[derive(Debug)]
pub struct ChunkWriter {
    bytes: Vec<u8>,
    /// Body of the last message event.
    body: Option<Body>,
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl ChunkWriter {
    /// With room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(bytes);
        bytes.put_u8(VERSION);
        Self { bytes, body: None }
    }

    pub fn push(&mut self, vnode: VnodeId, epoch: Epoch, event: &Event) {
        self.bytes.put_u16(vnode.0);
        self.bytes.put_u64(epoch.0);
        let kind = if self.shared_bytes(event) > 0 { FORWARD_OF_BODY } else { event.kind() };
        self.bytes.put_u8(kind);
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
            Event::Entry(event) => match &event.item {
                InboxItem::Message(message @ InboxMessage { with: Peer::User(with), .. }) => {
                    put_entry(&mut self.bytes, event, message, with);
                    self.put_body(&message.body);
                }
                item => {
                    put_name(&mut self.bytes, event.user.as_bytes());
                    self.bytes.put_u64(event.offset.0);
                    put_source(&mut self.bytes, event.from);
                    item::put(&mut self.bytes, item);
                }
            },
            Event::GroupEntries(event) => {
                put_group_entries(&mut self.bytes, event);
                self.put_body(&event.message.body);
            }
            Event::Forward { destination, position, confirmed, forward } => {
                put_stream(&mut self.bytes, *destination, *position, *confirmed);
                let own = forward.len() - self.shared_bytes(event);
                self.bytes.put_slice(&forward[..own]);
            }
            Event::Stream { destination, last, confirmed } => {
                put_stream(&mut self.bytes, *destination, *last, *confirmed);
            }
            Event::Devices { user, devices: row } | Event::RevokedDevices { user, revoked: row } => {
                put_name(&mut self.bytes, user.as_bytes());
                self.bytes.put_slice(row);
            }
            Event::LastSent { group, user, sent } => {
                self.bytes.put_slice(&group.0);
                put_name(&mut self.bytes, user.as_bytes());
                self.bytes.put_slice(&rows::last_sent_value(*sent));
            }
            Event::Taken { source, position } => put_source(&mut self.bytes, Some((*source, *position))),
            Event::Settings { user, settings } => {
                put_name(&mut self.bytes, user.as_bytes());
                self.bytes.put_slice(settings);
            }
            Event::Group { group: conversation, facts: row } | Event::Sides { conversation, sides: row } => {
                self.bytes.put_slice(&conversation.0);
                self.bytes.put_slice(row);
            }
            Event::Member { group: conversation, user, member: row }
            | Event::Line { user, conversation, line: row } => {
                self.bytes.put_slice(&conversation.0);
                put_name(&mut self.bytes, user.as_bytes());
                self.bytes.put_slice(row);
            }
        }
    }

    /// Bytes at the end of a forward that are the body of the last message: a group's goes to many vnodes, and the chunk
    /// holds it once.
    fn shared_bytes(&self, event: &Event) -> usize {
        let (Event::Forward { forward, .. }, Some(body)) = (event, &self.body) else { return 0 };
        let body = body.bytes();
        if body.len() >= SHARED_BYTES_MIN && forward.ends_with(body) { body.len() } else { 0 }
    }

    /// A body, or that it is the one of the last message.
    fn put_body(&mut self, body: &Body) {
        let is_same = self.body.as_ref().is_some_and(|last| is_same(last, body));
        self.bytes.put_u8(u8::from(is_same));
        if !is_same {
            put_body(&mut self.bytes, body);
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
    match &event.written {
        Written::Direct { lower, higher, side } => {
            put_name(bytes, lower.as_bytes());
            put_name(bytes, higher.as_bytes());
            bytes.put_u8(side.number());
        }
        Written::Group { author } => put_name(bytes, author.as_bytes()),
    }
    bytes.put_u64(event.seq.0);
    bytes.put_slice(&event.id.to_bytes());
    bytes.put_u64(event.sent_at.0);
    bytes.put_slice(&event.hash);
    put_body(bytes, &event.body);
}

fn put_source(bytes: &mut Vec<u8>, from: Option<(VnodeId, Position)>) {
    let (source, position) = from.unwrap_or_default();
    bytes.put_u16(source.0);
    bytes.put_u64(position.0);
}

fn put_entry(bytes: &mut Vec<u8>, event: &EntryEvent, message: &InboxMessage, with: &UserId) {
    put_name(bytes, event.user.as_bytes());
    bytes.put_u64(event.offset.0);
    put_source(bytes, event.from);
    bytes.put_slice(&message.conversation.0);
    bytes.put_u64(message.seq.0);
    bytes.put_slice(&message.id.to_bytes());
    bytes.put_u64(message.sent_at.0);
    put_name(bytes, with.as_bytes());
    put_name(bytes, message.origin.as_ref().map_or(&[], DeviceId::as_bytes));
}

fn put_group_entries(bytes: &mut Vec<u8>, event: &GroupEntriesEvent) {
    let message = &event.message;
    put_source(bytes, event.from);
    bytes.put_slice(&message.conversation.0);
    bytes.put_u64(message.seq.0);
    bytes.put_slice(&message.id.to_bytes());
    bytes.put_u64(message.sent_at.0);
    put_name(bytes, message.from.as_bytes());
    let title = if let Peer::Group(title) = &message.with { title.as_bytes() } else { &[] };
    put_name(bytes, title);
    bytes.put_u16(u16::try_from(event.entries.len()).unwrap_or(u16::MAX));
    for entry in &event.entries {
        bytes.put_u64(entry.offset.0);
        entry.recipient.put(bytes);
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
            Self::Message(MessageEvent { written: Written::Direct { .. }, .. }) => 1,
            Self::Entry(EntryEvent {
                item: InboxItem::Message(InboxMessage { with: Peer::User(_), .. }),
                ..
            }) => 2,
            Self::Forward { .. } => FORWARD,
            Self::Stream { .. } => 4,
            Self::Devices { .. } => 5,
            Self::RevokedDevices { .. } => 6,
            Self::Message(MessageEvent { written: Written::Group { .. }, .. }) => 7,
            Self::Group { .. } => 8,
            Self::Member { .. } => 9,
            Self::GroupEntries(_) => 10,
            Self::Line { .. } => 11,
            Self::Sides { .. } => 12,
            Self::Entry(_) => 13,
            Self::Settings { .. } => 14,
            Self::LastSent { .. } => 15,
            Self::Taken { .. } => 16,
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
            1 | 7 => {
                let event = read_message(fields, kind == 7)?;
                self.body = Some(event.body.clone());
                Ok(Event::Message(event))
            }
            2 => Ok(Event::Entry(read_entry(fields, self.body.as_ref())?)),
            FORWARD | FORWARD_OF_BODY => {
                let (destination, position, confirmed) = read_stream(&mut fields)?;
                let own = fields.rest();
                let forward = match &self.body {
                    _ if kind == FORWARD => own,
                    Some(body) => Bytes::from([&own[..], &body.bytes()[..]].concat()),
                    None => return Err(Malformed("body of a forward")),
                };
                Ok(Event::Forward { destination, position, confirmed, forward })
            }
            4 => {
                let (destination, last, confirmed) = read_stream(&mut fields)?;
                Ok(Event::Stream { destination, last, confirmed })
            }
            5 => Ok(Event::Devices { user: fields.user()?, devices: fields.rest() }),
            6 => Ok(Event::RevokedDevices { user: fields.user()?, revoked: fields.rest() }),
            8 => Ok(Event::Group { group: fields.conversation()?, facts: fields.rest() }),
            9 => Ok(Event::Member {
                group: fields.conversation()?,
                user: fields.user()?,
                member: fields.rest(),
            }),
            10 => Ok(Event::GroupEntries(read_group_entries(fields, self.body.as_ref())?)),
            11 => {
                let (conversation, user) = (fields.conversation()?, fields.user()?);
                Ok(Event::Line { user, conversation, line: fields.rest() })
            }
            12 => Ok(Event::Sides { conversation: fields.conversation()?, sides: fields.rest() }),
            13 => {
                let (user, offset, from) = (fields.user()?, fields.offset()?, read_source(&mut fields)?);
                let item = item::decode(fields.rest(), &user)?;
                if matches!(item, InboxItem::Message(_)) {
                    return Err(Malformed("an entry that is no message"));
                }
                Ok(Event::Entry(EntryEvent { user, offset, from, item }))
            }
            14 => Ok(Event::Settings { user: fields.user()?, settings: fields.rest() }),
            15 => {
                let (group, user) = (fields.conversation()?, fields.user()?);
                Ok(Event::LastSent { group, user, sent: rows::read_last_sent(fields.rest())? })
            }
            16 => Ok(Event::Taken { source: fields.vnode()?, position: fields.position()? }),
            _ => Err(Malformed("event kind")),
        }
    }
}

fn read_message(mut fields: Reader, is_group: bool) -> Result<MessageEvent, Malformed> {
    let conversation = fields.conversation()?;
    let written = if is_group {
        Written::Group { author: fields.user()? }
    } else {
        let (lower, higher) = (fields.user()?, fields.user()?);
        Written::Direct { lower, higher, side: Side::from_number(fields.u8()?).ok_or(Malformed("side"))? }
    };
    Ok(MessageEvent {
        conversation,
        written,
        seq: fields.seq()?,
        id: fields.message()?,
        sent_at: fields.timestamp()?,
        hash: fields.array()?,
        body: fields.rest_as_body()?,
    })
}

fn read_source(fields: &mut Reader) -> Result<Option<(VnodeId, Position)>, Malformed> {
    let (source, position) = (fields.vnode()?, fields.position()?);
    Ok((position > Position::ZERO).then_some((source, position)))
}

fn read_body(mut fields: Reader, same: Option<&Body>) -> Result<Body, Malformed> {
    if fields.flag()? {
        fields.end()?;
        return same.cloned().ok_or(Malformed("body of an entry"));
    }
    fields.rest_as_body()
}

fn read_entry(mut fields: Reader, same: Option<&Body>) -> Result<EntryEvent, Malformed> {
    let (user, offset, from) = (fields.user()?, fields.offset()?, read_source(&mut fields)?);
    let (conversation, seq, id) = (fields.conversation()?, fields.seq()?, fields.message()?);
    let (sent_at, with, origin) = (fields.timestamp()?, fields.user()?, fields.optional_device()?);
    let body = read_body(fields, same)?;
    let sender = if origin.is_some() { user.clone() } else { with.clone() };
    let with = Peer::User(with);
    let message = InboxMessage { conversation, seq, id, from: sender, with, origin, sent_at, body };
    Ok(EntryEvent { user, offset, from, item: InboxItem::Message(message) })
}

fn read_group_entries(mut fields: Reader, same: Option<&Body>) -> Result<GroupEntriesEvent, Malformed> {
    let source = read_source(&mut fields)?;
    let (conversation, seq, id) = (fields.conversation()?, fields.seq()?, fields.message()?);
    let (sent_at, from, with) = (fields.timestamp()?, fields.user()?, Peer::Group(fields.title()?));
    let count = fields.u16()?;
    let entry = |fields: &mut Reader| {
        Ok(GroupEntry { offset: fields.offset()?, recipient: Recipient::read(fields)? })
    };
    let entries = (0..count).map(|_| entry(&mut fields)).collect::<Result<_, _>>()?;
    let body = read_body(fields, same)?;
    let message = InboxMessage { conversation, seq, id, from, with, origin: None, sent_at, body };
    Ok(GroupEntriesEvent { from: source, message, entries })
}

fn read_stream(fields: &mut Reader) -> Result<(VnodeId, Position, Position), Malformed> {
    Ok((fields.vnode()?, fields.position()?, fields.position()?))
}
