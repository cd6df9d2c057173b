//! What every SDK decides: what to send, when to retry, what to drop, ask and remember.
//!
//! Pure: bytes and time in, bytes and store operations out; compiles for WebAssembly. No socket, no clock, no
//! database and no thread lives here: the Rust SDK (`iris-client`), the load generator and the simulator bring
//! theirs.
//!
//! - [`ClientCore`]: the machine of one device. Call its methods as things happen, then [`ClientCore::turn`].
//! - [`Output`]: what the driver has to do. [`ClientEvent`]: what the application learns.
//! - [`StoreOperation`], [`Restored`]: what the local database keeps and gives back at the next start.
//! - [`MemoryDatabase`]: the twin of a local database, in memory.
//!
//! # What is promised
//!
//! - A send that was [`ClientEvent::Accepted`] is in the local database. It is tried with one and the same id
//!   until the server has answered for good, over reconnects and restarts of the application.
//! - A message is stored before the server hears that the device has it, and is given to the application until
//!   the application has said ([`ClientCore::handed_over`]) that it took it. So it is handed over exactly once,
//!   with one exception that no library can remove: if the application dies after it acted on a message and
//!   before that word was stored, the next start gives the message again. `(conversation, seq)` names it.
//! - Within a conversation messages come ascending by `seq`.
//!
//! Start reading at `core.rs`; the parts are `answer.rs` (what the server says), `link.rs` (login, reconnect), `outbox.rs` (sends), `inbox.rs`
//! (entries, cursor) and `query.rs` (history, list of conversations, devices).

mod answer;
mod backoff;
mod clock;
mod config;
mod core;
mod draft;
mod event;
mod inbox;
mod link;
mod memory;
mod outbox;
mod query;
mod request;
mod storage;

pub use config::{Config, Now};
pub use core::ClientCore;
pub use event::{ClientEvent, HistoryQuestion, Mark, Output, QueryError, QueryNumber, SendError};
pub use memory::MemoryDatabase;
pub use storage::{
    NewMessage, Outcome, Restored, SendNumber, Settled, StoreOperation, StoreToken, Unreported, Unsent,
};
