//! The registers of the engine: values in memory, changes in the journal.

use iris_store::{Change, Compared, Registers, StoreError, Value};
use iris_types::limits;

use crate::durable::lock;
use crate::engine::LocalEngine;
use crate::record::Record;

impl Registers for LocalEngine {
    fn read(&self, key: &str) -> Result<Option<Value>, StoreError> {
        Ok(lock(&self.shared.journal).catalog.registers.get(key).cloned())
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Value)>, StoreError> {
        let journal = lock(&self.shared.journal);
        let from = journal.catalog.registers.range(prefix.to_owned()..);
        let found = from.take_while(|(key, _)| key.starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn compare_and_set(&self, changes: &[Change]) -> Result<Compared, StoreError> {
        let mut journal = lock(&self.shared.journal);
        let registers = &journal.catalog.registers;
        if let Some(conflict) = Change::conflict(changes, |key| registers.get(key).map(|value| value.version))
        {
            return Ok(conflict);
        }
        if changes.is_empty() {
            return Ok(Compared::Set);
        }
        let records = changes.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        self.shared.commit_locked(&mut journal, &records)?;
        Ok(Compared::Set)
    }
}

fn record(change: &Change) -> Result<Record, StoreError> {
    if change.key.len() > limits::REGISTER_KEY_BYTES_MAX || change.bytes.len() > limits::REGISTER_BYTES_MAX {
        return Err(StoreError::Io(format!("register {:?} is too large", change.key)));
    }
    let value = Value { version: change.version(), bytes: change.bytes.clone() };
    Ok(Record::Set { key: change.key.clone(), value })
}
