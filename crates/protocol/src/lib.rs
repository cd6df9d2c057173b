//! The client protocol: frames, codec, and both connection machines.
//!
//! Pure: bytes and time in, requests, events, bytes and deadlines out. No sockets, no TLS, no clock. It knows
//! nothing about what a request means: that is `iris-vnode`'s; nor about when to retry or what to remember: that
//! is `iris-client-core`'s. `docs/protocol.md` says the same for people who write a client in another language.
//!
//! - [`server::ServerConnection`]: one client's connection as the server sees it.
//! - [`client::ClientConnection`]: the same from the other side.
//! - [`ClientFrame`], [`ServerFrame`]: every frame of both versions, to bytes and back. One file per frame.

pub mod client;
pub mod negotiation;
pub mod server;

pub use negotiation::{Capabilities, DrainHint, ServerLimits, Versions};
