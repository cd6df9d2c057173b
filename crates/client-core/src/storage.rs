//! What the local database of a device keeps.

use bytes::Bytes;
use iris_types::{Body, ConversationId, InboxItem, MessageId, Offset, Refusal, Seq, Target, Timestamp};

/// Names one [`crate::Output::Store`]; later ones are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreToken(pub u64);

/// A device's own number of a send: ascending in the order of acceptance, never used twice by one database.
///
/// The message id is minted when the send is first tried, because only then the server's clock is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendNumber(pub u64);

/// What the application asks to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    pub to: Target,
    pub body: Body,
    /// An id of the application's own. It is never replaced: if it is dated ahead, the send fails.
    pub id: Option<MessageId>,
    /// Opaque to the machine; comes back with the outcome, also after a restart.
    pub reference: Option<Bytes>,
}

/// A send that the server has not answered for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent {
    pub number: SendNumber,
    pub to: Target,
    pub body: Body,
    /// `None` until it is first tried. A send with an id may have reached the server.
    pub id: Option<MessageId>,
    /// The id was given by the application.
    pub id_given: bool,
    pub reference: Option<Bytes>,
}

/// A send that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub number: SendNumber,
    pub to: Target,
    pub id: Option<MessageId>,
    pub reference: Option<Bytes>,
    pub outcome: Outcome,
}

/// How a send ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Durable on the server.
    Sent { conversation: ConversationId, seq: Seq, sent_at: Timestamp },
    /// Refused for good, and dropped from the outbox.
    Failed(Refusal),
}

/// A message that this device sent, as its conversation keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMessage {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub id: MessageId,
    pub to: Target,
    pub sent_at: Timestamp,
    pub body: Body,
}

/// One change of the local database. Those of one [`crate::Output::Store`] are applied in order and together or
/// not at all, and those of different ones in the order of their tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOperation {
    /// Adds a send to the outbox, or replaces the one of the same number.
    PutUnsent(Unsent),
    /// Moves a send from the outbox to the outcomes that the application has yet to take.
    Settle(Settled),
    /// The application took the outcome.
    DropSettled(SendNumber),
    /// Adds a message of this device's own to the conversation, and remembers how the conversation is named.
    PutSent(OwnMessage),
    /// Adds an entry to what the application has yet to take, under its offset. A message is added to its
    /// conversation, too, the conversation's mark is raised to its `seq`, and how it is named is remembered.
    PutReceived { offset: Offset, item: InboxItem },
    /// Entries that are gone from the server, for the application to take, under the offset `last`.
    PutGap { first: Offset, last: Offset },
    /// The application took everything up to here.
    SetShown(Offset),
    /// Every entry up to here is stored.
    SetCursor(Offset),
    /// The user has read a conversation up to here, which the server has yet to hear. Replaces an earlier one.
    PutReadMark { target: Target, up_to: Seq },
    /// The server has heard of it, or does not want to.
    DropReadMark(Target),
}

/// A stored entry that the application has yet to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreported {
    Item { offset: Offset, item: InboxItem },
    Gap { first: Offset, last: Offset },
}

impl Unreported {
    /// The offset that it counts as taken under.
    #[must_use]
    pub const fn offset(&self) -> Offset {
        match self {
            Self::Item { offset, .. } => *offset,
            Self::Gap { last, .. } => *last,
        }
    }
}

/// What a database gives back at a start; empty for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// What [`StoreOperation::SetCursor`] set last.
    pub cursor: Offset,
    /// The greatest number ever put or settled.
    pub last_number: SendNumber,
    /// The outbox, ascending by number.
    pub unsent: Vec<Unsent>,
    /// Outcomes not dropped, ascending by number.
    pub settled: Vec<Settled>,
    /// Entries above what [`StoreOperation::SetShown`] set last, ascending.
    pub unreported: Vec<Unreported>,
    /// The greatest `seq` of a message of [`StoreOperation::PutReceived`] of each conversation.
    pub marks: Vec<(ConversationId, Seq)>,
    /// How each conversation is named that ever had a message here.
    pub targets: Vec<(ConversationId, Target)>,
    /// Read marks not dropped.
    pub read_marks: Vec<(Target, Seq)>,
}
