//! What an engine has to offer: logs, runs, registers.
//!
//! Three narrow traits in plain data. Calls block and are made by threads that may; nothing here knows what a
//! message is. Every engine passes the conformance suite of `iris-testkit`.
//!
//! - [`Logs`]: commit logs with one writer each, sealed once.
//! - [`Runs`]: immutable blocks of derived state, written once.
//! - [`Registers`]: small values changed by compare-and-set, many in one go.
//! - [`memory`]: the twin of all three, in memory.
//! - [`sealed`]: encryption at rest as a layer over any engine.
//! - [`keys`]: the data key, and how the operator's master key wraps it.

pub mod error;
pub mod keys;
pub mod logs;
pub mod memory;
pub mod registers;
pub mod runs;
pub mod sealed;

pub use error::StoreError;
pub use logs::{Appended, Doubt, LogChunk, LogEnd, LogInfo, Logs, Resolved};
pub use registers::{Change, Compared, Registers, Value, Version};
pub use runs::{NewRun, Quarantined, RunInfo, Runs};

/// The three traits of one engine, as one handle.
#[derive(Clone)]
pub struct Engine {
    pub logs: std::sync::Arc<dyn Logs>,
    pub runs: std::sync::Arc<dyn Runs>,
    pub registers: std::sync::Arc<dyn Registers>,
}
