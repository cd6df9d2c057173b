//! Names of conversations.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::UserId;

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
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
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
}
