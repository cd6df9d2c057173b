//! What a user syncs and pages: entries of the inbox log, of a conversation's history, of the list.

use bytes::Bytes;

use crate::{
    Body, BodyKind, ConversationId, DeviceId, GroupReceipt, MessageId, Offset, Peer, Receipt, Seq, Settings,
    Timestamp, UserId,
};

/// One entry of a user's inbox log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxEntry {
    pub offset: Offset,
    pub item: InboxItem,
}

/// What an entry tells the user's devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InboxItem {
    Message(InboxMessage),
    Receipt(Receipt),
    GroupReceipt(GroupReceipt),
    /// One of the user's devices changed how a conversation stands.
    State(ConversationState),
    /// One of the user's devices changed them.
    Settings(Settings, Timestamp),
}

impl InboxItem {
    /// When it happened, by the server's clock.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Message(message) => message.sent_at,
            Self::Receipt(receipt) => receipt.at,
            Self::GroupReceipt(receipt) => receipt.at,
            Self::State(state) => state.at,
            Self::Settings(_, at) => *at,
        }
    }
}

/// A message as one user's inbox holds it: received, or sent by one of the own devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMessage {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub id: MessageId,
    pub from: UserId,
    /// The conversation, from the point of view of the inbox's owner.
    pub with: Peer,
    /// The sending device; only in the sender's own inbox. It gets no body back.
    pub origin: Option<DeviceId>,
    /// Set by the server when it decided the message.
    pub sent_at: Timestamp,
    pub body: Body,
}

/// One message of a conversation's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    pub seq: Seq,
    pub id: MessageId,
    pub from: UserId,
    pub sent_at: Timestamp,
    pub body: Body,
}

/// How a conversation stands for one user, the same on all of the user's devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConversationState {
    pub conversation: ConversationId,
    /// Read up to here.
    pub read: Seq,
    /// Messages of others behind it, membership changes included.
    pub unread: u64,
    pub flags: Flags,
    pub at: Timestamp,
}

/// What a user has set on a conversation, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// Does not notify.
    pub const MUTED: Self = Self(1);
    /// Stays on top of the list.
    pub const PINNED: Self = Self(2);
    /// Put away.
    pub const ARCHIVED: Self = Self(4);
    /// The other member of a direct conversation is blocked; set by a request of its own.
    pub const BLOCKED: Self = Self(8);
    /// Those that a user sets as they like.
    pub const SETTABLE: Self = Self(7);

    /// `None` when a bit is set that has no meaning.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 16 { Some(Self(bits)) } else { None }
    }

    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of `mask` as in `values`, all others as they are.
    #[must_use]
    pub const fn changed(self, mask: Self, values: Self) -> Self {
        Self(self.0 & !mask.0 | values.0 & mask.0)
    }
}

/// One line of a user's list of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationSummary {
    pub conversation: ConversationId,
    pub with: Peer,
    pub standing: Standing,
    /// The last message that the user may see.
    pub last_seq: Seq,
    /// Read up to here.
    pub read: Seq,
    /// Messages of others behind it, membership changes included.
    pub unread: u64,
    pub flags: Flags,
    /// The last message, as far as a list needs it.
    pub last: Preview,
}

/// How a user belongs to a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    #[default]
    Member = 0,
    /// Invited to a group.
    Invited = 1,
    /// Was a member of the group, and can read what came before.
    Gone = 2,
}

impl Standing {
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Member),
            1 => Some(Self::Invited),
            2 => Some(Self::Gone),
            _ => None,
        }
    }

    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Invited => "invited",
            Self::Gone => "gone",
        }
    }
}

/// The begin of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Preview {
    pub from: UserId,
    pub sent_at: Timestamp,
    pub kind: BodyKind,
    /// Of a text its first bytes, whole characters, at most [`crate::limits::PREVIEW_BYTES_MAX`]; of a
    /// [`crate::Change`] all; of other kinds nothing.
    pub text: Bytes,
}

impl Preview {
    #[must_use]
    pub fn of(from: UserId, sent_at: Timestamp, body: &Body) -> Self {
        Self { from, sent_at, kind: body.kind(), text: body.preview() }
    }
}

/// Shows the length, never the text.
impl std::fmt::Debug for Preview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Preview(from {}, kind {}, {} bytes)", self.from, self.kind.0, self.text.len())
    }
}
