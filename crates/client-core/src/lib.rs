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
//! - Questions and changes are asked again after a reconnect until they are answered. What must not happen twice
//!   (making and changing groups) is named by one and the same id over all attempts.
//! - A read mark is stored until the server has heard of it; of several of a conversation only the last one goes out.
//!
//! Start reading at `core.rs`; the parts are `pump.rs` (what is said to the server), `answer.rs` (what it says), `link.rs`
//! (login, reconnect), `outbox.rs` (sends), `inbox.rs` (entries, cursor), `query.rs` and `history.rs` (questions and
//! changes), `read_mark.rs`, `watch.rs` and `typing.rs`.

mod answer;
mod backoff;
mod clock;
mod config;
mod conversations;
mod core;
mod draft;
mod event;
mod history;
mod inbox;
mod link;
mod memory;
mod outbox;
mod pump;
mod query;
mod question;
mod read_mark;
mod request;
mod storage;
mod typing;
mod watch;

pub use config::{Config, Now};
pub use core::ClientCore;
pub use event::{ClientEvent, Mark, Output, QueryNumber, SendError};
pub use memory::MemoryDatabase;
pub use question::{ConversationsQuestion, HistoryQuestion, NewGroup, QueryError, Question, RosterQuestion};
pub use storage::{
    NewMessage, Outcome, OwnMessage, Restored, SendNumber, Settled, StoreOperation, StoreToken, Unreported,
    Unsent,
};
