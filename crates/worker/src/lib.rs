//! The worker: a thread's worth of vnodes and the one commit log that they share, as a machine without clock,
//! randomness, threads or input and output.
//!
//! A driver (the threads of `iris-core`, or the simulator) feeds it [`Input`]s and the time, carries out what it
//! finds in [`Worker::outputs`], and answers every [`Output::Call`] with an [`Input::Done`]. What the domain
//! decides lives in `iris-vnode`; what a row is, too. Nothing here knows a socket, a frame or a file.
//!
//! The rule behind all of it: decide, commit, act. Events gather in the next chunk while one is in flight; an
//! answer, push, forward or confirm leaves when everything that its decision could see is committed.
//!
//! - [`Worker`]: the machine. [`WorkerConfig`], [`WorkerLimits`]: its bounds.
//! - [`Input`], [`Output`]: all that goes in and comes out.
//! - [`Call`], [`CallResult`], [`execute()`]: work for the engine; opaque to the driver.
//! - [`Statistics`]: plain counters.

mod acknowledge;
mod arrivals;
mod attach;
mod block_user;
pub mod call;
mod change_group;
mod chunk;
pub mod config;
mod conversation_queue;
mod directory;
mod effects;
mod evict;
pub mod execute;
mod expire;
mod flush;
mod group_message;
mod hosted;
pub mod input;
mod line;
mod list_conversations;
mod list_devices;
mod load_conversation;
mod loading;
mod mark_read;
mod mend;
mod merge;
mod names;
pub mod output;
mod page;
mod permits;
mod place;
mod presence;
mod publish;
mod read_group;
mod read_history;
mod read_inbox;
mod read_receipts;
mod read_roster;
mod receipts;
mod recover;
mod rename_device;
mod revoke;
mod revoke_device;
mod send_message;
mod set_flags;
mod settings;
mod slab;
mod state;
pub mod statistics;
mod streams;
mod takeover;
mod typing;
mod user_command;
pub mod whisper;
pub mod worker;

pub use call::{Call, CallId, CallResult, Lane};
pub use config::{Placement, WorkerConfig, WorkerIndex, WorkerLimits};
pub use execute::{SharedCache, execute};
pub use input::{AdminCommand, AdminId, Confirm, Frame, Input};
pub use iris_vnode::bucket::Rate;
pub use output::{AdminAnswer, Output, StopReason};
pub use statistics::{Histogram, Statistics};
pub use whisper::Whisper;
pub use worker::Worker;
