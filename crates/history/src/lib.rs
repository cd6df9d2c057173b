//! Recorded histories and the checkers of the invariants.
//!
//! A history is what clients saw, written down by the clients themselves: a server's own log is no evidence
//! about the server. A few facts that no client can see (what was durable when an answer left, how large a
//! queue grew) are observations of whoever drives the server; the checkers that need them say so. The same
//! checkers judge the simulator, the tests and `iris bench crash`, over millions of records: every one is
//! linear or n log n.
//!
//! This crate is no part of the product, knows nothing of its machines, and has no clock of its own.
//!
//! - [`History`]: records, and the names that they abbreviate. [`json`]: the same as JSON lines.
//! - [`Record`], [`Fact`]: one thing that happened.
//! - [`check_all`]: every checker; [`Invariant`] names them, one file each in [`invariants`].
//! - [`Violation`]: what is wrong, and the records that show it.

mod group;
pub mod history;
mod index;
pub mod invariants;
pub mod json;
pub mod notice;
pub mod record;
pub mod step;
#[cfg(test)]
mod story;
pub mod violation;
mod wished;

pub use history::{DeviceInfo, History};
pub use invariants::{check, check_all};
pub use notice::{Notice, Shown, Wish};
pub use record::{
    Account, Addressee, Conversation, Device, DeviceRevocationFact, Fact, HistoryFact, LoginFact, Message,
    Observation, Record, RepeatFact, RevocationFact, Seen, SendFact, ServerFact, Standing, User,
};
pub use step::Step;
pub use violation::{Invariant, Violation};
