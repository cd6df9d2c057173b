//! Registers of the memory twin, and the rule of compare-and-set that every engine applies.

use std::collections::BTreeMap;

use super::MemoryEngine;
use super::faults::Operation;
use crate::{Change, Compared, Registers, StoreError, Value};

pub(super) type RegisterMap = BTreeMap<String, Value>;

impl Registers for MemoryEngine {
    fn read(&self, key: &str) -> Result<Option<Value>, StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::ReadRegister)?;
        Ok(state.registers.get(key).cloned())
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Value)>, StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::ReadRegister)?;
        let from = state.registers.range(prefix.to_owned()..);
        let found = from.take_while(|(key, _)| key.starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn compare_and_set(&self, changes: &[Change]) -> Result<Compared, StoreError> {
        let mut state = self.state();
        state.faults.check(Operation::CompareAndSet)?;
        if let Some(conflict) = Change::conflict(changes, |key| state.registers.get(key).map(|v| v.version)) {
            return Ok(conflict);
        }
        for change in changes {
            let value = Value { version: change.version(), bytes: change.bytes.clone() };
            state.registers.insert(change.key.clone(), value);
        }
        Ok(Compared::Set)
    }
}
