//! Writes the history, knows which message an id stands for, and keeps the last lines for a failure's report.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use iris_history::{Conversation, Device, Fact, History, Message, Observation, Seen, User};
use iris_types::{Body, ConversationId, LogId, MessageId, UserId};

use crate::trace::Trace;

#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) history: History,
    pub(crate) trace: Trace,
    /// Milliseconds since the world began.
    pub(crate) now: u64,
    pub(crate) lines: VecDeque<String>,
    /// How many of the last lines are kept; with 0 none is composed.
    pub(crate) lines_max: usize,
    pub(crate) logs: BTreeMap<LogId, u32>,
    /// Changes of groups that were asked for.
    pub(crate) changes: BTreeSet<Message>,
}

impl Recorder {
    pub(crate) fn fact(&mut self, device: Device, incarnation: u32, fact: Fact) {
        self.trace.take(&(self.now, device.0, fact));
        self.history.push(self.now, device, incarnation, fact);
        if self.lines_max > 0 {
            let number = self.history.records.len() - 1;
            self.say(format!("#{number} device {} {fact:?}", device.0));
        }
    }

    pub(crate) fn observe(&mut self, observation: Observation) {
        self.fact(Device::NOBODY, 0, Fact::Observed(observation));
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.lines_max > 0 {
            self.say(line());
        }
    }

    pub(crate) fn last_lines(self) -> Vec<String> {
        self.lines.into()
    }

    pub(crate) fn seen(
        &mut self,
        offset: u64,
        (conversation, seq): (ConversationId, u64),
        id: MessageId,
        from: &UserId,
        body: Option<&Body>,
    ) -> Seen {
        Seen {
            offset,
            conversation: self.conversation(conversation),
            seq,
            message: self.message(id),
            from: self.user(from),
            body: body.map_or(0, |body| self.history.body(body)),
        }
    }

    pub(crate) fn user(&mut self, name: &UserId) -> User {
        self.history.user(name)
    }

    pub(crate) fn conversation(&mut self, id: ConversationId) -> Conversation {
        self.history.conversation(id)
    }

    pub(crate) fn message(&mut self, id: MessageId) -> Message {
        self.history.message(id)
    }

    /// Whether this is the first attempt of a change.
    pub(crate) fn is_new_change(&mut self, message: Message) -> bool {
        self.changes.insert(message)
    }

    pub(crate) fn log(&mut self, log: LogId) -> u32 {
        let next = u32::try_from(self.logs.len()).unwrap_or(u32::MAX);
        *self.logs.entry(log).or_insert(next)
    }

    fn say(&mut self, line: String) {
        if self.lines.len() == self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(format!("{:>7} {line}", self.now));
    }
}

pub(crate) fn hash_of(body: &Body) -> u64 {
    iris_history::history::body_hash(body.kind().0, body.bytes())
}
