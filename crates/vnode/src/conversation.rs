//! A conversation in memory.

use std::collections::VecDeque;

use iris_types::{ConversationId, ErrorCode, Marks, MessageId, Seq, UserId};

use crate::events::Written;
use crate::rows::First;
use crate::{Group, Stamp};

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
    pub const fn other(self) -> Self {
        match self {
            Self::Lower => Self::Higher,
            Self::Higher => Self::Lower,
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

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Author {
    Side(Side),
    /// Of a group.
    Member(UserId),
}

impl From<Side> for Author {
    fn from(side: Side) -> Self {
        Self::Side(side)
    }
}

/// A send that is decided and not committed.
#[derive(Clone, Debug)]
pub struct Recent {
    pub id: MessageId,
    pub author: Author,
    pub first: First,
    pub stamp: Stamp,
}

/// What of a conversation is needed to decide. Committed sends are looked up in the tables.
#[derive(Debug)]
pub struct Conversation {
    pub id: ConversationId,
    pub members: Members,
    /// Last seq decided.
    pub last: Seq,
    /// Last seq committed: what pages show.
    pub committed: Seq,
    /// Sends whose chunk is not committed, in order.
    pub recent: VecDeque<Recent>,
    /// Chunk of the last event.
    pub touched: Stamp,
}

/// Whose conversation it is.
#[derive(Debug)]
pub enum Members {
    Direct(Direct),
    Group(Box<Group>),
    /// Nobody has made that group.
    Nobody,
}

/// The two members of a direct conversation.
#[derive(Debug)]
pub struct Direct {
    pub lower: UserId,
    pub higher: UserId,
    /// The last id that each side got a seq for, while this is in memory.
    pub last_ids: [Option<MessageId>; 2],
    pub sides: Sides,
}

/// How far both sides are and what they take, lower first. A row of its own, for it does not change with every
/// message; layout: [`crate::rows`].
pub type Sides = [SideState; 2];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideState {
    pub marks: Marks,
    /// Takes no messages of the other.
    pub blocks: bool,
}

impl Conversation {
    /// A direct conversation as its head row says, or a new one.
    #[must_use]
    pub fn new(id: ConversationId, lower: UserId, higher: UserId, last: Seq) -> Self {
        let direct = Direct { lower, higher, last_ids: [None, None], sides: Sides::default() };
        Self::of(id, Members::Direct(direct), last)
    }

    #[must_use]
    pub fn of(id: ConversationId, members: Members, last: Seq) -> Self {
        Self { id, members, last, committed: last, recent: VecDeque::new(), touched: Stamp::default() }
    }

    #[must_use]
    pub fn group(&self) -> Option<&Group> {
        if let Members::Group(group) = &self.members { Some(group) } else { None }
    }

    pub fn group_mut(&mut self) -> Option<&mut Group> {
        if let Members::Group(group) = &mut self.members { Some(group) } else { None }
    }

    #[must_use]
    pub const fn direct(&self) -> Option<&Direct> {
        if let Members::Direct(direct) = &self.members { Some(direct) } else { None }
    }

    pub const fn direct_mut(&mut self) -> Option<&mut Direct> {
        if let Members::Direct(direct) = &mut self.members { Some(direct) } else { None }
    }

    /// Who writes, as the event says it, if the author may write now.
    ///
    /// # Errors
    /// [`ErrorCode::NotMember`], [`ErrorCode::NotAllowed`], [`ErrorCode::NotAccepted`].
    pub fn may_write(&self, author: &Author) -> Result<Written, ErrorCode> {
        match (&self.members, author) {
            (Members::Direct(direct), Author::Side(side)) => direct.may_write(*side),
            (Members::Group(group), Author::Member(user)) => {
                group.may_write(user)?;
                Ok(Written::Group { author: user.clone() })
            }
            _ => Err(ErrorCode::NotMember),
        }
    }

    /// The last id that the author got a seq for, while this is in memory.
    #[must_use]
    pub fn last_id(&self, author: &Author) -> Option<MessageId> {
        match (&self.members, author) {
            (Members::Direct(direct), Author::Side(side)) => direct.last_ids[usize::from(side.number())],
            (Members::Group(group), Author::Member(user)) => group.last_ids.get(user).copied(),
            _ => None,
        }
    }

    pub(crate) fn set_last_id(&mut self, author: &Author, id: MessageId) {
        match (&mut self.members, author) {
            (Members::Direct(direct), Author::Side(side)) => {
                direct.last_ids[usize::from(side.number())] = Some(id);
            }
            (Members::Group(group), Author::Member(user)) => {
                group.last_ids.insert(user.clone(), id);
            }
            _ => {}
        }
    }

    /// The uncommitted first send of an id.
    #[must_use]
    pub fn recent_of(&self, id: MessageId, author: &Author) -> Option<&Recent> {
        self.recent.iter().rev().find(|recent| recent.id == id && recent.author == *author)
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

    /// Bytes of memory beyond the struct itself, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let members = self.group().map_or(0, Group::bytes);
        members + self.recent.capacity() * size_of::<Recent>()
    }
}

impl Direct {
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

    #[must_use]
    pub const fn state(&self, side: Side) -> &SideState {
        let [lower, higher] = &self.sides;
        match side {
            Side::Lower => lower,
            Side::Higher => higher,
        }
    }

    /// Whether one of both takes nothing of the other.
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        let [lower, higher] = &self.sides;
        lower.blocks || higher.blocks
    }

    fn may_write(&self, side: Side) -> Result<Written, ErrorCode> {
        if self.lower != self.higher && self.state(side.other()).blocks {
            return Err(ErrorCode::NotAccepted);
        }
        Ok(Written::Direct { lower: self.lower.clone(), higher: self.higher.clone(), side })
    }
}
