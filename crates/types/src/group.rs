//! Groups: what they are called and allow, who is in them, and what happened to them.

use bytes::{BufMut, Bytes};

use crate::{
    Body, BodyKind, ConversationId, GroupDescription, GroupTitle, MessageId, Seq, Timestamp, UserId,
};

/// What a member may do. There is one owner as long as there is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Member = 1,
    Admin = 2,
    Owner = 3,
}

impl Role {
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Member),
            2 => Some(Self::Admin),
            3 => Some(Self::Owner),
            _ => None,
        }
    }

    /// The name in JSON and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Member, Self::Admin, Self::Owner].into_iter().find(|role| role.name() == name)
    }
}

/// What a group allows, as bits. Without any of them admins invite, everybody writes, and newcomers see what is
/// written from their joining on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy(u8);

impl Policy {
    /// Admins may add users who did not accept an invitation.
    pub const ADMINS_ADD: Self = Self(1);
    /// So may all members.
    pub const MEMBERS_ADD: Self = Self(2);
    /// All members may invite, not only admins.
    pub const MEMBERS_INVITE: Self = Self(4);
    /// All members may change title and description, not only admins.
    pub const MEMBERS_DESCRIBE: Self = Self(8);
    /// Only admins write messages.
    pub const ONLY_ADMINS_WRITE: Self = Self(16);
    /// Newcomers see what was written before they joined.
    pub const OPEN_HISTORY: Self = Self(32);
    /// Every bit there is, with its name in JSON and in messages.
    pub const NAMES: [(Self, &'static str); 6] = [
        (Self::ADMINS_ADD, "admins_add"),
        (Self::MEMBERS_ADD, "members_add"),
        (Self::MEMBERS_INVITE, "members_invite"),
        (Self::MEMBERS_DESCRIBE, "members_describe"),
        (Self::ONLY_ADMINS_WRITE, "only_admins_write"),
        (Self::OPEN_HISTORY, "open_history"),
    ];

    /// `None` when a bit is set that has no meaning.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 64 { Some(Self(bits)) } else { None }
    }

    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn allows(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What somebody wants to become of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupChange {
    Invite(UserId),
    /// Makes a user a member who need not accept.
    Add(UserId),
    /// Ends a membership, or takes an invitation back.
    Remove(UserId),
    /// Accepts an invitation.
    Accept,
    /// Ends the own membership, or declines an invitation.
    Leave,
    Rename(GroupTitle),
    Describe(GroupDescription),
    /// To make somebody the owner hands the group over: the owner so far becomes an admin.
    SetRole(UserId, Role),
    SetPolicy(Policy),
}

/// What became of a group: a message of its conversation, written by the server, whose author is who did it. It is a
/// body of kind [`BodyKind::CHANGE`]:
///
/// ```text
/// 0  1  1 created, 2 invited, 3 added, 4 joined, 5 removed, 6 left, 7 renamed, 8 described, 9 role, 10 policy
/// 1     created, renamed: title; invited, added, removed: user; left: the new owner, or nothing;
///       described: description; role: role (1), user; policy: bits (1); to the end
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Created(GroupTitle),
    Invited(UserId),
    Added(UserId),
    /// The author accepted an invitation.
    Joined,
    Removed(UserId),
    /// The author left, or declined; if it was the owner, somebody else is now.
    Left(Option<UserId>),
    Renamed(GroupTitle),
    Described(GroupDescription),
    Role(Role, UserId),
    Policy(Policy),
}

/// The bytes are not a change that this version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a change of a group that this version knows")]
pub struct InvalidChange;

impl Change {
    /// The name in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Invited(_) => "invited",
            Self::Added(_) => "added",
            Self::Joined => "joined",
            Self::Removed(_) => "removed",
            Self::Left(_) => "left",
            Self::Renamed(_) => "renamed",
            Self::Described(_) => "described",
            Self::Role(..) => "role",
            Self::Policy(_) => "policy",
        }
    }

    /// As the body of a message.
    #[must_use]
    pub fn to_body(&self) -> Body {
        let mut bytes = Vec::new();
        let (kind, rest): (u8, &[u8]) = match self {
            Self::Created(title) => (1, title.as_bytes()),
            Self::Invited(user) => (2, user.as_bytes()),
            Self::Added(user) => (3, user.as_bytes()),
            Self::Joined => (4, &[]),
            Self::Removed(user) => (5, user.as_bytes()),
            Self::Left(heir) => (6, heir.as_ref().map_or(&[], |heir| heir.as_bytes())),
            Self::Renamed(title) => (7, title.as_bytes()),
            Self::Described(description) => (8, description.as_bytes()),
            Self::Role(_, user) => (9, user.as_bytes()),
            Self::Policy(_) => (10, &[]),
        };
        bytes.put_u8(kind);
        match self {
            Self::Role(role, _) => bytes.put_u8(role.number()),
            Self::Policy(policy) => bytes.put_u8(policy.bits()),
            _ => {}
        }
        bytes.put_slice(rest);
        Body::of_change(Bytes::from(bytes))
    }

    /// # Errors
    /// [`InvalidChange`] for another kind of body, and for changes of later versions.
    pub fn from_body(body: &Body) -> Result<Self, InvalidChange> {
        if body.kind() != BodyKind::CHANGE {
            return Err(InvalidChange);
        }
        let (kind, rest) = body.bytes().split_first().ok_or(InvalidChange)?;
        let user = |bytes: &[u8]| UserId::from_bytes(bytes).map_err(|_| InvalidChange);
        let title = |bytes: &[u8]| GroupTitle::from_bytes(bytes).map_err(|_| InvalidChange);
        Ok(match (kind, rest) {
            (1, rest) => Self::Created(title(rest)?),
            (2, rest) => Self::Invited(user(rest)?),
            (3, rest) => Self::Added(user(rest)?),
            (4, []) => Self::Joined,
            (5, rest) => Self::Removed(user(rest)?),
            (6, []) => Self::Left(None),
            (6, rest) => Self::Left(Some(user(rest)?)),
            (7, rest) => Self::Renamed(title(rest)?),
            (8, rest) => Self::Described(GroupDescription::from_bytes(rest).map_err(|_| InvalidChange)?),
            (9, [role, rest @ ..]) => Self::Role(Role::from_number(*role).ok_or(InvalidChange)?, user(rest)?),
            (10, [bits]) => Self::Policy(Policy::from_bits(*bits).ok_or(InvalidChange)?),
            _ => return Err(InvalidChange),
        })
    }
}

