//! The edge: listeners, event loops, TLS, tokens and limits.
//!
//! One event loop per thread over epoll; a connection is a slot in its loop's slab, without a task, channel or
//! buffer while it is idle. The edge reaches no store and decides nothing about messages: requests go to the core
//! over [`CoreLink`], answers and pushes come back through one [`EdgeInbox`] per loop.
//!
//! - [`Edge`]: a running edge; [`EdgeConfig`]: what it needs.
//! - [`EdgeMachine`]: one connection without its transport, as the simulator drives it.
//! - [`token`]: minting and checking tokens.
//! - [`TlsConfig`]: certificate and key.
//! - [`AdmissionLimits`]: who may come in how often.
//! - [`WebListener`]: where browsers get the web client and open WebSockets.

mod acceptor;
mod admission;
mod channel;
mod ciphers;
pub mod clock;
mod connection;
mod control;
mod dialogue;
pub mod edge;
mod event_loop;
mod handshake;
pub mod inbox;
mod listener;
pub mod machine;
mod newcomers;
mod pace;
mod rates;
mod record;
mod slab;
mod stage;
mod sweep;
pub mod tls;
pub mod token;
pub mod web;
mod workspace;

pub use admission::AdmissionLimits;
pub use clock::{Clock, Now, SystemClock};
pub use edge::{Edge, EdgeConfig, StartError, Statistics};
pub use inbox::EdgeInbox;
pub use iris_cluster::{CoreLink, EdgeLink};
pub use machine::{Checked, EdgeMachine, Gathered, TokenCheck};
pub use tls::{TlsConfig, TlsMaterialError};
pub use token::TokenSecret;
pub use web::{WebListener, WebPlace};
