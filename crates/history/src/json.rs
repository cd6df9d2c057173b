//! A history as JSON lines: first the names, one line each, then the records.
//!
//! ```text
//! {"name":"user","id":"alice"}
//! {"name":"device","user":0,"id":"phone","fresh":false}
//! {"name":"conversation","id":"9fa7..."}
//! {"name":"message","id":"0198..."}
//! {"name":"change","body":99,"step":"added","user":1}
//! {"t":12,"process":0,"incarnation":0,"f":"send","phase":"invoke","message":0,"to":{"user":1},"body":77}
//! ```
//! `change` tells what a body does to a group. Numbers in records count the names of their kind from 0, in the order of their lines.

use std::io::{self, BufRead, Write};

use iris_types::{ConversationId, DeviceId, UserId};
use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::record::{Conversation, Device, Message, Record, User};
use crate::step::Step;

/// Why a line is not part of a history.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("line {line}: {reason}")]
    Line { line: usize, reason: String },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
enum Name {
    User {
        id: String,
    },
    Device {
        user: User,
        id: String,
        fresh: bool,
    },
    Conversation {
        id: String,
    },
    Message {
        id: String,
    },
    Change {
        body: u64,
        #[serde(flatten)]
        step: Step,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Name(Name),
    Record(Record),
}

/// # Errors
/// Whatever the writer refuses.
pub fn write(history: &History, to: &mut dyn Write) -> io::Result<()> {
    for name in names(history) {
        serde_json::to_writer(&mut *to, &name)?;
        to.write_all(b"\n")?;
    }
    for record in &history.records {
        serde_json::to_writer(&mut *to, record)?;
        to.write_all(b"\n")?;
    }
    Ok(())
}

/// # Errors
/// [`ReadError`], with the number of the line from 1.
pub fn read(from: &mut dyn BufRead) -> Result<History, ReadError> {
    let mut history = History::default();
    for (number, text) in from.lines().enumerate() {
        let text = text?;
        let refuse = |reason: String| ReadError::Line { line: number + 1, reason };
        match serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))? {
            Line::Name(name) => take_name(&mut history, &name).map_err(refuse)?,
            Line::Record(record) => history.records.push(record),
        }
    }
    Ok(history)
}

fn names(history: &History) -> impl Iterator<Item = Name> + '_ {
    let numbers = |count: usize| 0..u32::try_from(count).unwrap_or(u32::MAX);
    let users = numbers(history.users())
        .filter_map(|number| history.user_name(User(number)))
        .map(|id| Name::User { id: id.to_string() });
    let devices = numbers(history.devices())
        .filter_map(|number| history.device_info(Device(number)))
        .map(|info| Name::Device { user: info.user, id: info.name.to_string(), fresh: info.fresh });
    let conversations = numbers(history.conversations())
        .filter_map(|number| history.conversation_bytes(Conversation(number)))
        .map(|id| Name::Conversation { id: hex(id) });
    let messages = numbers(history.messages())
        .filter_map(|number| history.message_id(Message(number)))
        .map(|id| Name::Message { id: hex(id) });
    let changes = history.steps().map(|(body, step)| Name::Change { body, step });
    users.chain(devices).chain(conversations).chain(messages).chain(changes)
}

fn take_name(history: &mut History, name: &Name) -> Result<(), String> {
    match name {
        Name::User { id } => {
            history.user(&UserId::new(id).map_err(|error| error.to_string())?);
        }
        Name::Device { user, id, fresh } => {
            let user = history.user_name(*user).cloned().ok_or("a device of an unknown user")?;
            let id = DeviceId::new(id).map_err(|error| error.to_string())?;
            if *fresh {
                history.fresh_device(&user, &id)
            } else {
                history.device(&user, &id)
            };
        }
        Name::Conversation { id } => {
            history.conversation(ConversationId(unhex(id)?));
        }
        Name::Message { id } => {
            history.message_bytes(unhex(id)?);
        }
        Name::Change { body, step } => history.learn_step(*body, *step),
    }
    Ok(())
}

fn hex(id: [u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<[u8; 16], String> {
    match u128::from_str_radix(text, 16) {
        Ok(number) if text.len() == 32 => Ok(number.to_be_bytes()),
        _ => Err("an id has 32 hexadecimal digits".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Observation;
    use crate::story::Story;

    #[test]
    fn a_history_survives_writing_and_reading() -> Result<(), ReadError> {
        let story = Story::new()
            .login("bob/b", 7, 0, 0)
            .send("alice/a", "m1", "bob")
            .ok("alice/a", "m1", 1)
            .fail("alice/a", "m2", 300)
            .delivered("bob/b", "m1", 1, 1)
            .shown("bob/b", "m1", 1)
            .gap("bob/b", 3, 4)
            .acknowledge("bob/b", 1)
            .read("bob/fresh", "alice", &[("m1", 1)])
            .repeat_ok("alice/a", "m1", true, 1)
            .revoke("alice", 5)
            .revoke_device("alice/a", "alice/b")
            .settled("bob/b")
            .observed(Observation::Healed { bound_ms: 3 })
            .durable("m1", (0, 1), 1, 1);
        let mut text = Vec::new();
        write(&story.history, &mut text)?;
        let back = read(&mut text.as_slice())?;
        assert_eq!(back.records, story.history.records);
        let mut again = Vec::new();
        write(&back, &mut again)?;
        assert_eq!(text, again);
        Ok(())
    }

    #[test]
    fn a_bad_line_is_named() {
        let refused = read(&mut &b"{\"name\":\"user\",\"id\":\"alice\"}\n{\"t\":1}\n"[..]);
        assert!(matches!(refused, Err(ReadError::Line { line: 2, .. })), "{refused:?}");
    }
}
