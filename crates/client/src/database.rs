//! The local database of one device: outbox, cursor, conversations, and what the application has yet to take.

use std::fs;
use std::path::{Path, PathBuf};

use iris_client_core::{Restored, SendNumber, StoreOperation, Unreported};
use iris_types::limits::CLIENT_CACHE_BYTES;
use iris_types::{ConversationId, DeviceId, InboxItem, Offset, Seq, UserId};
use redb::{Database as Engine, ReadableDatabase, ReadableTable};

use crate::DatabaseError;
use crate::row::{WaitingRow, decode_message, decode_settled, decode_target, decode_unsent, decode_waiting};
use crate::tables::{
    COUNTERS, MARKS, MESSAGES, OWNER, READ_MARKS, SETTLED, TARGETS, Tables, UNSENT, WAITING,
};

/// 2: groups, receipts, settings, read marks.
const LAYOUT: u64 = 2;
const FILE_NAME: &str = "client.redb";

/// One file, held exclusively. Every commit is durable when it returns.
#[derive(Debug)]
pub(crate) struct Database {
    engine: Engine,
}

impl Database {
    /// Opens the database of a device, or makes it. Blocks.
    pub(crate) fn open(
        state_dir: &Path,
        user: &UserId,
        device: &DeviceId,
    ) -> Result<(Self, Restored), DatabaseError> {
        let path = state_dir.join(FILE_NAME);
        prepare(state_dir, &path)?;
        let engine =
            Engine::builder().set_cache_size(CLIENT_CACHE_BYTES).create(&path).map_err(
                |error| match error {
                    redb::DatabaseError::DatabaseAlreadyOpen => DatabaseError::InUse(path.clone()),
                    error => error.into(),
                },
            )?;
        let database = Self { engine };
        database.claim(&path, user, device)?;
        let restored = database.load()?;
        Ok((database, restored))
    }

    /// Applies everything in order and durably, or nothing. Blocks.
    pub(crate) fn apply(&self, operations: &[StoreOperation]) -> Result<(), DatabaseError> {
        let transaction = self.engine.begin_write()?;
        {
            let mut tables = Tables::open(&transaction)?;
            operations.iter().try_for_each(|operation| tables.apply(operation))?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Writes whose database it is, or checks it.
    fn claim(&self, path: &Path, user: &UserId, device: &DeviceId) -> Result<(), DatabaseError> {
        let transaction = self.engine.begin_write()?;
        // A new database gets all its tables at once.
        Tables::open(&transaction)?;
        {
            let mut counters = transaction.open_table(COUNTERS)?;
            let mut owner = transaction.open_table(OWNER)?;
            let found = counters.get("layout")?.map(|layout| layout.value());
            match found {
                None => {
                    counters.insert("layout", LAYOUT)?;
                    owner.insert("user", user.as_str())?;
                    owner.insert("device", device.as_str())?;
                }
                Some(LAYOUT) => check_owner(&owner, path, user, device)?,
                Some(found) => {
                    return Err(DatabaseError::Layout { path: path.to_owned(), found, known: LAYOUT });
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn load(&self) -> Result<Restored, DatabaseError> {
        let transaction = self.engine.begin_read()?;
        let counters = transaction.open_table(COUNTERS)?;
        let counter = |name| Ok::<u64, DatabaseError>(counters.get(name)?.map_or(0, |value| value.value()));
        let mut restored = Restored {
            cursor: Offset(counter("cursor")?),
            last_number: SendNumber(counter("last_number")?),
            ..Restored::default()
        };
        for row in transaction.open_table(UNSENT)?.iter()? {
            let (number, row) = row?;
            let unsent = decode_unsent(SendNumber(number.value()), row.value());
            restored.unsent.push(unsent.ok_or(DatabaseError::Row { table: "unsent" })?);
        }
        for row in transaction.open_table(SETTLED)?.iter()? {
            let (number, row) = row?;
            let settled = decode_settled(SendNumber(number.value()), row.value());
            restored.settled.push(settled.ok_or(DatabaseError::Row { table: "settled" })?);
        }
        for row in transaction.open_table(MARKS)?.iter()? {
            let (conversation, seq) = row?;
            restored.marks.push((ConversationId(*conversation.value()), Seq(seq.value())));
        }
        for row in transaction.open_table(TARGETS)?.iter()? {
            let (conversation, row) = row?;
            let target = decode_target(row.value()).ok_or(DatabaseError::Row { table: "targets" })?;
            restored.targets.push((ConversationId(*conversation.value()), target));
        }
        for row in transaction.open_table(READ_MARKS)?.iter()? {
            let (target, seq) = row?;
            let target = decode_target(target.value()).ok_or(DatabaseError::Row { table: "read_marks" })?;
            restored.read_marks.push((target, Seq(seq.value())));
        }
        restored.read_marks.sort();
        let messages = transaction.open_table(MESSAGES)?;
        for row in transaction.open_table(WAITING)?.iter()? {
            let (offset, row) = row?;
            let entry = unreported(Offset(offset.value()), row.value(), &messages)?;
            restored.unreported.push(entry);
        }
        Ok(restored)
    }
}

/// Only the user may read the messages in it.
fn prepare(state_dir: &Path, path: &Path) -> Result<(), DatabaseError> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let failed = |path: &Path| {
        let path: PathBuf = path.to_owned();
        move |error| DatabaseError::Directory { path, error }
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(failed(state_dir))?;
    let file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    file.map(drop).map_err(failed(path))
}

fn check_owner(
    owner: &impl ReadableTable<&'static str, &'static str>,
    path: &Path,
    user: &UserId,
    device: &DeviceId,
) -> Result<(), DatabaseError> {
    let value = |name| {
        let value = owner.get(name)?;
        Ok::<String, DatabaseError>(value.map(|value| value.value().to_owned()).unwrap_or_default())
    };
    let (found_user, found_device) = (value("user")?, value("device")?);
    if found_user == user.as_str() && found_device == device.as_str() {
        return Ok(());
    }
    Err(DatabaseError::OtherOwner { path: path.to_owned(), user: found_user, device: found_device })
}

fn unreported(
    offset: Offset,
    row: &[u8],
    messages: &impl ReadableTable<(&'static [u8; 16], u64), &'static [u8]>,
) -> Result<Unreported, DatabaseError> {
    match decode_waiting(row).ok_or(DatabaseError::Row { table: "waiting" })? {
        WaitingRow::Item(item) => Ok(Unreported::Item { offset, item }),
        WaitingRow::Gap { first } => Ok(Unreported::Gap { first, last: offset }),
        WaitingRow::Message { conversation, seq } => {
            let row = messages.get((&conversation.0, seq.0))?;
            let message = row.and_then(|row| decode_message(conversation, seq, row.value()));
            let message = message.ok_or(DatabaseError::Row { table: "messages" })?;
            Ok(Unreported::Item { offset, item: InboxItem::Message(message) })
        }
    }
}

#[cfg(test)]
mod tests;
