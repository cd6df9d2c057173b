//! Receipts: how far the members of a conversation have it, and have read it.

use crate::{ConversationId, Seq, Timestamp, UserId};

/// How far a member is: everything up to a seq. Marks never move back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marks {
    /// On at least one of the member's devices.
    pub delivered: Seq,
    /// Never beyond [`Self::delivered`].
    pub read: Seq,
}

impl Marks {
    /// The further of both, each for itself; whatever is read is delivered.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let read = self.read.max(other.read);
        Self { delivered: self.delivered.max(other.delivered).max(read), read }
    }
}

/// The other member of a direct conversation is so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub conversation: ConversationId,
    pub user: UserId,
    pub marks: Marks,
    pub at: Timestamp,
}

/// How far a group has the newest message of the inbox's owner. The counts leave the owner out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupReceipt {
    pub group: ConversationId,
    /// That message.
    pub seq: Seq,
    pub delivered: u32,
    pub read: u32,
    /// Members who should have it.
    pub members: u32,
    /// Up to here everybody has everything, and has read everything.
    pub everybody: Marks,
    pub at: Timestamp,
}

/// Who has a message: the answer to a question, a page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptPage {
    pub delivered: u32,
    pub read: u32,
    /// Members who should have it, its author left out.
    pub members: u32,
    /// Those who have it at least delivered, ascending by name.
    pub by: Vec<(UserId, Marks)>,
    pub more: bool,
}
