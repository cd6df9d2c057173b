//! Groups: what they are, who is in them, what happens to them.

use iris_types::{Change, GroupSummary, Policy, Role, RosterItem};
use serde::Serialize;

/// What became of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ChangeView {
    Created {
        title: String,
    },
    Invited {
        user: String,
    },
    Added {
        user: String,
    },
    Joined,
    Removed {
        user: String,
    },
    /// `heir`: the owner left, and this is the new one.
    Left {
        heir: Option<String>,
    },
    Renamed {
        title: String,
    },
    Described {
        description: String,
    },
    Role {
        user: String,
        role: &'static str,
    },
    Policy {
        policy: Vec<&'static str>,
    },
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> Self {
        match change {
            Change::Created(title) => Self::Created { title: title.as_str().to_owned() },
            Change::Invited(user) => Self::Invited { user: user.to_string() },
            Change::Added(user) => Self::Added { user: user.to_string() },
            Change::Joined => Self::Joined,
            Change::Removed(user) => Self::Removed { user: user.to_string() },
            Change::Left(heir) => Self::Left { heir: heir.as_ref().map(ToString::to_string) },
            Change::Renamed(title) => Self::Renamed { title: title.as_str().to_owned() },
            Change::Described(text) => Self::Described { description: text.as_str().to_owned() },
            Change::Role(role, user) => Self::Role { user: user.to_string(), role: role.name() },
            Change::Policy(policy) => Self::Policy { policy: policy_names(*policy) },
        }
    }
}

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    pub group: String,
    pub title: String,
    pub description: String,
    /// What it allows, by name.
    pub policy: Vec<&'static str>,
    pub created_at: u64,
    pub members: u32,
    pub invited: u32,
    /// The asking user's; null when invited.
    pub role: Option<&'static str>,
    pub last_seq: u64,
}

impl From<&GroupSummary> for GroupView {
    fn from(group: &GroupSummary) -> Self {
        Self {
            group: group.group.to_string(),
            title: group.title.as_str().to_owned(),
            description: group.description.as_str().to_owned(),
            policy: policy_names(group.policy),
            created_at: group.created_at.0,
            members: group.members,
            invited: group.invited,
            role: group.role.map(Role::name),
            last_seq: group.last_seq.0,
        }
    }
}

/// One line of a roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    pub user: String,
    /// Null: invited.
    pub role: Option<&'static str>,
    pub since: u64,
}

impl From<&RosterItem> for MemberView {
    fn from(item: &RosterItem) -> Self {
        Self { user: item.user.to_string(), role: item.role.map(Role::name), since: item.since.0 }
    }
}

fn policy_names(policy: Policy) -> Vec<&'static str> {
    let names = Policy::NAMES.iter().filter(|(bit, _)| policy.allows(*bit));
    names.map(|(_, name)| *name).collect()
}
