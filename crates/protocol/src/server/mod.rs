//! One client's connection as the server sees it.

mod answer;
mod flow;
mod notices;
mod receive;

use std::sync::Arc;

use bytes::Bytes;
use iris_types::limits::{LOGIN_MS_MAX, NONCE_BYTES, OUTPUT_BYTES_MAX, PARTIAL_FRAME_MS_MAX};
use iris_types::request::{Answer, Attached, Request, RequestId};
use iris_types::{DeviceId, ErrorCode, InboxEntry, Monotonic, Offset, Presence, Refusal, Timestamp, Typing};

use self::flow::{Flow, Verdict};
use self::notices::{Late, TypingPace};
use crate::authenticate::Ready;
use crate::drain::{Closed, Drain};
use crate::entry::Outgoing;
use crate::framing::Partial;
use crate::output::Output;
use crate::read_inbox::SyncNeeded;
use crate::refusal::Refused;
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
#[derive(Clone, PartialEq, Eq)]
pub enum ServerEvent {
    /// Verify the token; then [`ServerConnection::accept_login`] or [`ServerConnection::refuse_login`]. Comes at
    /// most once.
    Authenticate { token: Bytes, device: DeviceId, nonce: [u8; NONCE_BYTES], at: Timestamp },
    /// For the core. Every one but [`Request::Acknowledge`] and [`Request::Typing`] needs one
    /// [`ServerConnection::answer`] with the same id. Only after an accepted login. Syncing asks for pages under
    /// [`SYNC_REQUEST`], acknowledgements and typing come under [`ACKNOWLEDGE_REQUEST`]; neither id is ever a
    /// client's.
    Request { id: RequestId, request: Request },
    /// The client broke the protocol: send what [`ServerConnection::transmit`] still has, then close. Comes once
    /// and last.
    Close,
}

/// The id under which inbox pages are asked for.
pub const SYNC_REQUEST: RequestId = RequestId(u32::MAX);
/// The id of acknowledgements, which are only answered when refused; of the login, too, and of typing, which is never
/// answered.
pub const ACKNOWLEDGE_REQUEST: RequestId = RequestId(0);

/// The machine. Plaintext bytes in both directions. An idle one holds nothing on the heap.
#[derive(Debug)]
pub struct ServerConnection {
    config: Arc<ServerConfig>,
    stage: Stage,
    /// 0 before Hello.
    version: u8,
    is_draining: bool,
    closed_with: Option<ErrorCode>,
    /// The own sends of this device go out without body.
    device: Option<DeviceId>,
    opened_at: Monotonic,
    heard_at: Monotonic,
    partial: Partial,
    output: Output,
    flow: Flow,
    /// The client's requests that wait for their answer.
    in_flight: u32,
    /// Those of them whose answer may be large.
    pages_in_flight: Vec<RequestId>,
    late: Late,
    typing: TypingPace,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for Hello.
    Opened,
    /// Waits for Authenticate.
    Greeted,
    /// Waits for the edge and the core.
    LoggingIn,
    Ready,
    /// Takes nothing any more.
    Closing,
}

impl ServerConnection {
    /// Waits for the client's Hello; the time for hello and login starts now.
    #[must_use]
    pub fn new(config: &Arc<ServerConfig>, now: Monotonic) -> Self {
        Self {
            config: Arc::clone(config),
            stage: Stage::Opened,
            version: 0,
            is_draining: false,
            closed_with: None,
            device: None,
            opened_at: now,
            heard_at: now,
            partial: Partial::default(),
            output: Output::default(),
            flow: Flow::new(),
            in_flight: 0,
            pages_in_flight: Vec::new(),
            late: Late::default(),
            typing: TypingPace::default(),
        }
    }

    /// Takes what arrived, as many frames as there are; keeps only a partial frame.
    pub fn receive(&mut self, bytes: &[u8], now: Monotonic, events: &mut Vec<ServerEvent>) {
        receive::receive(self, bytes, now, events);
    }

    /// The user's vnode registered the session.
    pub fn accept_login(&mut self, attached: Attached) {
        if self.stage != Stage::LoggingIn {
            return;
        }
        self.stage = Stage::Ready;
        self.flow.attach(attached.cursor, attached.last);
        Ready { attached, limits: self.config.limits }.encode(self.output.frames());
    }

    /// The login is refused; the connection closes.
    pub fn refuse_login(&mut self, refusal: Refusal, server_time: Timestamp) {
        if matches!(self.stage, Stage::Ready | Stage::Closing) {
            return;
        }
        Refused { request: ACKNOWLEDGE_REQUEST, refusal, server_time, opcode: None }
            .encode(self.output.frames());
        self.close(refusal);
    }

    /// The core's answer to the request with this id, in any order. `Attached` and a refusal before login are
    /// passed on to [`Self::accept_login`] and [`Self::refuse_login`]. What no longer fits the state (a page of
    /// a sync that was given up) is dropped.
    pub fn answer(&mut self, id: RequestId, answer: Answer) {
        answer::answer(self, id, answer);
    }

