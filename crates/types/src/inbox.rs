//! What a user syncs and pages: entries of the inbox log, of a conversation's history, of the list.

use crate::{Body, ConversationId, DeviceId, MessageId, Offset, Seq, Timestamp, UserId};

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
}

/// A message as one user's inbox holds it: received from `with`, or sent to `with` by one of the own devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMessage {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub id: MessageId,
    pub from: UserId,
    /// The other member, from the point of view of the inbox's owner.
    pub with: UserId,
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

/// One line of a user's list of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationSummary {
    pub conversation: ConversationId,
    pub with: UserId,
    pub last_seq: Seq,
}
