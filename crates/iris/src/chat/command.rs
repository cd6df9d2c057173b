//! Commands of `iris chat --json`: one JSON object per line.

use iris_types::message::{Body, BodyKind, InvalidBody, MessageId};
use iris_types::{DeviceId, DeviceLabel, Seq, UserId};
use serde::Deserialize;
use serde_json::Value;

/// A line of input: a command, and what its answers repeat.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) command: Result<Command, BadCommand>,
    pub(crate) reference: Option<Value>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Send { to: UserId, body: Body, id: Option<MessageId> },
    History { with: UserId, limit: u64, from: From },
    Conversations,
    Devices,
    RenameDevice { device: DeviceId, label: DeviceLabel },
    RevokeDevice { device: DeviceId },
    Quit,
}

/// Where history starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum From {
    Latest,
    Before(Seq),
    After(Seq),
}

/// Why a line is not a command. Says what would be one; never repeats the text.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum BadCommand {
    #[error("not a JSON object: {0}")]
    NotAnObject(String),
    #[error("exactly one of send, history, conversations, devices, device_rename, device_revoke, quit")]
    NotOneCommand,
    #[error("{0}")]
    Fields(String),
    #[error("{0}")]
    Body(#[from] InvalidBody),
    #[error("before and after exclude each other")]
    TwoDirections,
    #[error("ref: at most {0} bytes as JSON, for it is kept with the message")]
    Reference(usize),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    send: Option<SendFields>,
    history: Option<HistoryFields>,
    conversations: Option<NoFields>,
    devices: Option<NoFields>,
    device_rename: Option<RenameFields>,
    device_revoke: Option<RevokeFields>,
    quit: Option<NoFields>,
    #[serde(rename = "ref")]
    _reference: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SendFields {
    to: String,
    text: String,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryFields {
    with: String,
    limit: u64,
    before: Option<u64>,
    after: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RenameFields {
    device: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeFields {
    device: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoFields {}

impl Line {
    pub(crate) fn parse(text: &str) -> Self {
        let value = match serde_json::from_str::<Value>(text) {
            Ok(value @ Value::Object(_)) => value,
            Ok(_) => return Self::bad(BadCommand::NotAnObject("another kind of value".to_owned()), None),
            Err(error) => return Self::bad(BadCommand::NotAnObject(error.to_string()), None),
        };
        let reference = value.get("ref").cloned();
        match serde_json::from_value::<Object>(value) {
            Ok(object) => Self { command: object.command(), reference },
            Err(error) => Self::bad(BadCommand::Fields(error.to_string()), reference),
        }
    }

    const fn bad(error: BadCommand, reference: Option<Value>) -> Self {
        Self { command: Err(error), reference }
    }
}

impl Object {
    fn command(self) -> Result<Command, BadCommand> {
        let plain = |fields: Option<NoFields>, command: Command| fields.map(|NoFields {}| Ok(command));
        let given = [
            self.send.map(SendFields::command),
            self.history.map(HistoryFields::command),
            plain(self.conversations, Command::Conversations),
            plain(self.devices, Command::Devices),
            self.device_rename.map(RenameFields::command),
            self.device_revoke.map(RevokeFields::command),
            plain(self.quit, Command::Quit),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(only), None) => only,
            _ => Err(BadCommand::NotOneCommand),
        }
    }
}

impl SendFields {
    fn command(self) -> Result<Command, BadCommand> {
        let id = match self.id.as_deref().map(MessageId::parse) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(error)) => return Err(BadCommand::Fields(format!("id: {error}"))),
        };
        let body = Body::new(BodyKind::TEXT, self.text.into_bytes().into())?;
        Ok(Command::Send { to: user("to", &self.to)?, body, id })
    }
}

impl HistoryFields {
    fn command(self) -> Result<Command, BadCommand> {
        let from = match (self.before, self.after) {
            (None, None) => From::Latest,
            (Some(seq), None) => From::Before(Seq(seq)),
            (None, Some(seq)) => From::After(Seq(seq)),
            (Some(_), Some(_)) => return Err(BadCommand::TwoDirections),
        };
        Ok(Command::History { with: user("with", &self.with)?, limit: self.limit, from })
    }
}

impl RenameFields {
    fn command(self) -> Result<Command, BadCommand> {
        let label = DeviceLabel::new(&self.name);
        let label = label.map_err(|error| BadCommand::Fields(format!("name: {error}")))?;
        Ok(Command::RenameDevice { device: device(&self.device)?, label })
    }
}

impl RevokeFields {
    fn command(self) -> Result<Command, BadCommand> {
        Ok(Command::RevokeDevice { device: device(&self.device)? })
    }
}

fn device(name: &str) -> Result<DeviceId, BadCommand> {
    DeviceId::new(name).map_err(|error| BadCommand::Fields(format!("device: {error}")))
}

fn user(field: &str, name: &str) -> Result<UserId, BadCommand> {
    UserId::new(name).map_err(|error| BadCommand::Fields(format!("{field}: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn command(text: &str) -> Command {
        Line::parse(text).command.unwrap()
    }

    #[test]
    fn every_command_is_read() {
        let id = "01923456-789a-7fff-bfff-ffffffffffff";
        let bob = UserId::new("bob").unwrap();
        let body = Body::new(BodyKind::TEXT, "hé".into()).unwrap();
        assert_eq!(
            command(&format!(r#"{{"send": {{"to": "bob", "text": "hé", "id": "{id}"}}}}"#)),
            Command::Send { to: bob.clone(), body, id: MessageId::parse(id).ok() }
        );
        let history = |from| Command::History { with: bob.clone(), limit: 5, from };
        assert_eq!(command(r#"{"history": {"with": "bob", "limit": 5}}"#), history(From::Latest));
        assert_eq!(
            command(r#"{"history": {"with": "bob", "limit": 5, "before": 9}}"#),
            history(From::Before(Seq(9)))
        );
        assert_eq!(
            command(r#"{"history": {"with": "bob", "limit": 5, "after": 0}}"#),
            history(From::After(Seq(0)))
        );
        assert_eq!(command(r#"{"conversations": {}}"#), Command::Conversations);
        assert_eq!(command(r#"{"devices": {}}"#), Command::Devices);
        let device = DeviceId::new("phone").unwrap();
        let label = DeviceLabel::new("Büro").unwrap();
        assert_eq!(
            command(r#"{"device_rename": {"device": "phone", "name": "Büro"}}"#),
            Command::RenameDevice { device: device.clone(), label }
        );
        assert_eq!(command(r#"{"device_revoke": {"device": "phone"}}"#), Command::RevokeDevice { device });
        assert_eq!(command(r#"{"quit": {}}"#), Command::Quit);
    }

    #[test]
    fn a_reference_survives_a_bad_command() {
        for (text, reference) in [
            ("", None),
            ("[]", None),
            ("{", None),
            (r#"{"ref": 7}"#, Some(7)),
            (r#"{"send": {"to": "bob", "text": ""}, "ref": 1}"#, Some(1)),
            (r#"{"send": {"to": "b b", "text": "x"}, "ref": 2}"#, Some(2)),
            (r#"{"send": {"to": "bob", "text": "x", "id": "nope"}, "ref": 3}"#, Some(3)),
            (r#"{"quit": {}, "conversations": {}, "ref": 4}"#, Some(4)),
            (r#"{"quit": {"now": 1}, "ref": 5}"#, Some(5)),
            (r#"{"history": {"with": "bob", "limit": 1, "before": 2, "after": 1}, "ref": 6}"#, Some(6)),
            (r#"{"device_rename": {"device": "phone", "name": ""}, "ref": 7}"#, Some(7)),
            (r#"{"device_rename": {"device": "phone", "name": "a\u001bb"}, "ref": 8}"#, Some(8)),
            (r#"{"device_revoke": {"device": "p hone"}, "ref": 9}"#, Some(9)),
            (r#"{"devices": {}, "device_revoke": {"device": "phone"}, "ref": 10}"#, Some(10)),
        ] {
            let line = Line::parse(text);
            assert!(line.command.is_err(), "{text}");
            assert_eq!(line.reference, reference.map(Value::from), "{text}");
        }
    }
}
