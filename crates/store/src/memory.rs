//! The memory twin: the reference of the three traits, for tests and the simulator.
//!
//! What is in it survives as long as any clone of the handle, so a "restart" of a worker is a new worker over
//! the same [`MemoryEngine`]. Faults are planned, never random: see [`Landing`] and [`MemoryEngine::fail_next`].

mod faults;
mod logs;
mod registers;
mod runs;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use faults::{Landing, Operation};

use crate::{Doubt, Engine, StoreError};

/// All three traits in memory. Clones share their content.
#[derive(Clone, Default)]
pub struct MemoryEngine {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    logs: logs::LogMap,
    runs: runs::RunMap,
    registers: registers::RegisterMap,
    faults: faults::Faults,
}

impl MemoryEngine {
    /// An empty engine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The engine as one handle.
    #[must_use]
    pub fn engine(&self) -> Engine {
        Engine {
            logs: Arc::new(self.clone()),
            runs: Arc::new(self.clone()),
            registers: Arc::new(self.clone()),
        }
    }

    /// Puts the next append that is not planned yet in doubt: it answers `doubt`, and lands as `landing` says.
    pub fn doubt_next_append(&self, landing: Landing, doubt: Doubt) {
        self.state().faults.appends.push_back(faults::AppendFault::Doubt { landing, doubt });
    }

    /// Lets somebody else seal the log in the moment before the next append that is not planned yet.
    pub fn seal_before_next_append(&self) {
        self.state().faults.appends.push_back(faults::AppendFault::SealedBefore);
    }

    /// Makes the next call of this kind fail with `error`, before anything was changed.
    pub fn fail_next(&self, operation: Operation, error: StoreError) {
        self.state().faults.failures.push((operation, error));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of another test thread leaves plain data behind, usable as it is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
