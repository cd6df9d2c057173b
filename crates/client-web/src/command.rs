//! What the application asks for: the vocabulary of `iris chat --json`, in the words of TypeScript.

use std::num::NonZeroU64;

use bytes::Bytes;
use iris_client_core::{ClientCore, HistoryQuestion, NewMessage, Now, QueryError, SendError};
use iris_types::request::HistoryFrom;
use iris_types::{DeviceId, DeviceLabel, Seq, UserId};
use serde::Deserialize;

use crate::view::{BodyView, ViewError};

/// The commands that this machine takes, by their names in JSON: what an application looks up to know whether to
/// offer something.
pub const NAMES: &[&str] = &["send", "history", "conversations", "devices", "deviceRename", "deviceRevoke"];

/// One command: a JSON object with one key, its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Command {
    Send { to: String, body: BodyView, id: Option<String>, reference: Option<String> },
    History { with: String, limit: u64, before: Option<u64>, after: Option<u64> },
    Conversations {},
    Devices {},
    DeviceRename { device: String, label: String },
    DeviceRevoke { device: String },
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
            Self::View(_) | Self::Send(SendError::ReferenceTooLong(_)) => "bad_command",
            Self::Send(SendError::OutboxFull) | Self::Query(QueryError::TooMany) => "busy",
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
        let query = match self {
            Self::Send { to, body, id, reference } => {
                let message = NewMessage {
                    to: user(&to)?,
                    body: body.try_into()?,
                    id: id.as_deref().map(crate::view::message_id).transpose()?,
                    reference: reference.map(Bytes::from),
                };
                return Ok(core.send(message, now)?.0);
            }
            Self::History { with, limit, before, after } => {
                let limit = NonZeroU64::new(limit).ok_or(ViewError::Limit)?;
                core.history(HistoryQuestion { with: user(&with)?, from: from(before, after)?, limit })
            }
            Self::Conversations {} => core.conversations(),
            Self::Devices {} => core.devices(),
            Self::DeviceRename { device, label } => {
                let label = DeviceLabel::new(&label).map_err(ViewError::from)?;
                core.rename_device(self::device(&device)?, label)
            }
            Self::DeviceRevoke { device } => core.revoke_device(self::device(&device)?),
        };
        Ok(query?.0)
    }
}

fn user(name: &str) -> Result<UserId, ViewError> {
    Ok(UserId::new(name)?)
}

fn device(name: &str) -> Result<DeviceId, ViewError> {
    Ok(DeviceId::new(name)?)
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
mod tests {
    use super::*;

    /// One of each, in the order of [`NAMES`].
    const EACH: &[&str] = &[
        r#"{"send":{"to":"bob","body":{"kind":1,"text":"hi"}}}"#,
        r#"{"history":{"with":"bob","limit":5,"before":9}}"#,
        r#"{"conversations":{}}"#,
        r#"{"devices":{}}"#,
        r#"{"deviceRename":{"device":"phone","label":"Phone"}}"#,
        r#"{"deviceRevoke":{"device":"phone"}}"#,
    ];

    #[test]
    fn every_name_is_a_command() {
        assert_eq!(EACH.len(), NAMES.len());
        for (text, name) in EACH.iter().zip(NAMES) {
            assert!(text.starts_with(&format!("{{\"{name}\":")), "{name}");
            assert!(Command::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_command_says_where_and_never_what() {
        for (text, expected) in [
            ("secret", "not the expected JSON: Syntax at line 1, column 1"),
            (r#"{"shout":{"text":"secret"}}"#, "not the expected JSON: Data at line 1, column 8"),
            (r#"{"devices":{"secret":1}}"#, "not the expected JSON: Data at line 1, column 20"),
        ] {
            assert_eq!(Command::parse(text).map_err(|error| error.to_string()), Err(expected.to_owned()));
        }
    }
}
