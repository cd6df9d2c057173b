//! `iris chat --json`: one command in, one event out per line. The lines are described in `docs/chat-json.md`.

use std::collections::BTreeMap;
use std::io::Write;
use std::num::NonZeroU64;

use anyhow::Result;
use bytes::Bytes;
use iris_client::{
    Client, ClientError, ClientEvent, DeviceLabel, DeviceSummary, Event, Events, HistoryFrom,
    HistoryQuestion, InboxMessage, NewMessage, Outcome, QueryNumber, Refusal, SendError, Settled,
};
use iris_types::message::InvalidBody;
use iris_types::{BodyKind, ErrorCode};
use serde_json::{Map, Value, json};

use super::command::{BadCommand, Command, From, Line};
use super::input;
use crate::cli::Chat;

/// Runs until `quit`, the end of input, or an output that nobody reads; gives how many sends are left.
pub(super) async fn run(arguments: &Chat, client: Client, mut events: Events) -> Result<usize> {
    let mut writer = Writer {
        user: arguments.user.to_string(),
        device: arguments.device.to_string(),
        references: BTreeMap::new(),
    };
    let mut lines = input::lines();
    loop {
        tokio::select! {
            biased;
            event = events.next() => match event {
                Some(event) => writer.event(event)?,
                None => return Ok(0),
            },
            line = lines.recv() => match line {
                Some(input::Line::Text(text)) if text.trim().is_empty() => {}
                Some(input::Line::Text(text)) => {
                    if act(&client, &mut writer, Line::parse(&text)).await? {
                        break;
                    }
                }
                Some(input::Line::Unreadable(why)) => {
                    writer.bad_line(&BadCommand::NotAnObject(why.to_owned()), None)?;
                }
                None => break,
            },
        }
    }
    super::close(client, events, |event| writer.event(event)).await
}

/// Carries out one line; whether it was the last.
async fn act(client: &Client, writer: &mut Writer, line: Line) -> Result<bool> {
    let reference = line.reference;
    let command = match line.command {
        Ok(command) => command,
        Err(bad) => {
            writer.bad_line(&bad, reference)?;
            return Ok(false);
        }
    };
    let query = match command {
        Command::Quit => return Ok(true),
        Command::Send { to, body, id } => {
            let text = reference.as_ref().map(|reference| Bytes::from(reference.to_string()));
            let sent = client.send(NewMessage { to, body, id, reference: text }).await;
            return refused(writer, sent.err(), reference);
        }
        Command::History { with, limit, from } => {
            let Some(limit) = NonZeroU64::new(limit) else {
                writer.bad_line(&BadCommand::Fields("limit: at least 1".to_owned()), reference)?;
                return Ok(false);
            };
            let from = match from {
                From::Latest => HistoryFrom::Latest,
                From::Before(seq) => HistoryFrom::Before(seq),
                From::After(seq) => HistoryFrom::After(seq),
            };
            client.history(HistoryQuestion { with, from, limit }).await
        }
        Command::Conversations => client.conversations().await,
        Command::Devices => client.devices().await,
        Command::RenameDevice { device, label } => client.rename_device(&device, label).await,
        Command::RevokeDevice { device } => client.revoke_device(&device).await,
    };
    match query {
        Ok(number) => {
            if let Some(reference) = reference {
                writer.references.insert(number, reference);
            }
            Ok(false)
        }
        Err(error) => refused(writer, Some(error), reference),
    }
}

/// What the client did not take. A client that has stopped ends the program.
fn refused(writer: &Writer, error: Option<ClientError>, reference: Option<Value>) -> Result<bool> {
    match error {
        None => Ok(false),
        Some(ClientError::Send(SendError::ReferenceTooLong(bytes))) => {
            writer.bad_line(&BadCommand::Reference(bytes), reference)?;
            Ok(false)
        }
        Some(ClientError::Send(_) | ClientError::Query(_)) => {
            let busy = Refusal::after(ErrorCode::Busy, 1_000);
            writer.error(busy, Fields { reference, ..Fields::default() })?;
            Ok(false)
        }
        Some(error) => Err(error.into()),
    }
}

/// Writes events as lines.
struct Writer {
    user: String,
    device: String,
    /// What the answers of open questions repeat.
    references: BTreeMap<QueryNumber, Value>,
}

/// Optional fields of an error.
#[derive(Default)]
struct Fields {
    id: Option<String>,
    reference: Option<Value>,
}

