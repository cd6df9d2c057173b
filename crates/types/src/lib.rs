//! Ids, counters, limits and error codes that every tier of Iris shares.
//!
//! Pure: no clock, no randomness, no input or output. Domain rules live in `iris-vnode`, byte layouts of the
//! wire in `iris-protocol`, of the disk in `iris-tables` and `iris-store-local`.
//!
//! - [`UserId`], [`DeviceId`], [`MessageId`], [`ConversationId`]: who and what.
//! - [`Seq`], [`Offset`], [`Position`], [`Epoch`], [`Timestamp`]: counters, one newtype each.
//! - [`ErrorCode`]: the catalogue of refusals, stable over versions.
//! - [`limits`]: every bound, with unit and reason.
//! - [`placement`]: which vnode a user or conversation lives on.

pub mod conversation;
pub mod counter;
pub mod error;
pub mod inbox;
pub mod limits;
pub mod message;
pub mod placement;
pub mod planted;
pub mod request;
pub mod storage;
pub mod user;

pub use conversation::ConversationId;
pub use counter::{Epoch, Monotonic, Offset, Position, Seq, Timestamp, VnodeId};
pub use error::{ErrorCode, Refusal};
pub use inbox::{ConversationSummary, HistoryEntry, InboxEntry, InboxItem, InboxMessage};
pub use message::{Body, BodyKind, MessageId};
pub use storage::{ChunkId, LogId, RunName};
pub use user::{DeviceId, DeviceLabel, DeviceSummary, InvalidLabel, InvalidName, UserId};
