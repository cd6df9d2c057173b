//! What a server says of itself to those who watch it.

use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;

/// The state of a server's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Taking over what the last server left: not ready.
    Starting,
    Serving,
    /// The disk is nearly full: reads work, sends are refused until there is room.
    SafeMode,
    /// Stopping: not ready.
    Draining,
}

/// The one shared cell that says which phase it is.
#[derive(Debug)]
pub(crate) struct Status(Mutex<Phase>);

impl Status {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Phase::Starting))
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draining is the last phase: nothing follows it.
    pub(crate) fn enter(&self, phase: Phase) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *now != Phase::Draining {
            *now = phase;
        }
    }
}
