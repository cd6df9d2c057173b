//! Events of `iris chat --json`: one JSON object per line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Result;
use iris_client::{
    Body, Change, ClientEvent, ConversationId, Event, HistoryEntry, InboxMessage, Outcome, Peer, QueryNumber,
    Refusal, Settled, Target, UserId,
};
use iris_types::ErrorCode;
use iris_types::message::InvalidBody;
use serde_json::{Map, Value, json};

use super::command::BadCommand;
use super::values::{
    device, flags, group, group_receipt, hex, marks, name, presence, put_body, put_change, put_target,
    receipts, roster_item, settings, summary,
};

/// Every event, as in `docs/chat-json.md`.
#[cfg(test)]
pub(super) const NAMES: [&str; 21] = [
    "ready",
    "synced",
    "sent",
    "message",
    "member",
    "history_end",
    "conversations",
    "conversation",
    "receipt",
    "group_receipt",
    "receipts",
    "group",
    "roster",
    "presence",
    "typing",
    "settings",
    "devices",
    "done",
    "gap",
    "error",
    "disconnected",
];

/// Writes events as lines.
pub(super) struct Writer {
    user: UserId,
    device: String,
    /// What the answers of open questions repeat.
    references: BTreeMap<QueryNumber, Value>,
    /// Answers that nobody asked for in these words.
    ignored: BTreeSet<QueryNumber>,
}

impl Writer {
    pub(super) const fn new(user: UserId, device: String) -> Self {
        Self { user, device, references: BTreeMap::new(), ignored: BTreeSet::new() }
    }

    /// The answer to this question repeats the reference.
    pub(super) fn expect(&mut self, query: QueryNumber, reference: Option<Value>) {
        if let Some(reference) = reference {
            self.references.insert(query, reference);
        }
    }

    /// The answer to this question is not written, unless it is an error.
    pub(super) fn ignore(&mut self, query: QueryNumber) {
        self.ignored.insert(query);
    }

