//! A device's local database: what is applied survives a crash, what is queued does not.

use std::collections::{BTreeMap, VecDeque};

use iris_client_core::{Restored, SendNumber, Settled, StoreOperation, StoreToken, Unreported, Unsent};
use iris_types::{ConversationId, InboxItem, Offset, Seq, Target};

#[derive(Default)]
pub(crate) struct Database {
    kept: Kept,
    queue: VecDeque<(StoreToken, Vec<StoreOperation>)>,
}

#[derive(Default)]
struct Kept {
    cursor: Offset,
    shown: Offset,
    last_number: SendNumber,
    unsent: BTreeMap<SendNumber, Unsent>,
    settled: BTreeMap<SendNumber, Settled>,
    unreported: BTreeMap<Offset, Unreported>,
    marks: BTreeMap<ConversationId, Seq>,
    targets: BTreeMap<ConversationId, Target>,
    read_marks: BTreeMap<Target, Seq>,
}

impl Database {
    pub(crate) fn cursor(&self) -> Offset {
        self.kept.cursor
    }

    pub(crate) fn push(&mut self, token: StoreToken, operations: Vec<StoreOperation>) {
        self.queue.push_back((token, operations));
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.queue.is_empty()
    }

    /// Makes the oldest queued operations durable.
    pub(crate) fn apply_next(&mut self) -> Option<StoreToken> {
        let (token, operations) = self.queue.pop_front()?;
        operations.into_iter().for_each(|operation| self.kept.apply(operation));
        Some(token)
    }

    /// The application dies. What it had acted on is durable: it keeps its own results and the word that it took
    /// an event in one transaction. Everything queued behind that is lost.
    pub(crate) fn crash(&mut self) {
        let is_word = |operation: &StoreOperation| {
            matches!(operation, StoreOperation::SetShown(_) | StoreOperation::DropSettled(_))
        };
        let last_word = self.queue.iter().rposition(|(_, operations)| operations.iter().any(is_word));
        for _ in 0..last_word.map_or(0, |last| last + 1) {
            self.apply_next();
        }
        self.queue.clear();
    }

    pub(crate) fn restored(&self) -> Restored {
        let kept = &self.kept;
        Restored {
            cursor: kept.cursor,
            last_number: kept.last_number,
            unsent: kept.unsent.values().cloned().collect(),
            settled: kept.settled.values().cloned().collect(),
            unreported: kept
                .unreported
                .range(Offset(kept.shown.0 + 1)..)
                .map(|(_, entry)| entry.clone())
                .collect(),
            marks: kept.marks.iter().map(|(conversation, seq)| (*conversation, *seq)).collect(),
            targets: kept.targets.iter().map(|(of, target)| (*of, target.clone())).collect(),
            read_marks: kept.read_marks.iter().map(|(target, seq)| (target.clone(), *seq)).collect(),
        }
    }
}

impl Kept {
    fn apply(&mut self, operation: StoreOperation) {
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
            StoreOperation::PutSent(own) => {
                self.targets.insert(own.conversation, own.to);
            }
            StoreOperation::PutReceived { offset, item } => {
                if let InboxItem::Message(message) = &item {
                    let conversation = message.conversation;
                    let mark = self.marks.entry(conversation).or_default();
                    *mark = (*mark).max(message.seq);
                    self.targets.insert(conversation, message.with.target(conversation));
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
}
