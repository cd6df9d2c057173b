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
pub mod group;
pub mod inbox;
pub mod limits;
pub mod message;
pub mod placement;
pub mod planted;
pub mod presence;
pub mod receipt;
pub mod request;
pub mod storage;
pub mod text;
pub mod user;

pub use conversation::{ConversationId, Peer, Target};
pub use counter::{Epoch, Monotonic, Offset, Position, Seq, Timestamp, VnodeId};
pub use error::{ErrorCode, Refusal};
pub use group::{
    Change, ChangeGroup, CreateGroup, GroupChange, GroupSummary, InvalidChange, Policy, Role, RosterItem,
    RosterPage,
};
pub use inbox::{
    ConversationState, ConversationSummary, Flags, HistoryEntry, InboxEntry, InboxItem, InboxMessage,
    Preview, Standing,
};
pub use message::{Body, BodyKind, MessageId};
pub use presence::{Audience, Presence, PresenceState, Settings, SettingsChange, Typing, Watched};
pub use receipt::{GroupReceipt, Marks, Receipt, ReceiptPage};
pub use storage::{ChunkId, LogId, RunName};
pub use text::{DeviceLabel, GroupDescription, GroupTitle, InvalidText};
pub use user::{DeviceId, DeviceSummary, InvalidName, UserId};
