//! What the application asks for: the vocabulary of `iris chat --json`, in the words of TypeScript.

use std::num::NonZeroU64;

use bytes::Bytes;
use iris_client_core::{
    ClientCore, ConversationsQuestion, HistoryQuestion, NewGroup, NewMessage, Now, QueryError, Question,
    RosterQuestion, SendError,
};
use iris_types::request::{BlockUser, HistoryFrom, MarkRead, RenameDevice, RevokeDevice, SetFlags};
use iris_types::{
    Audience, ConversationId, DeviceId, DeviceLabel, Flags, GroupChange, GroupDescription, GroupTitle,
    Policy, Role, Seq, SettingsChange, Target, UserId, Watched,
};
use serde::Deserialize;

use crate::view::{BodyView, ViewError, conversation, message_id};

/// The commands that this machine takes, by their names in JSON: what an application looks up to know whether to
/// offer something.
pub const NAMES: &[&str] = &[
    "send",
    "history",
    "conversations",
    "devices",
    "deviceRename",
    "deviceRevoke",
    "groupCreate",
    "groupInvite",
    "groupAdd",
    "groupRemove",
    "groupAccept",
    "groupLeave",
    "groupRename",
    "groupDescribe",
    "groupRole",
    "groupPolicy",
    "group",
    "roster",
    "read",
    "receipts",
    "flag",
    "block",
    "unblock",
    "settings",
    "presence",
    "typing",
];

/// One command: a JSON object with one key, its name. Where a conversation is meant, it is named by `to` or `with`
/// (the other member), `group`, or `conversation` if this device knows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    Send {
        #[serde(flatten)]
        target: Place,
        body: BodyView,
        id: Option<String>,
        reference: Option<String>,
    },
    History {
        #[serde(flatten)]
        target: Place,
        limit: u64,
        before: Option<u64>,
        after: Option<u64>,
    },
    Conversations {
        limit: Option<u64>,
        after: Option<String>,
    },
    Devices {},
    DeviceRename {
        device: String,
        label: String,
    },
    DeviceRevoke {
        device: String,
    },
    GroupCreate {
        name: String,
        #[serde(default)]
        description: String,
        #[serde(default)]
        members: Vec<String>,
        /// What the group allows, by the names of [`Policy::NAMES`].
        #[serde(default)]
        policy: Vec<String>,
    },
    GroupInvite {
        group: String,
        user: String,
    },
    GroupAdd {
        group: String,
        user: String,
    },
    GroupRemove {
        group: String,
        user: String,
    },
    GroupAccept {
        group: String,
    },
    GroupLeave {
        group: String,
    },
    GroupRename {
        group: String,
        name: String,
    },
    GroupDescribe {
        group: String,
        description: String,
    },
    GroupRole {
        group: String,
        user: String,
        role: String,
    },
    GroupPolicy {
        group: String,
        policy: Vec<String>,
    },
    Group {
        group: String,
    },
    Roster {
        group: String,
        limit: Option<u64>,
        after: Option<String>,
    },
    Read {
        #[serde(flatten)]
        target: Place,
        seq: u64,
    },
    Receipts {
        #[serde(flatten)]
        target: Place,
        seq: u64,
    },
    Flag {
        #[serde(flatten)]
        target: Place,
        mute: Option<bool>,
        pin: Option<bool>,
        archive: Option<bool>,
    },
    Block {
        user: String,
    },
    Unblock {
        user: String,
    },
    /// Asks, or changes what is given.
    Settings {
        read_receipts: Option<bool>,
        last_seen: Option<String>,
        typing: Option<bool>,
    },
    /// `watch`: from now on, in place of those watched before; otherwise once. `group`: one that all of them and the
    /// user are in.
    Presence {
        users: Vec<String>,
        #[serde(default)]
        watch: bool,
        group: Option<String>,
    },
    /// Of the moment: it has no answer, and the number is 0.
    Typing {
        #[serde(flatten)]
        target: Place,
        on: bool,
    },
}

/// How a command names a conversation: by exactly one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Place {
    to: Option<String>,
    with: Option<String>,
    group: Option<String>,
    conversation: Option<String>,
}

