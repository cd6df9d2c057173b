//! Commands of `iris chat --json`: one JSON object per line.

mod fields;

use iris_client::{Flags, Question};
use iris_types::message::{Body, InvalidBody, MessageId};
use iris_types::{ConversationId, Seq, Target, UserId};
use serde_json::{Map, Value};

use fields::command;

/// Every command, as in `docs/chat-json.md`.
pub(super) const NAMES: [&str; 27] = [
    "send",
    "history",
    "conversations",
    "read",
    "receipts",
    "flag",
    "typing",
    "group_create",
    "group",
    "group_invite",
    "group_add",
    "group_remove",
    "group_accept",
    "group_leave",
    "group_rename",
    "group_describe",
    "group_role",
    "group_policy",
    "roster",
    "block",
    "unblock",
    "presence",
    "settings",
    "devices",
    "device_rename",
    "device_revoke",
    "quit",
];

/// A line of input: a command, and what its answers repeat.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) command: Result<Command, BadCommand>,
    pub(super) reference: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Send {
        to: Target,
        body: Body,
        id: Option<MessageId>,
    },
    Ask(Question),
    /// About a conversation of which only the id is given.
    About(ConversationId, About),
    Presence {
        users: Vec<UserId>,
        group: Option<ConversationId>,
        watch: bool,
    },
    Quit,
}

/// What a command wants of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Read(Seq),
    Receipts(Seq),
    Flag { mask: Flags, values: Flags },
    Typing(bool),
}

/// Why a line is not a command. Says what would be one; never repeats the text.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum BadCommand {
    #[error("not a JSON object: {0}")]
    NotAnObject(String),
    #[error("exactly one of {}", NAMES.join(", "))]
    NotOneCommand,
    #[error("{0}")]
    Fields(String),
    #[error("{0}")]
    Body(#[from] InvalidBody),
    #[error("before and after exclude each other")]
    TwoDirections,
    #[error("exactly one of {0} and group")]
    NotOneTarget(&'static str),
    #[error("ref: at most {0} bytes as JSON, for it is kept with the message")]
    Reference(usize),
}

impl Line {
    pub(super) fn parse(text: &str) -> Self {
        let mut object = match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Self::bad(BadCommand::NotAnObject("another kind of value".to_owned()), None),
            Err(error) => return Self::bad(BadCommand::NotAnObject(error.to_string()), None),
        };
        let reference = object.remove("ref");
        Self { command: only(object), reference }
    }

    const fn bad(error: BadCommand, reference: Option<Value>) -> Self {
        Self { command: Err(error), reference }
    }
}

fn only(object: Map<String, Value>) -> Result<Command, BadCommand> {
    let mut given = object.into_iter();
    match (given.next(), given.next()) {
        (Some((name, fields)), None) => command(&name, fields),
        _ => Err(BadCommand::NotOneCommand),
    }
}

#[cfg(test)]
mod tests;