impl Writer {
    fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Machine(event) => self.machine(event),
            // Told by `disconnected` already; another attempt follows by itself.
            Event::ConnectFailed(error) => {
                tracing::warn!(%error, "not connected");
                Ok(())
            }
            Event::DatabaseFailed(error) => Err(anyhow::anyhow!(error.to_string())),
        }
    }

    fn machine(&mut self, event: ClientEvent) -> Result<()> {
        match event {
            ClientEvent::Ready => line("ready", json!({"user": self.user, "device": self.device}), None),
            ClientEvent::Synced => line("synced", json!({}), None),
            ClientEvent::Accepted { .. } => Ok(()),
            ClientEvent::Settled(settled) => self.settled(settled),
            ClientEvent::Message { message, .. } => self.message(&message),
            ClientEvent::Gap { first, last } => line("gap", json!({"first": first.0, "last": last.0}), None),
            ClientEvent::HistoryPage { query, conversation, entries, .. } => {
                let reference = self.references.get(&query);
                entries.iter().try_for_each(|entry| {
                    let mut fields = json!({
                        "id": entry.id.to_string(),
                        "conversation": conversation.to_string(),
                        "seq": entry.seq.0,
                        "from": entry.from.as_str(),
                        "sent_at": entry.sent_at.0,
                        "history": true,
                    });
                    put_body(&mut fields, &entry.body);
                    line("message", fields, reference)
                })
            }
            ClientEvent::HistoryEnd { query, with, count, more } => {
                let fields = json!({"with": with.as_str(), "count": count, "more": more});
                line("history_end", fields, self.references.remove(&query).as_ref())
            }
            ClientEvent::Conversations { query, items } => {
                let items: Vec<_> = items
                    .iter()
                    .map(|item| {
                        json!({
                            "conversation": item.conversation.to_string(),
                            "with": item.with.as_str(),
                            "seq": item.last_seq.0,
                        })
                    })
                    .collect();
                line("conversations", json!({"items": items}), self.references.remove(&query).as_ref())
            }
            ClientEvent::Devices { query, items } => {
                let items: Vec<_> = items.iter().map(|item| self.device(item)).collect();
                line("devices", json!({"items": items}), self.references.remove(&query).as_ref())
            }
            ClientEvent::Done { query } => line("done", json!({}), self.references.remove(&query).as_ref()),
            ClientEvent::QueryFailed { query, refusal } => {
                let reference = self.references.remove(&query);
                self.error(refusal, Fields { reference, ..Fields::default() })
            }
            // The machine goes on by itself: nothing that a script could do.
            ClientEvent::Refused(refusal) => {
                tracing::info!(%refusal, "refused for the moment");
                Ok(())
            }
            ClientEvent::Stopped(refusal) => self.error(refusal, Fields::default()),
            ClientEvent::Disconnected => line("disconnected", json!({}), None),
        }
    }

    fn message(&self, message: &InboxMessage) -> Result<()> {
        let mut fields = json!({
            "id": message.id.to_string(),
            "conversation": message.conversation.to_string(),
            "seq": message.seq.0,
            "from": message.from.as_str(),
            "sent_at": message.sent_at.0,
        });
        put_body(&mut fields, &message.body);
        if message.from.as_str() == self.user {
            fields["to"] = message.with.as_str().into();
        }
        line("message", fields, None)
    }

    fn device(&self, item: &DeviceSummary) -> Value {
        json!({
            "device": item.device.as_str(),
            "label": item.label.as_ref().map(DeviceLabel::as_str),
            "online": item.online,
            "registered_at": item.registered_at.0,
            "last_login": item.last_login.0,
            "current": item.device.as_str() == self.device,
        })
    }

    fn settled(&self, settled: Settled) -> Result<()> {
        let reference = settled.reference.and_then(|text| serde_json::from_slice(&text).ok());
        let id = settled.id.map(|id| id.to_string());
        match settled.outcome {
            Outcome::Sent { conversation, seq, .. } => {
                let fields = json!({"id": id, "conversation": conversation.to_string(), "seq": seq.0});
                line("sent", fields, reference.as_ref())
            }
            Outcome::Failed(refusal) => self.error(refusal, Fields { id, reference }),
        }
    }

    fn bad_line(&self, bad: &BadCommand, reference: Option<Value>) -> Result<()> {
        match bad {
            BadCommand::Body(InvalidBody::Empty | InvalidBody::TooLong(_) | InvalidBody::NotUtf8 { .. }) => {
                self.error(ErrorCode::InvalidBody.into(), Fields { reference, ..Fields::default() })
            }
            _ => {
                let fields = json!({
                    "code": 0,
                    "name": "bad_command",
                    "retryable": false,
                    "retry_after_ms": 0,
                    "reason": bad.to_string(),
                });
                line("error", fields, reference.as_ref())
            }
        }
    }

    #[allow(clippy::unused_self)] // all lines are the writer's
    fn error(&self, refusal: Refusal, fields: Fields) -> Result<()> {
        let mut error = json!({
            "code": refusal.code as u16,
            "name": refusal.code.name(),
            "retryable": refusal.code.is_retryable(),
            "retry_after_ms": refusal.retry_after_ms,
        });
        if let Some(id) = fields.id {
            error["id"] = id.into();
        }
        line("error", error, fields.reference.as_ref())
    }
}

/// Text as text; other kinds, which other programs may send, as kind and hexadecimal bytes.
fn put_body(fields: &mut Value, body: &iris_client::Body) {
    match body.as_text() {
        Some(text) => fields["text"] = text.into(),
        None => {
            let BodyKind(kind) = body.kind();
            fields["kind"] = kind.into();
            fields["bytes"] = crate::material::hexadecimal(body.bytes()).as_str().into();
        }
    }
}

/// One line, written out before anything else happens: that is the hand-over.
fn line(name: &str, mut fields: Value, reference: Option<&Value>) -> Result<()> {
    if let Some(reference) = reference {
        fields["ref"] = reference.clone();
    }
    let mut object = Map::new();
    object.insert(name.to_owned(), fields);
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", Value::Object(object))?;
    Ok(output.flush()?)
}
