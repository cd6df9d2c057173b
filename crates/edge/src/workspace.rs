//! What the connections of one event loop share within a turn: buffers, ciphers, settings, time.

use std::sync::Arc;

use iris_protocol::server::ServerConfig;

use crate::admission::Admission;
use crate::ciphers::Ciphers;
use crate::clock::Now;
use crate::control::Statistics;
use crate::edge::EdgeConfig;
use crate::machine::{Gathered, TokenCheck};
use crate::tls::TlsConfig;

/// Bytes read from one socket in one turn, the unread part of a record in front included.
const INPUT_BYTES: usize = iris_types::limits::SOCKET_READ_BYTES;

/// Shared by the connections of a loop; no connection keeps any of it.
pub(crate) struct Workspace {
    pub(crate) now: Now,
    pub(crate) event_loop: u16,
    pub(crate) tls: TlsConfig,
    pub(crate) protocol: Arc<ServerConfig>,
    pub(crate) check: Arc<TokenCheck>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) ciphers: Ciphers,
    pub(crate) gathered: Gathered,
    /// Ciphertext that was read.
    pub(crate) input: Vec<u8>,
    /// Frames that go into a WebSocket's messages.
    pub(crate) frames: Vec<u8>,
    /// Plaintext to be sealed.
    pub(crate) plaintext: Vec<u8>,
    /// Ciphertext to be written.
    pub(crate) output: Vec<u8>,
    /// Since the start of this loop.
    pub(crate) totals: Statistics,
}

impl Workspace {
    pub(crate) fn new(event_loop: u16, config: &EdgeConfig, admission: Arc<Admission>) -> Self {
        Self {
            now: config.clock.now(),
            event_loop,
            tls: config.tls.clone(),
            protocol: Arc::clone(&config.protocol),
            check: Arc::clone(&config.token_check),
            admission,
            ciphers: Ciphers::new(),
            gathered: Gathered::default(),
            input: vec![0; INPUT_BYTES],
            frames: Vec::new(),
            plaintext: Vec::new(),
            output: Vec::new(),
            totals: Statistics::default(),
        }
    }
}
