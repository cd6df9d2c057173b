//! The local database of a device, in memory: it outlives the device's application.

use std::collections::BTreeMap;

use iris_client_core::{Restored, SendNumber, Settled, StoreOperation, Unreported, Unsent};
use iris_types::{ConversationId, InboxItem, Offset, Seq, Target};

/// What the client machine asked to be kept. Nobody reads the messages themselves back.
#[derive(Debug, Default)]
pub(crate) struct Database {
    cursor: Offset,
    shown: Offset,
    last_number: SendNumber,
    unsent: BTreeMap<SendNumber, Unsent>,
    settled: BTreeMap<SendNumber, Settled>,
    unreported: BTreeMap<Offset, Unreported>,
    marks: BTreeMap<ConversationId, Seq>,
    read_marks: BTreeMap<Target, Seq>,
}

impl Database {
    pub(crate) fn apply(&mut self, operation: StoreOperation) {
        match operation {
            StoreOperation::PutUnsent(unsent) => {
                self.last_number = self.last_number.max(unsent.number);
                self.unsent.insert(unsent.number, unsent);
            }
            StoreOperation::Settle(settled) => {
                self.last_number = self.last_number.max(settled.number);
                self.unsent.remove(&settled.number);
                self.settled.insert(settled.number, settled);
            }
            StoreOperation::DropSettled(number) => {
                self.settled.remove(&number);
            }
            StoreOperation::PutSent(_) => {}
            StoreOperation::PutReceived { offset, item } => {
                if let InboxItem::Message(message) = &item {
                    let mark = self.marks.entry(message.conversation).or_default();
                    *mark = (*mark).max(message.seq);
                }
                self.unreported.insert(offset, Unreported::Item { offset, item });
            }
            StoreOperation::PutGap { first, last } => {
                self.unreported.insert(last, Unreported::Gap { first, last });
            }
            StoreOperation::SetShown(shown) => {
                self.shown = self.shown.max(shown);
                self.unreported = self.unreported.split_off(&Offset(shown.0 + 1));
            }
            StoreOperation::SetCursor(cursor) => self.cursor = cursor,
            StoreOperation::PutReadMark { target, up_to } => {
                self.read_marks.insert(target, up_to);
            }
            StoreOperation::DropReadMark(target) => {
                self.read_marks.remove(&target);
            }
        }
    }

    pub(crate) fn restored(&self) -> Restored {
        Restored {
            cursor: self.cursor,
            last_number: self.last_number,
            unsent: self.unsent.values().cloned().collect(),
            settled: self.settled.values().cloned().collect(),
            unreported: self
                .unreported
                .range(Offset(self.shown.0 + 1)..)
                .map(|(_, entry)| entry.clone())
                .collect(),
            marks: self.marks.iter().map(|(conversation, seq)| (*conversation, *seq)).collect(),
            targets: Vec::new(),
            read_marks: self.read_marks.iter().map(|(target, seq)| (target.clone(), *seq)).collect(),
        }
    }
}
