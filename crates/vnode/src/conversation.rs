//! A direct conversation in memory.

use std::collections::VecDeque;

use iris_types::{ConversationId, MessageId, Seq, UserId};

use crate::Stamp;
use crate::rows::First;

/// Which of the two members, ordered by name. With oneself one is the lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Lower,
    Higher,
}

impl Side {
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Lower),
            1 => Some(Self::Higher),
            _ => None,
        }
    }

    #[must_use]
    pub const fn of(self, names: [&UserId; 2]) -> &UserId {
        let [lower, higher] = names;
        match self {
            Self::Lower => lower,
            Self::Higher => higher,
        }
    }
}

/// A send that is decided and not committed.
#[derive(Clone, Copy, Debug)]
pub struct Recent {
    pub id: MessageId,
    pub side: Side,
    pub first: First,
    pub stamp: Stamp,
}

/// What of a conversation is needed to decide. Committed sends are looked up in the tables.
#[derive(Debug)]
pub struct Conversation {
    pub id: ConversationId,
    pub lower: UserId,
    pub higher: UserId,
    /// Last seq decided.
    pub last: Seq,
    /// Last seq committed: what pages show.
    pub committed: Seq,
    /// Sends whose chunk is not committed, in order.
    pub recent: VecDeque<Recent>,
    /// The last id that each side got a seq for, while this is in memory.
    pub last_ids: [Option<MessageId>; 2],
    /// Chunk of the last event.
    pub touched: Stamp,
}

impl Conversation {
    /// A conversation as its head row says, or a new one.
    #[must_use]
    pub fn new(id: ConversationId, lower: UserId, higher: UserId, last: Seq) -> Self {
        let (recent, last_ids) = (VecDeque::new(), [None, None]);
        Self { id, lower, higher, last, committed: last, recent, last_ids, touched: Stamp::default() }
    }

    #[must_use]
    pub const fn names(&self) -> [&UserId; 2] {
        [&self.lower, &self.higher]
    }

    /// `None` for somebody who is not a member.
    #[must_use]
    pub fn side_of(&self, user: &UserId) -> Option<Side> {
        if *user == self.lower {
            Some(Side::Lower)
        } else if *user == self.higher {
            Some(Side::Higher)
        } else {
            None
        }
    }

    /// The uncommitted first send of an id.
    #[must_use]
    pub fn recent_of(&self, id: MessageId, side: Side) -> Option<&Recent> {
        self.recent.iter().rev().find(|recent| recent.id == id && recent.side == side)
    }

    /// The chunk with a message was committed.
    pub fn commit(&mut self, seq: Seq, stamp: Stamp) {
        self.committed = self.committed.max(seq);
        while self.recent.front().is_some_and(|recent| recent.stamp <= stamp) {
            self.recent.pop_front();
        }
        if self.recent.is_empty() {
            // Most conversations in memory are idle.
            self.recent = VecDeque::new();
        }
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + 128 + self.recent.capacity() * size_of::<Recent>()
    }
}
