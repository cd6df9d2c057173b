//! A connection to a server as the client sees it.

mod receive;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use iris_types::limits::{
    LOGIN_ANSWER_MS_MAX, NONCE_BYTES, PING_INTERVAL_MS, PONG_MS_MAX, WAITING_PING_INTERVAL_MS,
};
use iris_types::request::{
    Attached, ConversationPage, HistoryPage, ListConversations, ReadHistory, RenameDevice, RequestId,
    RevokeDevice, SendMessage, Sent,
};
use iris_types::{
    ConversationId, DeviceId, DeviceSummary, ErrorCode, HistoryEntry, InboxMessage, MessageId, Monotonic,
    Offset, Refusal, Seq, Timestamp,
};

use crate::acknowledge::Acknowledge;
use crate::authenticate::Authenticate;
use crate::frame::opcode;
use crate::framing::Partial;
use crate::hello::ClientHello;
use crate::list_conversations::List;
use crate::list_devices::ListDevices;
use crate::output::Output;
use crate::ping::Ping;
use crate::read_inbox::Sync;
use crate::send_message::{self, put_send, send_len};
use crate::{Capabilities, DrainHint, ServerLimits, Versions, read_history, rename_device, revoke_device};

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
    /// A request was refused. Request 0: an acknowledgement was, or a frame the server does not know. A server
    /// time of 0 was not told.
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
    Devices {
        request: RequestId,
        items: Vec<DeviceSummary>,
    },
    /// The change that was asked for is durable.
    Done {
        request: RequestId,
    },
    /// The server stops; new requests are refused. Reconnect after the hint.
    Drain(DrainHint),
    Pong,
    /// The connection is over: close the transport. Comes once and last. `by_server`: it said so; otherwise it
    /// broke the protocol (`bad_frame`, `wrong_state`) or went silent (`timed_out`).
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
    stage: Stage,
    versions: Versions,
    /// 0 before the server's Hello.
    version: u8,
    capabilities: Capabilities,
    closed_with: Option<ErrorCode>,
    opened_at: Monotonic,
    heard_at: Monotonic,
    pinged_at: Monotonic,
    /// A ping went out and nothing was heard since.
    is_pinging: bool,
    pings: u64,
    partial: Partial,
    output: Output,
    /// The last entry received, or where the sync began.
    last: Offset,
    /// Up to here acknowledgements were given to the output.
    acknowledged: Offset,
    /// Version 2: to be acknowledged with the next output.
    to_acknowledge: Option<Offset>,
    /// The request of the sync whose pages come.
    syncing: Option<RequestId>,
    /// Whether the page that comes has brought an entry or a gap.
    page_has_content: bool,
    sends_unanswered: u32,
    /// Pages of history asked for, as far as they have come.
    histories: BTreeMap<RequestId, Vec<HistoryEntry>>,
    lists: BTreeSet<RequestId>,
    /// Lists of devices asked for.
    device_lists: BTreeSet<RequestId>,
    /// Changes asked for: answered with Done.
    changes: BTreeSet<RequestId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for the server's Hello.
    Opened,
    /// Waits for Ready.
    LoggingIn,
    Ready,
    Closed,
}

impl ClientConnection {
    #[must_use]
    pub fn new(config: ClientConfig, now: Monotonic) -> Self {
        let ClientConfig { versions, capabilities, token, device, nonce, at } = config;
        let mut output = Output::default();
        ClientHello { versions, capabilities }.encode(output.frames());
        Authenticate { token, device, nonce, at }.encode(output.frames());
        Self {
            stage: Stage::Opened,
            versions,
            version: 0,
            capabilities,
            closed_with: None,
            opened_at: now,
            heard_at: now,
            pinged_at: now,
            is_pinging: false,
            pings: 0,
            partial: Partial::default(),
            output,
            last: Offset::ZERO,
            acknowledged: Offset::ZERO,
            to_acknowledge: None,
            syncing: None,
            page_has_content: false,
            sends_unanswered: 0,
            histories: BTreeMap::new(),
            lists: BTreeSet::new(),
            device_lists: BTreeSet::new(),
            changes: BTreeSet::new(),
        }
    }

    /// Takes what arrived, as many frames as there are; keeps only a partial frame.
    pub fn receive(&mut self, bytes: &[u8], now: Monotonic, events: &mut Vec<ClientEvent>) {
        receive::receive(self, bytes, now, events);
    }

    /// Queues a send. `request` is unique among the unanswered ones and neither 0 nor `u32::MAX`. In version 2
    /// the sends of one turn share frames. Like all requests, it does nothing unless the connection is ready.
    pub fn send(&mut self, request: RequestId, message: &SendMessage) {
        if self.stage != Stage::Ready {
            return;
        }
        self.sends_unanswered += 1;
        if self.version == 1 {
            send_message::encode(request, message, self.output.frames());
        } else {
            put_send(self.output.item(opcode::SEND_BATCH, send_len(message)), request, message);
        }
    }

