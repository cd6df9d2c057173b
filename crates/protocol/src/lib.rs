//! The client protocol: frames, codec, and both connection machines.
//!
//! Pure: bytes and time in, requests, events, bytes and deadlines out. No sockets, no TLS, no clock. It knows
//! nothing about what a request means: that is `iris-vnode`'s; nor about when to retry or what to remember: that
//! is `iris-client-core`'s. `docs/protocol.md` says the same for people who write a client in another language.
//!
//! - [`server::ServerConnection`]: one client's connection as the server sees it.
//! - [`client::ClientConnection`]: the same from the other side.
//! - [`websocket`]: what carries the same frames to and from browsers; [`http`]: what comes before it.
//! - [`ClientFrame`], [`ServerFrame`]: every frame of both versions, to bytes and back. One file per action,
//!   with the byte layouts of its frames.

pub mod acknowledge;
pub mod authenticate;
pub mod batch;
pub mod block_user;
pub mod change_group;
pub mod client;
pub mod create_group;
pub mod done;
pub mod drain;
pub mod entry;
pub mod frame;
mod framing;
pub mod hello;
pub mod http;
pub mod list_conversations;
pub mod list_devices;
pub mod mark_read;
pub mod negotiation;
mod output;
pub mod ping;
pub mod presence;
pub mod read_group;
pub mod read_history;
pub mod read_inbox;
pub mod read_receipts;
pub mod read_roster;
pub mod refusal;
pub mod rename_device;
pub mod revoke_device;
pub mod send_message;
pub mod server;
pub mod set_flags;
pub mod settings;
pub mod typing;
pub mod websocket;
pub mod wire;

pub use frame::{ClientFrame, FrameTooLong, ServerFrame, opcode};
pub use negotiation::{Capabilities, DrainHint, ServerLimits, Versions};
pub use wire::{DecodeError, RefusedRequest};
