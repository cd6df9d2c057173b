//! A connection to a server as the client sees it.

use bytes::Bytes;
use iris_types::limits::NONCE_BYTES;
use iris_types::request::{
    Attached, ConversationPage, HistoryPage, ListConversations, ReadHistory, RequestId, SendMessage, Sent,
};
use iris_types::{
    ConversationId, DeviceId, ErrorCode, InboxMessage, MessageId, Monotonic, Offset, Refusal, Seq, Timestamp,
};

use crate::{Capabilities, DrainHint, ServerLimits, Versions};

/// What to offer and who logs in.
#[derive(Clone)]
pub struct ClientConfig {
    pub versions: Versions,
    pub capabilities: Capabilities,
    pub token: Bytes,
    pub device: DeviceId,
    /// Fresh random bytes for every connection.
    pub nonce: [u8; NONCE_BYTES],
    /// The device's clock, corrected by the server's time where known.
    pub at: Timestamp,
}

/// What the server's bytes tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Logged in. Call [`ClientConnection::sync`] to get entries; sends may go at once.
    Ready {
        attached: Attached,
        version: u8,
        capabilities: Capabilities,
        limits: ServerLimits,
    },
    /// Not logged in; `Closed` follows.
    LoginRefused {
        refusal: Refusal,
        server_time: Timestamp,
    },
    /// A send is durable. With an offset it stands for the own entry there, too: nothing else comes for that
    /// offset, and it is acknowledged like any entry. Order among these and `Entries` is the inbox's order.
    Sent {
        request: RequestId,
        sent: Sent,
    },
    /// A request was refused. Request 0: an acknowledgement was, or a frame the server does not know.
    Refused {
        request: RequestId,
        refusal: Refusal,
        server_time: Timestamp,
    },
    /// Dense and ascending, from the last offset + 1 on or behind the gap: first and last offset that are gone.
    Entries {
        gap: Option<(Offset, Offset)>,
        entries: Vec<Entry>,
    },
    /// A page of the sync is complete. Not live: acknowledge `last` (once everything is stored) and the next
    /// page comes. Live: entries are pushed from now on.
    PageEnd {
        request: RequestId,
        last: Offset,
        log_end: Offset,
        live: bool,
    },
    /// Pushes have stopped: acknowledge what is here, then call [`ClientConnection::sync`] again.
    SyncNeeded,
    HistoryPage {
        request: RequestId,
        page: HistoryPage,
    },
    Conversations {
        request: RequestId,
        page: ConversationPage,
    },
    /// The server stops; new requests are refused. Reconnect after the hint.
    Drain(DrainHint),
    Pong,
    /// The connection is over: close the transport. Comes once and last. `by_server`: it said so; otherwise it
    /// broke the protocol (`bad_frame`, `unsupported_version`, `wrong_state`) or went silent (`timed_out`).
    Closed {
        refusal: Refusal,
        by_server: bool,
    },
}

/// One entry of the inbox as a device gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Somebody else's message, or one sent by another of the user's devices. `origin` is never known here.
    Message { offset: Offset, message: InboxMessage },
    /// A message that this device sent.
    OwnSent { offset: Offset, conversation: ConversationId, seq: Seq, id: MessageId, sent_at: Timestamp },
}

impl Entry {
    #[must_use]
    pub const fn offset(&self) -> Offset {
        match self {
            Self::Message { offset, .. } | Self::OwnSent { offset, .. } => *offset,
        }
    }
}

/// The machine. Plaintext bytes in both directions. Hello and login are its first output.
#[derive(Debug)]
pub struct ClientConnection {
    pending: Vec<u8>,
    opened_at: Monotonic,
}

impl ClientConnection {
    #[must_use]
    pub fn new(_config: ClientConfig, now: Monotonic) -> Self {
        Self { pending: Vec::new(), opened_at: now }
    }

    /// Takes what arrived, as many frames as there are; keeps only a partial frame.
    pub fn receive(&mut self, _bytes: &[u8], _now: Monotonic, _events: &mut Vec<ClientEvent>) {}

    /// Queues a send; allowed once ready. `request` is unique among the unanswered ones and neither 0 nor
    /// `u32::MAX`. In version 2 the sends of one turn share frames.
    pub fn send(&mut self, _request: RequestId, _message: &SendMessage) {}

    /// Tells that everything up to here is stored. In version 1 one frame per entry received, in version 2 one
    /// per turn.
    pub fn acknowledge(&mut self, _up_to: Offset) {}

    /// Asks for everything after an offset, page by page, then live.
    pub fn sync(&mut self, _request: RequestId, _after: Offset) {}

    pub fn read_history(&mut self, _request: RequestId, _read: &ReadHistory) {}

    pub fn list_conversations(&mut self, _request: RequestId, _list: &ListConversations) {}

    /// Asks for a sign of life; [`Self::handle_deadline`] does so by itself when it is time.
    pub fn ping(&mut self, _now: Monotonic) {}

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

    /// When [`Self::handle_deadline`] has to be called; `None` once closed.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        Some(self.opened_at)
    }

    /// Pings when it is time; closes with `timed_out` when the server has been silent for too long.
    pub fn handle_deadline(&mut self, _now: Monotonic, _events: &mut Vec<ClientEvent>) {}

    /// Whether `Ready` came and the connection is not over.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        false
    }

    /// The version the server picked.
    #[must_use]
    pub fn version(&self) -> Option<u8> {
        None
    }

    /// Why the connection is over.
    #[must_use]
    pub fn closed_with(&self) -> Option<ErrorCode> {
        None
    }
}
