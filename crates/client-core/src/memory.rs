//! The local database's twin in memory: for tests, the simulator and the load generator.

use std::collections::BTreeMap;

use iris_types::{Body, ConversationId, InboxItem, Offset, Seq, Target};

use crate::{OwnMessage, Restored, SendNumber, Settled, StoreOperation, Unreported, Unsent};

/// Keeps what [`StoreOperation`]s say, and gives back what a start needs.
#[derive(Clone, Debug, Default)]
pub struct MemoryDatabase {
    cursor: Offset,
    last_number: SendNumber,
    unsent: BTreeMap<SendNumber, Unsent>,
    settled: BTreeMap<SendNumber, Settled>,
    unreported: BTreeMap<Offset, Unreported>,
    marks: BTreeMap<ConversationId, Seq>,
    targets: BTreeMap<ConversationId, Target>,
    read_marks: BTreeMap<Target, Seq>,
    messages: BTreeMap<(ConversationId, Seq), Body>,
}

impl MemoryDatabase {
    /// Applies the operations of one [`crate::Output::Store`].
    pub fn apply(&mut self, operations: Vec<StoreOperation>) {
        operations.into_iter().for_each(|operation| self.apply_one(operation));
    }

    /// What a machine that starts now is given.
    #[must_use]
    pub fn restored(&self) -> Restored {
        Restored {
            cursor: self.cursor,
            last_number: self.last_number,
            unsent: self.unsent.values().cloned().collect(),
            settled: self.settled.values().cloned().collect(),
            unreported: self.unreported.values().cloned().collect(),
            marks: self.marks.iter().map(|(conversation, seq)| (*conversation, *seq)).collect(),
            targets: self.targets.iter().map(|(of, target)| (*of, target.clone())).collect(),
            read_marks: self.read_marks.iter().map(|(target, seq)| (target.clone(), *seq)).collect(),
        }
    }

    /// What every message says that the device has, by conversation and `seq`.
    #[must_use]
    pub fn messages(&self) -> &BTreeMap<(ConversationId, Seq), Body> {
        &self.messages
    }

    fn apply_one(&mut self, operation: StoreOperation) {
        match operation {
            StoreOperation::PutUnsent(unsent) => {
                self.last_number = self.last_number.max(unsent.number);
                self.unsent.insert(unsent.number, unsent);
            }
            StoreOperation::Settle(settled) => {
                self.unsent.remove(&settled.number);
                self.settled.insert(settled.number, settled);
            }
            StoreOperation::DropSettled(number) => drop(self.settled.remove(&number)),
            StoreOperation::PutSent(OwnMessage { conversation, seq, to, body, .. }) => {
                self.targets.insert(conversation, to);
                self.messages.insert((conversation, seq), body);
            }
            StoreOperation::PutReceived { offset, item } => {
                if let InboxItem::Message(message) = &item {
                    let conversation = message.conversation;
                    self.marks.insert(conversation, message.seq);
                    self.targets.insert(conversation, message.with.target(conversation));
                    self.messages.insert((conversation, message.seq), message.body.clone());
                }
                self.unreported.insert(offset, Unreported::Item { offset, item });
            }
            StoreOperation::PutGap { first, last } => {
                self.unreported.insert(last, Unreported::Gap { first, last });
            }
            StoreOperation::SetShown(up_to) => {
                self.unreported.retain(|offset, _| *offset > up_to);
            }
            StoreOperation::SetCursor(cursor) => self.cursor = self.cursor.max(cursor),
            StoreOperation::PutReadMark { target, up_to } => drop(self.read_marks.insert(target, up_to)),
            StoreOperation::DropReadMark(target) => drop(self.read_marks.remove(&target)),
        }
    }
}
