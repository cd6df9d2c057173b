//! What the register journal keeps: registers, which logs there are, which runs are dropped.

use std::collections::{BTreeMap, BTreeSet};

use iris_store::{LogEnd, Value};
use iris_types::{LogId, Position, RunName};

use crate::record::Record;

/// The state that the journal's frames add up to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) registers: BTreeMap<String, Value>,
    pub(crate) logs: BTreeMap<LogId, LogEntry>,
    /// Runs that are dropped and still in a shared file.
    pub(crate) dropped: BTreeSet<RunName>,
}

/// What is known of a log besides its segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogEntry {
    pub(crate) sealed: Option<LogEnd>,
    /// The first segment that is kept.
    pub(crate) first_segment: u32,
    /// The first position that is kept.
    pub(crate) first: Position,
}

impl Catalog {
    pub(crate) fn apply(&mut self, record: &Record) {
        match record {
            Record::Set { key, value } => {
                self.registers.insert(key.clone(), value.clone());
            }
            Record::LogCreated(log) => {
                self.logs.entry(*log).or_default();
            }
            Record::LogSealed { log, end } => self.logs.entry(*log).or_default().sealed = Some(*end),
            Record::LogTrimmed { log, first_segment, first } => {
                let entry = self.logs.entry(*log).or_default();
                (entry.first_segment, entry.first) = (*first_segment, *first);
            }
            Record::RunDropped(name) => {
                self.dropped.insert(*name);
            }
        }
    }

    /// Records that add up to this state.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        for (key, value) in &self.registers {
            Record::Set { key: key.clone(), value: value.clone() }.encode(out);
        }
        for (log, entry) in &self.logs {
            Record::LogCreated(*log).encode(out);
            if *entry != (LogEntry { sealed: entry.sealed, ..LogEntry::default() }) {
                let LogEntry { first_segment, first, .. } = *entry;
                Record::LogTrimmed { log: *log, first_segment, first }.encode(out);
            }
            if let Some(end) = entry.sealed {
                Record::LogSealed { log: *log, end }.encode(out);
            }
        }
        for name in &self.dropped {
            Record::RunDropped(*name).encode(out);
        }
    }
}

impl Default for LogEntry {
    /// A log that was just created.
    fn default() -> Self {
        Self { sealed: None, first_segment: 1, first: Position(1) }
    }
}
