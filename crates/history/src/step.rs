//! What changes of groups say, so that checkers can follow a group without its server.

use iris_types::{Body, Change};
use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::record::User;

/// A change, as far as it concerns who is in a group and what they may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    Created,
    Invited {
        user: User,
    },
    Added {
        user: User,
    },
    Joined,
    Removed {
        user: User,
    },
    Left {
        heir: Option<User>,
    },
    /// A title or a description.
    Described,
    Role {
        user: User,
        role: u8,
    },
    Policy {
        bits: u8,
    },
}

impl Step {
    /// `None` for any other message.
    pub(crate) fn of(body: &Body, history: &mut History) -> Option<Self> {
        Some(match Change::from_body(body).ok()? {
            Change::Created(_) => Self::Created,
            Change::Invited(user) => Self::Invited { user: history.user(&user) },
            Change::Added(user) => Self::Added { user: history.user(&user) },
            Change::Joined => Self::Joined,
            Change::Removed(user) => Self::Removed { user: history.user(&user) },
            Change::Left(heir) => Self::Left { heir: heir.map(|heir| history.user(&heir)) },
            Change::Renamed(_) | Change::Described(_) => Self::Described,
            Change::Role(role, user) => Self::Role { user: history.user(&user), role: role.number() },
            Change::Policy(policy) => Self::Policy { bits: policy.bits() },
        })
    }
}
