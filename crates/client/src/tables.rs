//! The tables of the local database, and how each operation changes them.

use iris_client_core::StoreOperation;
use iris_types::InboxMessage;
use redb::{ReadableTable, TableDefinition, WriteTransaction};

use crate::DatabaseError;
use crate::row::{WaitingRow, encode_message, encode_settled, encode_unsent, encode_waiting};

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
/// Offset → entry that the application has yet to take.
pub(crate) const WAITING: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("waiting");

/// The tables of one transaction.
pub(crate) struct Tables<'t> {
    counters: redb::Table<'t, &'static str, u64>,
    unsent: redb::Table<'t, u64, &'static [u8]>,
    settled: redb::Table<'t, u64, &'static [u8]>,
    messages: redb::Table<'t, (&'static [u8; 16], u64), &'static [u8]>,
    marks: redb::Table<'t, &'static [u8; 16], u64>,
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
            StoreOperation::PutSent(message) => self.put_message(message)?,
            StoreOperation::PutReceived { offset, message } => {
                let InboxMessage { conversation, seq, .. } = *message;
                self.put_message(message)?;
                self.marks.insert(&conversation.0, seq.0)?;
                let waiting = encode_waiting(WaitingRow::Message { conversation, seq });
                self.waiting.insert(offset.0, waiting.as_slice())?;
            }
            StoreOperation::PutGap { first, last } => {
                let waiting = encode_waiting(WaitingRow::Gap { first: *first });
                self.waiting.insert(last.0, waiting.as_slice())?;
            }
            StoreOperation::SetShown(up_to) => {
                self.waiting.retain_in(..=up_to.0, |_, _| false)?;
            }
            StoreOperation::SetCursor(cursor) => self.raise("cursor", cursor.0)?,
        }
        Ok(())
    }

    fn put_message(&mut self, message: &InboxMessage) -> Result<(), DatabaseError> {
        let key = (&message.conversation.0, message.seq.0);
        self.messages.insert(key, encode_message(message).as_slice())?;
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