/// Why a command was not taken. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    #[error("{0}")]
    View(#[from] ViewError),
    #[error("{0}")]
    Send(#[from] SendError),
    #[error("{0}")]
    Query(#[from] QueryError),
}

impl CommandError {
    /// A stable word: `bad_command`, or `busy` when the same may be taken later.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Send(SendError::OutboxFull) | Self::Query(QueryError::TooMany) => "busy",
            _ => "bad_command",
        }
    }
}

impl Command {
    /// # Errors
    /// [`CommandError::View`] when it is no command.
    pub fn parse(text: &str) -> Result<Self, CommandError> {
        Ok(serde_json::from_str(text).map_err(ViewError::from)?)
    }

    /// Gives the command to the machine. The number is that of the send or of the question.
    pub(crate) fn give(self, core: &mut ClientCore, now: Now) -> Result<u64, CommandError> {
        match self {
            Self::Send { target, body, id, reference } => {
                let message = NewMessage {
                    to: target.find(core)?,
                    body: body.try_into()?,
                    id: id.as_deref().map(message_id).transpose()?,
                    reference: reference.map(Bytes::from),
                };
                Ok(core.send(message, now)?.0)
            }
            Self::Typing { target, on } => {
                core.typing(&target.find(core)?, on, now);
                Ok(0)
            }
            other => {
                let question = other.question(core)?;
                Ok(core.ask(question)?.0)
            }
        }
    }

    fn question(self, core: &ClientCore) -> Result<Question, ViewError> {
        Ok(match self {
            Self::History { target, limit, before, after } => {
                let limit = NonZeroU64::new(limit).ok_or(ViewError::Limit)?;
                let (with, from) = (target.find(core)?, from(before, after)?);
                Question::History(HistoryQuestion { with, from, limit })
            }
            Self::Conversations { limit, after } => Question::Conversations(ConversationsQuestion {
                after: after.as_deref().map(conversation).transpose()?,
                limit: at_least_one(limit)?,
            }),
            Self::DeviceRename { device, label } => Question::RenameDevice(RenameDevice {
                device: DeviceId::new(&device)?,
                label: DeviceLabel::new(&label)?,
            }),
            Self::DeviceRevoke { device } => {
                Question::RevokeDevice(RevokeDevice { device: DeviceId::new(&device)? })
            }
            Self::Read { target, seq } => {
                Question::MarkRead(MarkRead { target: target.find(core)?, up_to: Seq(seq) })
            }
            Self::Receipts { target, seq } => {
                Question::Receipts { target: target.find(core)?, seq: Seq(seq) }
            }
            Self::Flag { target, mute, pin, archive } => {
                let (mask, values) = flags(mute, pin, archive);
                Question::SetFlags(SetFlags { target: target.find(core)?, mask, values })
            }
            Self::Block { user } => Question::BlockUser(BlockUser { user: UserId::new(&user)?, on: true }),
            Self::Unblock { user } => Question::BlockUser(BlockUser { user: UserId::new(&user)?, on: false }),
            Self::Settings { read_receipts: None, last_seen: None, typing: None } => Question::Settings,
            Self::Settings { read_receipts, last_seen, typing } => {
                let audience = |name: String| Audience::from_name(&name).ok_or(ViewError::Word);
                let last_seen = last_seen.map(audience).transpose()?;
                Question::ChangeSettings(SettingsChange { read_receipts, last_seen, typing })
            }
            Self::Presence { users, watch, group } => {
                let items = watched(users, group)?;
                if watch { Question::Watch(items) } else { Question::Presence(items) }
            }
            other => other.group_question()?,
        })
    }

