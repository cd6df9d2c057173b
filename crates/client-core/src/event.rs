//! What leaves the machine: work for its driver, news for the application.

use iris_types::{
    ConversationId, ConversationState, ConversationSummary, DeviceSummary, GroupReceipt, GroupSummary,
    HistoryEntry, InboxItem, InboxMessage, Monotonic, Offset, Presence, Receipt, ReceiptPage, Refusal,
    RosterItem, Seq, Settings, Target, Timestamp, Typing, UserId,
};

use crate::{SendNumber, Settled, StoreOperation, StoreToken};

/// What the driver has to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection at that time, with a fresh token, and say [`crate::ClientCore::connected`], or
    /// [`crate::ClientCore::disconnected`] when that failed. Replaces an earlier one that has not begun.
    Connect { at: Monotonic },
    /// Close the connection, if there is one. Nothing about it is to be reported any more.
    Disconnect,
    /// Apply all of it or nothing, durably, after those with a smaller token; then
    /// [`crate::ClientCore::stored`]. Several may be on their way.
    Store { token: StoreToken, operations: Vec<StoreOperation> },
    /// News for the application, in this order.
    Event(ClientEvent),
}

/// A device's own number of a question, ascending; not kept over restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryNumber(pub u64);

/// What the application learns. Those with a [`ClientEvent::mark`] are repeated, also after a restart, until the
/// mark is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Logged in; at each connection.
    Ready,
    /// Everything that the inbox held at the login has been given out. Once per connection.
    Synced,
    /// The send is in the local database and will be tried until it is settled.
    Accepted { number: SendNumber },
    /// A send is over: once per send.
    Settled(Settled),
    /// A message from somebody else, or from another device of the user, or what became of a group
    /// ([`iris_types::Change::from_body`]); once per message and device, ascending per conversation.
    Message { offset: Offset, message: InboxMessage },
    /// How far the other member of a direct conversation is.
    Receipt { offset: Offset, receipt: Receipt },
    /// How far a group has the user's newest message.
    GroupReceipt { offset: Offset, receipt: GroupReceipt },
    /// One of the user's devices, possibly this one, changed how a conversation stands.
    State { offset: Offset, state: ConversationState },
    /// One of the user's devices, possibly this one, changed the settings.
    SettingsChanged { offset: Offset, settings: Settings, at: Timestamp },
    /// These entries of the inbox expired before the device had them. History may still have the messages.
    Gap { first: Offset, last: Offset },
    /// A part of the answer to a history question: ascending by `seq` over all parts. The next part is asked for
    /// when this one is handed over.
    HistoryPage { query: QueryNumber, conversation: ConversationId, with: Target, entries: Vec<HistoryEntry> },
    /// The history question is answered. `more`: there are further entries in the direction asked for.
    HistoryEnd { query: QueryNumber, with: Target, count: u64, more: bool },
    /// The list of conversations, ascending by id, as much as was asked for. `next`: there are more behind this one.
    Conversations { query: QueryNumber, items: Vec<ConversationSummary>, next: Option<ConversationId> },
    /// The user's devices, in the order of their first logins.
    Devices { query: QueryNumber, items: Vec<DeviceSummary> },
    /// The change that was asked for is durable.
    Done { query: QueryNumber },
    /// The group is there, and the user its owner.
    GroupCreated { query: QueryNumber, group: ConversationId },
    /// The change is durable; `None`: it was so already, nothing happened.
    GroupChanged { query: QueryNumber, group: ConversationId, seq: Option<Seq> },
    /// What a group is.
    Group { query: QueryNumber, group: GroupSummary },
    /// Who is in a group, ascending by name, as much as was asked for. `next`: there are more behind this one.
    Roster { query: QueryNumber, group: ConversationId, items: Vec<RosterItem>, next: Option<UserId> },
    /// Who has a message, complete but for a group with more members than any may have.
    Receipts { query: QueryNumber, target: Target, seq: Seq, receipts: ReceiptPage },
    /// The user's settings.
    Settings { query: QueryNumber, settings: Settings },
    /// Whether users are there, in the order asked for.
    Presences { query: QueryNumber, items: Vec<Presence> },
    /// A watched user comes or goes. May be left out while much else is on the way; the next one is right again.
    Presence(Presence),
    /// Somebody begins to write or stops, at the latest when they say so no more. May be left out.
    Typing(Typing),
    /// The question was refused for good.
    QueryFailed { query: QueryNumber, refusal: Refusal },
    /// The login or the connection was refused; the machine goes on by itself.
    Refused(Refusal),
    /// The server refused for good: no further attempt is made.
    Stopped(Refusal),
    /// The connection is lost or could not be opened; once until the next [`ClientEvent::Ready`].
    Disconnected,
}

impl ClientEvent {
    /// Answers a question, and is the last thing that does.
    #[must_use]
    pub const fn answers(&self) -> Option<QueryNumber> {
        match self {
            Self::HistoryEnd { query, .. }
            | Self::Conversations { query, .. }
            | Self::Devices { query, .. }
            | Self::Done { query }
            | Self::GroupCreated { query, .. }
            | Self::GroupChanged { query, .. }
            | Self::Group { query, .. }
            | Self::Roster { query, .. }
            | Self::Receipts { query, .. }
            | Self::Settings { query, .. }
            | Self::Presences { query, .. }
            | Self::QueryFailed { query, .. } => Some(*query),
            _ => None,
        }
    }

    /// What an entry of the inbox tells.
    pub(crate) fn of_item(offset: Offset, item: InboxItem) -> Self {
        match item {
            InboxItem::Message(message) => Self::Message { offset, message },
            InboxItem::Receipt(receipt) => Self::Receipt { offset, receipt },
            InboxItem::GroupReceipt(receipt) => Self::GroupReceipt { offset, receipt },
            InboxItem::State(state) => Self::State { offset, state },
            InboxItem::Settings(settings, at) => Self::SettingsChanged { offset, settings, at },
        }
    }

    /// What to hand over once the application took the event.
    #[must_use]
    pub const fn mark(&self) -> Option<Mark> {
        match self {
            Self::Message { offset, .. }
            | Self::Receipt { offset, .. }
            | Self::GroupReceipt { offset, .. }
            | Self::State { offset, .. }
            | Self::SettingsChanged { offset, .. } => Some(Mark::Entries(*offset)),
            Self::Gap { last, .. } => Some(Mark::Entries(*last)),
            Self::Settled(settled) => Some(Mark::Send(settled.number)),
            Self::HistoryPage { query, .. } => Some(Mark::Query(*query)),
            _ => None,
        }
    }
}

/// What the application took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Every entry and gap up to this offset.
    Entries(Offset),
    /// The outcome of this send.
    Send(SendNumber),
    /// The last part of this question's answer.
    Query(QueryNumber),
}

/// Why a send was not accepted. Nothing is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    #[error("the outbox is full: sends wait for the server, or outcomes for the application to take them")]
    OutboxFull,
    #[error("a reference has at most {0} bytes")]
    ReferenceTooLong(usize),
}
