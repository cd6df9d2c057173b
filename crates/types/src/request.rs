//! What a logged-in device asks and what it is answered, as plain data: the words that the protocol's machines,
//! the link between edge and core, and the domain have in common.

use std::sync::Arc;

use crate::limits::NONCE_BYTES;
use crate::{
    Body, ChangeGroup, ConversationId, ConversationSummary, CreateGroup, DeviceId, DeviceLabel,
    DeviceSummary, Flags, GroupSummary, HistoryEntry, InboxEntry, MessageId, Offset, Presence, ReceiptPage,
    Refusal, RosterPage, Seq, Settings, SettingsChange, Target, Timestamp, UserId, Watched,
};

/// Address of a live connection at its edge. The generation tells a slot's later tenants apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    pub event_loop: u16,
    pub slot: u32,
    pub generation: u32,
}

/// A connection's own name for a request that waits for its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u32);

/// A login whose token the edge has verified; the user's vnode decides the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub user: UserId,
    pub device: DeviceId,
    pub token: TokenFacts,
    pub nonce: [u8; NONCE_BYTES],
    /// The device's clock when it logged in.
    pub at: Timestamp,
}

/// What of a token is needed to honour a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// First 16 bytes of SHA-256 over the claim `jti`.
    pub id: [u8; 16],
    /// `iat`, in milliseconds.
    pub issued_at: Timestamp,
    /// `exp`, in milliseconds.
    pub expires_at: Timestamp,
}

/// Asked by a logged-in device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    SendMessage(SendMessage),
    /// Asks for the inbox entries after an offset.
    ReadInbox {
        after: Offset,
    },
    /// Says that the device has everything up to here. Not answered unless refused.
    Acknowledge {
        up_to: Offset,
    },
    ReadHistory(ReadHistory),
    ListConversations(ListConversations),
    /// Asks for the user's devices.
    ListDevices,
    RenameDevice(RenameDevice),
    RevokeDevice(RevokeDevice),
    CreateGroup(CreateGroup),
    ChangeGroup(ChangeGroup),
    /// Asks what a group is.
    ReadGroup {
        group: ConversationId,
    },
    ReadRoster(ReadRoster),
    MarkRead(MarkRead),
    ReadReceipts(ReadReceipts),
    SetFlags(SetFlags),
    BlockUser(BlockUser),
    /// Asks for the user's settings.
    ReadSettings,
    ChangeSettings(SettingsChange),
    /// Replaces what the connection watches; each is told at once, and whenever it changes.
    Watch(Vec<Watched>),
    /// Asks once.
    ReadPresence(Vec<Watched>),
    /// Not answered.
    Typing {
        target: Target,
        on: bool,
    },
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendMessage {
    pub id: MessageId,
    pub to: Target,
    /// The device's previous send in this conversation, if that is not settled yet: this one is refused until
    /// that one is committed, so that a refusal cannot let the second overtake the first.
    pub previous: Option<MessageId>,
    pub body: Body,
}

/// A page of a conversation. Entries come ascending by `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadHistory {
    pub with: Target,
    pub from: HistoryFrom,
    /// At least 1; the server may answer with fewer entries than asked for.
    pub limit: u16,
}

/// Where a history page starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFrom {
    /// The newest entries.
    Latest,
    /// The newest entries with a smaller `seq`.
    Before(Seq),
    /// The oldest entries with a greater `seq`.
    After(Seq),
}

/// A page of the user's conversations, ascending by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListConversations {
    pub after: Option<ConversationId>,
    pub limit: u16,
}

/// Gives one of the user's devices a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenameDevice {
    pub device: DeviceId,
    pub label: DeviceLabel,
}

/// Ends one of the user's devices for ever, possibly the one that asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeDevice {
    pub device: DeviceId,
}

/// A page of a group's members and invitations, ascending by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRoster {
    pub group: ConversationId,
    pub after: Option<UserId>,
    pub limit: u16,
}

/// Says that the user has read a conversation up to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkRead {
    pub target: Target,
    pub up_to: Seq,
}

/// Asks who has a message, and who has read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReceipts {
    pub target: Target,
    pub seq: Seq,
    pub after: Option<UserId>,
    pub limit: u16,
}

/// Sets the bits of `mask` on a conversation of the user as in `values`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFlags {
    pub target: Target,
    pub mask: Flags,
    pub values: Flags,
}

/// Takes no more messages of a user, or does so again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockUser {
    pub user: UserId,
    pub on: bool,
}

/// The answer to a login or a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Attached(Attached),
    Sent(Sent),
    InboxPage(InboxPage),
    HistoryPage(HistoryPage),
    Conversations(ConversationPage),
    /// All of the user's devices, in the order of their first logins.
    Devices(Vec<DeviceSummary>),
    /// What was asked for is done, and durable.
    Done,
    Group(GroupSummary),
    Roster(RosterPage),
    Receipts(ReceiptPage),
    Settings(Settings),
    /// In the order asked for.
    Presence(Vec<Presence>),
    /// Carries the server's time, for the refusals that need it.
    Refused {
        refusal: Refusal,
        server_time: Timestamp,
    },
}

/// The login was accepted and the session is registered: entries are pushed from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// What the device has acknowledged so far; 0 for a new device.
    pub cursor: Offset,
    /// The last entry of the inbox log.
    pub last: Offset,
    pub server_time: Timestamp,
}

/// A message is durable: the first result, also for every retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub id: MessageId,
    pub conversation: ConversationId,
    pub seq: Seq,
    pub sent_at: Timestamp,
    /// Place of the message in the sender's own inbox, when it is known together with the rest. Otherwise (a
    /// retry; an inbox on another worker) the entry comes, without body, by push or sync.
    pub offset: Option<Offset>,
}

/// A page of the inbox log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxPage {
    /// The offset the page was asked after.
    pub after: Offset,
    /// Entries between `after` and the first of `entries` that are gone, first and last; never silence.
    pub gap: Option<(Offset, Offset)>,
    /// Dense and ascending; from `after + 1`, or behind the gap.
    pub entries: Vec<Arc<InboxEntry>>,
    /// The last entry of the log when the page was read: the page is the last one when it reaches it.
    pub last: Offset,
}

/// A page of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    pub conversation: ConversationId,
    /// Ascending by `seq`; without gaps, but for the time that the user was not in a group.
    pub entries: Vec<HistoryEntry>,
    /// Whether there are more in the direction asked for.
    pub more: bool,
}

/// A page of the list of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationPage {
    pub items: Vec<ConversationSummary>,
    pub more: bool,
}