    pub(super) fn event(&mut self, event: Event) -> Result<()> {
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

    pub(super) fn done(&self, reference: Option<&Value>) -> Result<()> {
        line("done", json!({}), reference)
    }

    pub(super) fn bad_line(&self, bad: &BadCommand, reference: Option<&Value>) -> Result<()> {
        match bad {
            BadCommand::Body(InvalidBody::Empty | InvalidBody::TooLong(_) | InvalidBody::NotUtf8 { .. }) => {
                self.error(ErrorCode::InvalidBody.into(), None, reference)
            }
            _ => {
                let fields = json!({
                    "code": 0,
                    "name": "bad_command",
                    "retryable": false,
                    "retry_after_ms": 0,
                    "reason": bad.to_string(),
                });
                line("error", fields, reference)
            }
        }
    }

    #[allow(clippy::unused_self)] // all lines are the writer's
    pub(super) fn error(
        &self,
        refusal: Refusal,
        id: Option<String>,
        reference: Option<&Value>,
    ) -> Result<()> {
        let mut error = json!({
            "code": refusal.code as u16,
            "name": refusal.code.name(),
            "retryable": refusal.code.is_retryable(),
            "retry_after_ms": refusal.retry_after_ms,
        });
        if let Some(id) = id {
            error["id"] = id.into();
        }
        line("error", error, reference)
    }

    fn machine(&mut self, event: ClientEvent) -> Result<()> {
        if let Some(query) = event.answers() {
            let reference = self.references.remove(&query);
            let is_ignored = self.ignored.remove(&query);
            if is_ignored && !matches!(event, ClientEvent::QueryFailed { .. }) {
                return Ok(());
            }
            return self.answer(event, reference.as_ref());
        }
        match event {
            ClientEvent::Ready => {
                line("ready", json!({"user": name(&self.user), "device": self.device}), None)
            }
            ClientEvent::Synced => line("synced", json!({}), None),
            ClientEvent::Settled(settled) => self.settled(settled),
            ClientEvent::Message { message, .. } => self.message(&message),
            ClientEvent::Gap { first, last } => line("gap", json!({"first": first.0, "last": last.0}), None),
            ClientEvent::Receipt { receipt, .. } => {
                let mut fields = marks(receipt.marks);
                fields["conversation"] = hex(receipt.conversation);
                fields["user"] = name(&receipt.user);
                fields["at"] = receipt.at.0.into();
                line("receipt", fields, None)
            }
            ClientEvent::GroupReceipt { receipt, .. } => line("group_receipt", group_receipt(&receipt), None),
            ClientEvent::State { state, .. } => {
                let mut fields = flags(state.flags);
                fields["conversation"] = hex(state.conversation);
                fields["read"] = state.read.0.into();
                fields["unread"] = state.unread.into();
                line("conversation", fields, None)
            }
            ClientEvent::SettingsChanged { settings: all, .. } => line("settings", settings(all), None),
            ClientEvent::HistoryPage { query, conversation, with, entries } => {
                let reference = self.references.get(&query);
                entries.iter().try_for_each(|entry| past(conversation, &with, entry, reference))
            }
            ClientEvent::Presence(of) => line("presence", presence(&of), None),
            ClientEvent::Typing(typing) => {
                let fields = json!({
                    "conversation": hex(typing.conversation),
                    "user": name(&typing.user),
                    "on": typing.on,
                });
                line("typing", fields, None)
            }
            // The machine goes on by itself: nothing that a script could do.
            ClientEvent::Refused(refusal) => {
                tracing::info!(%refusal, "refused for the moment");
                Ok(())
            }
            ClientEvent::Stopped(refusal) => self.error(refusal, None, None),
            ClientEvent::Disconnected => line("disconnected", json!({}), None),
            // Each is written above, with what it answers.
            _ => Ok(()),
        }
    }

    /// What answers a question, and is the last thing that does.
    fn answer(&self, event: ClientEvent, reference: Option<&Value>) -> Result<()> {
        match event {
            ClientEvent::HistoryEnd { with, count, more, .. } => {
                let mut fields = json!({"count": count, "more": more});
                put_target(&mut fields, "with", &with);
                line("history_end", fields, reference)
            }
            ClientEvent::Conversations { items, next, .. } => {
                let items: Vec<_> = items.iter().map(summary).collect();
                line("conversations", json!({"items": items, "next": next.map(hex)}), reference)
            }
            ClientEvent::Devices { items, .. } => {
                let items: Vec<_> = items.iter().map(|item| device(item, &self.device)).collect();
                line("devices", json!({"items": items}), reference)
            }
            ClientEvent::GroupCreated { group, .. } => line("group", json!({"group": hex(group)}), reference),
            ClientEvent::Group { group: summary, .. } => line("group", group(&summary), reference),
            ClientEvent::Roster { group, items, next, .. } => {
                let items: Vec<_> = items.iter().map(roster_item).collect();
                let next = next.as_ref().map(name);
                line("roster", json!({"group": hex(group), "items": items, "next": next}), reference)
            }
            ClientEvent::Receipts { target, seq, receipts: page, .. } => {
                let mut fields = receipts(&page);
                fields["conversation"] = hex(target.conversation(&self.user));
                fields["seq"] = seq.0.into();
                line("receipts", fields, reference)
            }
            ClientEvent::Settings { settings: all, .. } => line("settings", settings(all), reference),
            ClientEvent::Presences { items, .. } => {
                items.iter().try_for_each(|item| line("presence", presence(item), reference))
            }
            ClientEvent::QueryFailed { refusal, .. } => self.error(refusal, None, reference),
            _ => self.done(reference),
        }
    }

    fn message(&self, message: &InboxMessage) -> Result<()> {
        let mut fields = json!({
            "id": message.id.to_string(),
            "conversation": hex(message.conversation),
            "seq": message.seq.0,
            "sent_at": message.sent_at.0,
        });
        match &message.with {
            Peer::Group(title) => {
                fields["group"] = hex(message.conversation);
                fields["group_name"] = title.as_str().into();
            }
            Peer::User(with) if message.from == self.user => fields["to"] = name(with),
            Peer::User(_) => {}
        }
        said(fields, &message.from, &message.body, None)
    }

    fn settled(&self, settled: Settled) -> Result<()> {
        let reference = settled.reference.and_then(|text| serde_json::from_slice(&text).ok());
        let id = settled.id.map(|id| id.to_string());
        match settled.outcome {
            Outcome::Sent { conversation, seq, .. } => {
                let fields = json!({"id": id, "conversation": hex(conversation), "seq": seq.0});
                line("sent", fields, reference.as_ref())
            }
            Outcome::Failed(refusal) => self.error(refusal, id, reference.as_ref()),
        }
    }
}

/// A line of history.
fn past(
    conversation: ConversationId,
    with: &Target,
    entry: &HistoryEntry,
    reference: Option<&Value>,
) -> Result<()> {
    let mut fields = json!({
        "id": entry.id.to_string(),
        "conversation": hex(conversation),
        "seq": entry.seq.0,
        "sent_at": entry.sent_at.0,
        "history": true,
    });
    if let Target::Group(group) = with {
        fields["group"] = hex(*group);
    }
    said(fields, &entry.from, &entry.body, reference)
}

/// A message, or what became of a group.
fn said(mut fields: Value, from: &UserId, body: &Body, reference: Option<&Value>) -> Result<()> {
    if let Ok(change) = Change::from_body(body) {
        fields["by"] = name(from);
        put_change(&mut fields, from, &change);
        return line("member", fields, reference);
    }
    fields["from"] = name(from);
    put_body(&mut fields, body);
    line("message", fields, reference)
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
