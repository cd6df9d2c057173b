//! The tables of the local database, and how each operation changes them.

use iris_client_core::StoreOperation;
use iris_types::{ConversationId, InboxItem, Target};
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use crate::DatabaseError;
use crate::row::{
    WaitingRow, encode_message, encode_own, encode_settled, encode_target, encode_unsent, encode_waiting,
};

/// `user` and `device`: whose database it is.
pub(crate) const OWNER: TableDefinition<'_, &str, &str> = TableDefinition::new("owner");
/// `layout`, `cursor`, `shown`, `last_number`.
pub(crate) const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");
/// Send number → send that is not settled.
pub(crate) const UNSENT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("unsent");
/// Send number → outcome that the application has yet to take.
pub(crate) const SETTLED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("settled");
/// Conversation, seq → message.
pub(crate) const MESSAGES: TableDefinition<'_, (&[u8; 16], u64), &[u8]> = TableDefinition::new("messages");
/// Conversation → greatest seq received.
pub(crate) const MARKS: TableDefinition<'_, &[u8; 16], u64> = TableDefinition::new("marks");
/// Conversation → how it is named in requests.
pub(crate) const TARGETS: TableDefinition<'_, &[u8; 16], &[u8]> = TableDefinition::new("targets");
/// Target → read mark that the server has yet to hear.
pub(crate) const READ_MARKS: TableDefinition<'_, &[u8], u64> = TableDefinition::new("read_marks");
/// Offset → entry that the application has yet to take.
pub(crate) const WAITING: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("waiting");

/// The tables of one transaction.
pub(crate) struct Tables<'t> {
    counters: redb::Table<'t, &'static str, u64>,
    unsent: redb::Table<'t, u64, &'static [u8]>,
    settled: redb::Table<'t, u64, &'static [u8]>,
    messages: redb::Table<'t, (&'static [u8; 16], u64), &'static [u8]>,
    marks: redb::Table<'t, &'static [u8; 16], u64>,
    targets: redb::Table<'t, &'static [u8; 16], &'static [u8]>,
    read_marks: redb::Table<'t, &'static [u8], u64>,
    waiting: redb::Table<'t, u64, &'static [u8]>,
}

impl<'t> Tables<'t> {
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, DatabaseError> {
        Ok(Self {
            counters: transaction.open_table(COUNTERS)?,
            unsent: transaction.open_table(UNSENT)?,
            settled: transaction.open_table(SETTLED)?,
            messages: transaction.open_table(MESSAGES)?,
            marks: transaction.open_table(MARKS)?,
            targets: transaction.open_table(TARGETS)?,
            read_marks: transaction.open_table(READ_MARKS)?,
            waiting: transaction.open_table(WAITING)?,
        })
    }

    pub(crate) fn apply(&mut self, operation: &StoreOperation) -> Result<(), DatabaseError> {
        match operation {
            StoreOperation::PutUnsent(unsent) => {
                self.raise("last_number", unsent.number.0)?;
                self.unsent.insert(unsent.number.0, encode_unsent(unsent).as_slice())?;
            }
            StoreOperation::Settle(settled) => {
                self.unsent.remove(settled.number.0)?;
                self.settled.insert(settled.number.0, encode_settled(settled).as_slice())?;
            }
            StoreOperation::DropSettled(number) => drop(self.settled.remove(number.0)?),
            StoreOperation::PutSent(message) => {
                let key = (&message.conversation.0, message.seq.0);
                self.messages.insert(key, encode_own(message).as_slice())?;
                self.put_target(message.conversation, || message.to.clone())?;
            }
            StoreOperation::PutReceived { offset, item } => {
                if let InboxItem::Message(message) = item {
                    let conversation = message.conversation;
                    let key = (&conversation.0, message.seq.0);
                    self.messages.insert(key, encode_message(message).as_slice())?;
                    self.marks.insert(&conversation.0, message.seq.0)?;
                    self.put_target(conversation, || message.with.target(conversation))?;
                }
                self.waiting.insert(offset.0, encode_waiting(&WaitingRow::of(item)).as_slice())?;
            }
            StoreOperation::PutGap { first, last } => {
                let waiting = encode_waiting(&WaitingRow::Gap { first: *first });
                self.waiting.insert(last.0, waiting.as_slice())?;
            }
            StoreOperation::SetShown(up_to) => {
                self.waiting.retain_in(..=up_to.0, |_, _| false)?;
            }
            StoreOperation::SetCursor(cursor) => self.raise("cursor", cursor.0)?,
            StoreOperation::PutReadMark { target, up_to } => {
                self.read_marks.insert(encode_target(target).as_slice(), up_to.0)?;
            }
            StoreOperation::DropReadMark(target) => {
                self.read_marks.remove(encode_target(target).as_slice())?;
            }
        }
        Ok(())
    }

    /// Once per conversation: it never changes.
    fn put_target(
        &mut self,
        conversation: ConversationId,
        target: impl FnOnce() -> Target,
    ) -> Result<(), DatabaseError> {
        if self.targets.get(&conversation.0)?.is_none() {
            self.targets.insert(&conversation.0, encode_target(&target()).as_slice())?;
        }
        Ok(())
    }

    fn raise(&mut self, name: &'static str, value: u64) -> Result<(), DatabaseError> {
        let former = self.counters.get(name)?.map_or(0, |former| former.value());
        if value > former {
            self.counters.insert(name, value)?;
        }
        Ok(())
    }
}
