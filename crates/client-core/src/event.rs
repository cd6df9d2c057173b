//! What leaves the machine: work for its driver, news for the application.

use std::num::NonZeroU64;

use iris_types::request::HistoryFrom;
use iris_types::{
    ConversationId, ConversationSummary, DeviceSummary, HistoryEntry, InboxMessage, Monotonic, Offset,
    Refusal, UserId,
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

/// Asks for a part of the conversation with `with`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuestion {
    pub with: UserId,
    pub from: HistoryFrom,
    /// Any number: the machine pages.
    pub limit: NonZeroU64,
}

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
    /// A message from somebody else, or from another device of the user; once per message and device, ascending
    /// per conversation.
    Message { offset: Offset, message: InboxMessage },
    /// These entries of the inbox expired before the device had them. History may still have the messages.
    Gap { first: Offset, last: Offset },
    /// A part of the answer to a history question: ascending by `seq` over all parts. The next part is asked for
    /// when this one is handed over.
    HistoryPage { query: QueryNumber, conversation: ConversationId, with: UserId, entries: Vec<HistoryEntry> },
    /// The history question is answered. `more`: there are further entries in the direction asked for.
    HistoryEnd { query: QueryNumber, with: UserId, count: u64, more: bool },
    /// The list of conversations, ascending by id, complete.
    Conversations { query: QueryNumber, items: Vec<ConversationSummary> },
    /// The user's devices, in the order of their first logins.
    Devices { query: QueryNumber, items: Vec<DeviceSummary> },
    /// The change that was asked for is durable.
    Done { query: QueryNumber },
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
    /// What to hand over once the application took the event.
    #[must_use]
    pub const fn mark(&self) -> Option<Mark> {
        match self {
            Self::Message { offset, .. } => Some(Mark::Entries(*offset)),
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
    /// Every message and gap up to this offset.
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

/// Why a question was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("too many questions wait for their answers")]
    TooMany,
}
