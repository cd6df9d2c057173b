//! The fields of each command, and what they mean.

use std::num::NonZeroU64;

use iris_client::{
    ConversationsQuestion, GroupChange, GroupDescription, GroupTitle, HistoryFrom, HistoryQuestion, NewGroup,
    Policy, Question, Role, RosterQuestion, SettingsChange,
};
use iris_types::request::{BlockUser, RenameDevice, RevokeDevice};
use iris_types::{
    Audience, Body, BodyKind, ConversationId, DeviceId, DeviceLabel, Flags, MessageId, Seq, Target, UserId,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{About, BadCommand, Command};

/// A list of names, or one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    to: Option<String>,
    group: Option<String>,
    text: String,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct History {
    with: Option<String>,
    group: Option<String>,
    limit: NonZeroU64,
    before: Option<u64>,
    after: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversations {
    limit: Option<NonZeroU64>,
    after: Option<String>,
}

/// Of `read` and `receipts`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    conversation: String,
    seq: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flag {
    conversation: String,
    mute: Option<bool>,
    pin: Option<bool>,
    archive: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typing {
    conversation: String,
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupCreate {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    members: Vec<String>,
    policy: Option<Names>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    group: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupUser {
    group: String,
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupRename {
    group: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupDescribe {
    group: String,
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupRole {
    group: String,
    user: String,
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupPolicy {
    group: String,
    policy: Names,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Roster {
    group: String,
    limit: Option<NonZeroU64>,
    after: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Presence {
    users: Vec<String>,
    group: Option<String>,
    #[serde(default)]
    watch: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    read_receipts: Option<bool>,
    last_seen: Option<String>,
    typing: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rename {
    device: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoke {
    device: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads one command.
pub(super) fn command(name: &str, fields: Value) -> Result<Command, BadCommand> {
    match name {
        "send" => read::<Send>(fields)?.command(),
        "history" => read::<History>(fields)?.command(),
        "conversations" => read::<Conversations>(fields)?.command(),
        "read" => {
            let Message { conversation, seq } = read(fields)?;
            Ok(Command::About(id("conversation", &conversation)?, About::Read(Seq(seq))))
        }
        "receipts" => {
            let Message { conversation, seq } = read(fields)?;
            Ok(Command::About(id("conversation", &conversation)?, About::Receipts(Seq(seq))))
        }
        "flag" => read::<Flag>(fields)?.command(),
        "typing" => {
            let Typing { conversation, on } = read(fields)?;
            Ok(Command::About(id("conversation", &conversation)?, About::Typing(on)))
        }
        "block" | "unblock" => {
            let User { user: name_of } = read(fields)?;
            Ok(ask(Question::BlockUser(BlockUser { user: user("user", &name_of)?, on: name == "block" })))
        }
        "presence" => read::<Presence>(fields)?.command(),
        "settings" => read::<Settings>(fields)?.command(),
        "devices" => read(fields).map(|Nothing {}| ask(Question::Devices)),
        "device_rename" => {
            let Rename { device: name_of, name } = read(fields)?;
            let label = DeviceLabel::new(&name).map_err(|error| bad("name", error))?;
            Ok(ask(Question::RenameDevice(RenameDevice { device: device(&name_of)?, label })))
        }
        "device_revoke" => {
            let Revoke { device: name_of } = read(fields)?;
            Ok(ask(Question::RevokeDevice(RevokeDevice { device: device(&name_of)? })))
        }
        "quit" => read(fields).map(|Nothing {}| Command::Quit),
        name => of_group(name, fields),
    }
}

/// Commands about groups.
fn of_group(name: &str, fields: Value) -> Result<Command, BadCommand> {
    let change = |group: &str, change| Ok(ask(Question::ChangeGroup { group: id("group", group)?, change }));
    let about_user = |fields, of: fn(UserId) -> GroupChange| {
        let GroupUser { group, user: name } = read(fields)?;
        change(&group, of(user("user", &name)?))
    };
    match name {
        "group_create" => read::<GroupCreate>(fields)?.command(),
        "group" => {
            let Group { group } = read(fields)?;
            Ok(ask(Question::Group(id("group", &group)?)))
        }
        "group_invite" => about_user(fields, GroupChange::Invite),
        "group_add" => about_user(fields, GroupChange::Add),
        "group_remove" => about_user(fields, GroupChange::Remove),
        "group_accept" => change(&read::<Group>(fields)?.group, GroupChange::Accept),
        "group_leave" => change(&read::<Group>(fields)?.group, GroupChange::Leave),
        "group_rename" => {
            let GroupRename { group, name } = read(fields)?;
            change(&group, GroupChange::Rename(title(&name)?))
        }
        "group_describe" => {
            let GroupDescribe { group, description: text } = read(fields)?;
            change(&group, GroupChange::Describe(description(&text)?))
        }
        "group_role" => {
            let GroupRole { group, user: name, role } = read(fields)?;
            let role = Role::from_name(&role)
                .ok_or_else(|| BadCommand::Fields("role: member, admin or owner".to_owned()))?;
            change(&group, GroupChange::SetRole(user("user", &name)?, role))
        }
        "group_policy" => {
            let GroupPolicy { group, policy: names } = read(fields)?;
            change(&group, GroupChange::SetPolicy(policy(names)?))
        }
        "roster" => {
            let Roster { group, limit, after } = read(fields)?;
            let after = after.as_deref().map(|name| user("after", name)).transpose()?;
            Ok(ask(Question::Roster(RosterQuestion { group: id("group", &group)?, after, limit })))
        }
        _ => Err(BadCommand::NotOneCommand),
    }
}

impl Send {
    fn command(self) -> Result<Command, BadCommand> {
        let id = self.id.as_deref().map(MessageId::parse).transpose().map_err(|error| bad("id", error))?;
        let body = Body::new(BodyKind::TEXT, self.text.into_bytes().into())?;
        Ok(Command::Send { to: target("to", self.to, self.group)?, body, id })
    }
}

impl History {
    fn command(self) -> Result<Command, BadCommand> {
        let from = match (self.before, self.after) {
            (None, None) => HistoryFrom::Latest,
            (Some(seq), None) => HistoryFrom::Before(Seq(seq)),
            (None, Some(seq)) => HistoryFrom::After(Seq(seq)),
            (Some(_), Some(_)) => return Err(BadCommand::TwoDirections),
        };
        let with = target("with", self.with, self.group)?;
        Ok(ask(Question::History(HistoryQuestion { with, from, limit: self.limit })))
    }
}

impl Conversations {
    fn command(self) -> Result<Command, BadCommand> {
        let after = self.after.as_deref().map(|text| id("after", text)).transpose()?;
        Ok(ask(Question::Conversations(ConversationsQuestion { after, limit: self.limit })))
    }
}

impl Flag {
    fn command(self) -> Result<Command, BadCommand> {
        let given = [(self.mute, Flags::MUTED), (self.pin, Flags::PINNED), (self.archive, Flags::ARCHIVED)];
        let (mut mask, mut values) = (Flags::default(), Flags::default());
        for (value, flag) in given {
            if let Some(on) = value {
                mask = mask.changed(flag, flag);
                values = values.changed(flag, if on { flag } else { Flags::default() });
            }
        }
        if mask == Flags::default() {
            return Err(BadCommand::Fields("at least one of mute, pin and archive".to_owned()));
        }
        Ok(Command::About(id("conversation", &self.conversation)?, About::Flag { mask, values }))
    }
}

impl GroupCreate {
    fn command(self) -> Result<Command, BadCommand> {
        let members = self.members.iter().map(|name| user("members", name)).collect::<Result<_, _>>()?;
        Ok(ask(Question::CreateGroup(NewGroup {
            title: title(&self.name)?,
            description: description(&self.description)?,
            policy: self.policy.map(policy).transpose()?.unwrap_or_default(),
            members,
        })))
    }
}

impl Presence {
    fn command(self) -> Result<Command, BadCommand> {
        let users = self.users.iter().map(|name| user("users", name)).collect::<Result<_, _>>()?;
        let group = self.group.as_deref().map(|text| id("group", text)).transpose()?;
        Ok(Command::Presence { users, group, watch: self.watch })
    }
}

impl Settings {
    fn command(self) -> Result<Command, BadCommand> {
        let audience = |name: String| {
            Audience::from_name(&name)
                .ok_or_else(|| BadCommand::Fields("last_seen: everybody, contacts or nobody".to_owned()))
        };
        let last_seen = self.last_seen.map(audience).transpose()?;
        let change = SettingsChange { read_receipts: self.read_receipts, last_seen, typing: self.typing };
        let is_question = change == SettingsChange::default();
        Ok(ask(if is_question { Question::Settings } else { Question::ChangeSettings(change) }))
    }
}

const fn ask(question: Question) -> Command {
    Command::Ask(question)
}

fn read<T: DeserializeOwned>(fields: Value) -> Result<T, BadCommand> {
    serde_json::from_value(fields).map_err(|error| BadCommand::Fields(error.to_string()))
}

fn bad(field: &str, error: impl std::fmt::Display) -> BadCommand {
    BadCommand::Fields(format!("{field}: {error}"))
}

fn target(
    field: &'static str,
    user_name: Option<String>,
    group: Option<String>,
) -> Result<Target, BadCommand> {
    match (user_name, group) {
        (Some(name), None) => Ok(Target::User(user(field, &name)?)),
        (None, Some(group)) => Ok(Target::Group(id("group", &group)?)),
        _ => Err(BadCommand::NotOneTarget(field)),
    }
}

fn id(field: &str, text: &str) -> Result<ConversationId, BadCommand> {
    ConversationId::parse(text).map_err(|error| bad(field, error))
}

fn device(name: &str) -> Result<DeviceId, BadCommand> {
    DeviceId::new(name).map_err(|error| bad("device", error))
}

fn user(field: &str, name: &str) -> Result<UserId, BadCommand> {
    UserId::new(name).map_err(|error| bad(field, error))
}

fn title(text: &str) -> Result<GroupTitle, BadCommand> {
    GroupTitle::new(text).map_err(|error| bad("name", error))
}

fn description(text: &str) -> Result<GroupDescription, BadCommand> {
    GroupDescription::new(text).map_err(|error| bad("description", error))
}

fn policy(names: Names) -> Result<Policy, BadCommand> {
    let names = match names {
        Names::One(name) => vec![name],
        Names::Many(names) => names,
    };
    names.iter().try_fold(Policy::default(), |policy, name| {
        let known = Policy::NAMES.into_iter().find(|(_, known)| known == name);
        known.map(|(bit, _)| policy.with(bit)).ok_or_else(|| {
            let all: Vec<&str> = Policy::NAMES.iter().map(|(_, name)| *name).collect();
            bad("policy", all.join(", "))
        })
    })
}
