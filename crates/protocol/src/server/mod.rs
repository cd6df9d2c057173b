//! One client's connection as the server sees it.

use std::sync::Arc;

use bytes::Bytes;
use iris_types::limits::NONCE_BYTES;
use iris_types::request::{Answer, Attached, Request, RequestId};
use iris_types::{DeviceId, ErrorCode, InboxEntry, Monotonic, Refusal, Timestamp};

use crate::{Capabilities, DrainHint, ServerLimits, Versions};

/// What all connections of a server have in common.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// [`Versions::ALL`] unless an operator offers only version 1.
    pub versions: Versions,
    pub capabilities: Capabilities,
    pub limits: ServerLimits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { versions: Versions::ALL, capabilities: Capabilities::ALL, limits: ServerLimits::default() }
    }
}

/// What a client's bytes ask of the edge.
#[derive(Debug)]
pub enum ServerEvent {
    /// Verify the token; then [`ServerConnection::accept_login`] or [`ServerConnection::refuse_login`]. Comes at
    /// most once.
    Authenticate { token: Bytes, device: DeviceId, nonce: [u8; NONCE_BYTES], at: Timestamp },
    /// For the core. Every one but [`Request::Acknowledge`] needs one [`ServerConnection::answer`] with the same
    /// id. Only after an accepted login. Syncing asks for pages under [`SYNC_REQUEST`], acknowledgements come
    /// under [`ACKNOWLEDGE_REQUEST`]; neither id is ever a client's.
    Request { id: RequestId, request: Request },
    /// The client broke the protocol: send what [`ServerConnection::transmit`] still has, then close. Comes once
    /// and last.
    Close,
}

/// The id under which inbox pages are asked for.
pub const SYNC_REQUEST: RequestId = RequestId(u32::MAX);
/// The id of acknowledgements, which are only answered when refused; of the login, too.
pub const ACKNOWLEDGE_REQUEST: RequestId = RequestId(0);

/// The machine. Plaintext bytes in both directions.
#[derive(Debug)]
pub struct ServerConnection {
    config: Arc<ServerConfig>,
    pending: Vec<u8>,
    opened_at: Monotonic,
}

impl ServerConnection {
    /// Waits for the client's Hello; the time for hello and login starts now.
    #[must_use]
    pub fn new(config: &Arc<ServerConfig>, now: Monotonic) -> Self {
        Self { config: Arc::clone(config), pending: Vec::new(), opened_at: now }
    }

    /// Takes what arrived, as many frames as there are; keeps only a partial frame.
    pub fn receive(&mut self, _bytes: &[u8], _now: Monotonic, _events: &mut Vec<ServerEvent>) {}

    /// The user's vnode registered the session.
    pub fn accept_login(&mut self, _attached: Attached) {}

    /// The login is refused; the connection closes.
    pub fn refuse_login(&mut self, _refusal: Refusal, _server_time: Timestamp) {}

    /// The core's answer to the request with this id, in any order. `Attached` and a refusal before login are
    /// passed on to [`Self::accept_login`] and [`Self::refuse_login`]. What no longer fits the state (a page of
    /// a sync that was given up) is dropped.
    pub fn answer(&mut self, _id: RequestId, _answer: Answer) {}

    /// Passes a committed entry on when the device is live and the entry is its next; see the crate's document
    /// for what happens otherwise. An entry that this device sent goes without its body.
    pub fn push(&mut self, _entry: &Arc<InboxEntry>) {}

    /// Says why and closes once that is sent. Later calls do nothing.
    pub fn close(&mut self, _why: impl Into<Refusal>) {}

    /// Asks the client to come back later, elsewhere; new requests are refused with `draining`.
    pub fn drain(&mut self, _hint: DrainHint) {}

    /// Appends all bytes to be sent; `true` when there were any.
    pub fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        let any = !self.pending.is_empty();
        out.append(&mut self.pending);
        any
    }

    /// Bytes that wait for [`Self::transmit`].
    #[must_use]
    pub fn pending_output_bytes(&self) -> usize {
        self.pending.len()
    }

    /// When [`Self::handle_deadline`] has to be called; `None` once the connection is closing. May move later
    /// with every [`Self::receive`], never earlier except when a partial frame is begun.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        Some(self.opened_at.plus_millis(u64::from(self.config.limits.idle_ms_max)))
    }

    /// Closes with `timed_out` when login, a partial frame or silence has lasted too long.
    pub fn handle_deadline(&mut self, _now: Monotonic) {}

    /// Nothing is received any more: close the transport after the last bytes of [`Self::transmit`].
    #[must_use]
    pub fn is_closing(&self) -> bool {
        false
    }

    /// Why the connection closes, if it does and had a reason.
    #[must_use]
    pub fn closed_with(&self) -> Option<ErrorCode> {
        None
    }

    /// Whether a login was accepted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        false
    }

    /// Bytes on the heap, for the memory account; the machine itself is `size_of::<Self>()`.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.pending.capacity()
    }
}
