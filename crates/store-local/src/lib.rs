//! The engine on files, over a small disk trait.
//!
//! Own commit log, register journal and run files; every stored byte is under a checksum, and nothing is repaired
//! silently. Not here: threads (the caller's threads call [`LocalEngine::prepare_segment`] and
//! [`LocalEngine::write_mark`] and drive a [`Scrub`]), encryption (`iris_store::sealed`, a layer above), the meaning of what is stored.
//!
//! - [`LocalEngine`]: opens a directory or refuses to; gives the three traits of `iris-store`.
//! - [`Disk`], [`RealDisk`], [`SimDisk`]: what the engine needs of a disk, the operating system's, and a simulated
//!   one that tears, loses and fails.
//! - [`OpenError`], [`Finding`]: why a start is refused, and where.
//! - [`verify`], [`quarantine`]: what an operator does about it.
//! - [`Scrub`]: reads live runs while the server runs, slowly.
//!
//! Start with `block.rs` (the unit of every file), `frame.rs` (the unit of every log), then `scan.rs` (what is a
//! torn tail and what is rot).

mod aside;
mod block;
mod catalog;
mod config;
mod disk;
mod durable;
mod engine;
mod error;
mod found_log;
mod frame;
mod inspect;
mod journal;
mod log;
mod logs;
mod mark;
mod open;
mod quarantine;
mod real;
mod record;
mod registers;
mod run_file;
mod runs;
mod scan;
mod scrub;
mod segment;
pub mod simulated;
mod spares;
mod verify;

pub use config::Config;
pub use disk::{Disk, DiskError, DiskFile, Space};
pub use engine::{LocalEngine, Room};
pub use error::{Finding, OpenError, Reason};
pub use quarantine::{Loss, QuarantineError, quarantine};
pub use real::RealDisk;
pub use scrub::{Damage, Scrub, Scrubbed, Turn};
pub use simulated::SimDisk;
pub use verify::{Report, verify};