    /// Tells that everything up to here is stored. In version 1 one frame per entry received, in version 2 one
    /// per turn.
    pub fn acknowledge(&mut self, up_to: Offset) {
        if self.stage != Stage::Ready {
            return;
        }
        if self.version >= 2 {
            self.to_acknowledge = self.to_acknowledge.max(Some(up_to));
            return;
        }
        while self.acknowledged < up_to.min(self.last) {
            self.acknowledged.0 += 1;
            Acknowledge { up_to: self.acknowledged }.encode(self.output.frames());
        }
        if up_to > self.last {
            Acknowledge { up_to }.encode(self.output.frames());
        }
    }

    /// Asks for everything after an offset, page by page, then live.
    pub fn sync(&mut self, request: RequestId, after: Offset) {
        if self.stage != Stage::Ready {
            return;
        }
        self.flush_acknowledgement();
        self.syncing = Some(request);
        self.page_has_content = false;
        self.last = after;
        self.acknowledged = after;
        Sync { request, after }.encode(self.output.frames());
    }

    /// Asks for a page of history.
    pub fn read_history(&mut self, request: RequestId, read: &ReadHistory) {
        if self.stage == Stage::Ready {
            self.histories.insert(request, Vec::new());
            read_history::encode(request, read, self.output.frames());
        }
    }

    /// Asks for a page of the list of conversations.
    pub fn list_conversations(&mut self, request: RequestId, list: &ListConversations) {
        if self.stage == Stage::Ready {
            self.lists.insert(request);
            List { request, list: *list }.encode(self.output.frames());
        }
    }

    /// Asks for the user's devices.
    pub fn list_devices(&mut self, request: RequestId) {
        if self.stage == Stage::Ready {
            self.device_lists.insert(request);
            ListDevices { request }.encode(self.output.frames());
        }
    }

    /// Gives a device of the user a label.
    pub fn rename_device(&mut self, request: RequestId, rename: &RenameDevice) {
        if self.stage == Stage::Ready {
            self.changes.insert(request);
            rename_device::encode(request, rename, self.output.frames());
        }
    }

    /// Ends a device of the user for ever.
    pub fn revoke_device(&mut self, request: RequestId, revoke: &RevokeDevice) {
        if self.stage == Stage::Ready {
            self.changes.insert(request);
            revoke_device::encode(request, revoke, self.output.frames());
        }
    }

    /// Asks for a sign of life; [`Self::handle_deadline`] does so by itself when it is time.
    pub fn ping(&mut self, now: Monotonic) {
        if self.stage == Stage::Ready {
            self.pings += 1;
            self.pinged_at = now;
            self.is_pinging = true;
            Ping { token: self.pings }.encode(self.output.frames());
        }
    }

    /// Appends all bytes to be sent; `true` when there were any.
    pub fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.flush_acknowledgement();
        self.output.transmit(out)
    }

    /// Bytes that wait for [`Self::transmit`]; an acknowledgement may come on top.
    #[must_use]
    pub fn pending_output_bytes(&self) -> usize {
        self.output.len()
    }

    /// When [`Self::handle_deadline`] has to be called; `None` once closed.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        match self.stage {
            Stage::Closed => None,
            Stage::Opened | Stage::LoggingIn => Some(self.opened_at.plus_millis(LOGIN_ANSWER_MS_MAX)),
            Stage::Ready if self.is_pinging => Some(self.pinged_at.plus_millis(PONG_MS_MAX)),
            Stage::Ready => Some(self.ping_at()),
        }
    }

    /// Pings when it is time; closes with `timed_out` when the server has been silent for too long.
    pub fn handle_deadline(&mut self, now: Monotonic, events: &mut Vec<ClientEvent>) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        if self.stage == Stage::Ready && !self.is_pinging {
            self.ping(now);
        } else {
            self.over(ErrorCode::TimedOut.into(), false, events);
        }
    }

    /// Whether `Ready` came and the connection is not over.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// The version the server picked.
    #[must_use]
    pub fn version(&self) -> Option<u8> {
        Some(self.version).filter(|version| *version != 0)
    }

    /// Why the connection is over.
    #[must_use]
    pub fn closed_with(&self) -> Option<ErrorCode> {
        self.closed_with
    }

    /// Regularly, so that neither side takes the other for dead; soon, when an answer is missing.
    fn ping_at(&self) -> Monotonic {
        let regular = self.pinged_at.plus_millis(PING_INTERVAL_MS);
        let is_waiting = self.sends_unanswered > 0
            || self.syncing.is_some()
            || !self.histories.is_empty()
            || !self.lists.is_empty()
            || !self.device_lists.is_empty()
            || !self.changes.is_empty();
        if !is_waiting {
            return regular;
        }
        let quiet_since = self.heard_at.max(self.pinged_at);
        regular.min(quiet_since.plus_millis(WAITING_PING_INTERVAL_MS))
    }

    fn acknowledge_page(&mut self, last: Offset) {
        self.flush_acknowledgement();
        Acknowledge { up_to: last }.encode(self.output.frames());
    }

    fn flush_acknowledgement(&mut self) {
        if let Some(up_to) = self.to_acknowledge.take() {
            Acknowledge { up_to }.encode(self.output.frames());
        }
    }

    fn over(&mut self, refusal: Refusal, by_server: bool, events: &mut Vec<ClientEvent>) {
        if self.stage == Stage::Closed {
            return;
        }
        self.stage = Stage::Closed;
        self.closed_with = Some(refusal.code);
        events.push(ClientEvent::Closed { refusal, by_server });
    }
}