    /// Passes a committed entry on when the device is live and the entry is its next one. An entry it has is
    /// dropped. One that comes too early, or that the window has no room for, stops the pushes and tells the
    /// device to sync; nothing is lost, the sync brings it. A message of this device goes without its body.
    pub fn push(&mut self, entry: &Arc<InboxEntry>) {
        if self.stage != Stage::Ready {
            return;
        }
        let outgoing = Outgoing::of(entry, self.device.as_ref());
        if self.admit(entry.offset, outgoing.len()) == Verdict::Give {
            answer::put_entry(&mut self.output, self.version, &outgoing);
        }
    }

    /// Tells who is there. While more than [`iris_types::limits::PRESENCE_OUTPUT_BYTES_MAX`] bytes wait to be sent,
    /// only the latest of each user is kept, and sent behind them.
    pub fn tell_presence(&mut self, presence: &Presence) {
        if self.stage == Stage::Ready {
            notices::put_presence(&mut self.output, &mut self.late, presence);
        }
    }

    /// Tells that somebody writes, unless more than [`iris_types::limits::TYPING_OUTPUT_BYTES_MAX`] bytes wait to
    /// be sent: then it is dropped.
    pub fn tell_typing(&mut self, typing: &Typing) {
        if self.stage == Stage::Ready {
            notices::put_typing(&mut self.output, typing);
        }
    }

    /// Says why and closes once that is sent. Later calls do nothing.
    pub fn close(&mut self, why: impl Into<Refusal>) {
        if self.stage == Stage::Closing {
            return;
        }
        let refusal = why.into();
        Closed { refusal }.encode(self.output.frames());
        self.stage = Stage::Closing;
        self.closed_with = Some(refusal.code);
        self.partial = Partial::default();
        self.late.forget();
    }

    /// Asks the client to come back later, elsewhere; new requests are refused with `draining`. Before login it
    /// closes.
    pub fn drain(&mut self, hint: DrainHint) {
        match self.stage {
            Stage::Ready => {
                self.is_draining = true;
                Drain { hint }.encode(self.output.frames());
            }
            _ => self.close(Refusal::after(ErrorCode::Draining, hint.reconnect_after_ms)),
        }
    }

    /// Appends all bytes to be sent; `true` when there were any.
    pub fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        // Late presences only wait while the output holds something.
        self.output.transmit(out) | self.late.transmit(out)
    }

    /// Bytes that wait for [`Self::transmit`].
    #[must_use]
    pub fn pending_output_bytes(&self) -> usize {
        self.output.len()
    }

    /// When [`Self::handle_deadline`] has to be called; `None` once the connection is closing. Moves with every
    /// [`Self::receive`], mostly to later; a partial frame brings it forward.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        if self.stage == Stage::Closing {
            return None;
        }
        let idle = self.heard_at.plus_millis(u64::from(self.config.limits.idle_ms_max));
        let login = (self.stage != Stage::Ready).then(|| self.opened_at.plus_millis(LOGIN_MS_MAX));
        let partial = self.partial.begun_at().map(|begun| begun.plus_millis(PARTIAL_FRAME_MS_MAX));
        [Some(idle), login, partial].into_iter().flatten().min()
    }

    /// Closes with `timed_out` when login, a partial frame or silence has lasted too long.
    pub fn handle_deadline(&mut self, now: Monotonic) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.close(ErrorCode::TimedOut);
        }
    }

    /// Nothing is received any more: close the transport after the last bytes of [`Self::transmit`].
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.stage == Stage::Closing
    }

    /// Why the connection closes, if it does.
    #[must_use]
    pub fn closed_with(&self) -> Option<ErrorCode> {
        self.closed_with
    }

    /// Whether a login was accepted and the connection is not closing.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// The version in use, once Hello was answered.
    #[must_use]
    pub fn version(&self) -> Option<u8> {
        Some(self.version).filter(|version| *version != 0)
    }

    /// Whether an acknowledgement will be refused, because nobody has heard of an entry that far.
    #[must_use]
    pub fn is_ahead(&self, up_to: Offset) -> bool {
        self.flow.is_ahead(up_to)
    }

    /// Bytes on the heap, for the memory account; the machine itself is `size_of::<Self>()`.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.output.heap_bytes()
            + self.partial.heap_bytes()
            + self.flow.heap_bytes()
            + self.late.heap_bytes()
            + self.pages_in_flight.capacity() * size_of::<RequestId>()
    }

    fn forget_presences(&mut self) {
        self.late.forget();
    }

    /// Whether the next thing for the inbox may go out; says so to the device when pushes stop here.
    fn admit(&mut self, offset: Offset, bytes: usize) -> Verdict {
        let has_room = self.output.len() <= OUTPUT_BYTES_MAX;
        let verdict = self.flow.push(offset, bytes, has_room, &self.config.limits);
        if verdict == Verdict::Stop {
            SyncNeeded { last: self.flow.last() }.encode(self.output.frames());
        }
        verdict
    }
}

/// Hides the token and the nonce.
impl std::fmt::Debug for ServerEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Authenticate { device, at, .. } => {
                f.debug_struct("Authenticate").field("device", device).field("at", at).finish_non_exhaustive()
            }
            Self::Request { id, request } => {
                f.debug_struct("Request").field("id", id).field("request", request).finish()
            }
            Self::Close => f.write_str("Close"),
        }
    }
}