/// Makes a group; the creator is its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateGroup {
    /// Names the request, and the group with it: a repeated one gets the first answer.
    pub id: MessageId,
    pub title: GroupTitle,
    pub description: GroupDescription,
    pub policy: Policy,
    /// Members from the start if the policy lets admins add, otherwise invited.
    pub members: Vec<UserId>,
}

/// Asks for a change; it is a message of the conversation when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeGroup {
    pub id: MessageId,
    pub group: ConversationId,
    pub change: GroupChange,
}

/// What a group is, as its members see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSummary {
    pub group: ConversationId,
    pub title: GroupTitle,
    pub description: GroupDescription,
    pub policy: Policy,
    pub created_at: Timestamp,
    pub members: u32,
    pub invited: u32,
    /// Of who asks; `None`: invited.
    pub role: Option<Role>,
    pub last_seq: Seq,
}

/// One line of a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterItem {
    pub user: UserId,
    /// `None`: invited.
    pub role: Option<Role>,
    /// The change that made it so: creation, joining, or the invitation.
    pub since: Seq,
}

/// A page of a roster, ascending by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterPage {
    pub items: Vec<RosterItem>,
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_read_back_and_garbage_does_not() -> Result<(), Box<dyn std::error::Error>> {
        let (bob, title) = (UserId::new("bob")?, GroupTitle::new("Tea 🍵")?);
        let description = GroupDescription::new("at five\nsharp")?;
        let changes = [
            Change::Created(title.clone()),
            Change::Invited(bob.clone()),
            Change::Added(bob.clone()),
            Change::Joined,
            Change::Removed(bob.clone()),
            Change::Left(None),
            Change::Left(Some(bob.clone())),
            Change::Renamed(title),
            Change::Described(description),
            Change::Described(GroupDescription::new("")?),
            Change::Role(Role::Admin, bob),
            Change::Policy(Policy::MEMBERS_INVITE.with(Policy::OPEN_HISTORY)),
        ];
        for change in changes {
            assert_eq!(Change::from_body(&change.to_body()), Ok(change));
        }
        for bad in [&[0][..], &[1], &[2, b' '], &[4, 1], &[9, 4, b'b'], &[10, 64], &[11]] {
            let body = Body::of_change(Bytes::copy_from_slice(bad));
            assert_eq!(Change::from_body(&body), Err(InvalidChange), "{bad:?}");
        }
        let text = Body::new(BodyKind::TEXT, Bytes::from_static(b"\x04"))?;
        assert_eq!(Change::from_body(&text), Err(InvalidChange));
        Ok(())
    }

    #[test]
    fn policies_and_roles_have_names() {
        for (policy, _) in Policy::NAMES {
            assert_eq!(Policy::from_bits(policy.bits()), Some(policy));
        }
        assert_eq!(Policy::from_bits(64), None);
        assert!(Policy::ADMINS_ADD.with(Policy::OPEN_HISTORY).allows(Policy::OPEN_HISTORY));
        assert!(!Policy::ADMINS_ADD.allows(Policy::MEMBERS_ADD));
        for role in [Role::Member, Role::Admin, Role::Owner] {
            assert_eq!(Role::from_number(role.number()), Some(role));
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
    }
}
