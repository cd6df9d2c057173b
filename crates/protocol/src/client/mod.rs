//! A connection to a server as the client sees it.

mod event;
mod receive;
mod requests;

use std::collections::BTreeMap;

use bytes::Bytes;
use iris_types::limits::{
    LOGIN_ANSWER_MS_MAX, NONCE_BYTES, PING_INTERVAL_MS, PONG_MS_MAX, WAITING_PING_INTERVAL_MS,
};
use iris_types::request::RequestId;
use iris_types::{DeviceId, ErrorCode, HistoryEntry, Monotonic, Offset, Refusal, Timestamp};

pub use self::event::ClientEvent;
use crate::acknowledge::Acknowledge;
use crate::authenticate::Authenticate;
pub use crate::entry::Entry;
use crate::framing::Partial;
use crate::hello::ClientHello;
use crate::output::Output;
use crate::ping::Ping;
use crate::read_inbox::Sync;
use crate::{Capabilities, Versions};

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
    /// Everything else that was asked for, but sends.
    asked: BTreeMap<RequestId, Asked>,
}

/// Which answer a request has to get, unless it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Conversations,
    Devices,
    /// Done.
    Change,
    /// Sent, or Done.
    GroupChange,
    Group,
    Roster,
    Receipts,
    Settings,
    Presences,
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
            asked: BTreeMap::new(),
        }
    }

    /// Takes what arrived, as many frames as there are; keeps only a partial frame.
    pub fn receive(&mut self, bytes: &[u8], now: Monotonic, events: &mut Vec<ClientEvent>) {
        receive::receive(self, bytes, now, events);
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
            || !self.asked.is_empty();
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
