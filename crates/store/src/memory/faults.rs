//! Planned failures of the memory twin.

use std::collections::VecDeque;

use crate::{Doubt, StoreError};

/// What becomes of an append that is answered "in doubt".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// It is in the log at once.
    Landed,
    /// It is on its way: the next [`resolve`](crate::Logs::resolve) still says "open", then it lands; it also
    /// lands in front of a seal.
    Late,
    /// It never lands by itself; only the identical chunk repeated does.
    Lost,
}

/// A kind of call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    CreateLog,
    Resolve,
    Seal,
    Replay,
    Trim,
    ListLogs,
    PutRuns,
    GetBlock,
    ListRuns,
    DropRuns,
    ReadRegister,
    CompareAndSet,
}

pub(super) enum AppendFault {
    Doubt { landing: Landing, doubt: Doubt },
    SealedBefore,
}

#[derive(Default)]
pub(super) struct Faults {
    pub(super) appends: VecDeque<AppendFault>,
    pub(super) failures: Vec<(Operation, StoreError)>,
}

impl Faults {
    /// The planned failure of this call, if any; each is used once.
    pub(super) fn check(&mut self, operation: Operation) -> Result<(), StoreError> {
        match self.failures.iter().position(|(planned, _)| *planned == operation) {
            Some(index) => Err(self.failures.remove(index).1),
            None => Ok(()),
        }
    }
}
