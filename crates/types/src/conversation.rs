//! Names of conversations.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::{GroupTitle, MessageId, UserId};

/// A conversation's name: 16 bytes, opaque to clients, equal for all members.
///
/// A direct conversation's is derived from its two members, so that nobody has to create it and both sides
/// name the same one. The head row keeps the two names in full and every decision compares them, so the hash
/// is an address, never a proof.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId(pub [u8; 16]);

impl ConversationId {
    /// The direct conversation of two users, in either order; of one user with themselves, too.
    #[must_use]
    pub fn direct(one: &UserId, other: &UserId) -> Self {
        let (lower, higher) = if one <= other { (one, other) } else { (other, one) };
        let mut hash = Sha256::new();
        hash.update(b"iris direct conversation 1\0");
        hash.update(lower.as_bytes());
        // No name contains a zero byte, so the two cannot run into each other.
        hash.update(b"\0");
        hash.update(higher.as_bytes());
        Self::of(hash)
    }

    /// The group that a user makes with a request: a repeated request names the same group, and nobody can make
    /// one that has the name of another conversation.
    #[must_use]
    pub fn group(creator: &UserId, request: MessageId) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"iris group 1\0");
        hash.update(creator.as_bytes());
        hash.update(b"\0");
        hash.update(request.to_bytes());
        Self::of(hash)
    }

    /// Reads what [`fmt::Display`] writes: 32 hexadecimal digits, in either case.
    ///
    /// # Errors
    /// [`InvalidConversationId`] for anything else.
    pub fn parse(text: &str) -> Result<Self, InvalidConversationId> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(InvalidConversationId);
        }
        let number = u128::from_str_radix(text, 16).map_err(|_| InvalidConversationId)?;
        Ok(Self(number.to_be_bytes()))
    }

    fn of(hash: Sha256) -> Self {
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

/// A text does not name a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a conversation is named by 32 hexadecimal digits")]
pub struct InvalidConversationId;

/// A conversation as somebody names it who asks for something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The direct conversation with a user.
    User(UserId),
    Group(ConversationId),
}

impl Target {
    /// The conversation, as `user` names it.
    #[must_use]
    pub fn conversation(&self, user: &UserId) -> ConversationId {
        match self {
            Self::User(other) => ConversationId::direct(user, other),
            Self::Group(group) => *group,
        }
    }
}

impl From<UserId> for Target {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl From<&UserId> for Target {
    fn from(user: &UserId) -> Self {
        Self::User(user.clone())
    }
}

impl From<ConversationId> for Target {
    fn from(group: ConversationId) -> Self {
        Self::Group(group)
    }
}

/// The other member's name, or the group's id.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Group(group) => group.fmt(f),
        }
    }
}

/// A conversation as it is shown to one of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The other member; oneself in a conversation with oneself.
    User(UserId),
    Group(GroupTitle),
}

impl Peer {
    /// The other member of a direct conversation.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Group(_) => None,
        }
    }

    /// How to name the conversation in a request.
    #[must_use]
    pub fn target(&self, conversation: ConversationId) -> Target {
        match self {
            Self::User(user) => Target::User(user.clone()),
            Self::Group(_) => Target::Group(conversation),
        }
    }
}

impl From<UserId> for Peer {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConversationId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_name_the_same_conversation() -> Result<(), crate::InvalidName> {
        let (alice, bob, carol) = (UserId::new("alice")?, UserId::new("bob")?, UserId::new("carol")?);
        let id = ConversationId::direct(&alice, &bob);
        assert_eq!(id, ConversationId::direct(&bob, &alice));
        assert_ne!(id, ConversationId::direct(&alice, &carol));
        // Persisted in every deployment: this value must never change.
        assert_eq!(id.to_string(), "9fa70dd4b86b2e8a3e826a24b37dee78");
        Ok(())
    }

    #[test]
    fn a_text_reads_back() {
        let id = ConversationId([0x0a, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
        assert_eq!(ConversationId::parse(&id.to_string()), Ok(id));
        assert_eq!(ConversationId::parse(&id.to_string().to_uppercase()), Ok(id));
        for wrong in ["", "0a", &"g".repeat(32), &format!("+{}", "0".repeat(31)), &"0".repeat(33)] {
            assert_eq!(ConversationId::parse(wrong), Err(InvalidConversationId), "{wrong}");
        }
    }
}
