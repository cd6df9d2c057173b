//! What is committed: resulting values, never differences.
//!
//! A chunk is a version byte (1) and events, each: vnode 2, epoch 8, kind 1, length 4 of what follows, fields.
//! Kinds and their fields (names behind a length byte):
//!
//! 1. message: conversation 16, lower, higher, side 1, seq 8, id 16, sent-at 8, hash 16, kind 1, body
//! 2. entry of a direct message: user, offset 8, source vnode 2 and position 8 (both 0: not by a stream),
//!    conversation 16, seq 8, id 16, sent-at 8, with, origin device (empty: received), 1 when the body is that of the
//!    message before in this chunk, else 0, kind 1, body
//! 3. forward: destination 2, position 8, confirmed 8, [`crate::Forward`]
//! 4. stream: destination 2, last position 8, confirmed 8
//! 5. devices: user, [`crate::Devices`]
//! 6. revoked devices: user, [`crate::RevokedDevices`]
//! 7. message of a group: conversation 16, author, seq 8, id 16, sent-at 8, hash 16, kind 1, body
//! 8. group: group 16, [`crate::group::Facts`]
//! 9. member: group 16, user, [`crate::group::Member`]
//! 10. entries of a group's message: source and position as in 2, conversation 16, seq 8, id 16, sent-at 8, author,
//!     title, number of entries 2, each: offset 8 and a recipient as in [`crate::forward`]; body as in 2
//! 11. line: user, conversation 16, [`crate::Line`]
//! 12. sides: conversation 16, delivered 8, read 8, blocks 1, and the same of the higher side
//! 13. any other entry: user, offset 8, source and position as in 2, [`crate::item`]
//! 14. settings: user, [`crate::settings`]
//! 15. last message of a member, and what the member was told of it: group 16, user, seq 8, delivered 4, read 4
//! 16. taken: source 2, position 8 of a stream whose forward gave no entry
//! 17. forward as in 3, without the body of the message before in this chunk, which it ends with
//!
//! Replay turns events into rows and decides nothing, so it cannot fail on anything but a broken layout.

mod chunk;

use bytes::{BufMut, Bytes};
use iris_tables::{Table, Window};
use iris_types::{
    Body, BodyKind, ConversationId, InboxItem, InboxMessage, MessageId, Offset, Position, Seq, Standing,
    Timestamp, UserId, VnodeId,
};

use crate::conversation::{Author, Side};
use crate::forward::Recipient;
use crate::group::Sent;
use crate::rows::{self, First, ListPart, Listed, RowBuffer};
use crate::{Line, item};

pub use chunk::{ChunkReader, ChunkWriter};

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
    /// What a group is called and allows.
    Group {
        group: ConversationId,
        facts: Bytes,
    },
    Member {
        group: ConversationId,
        user: UserId,
        member: Bytes,
    },
    GroupEntries(GroupEntriesEvent),
    /// How a conversation stands for a user.
    Line {
        user: UserId,
        conversation: ConversationId,
        line: Bytes,
    },
    /// Marks and blocks of a direct conversation.
    Sides {
        conversation: ConversationId,
        sides: Bytes,
    },
    Settings {
        user: UserId,
        settings: Bytes,
    },
    LastSent {
        group: ConversationId,
        user: UserId,
        sent: Sent,
    },
    /// A stream's forward that gave no entry was taken.
    Taken {
        source: VnodeId,
        position: Position,
    },
}

/// A message got its seq.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageEvent {
    pub conversation: ConversationId,
    pub written: Written,
    pub seq: Seq,
    pub id: MessageId,
    pub sent_at: Timestamp,
    pub hash: [u8; 16],
    pub body: Body,
}

/// Who wrote a message, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    Direct { lower: UserId, higher: UserId, side: Side },
    Group { author: UserId },
}

/// An item got its place in an inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryEvent {
    pub user: UserId,
    pub offset: Offset,
    /// The stream that brought it, and the place in it.
    pub from: Option<(VnodeId, Position)>,
    /// Anything but a group's message.
    pub item: InboxItem,
}

/// A group's message got its places in the inboxes of a vnode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEntriesEvent {
    pub from: Option<(VnodeId, Position)>,
    pub message: InboxMessage,
    pub entries: Vec<GroupEntry>,
}