    /// What concerns groups, and what has no fields.
    fn group_question(self) -> Result<Question, ViewError> {
        let (group, change) = match self {
            Self::GroupCreate { name, description, members, policy } => {
                let members = members.iter().map(|name| UserId::new(name)).collect::<Result<_, _>>()?;
                return Ok(Question::CreateGroup(NewGroup {
                    title: GroupTitle::new(&name)?,
                    description: GroupDescription::new(&description)?,
                    policy: allowed(&policy)?,
                    members,
                }));
            }
            Self::Group { group } => return Ok(Question::Group(conversation(&group)?)),
            Self::Roster { group, limit, after } => {
                return Ok(Question::Roster(RosterQuestion {
                    group: conversation(&group)?,
                    after: after.map(|after| UserId::new(&after)).transpose()?,
                    limit: at_least_one(limit)?,
                }));
            }
            Self::GroupInvite { group, user } => (group, GroupChange::Invite(UserId::new(&user)?)),
            Self::GroupAdd { group, user } => (group, GroupChange::Add(UserId::new(&user)?)),
            Self::GroupRemove { group, user } => (group, GroupChange::Remove(UserId::new(&user)?)),
            Self::GroupAccept { group } => (group, GroupChange::Accept),
            Self::GroupLeave { group } => (group, GroupChange::Leave),
            Self::GroupRename { group, name } => (group, GroupChange::Rename(GroupTitle::new(&name)?)),
            Self::GroupDescribe { group, description } => {
                (group, GroupChange::Describe(GroupDescription::new(&description)?))
            }
            Self::GroupRole { group, user, role } => {
                let role = Role::from_name(&role).ok_or(ViewError::Word)?;
                (group, GroupChange::SetRole(UserId::new(&user)?, role))
            }
            Self::GroupPolicy { group, policy } => (group, GroupChange::SetPolicy(allowed(&policy)?)),
            _ => return Ok(Question::Devices),
        };
        Ok(Question::ChangeGroup { group: conversation(&group)?, change })
    }
}

impl Place {
    fn find(self, core: &ClientCore) -> Result<Target, ViewError> {
        let user = |name: String| Ok(Target::User(UserId::new(&name)?));
        match (self.to, self.with, self.group, self.conversation) {
            (Some(name), None, None, None) | (None, Some(name), None, None) => user(name),
            (None, None, Some(group), None) => Ok(Target::Group(conversation(&group)?)),
            (None, None, None, Some(id)) => {
                core.target(conversation(&id)?).ok_or(ViewError::UnknownConversation)
            }
            _ => Err(ViewError::Target),
        }
    }
}

fn at_least_one(limit: Option<u64>) -> Result<Option<NonZeroU64>, ViewError> {
    limit.map(|limit| NonZeroU64::new(limit).ok_or(ViewError::Limit)).transpose()
}

fn allowed(names: &[String]) -> Result<Policy, ViewError> {
    names.iter().try_fold(Policy::default(), |policy, name| {
        let known = Policy::NAMES.iter().find(|(_, known)| known == name);
        known.map(|(bit, _)| policy.with(*bit)).ok_or(ViewError::Word)
    })
}

fn flags(mute: Option<bool>, pin: Option<bool>, archive: Option<bool>) -> (Flags, Flags) {
    let wanted = [(mute, Flags::MUTED), (pin, Flags::PINNED), (archive, Flags::ARCHIVED)];
    wanted.into_iter().fold(Default::default(), |(mask, values): (Flags, Flags), (on, flag)| match on {
        None => (mask, values),
        Some(on) => {
            (mask.changed(flag, flag), values.changed(flag, if on { flag } else { Flags::default() }))
        }
    })
}

fn watched(users: Vec<String>, group: Option<String>) -> Result<Vec<Watched>, ViewError> {
    let group: Option<ConversationId> = group.as_deref().map(conversation).transpose()?;
    users.iter().map(|user| Ok(Watched { user: UserId::new(user)?, group })).collect()
}

const fn from(before: Option<u64>, after: Option<u64>) -> Result<HistoryFrom, ViewError> {
    match (before, after) {
        (None, None) => Ok(HistoryFrom::Latest),
        (Some(before), None) => Ok(HistoryFrom::Before(Seq(before))),
        (None, Some(after)) => Ok(HistoryFrom::After(Seq(after))),
        (Some(_), Some(_)) => Err(ViewError::Direction),
    }
}

#[cfg(test)]
mod tests;