/// One of these places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupEntry {
    pub offset: Offset,
    pub recipient: Recipient,
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
            Self::Group { group, facts } => {
                put(Table::Head, none, &rows::group_key(*group), facts);
            }
            Self::Member { group, user, member } => {
                put(Table::Head, none, &rows::member_key(*group, user.as_bytes()), member);
            }
            Self::GroupEntries(event) => event.rows(put),
            Self::Line { user, conversation, line } => {
                put(Table::Head, none, &rows::list_key(user, *conversation, ListPart::Line), line);
            }
            Self::Sides { conversation, sides } => {
                put(Table::Head, none, &rows::sides_key(*conversation), sides);
            }
            Self::Settings { user, settings } => {
                put(Table::Head, none, &rows::settings_key(user), settings);
            }
            Self::LastSent { group, user, sent } => {
                let key = rows::last_sent_key(*group, user.as_bytes());
                put(Table::Head, none, &key, &rows::last_sent_value(*sent));
            }
            Self::Taken { .. } => {}
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
            Self::Entry(EntryEvent { from: Some((source, position)), .. })
            | Self::GroupEntries(GroupEntriesEvent { from: Some((source, position)), .. }) => {
                Some(StreamRow::Watermark { source: *source, position: *position })
            }
            Self::Taken { source, position } => {
                Some(StreamRow::Watermark { source: *source, position: *position })
            }
            _ => None,
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

impl Written {
    #[must_use]
    pub fn author(&self) -> Author {
        match self {
            Self::Direct { side, .. } => Author::Side(*side),
            Self::Group { author } => Author::Member(author.clone()),
        }
    }
}

impl MessageEvent {
    #[must_use]
    pub fn first(&self) -> First {
        First { seq: self.seq, sent_at: self.sent_at, hash: self.hash }
    }

    fn rows(&self, put: &mut PutRow<'_>) {
        let (none, author) = (Window::default(), self.written.author());
        let mut row = RowBuffer::for_body(&self.body);
        row.key(|bytes| rows::put_history_key(bytes, self.conversation, self.seq));
        row.value(|bytes| rows::put_history_value(bytes, &author, self.id, self.sent_at, &self.body));
        row.hand_to(put, Table::History, none);
        row.key(|bytes| rows::put_dedup_key(bytes, self.id, self.conversation, &author));
        row.value(|bytes| rows::put_dedup_value(bytes, &self.first()));
        row.hand_to(put, Table::Dedup, Window::of(self.id.timestamp()));
        row.key(|bytes| rows::put_conversation_key(bytes, self.conversation));
        row.value(|bytes| match &self.written {
            Written::Direct { lower, higher, .. } => {
                rows::put_conversation_value(bytes, self.seq, lower, higher);
            }
            Written::Group { .. } => rows::put_group_head_value(bytes, self.seq),
        });
        row.hand_to(put, Table::Head, none);
        if let Written::Group { author } = &self.written
            && self.body.kind() != BodyKind::CHANGE
        {
            let key = rows::last_sent_key(self.conversation, author.as_bytes());
            let sent = Sent { seq: self.seq, ..Sent::default() };
            put(Table::Head, none, &key, &rows::last_sent_value(sent));
        }
    }
}

impl EntryEvent {
    fn rows(&self, put: &mut PutRow<'_>) {
        let mut row = match &self.item {
            InboxItem::Message(message) => RowBuffer::for_body(&message.body),
            _ => RowBuffer::default(),
        };
        put_entry_rows(put, &mut row, &self.user, self.offset, &self.item);
        if let InboxItem::Message(message) = &self.item {
            put_listed_row(put, &mut row, &self.user, message, Standing::Member);
        }
    }
}

impl GroupEntriesEvent {
    fn rows(&self, put: &mut PutRow<'_>) {
        let mut row = RowBuffer::for_body(&self.message.body);
        for GroupEntry { offset, recipient } in &self.entries {
            let message = crate::deliver::for_recipient(&self.message, recipient);
            let item = InboxItem::Message(message);
            put_entry_rows(put, &mut row, &recipient.user, *offset, &item);
            put_listed_row(put, &mut row, &recipient.user, &self.message, recipient.standing);
            if recipient.begins {
                let is_own = recipient.user == self.message.from;
                let line = Line::beginning(self.message.seq, is_own);
                let key = rows::list_key(&recipient.user, self.message.conversation, ListPart::Line);
                put(Table::Head, Window::default(), &key, &line.encode());
            }
        }
    }
}

fn put_entry_rows(
    put: &mut PutRow<'_>,
    row: &mut RowBuffer,
    user: &UserId,
    offset: Offset,
    item: &InboxItem,
) {
    row.key(|bytes| rows::put_inbox_key(bytes, user, offset));
    row.value(|bytes| item::put(bytes, item));
    row.hand_to(put, Table::Inbox, Window::of(item.at()));
    row.key(|bytes| rows::put_last_offset_key(bytes, user));
    row.value(|bytes| bytes.put_u64(offset.0));
    row.hand_to(put, Table::Head, Window::default());
}

fn put_listed_row(
    put: &mut PutRow<'_>,
    row: &mut RowBuffer,
    user: &UserId,
    message: &InboxMessage,
    standing: Standing,
) {
    row.key(|bytes| rows::put_list_key(bytes, user, message.conversation, ListPart::Listed));
    row.value(|bytes| Listed::of(message, standing).put(bytes));
    row.hand_to(put, Table::Head, Window::default());
}
