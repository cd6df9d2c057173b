//! The connection's life: connect, log in, come back, or stop.

use iris_protocol::DrainHint;
use iris_protocol::client::ClientConnection;
use iris_types::limits::{LOGIN_REPEATS_MAX, STABLE_CONNECTION_MS};
use iris_types::{ErrorCode, Monotonic, Refusal};

use crate::backoff::Retry;

/// Whether there is a connection, and when to open the next.
#[derive(Debug, Default)]
pub(crate) struct Link {
    state: State,
    /// Connections in a row that were of no use.
    failures: u32,
    /// Logins in a row that were repeated at once.
    repeats: u32,
    ready_at: Option<Monotonic>,
    /// The server stops: when to be somewhere else.
    leave_at: Option<Monotonic>,
    /// The application knows that there is no connection.
    loss_told: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    New,
    /// The driver was asked to connect.
    Resting,
    Open(Box<ClientConnection>),
    Stopped,
}

/// What follows a refused login or a connection closed by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sequel {
    /// Log in again at once, with the corrected clock and a new nonce.
    Repeat,
    /// Come back after a while.
    Retry,
    /// No further attempt can succeed, or the device is not wanted.
    Stop,
}

/// What follows a refusal of the whole connection.
pub(crate) const fn sequel(code: ErrorCode) -> Sequel {
    match code {
        ErrorCode::StaleTimestamp | ErrorCode::NonceReplayed => Sequel::Repeat,
        ErrorCode::BadToken
        | ErrorCode::TokenRevoked
        | ErrorCode::Replaced
        | ErrorCode::InvalidName
        | ErrorCode::TooManyDevices
        | ErrorCode::DeviceRevoked
        | ErrorCode::UnsupportedVersion
        | ErrorCode::CursorAhead => Sequel::Stop,
        // A fresh token is asked for at each connection; everything else may pass or be repaired.
        _ => Sequel::Retry,
    }
}

impl Link {
    /// `true` once: the first connection is due.
    pub(crate) fn start(&mut self) -> bool {
        let is_new = matches!(self.state, State::New);
        if is_new {
            self.state = State::Resting;
        }
        is_new
    }

    /// `false` when the machine has stopped.
    pub(crate) fn open(&mut self, connection: ClientConnection) -> bool {
        if self.is_stopped() {
            return false;
        }
        self.state = State::Open(Box::new(connection));
        self.leave_at = None;
        true
    }

    pub(crate) fn connection(&mut self) -> Option<&mut ClientConnection> {
        if let State::Open(connection) = &mut self.state { Some(connection) } else { None }
    }

    /// The connection, when it is logged in.
    pub(crate) fn ready(&mut self) -> Option<&mut ClientConnection> {
        self.connection().filter(|connection| connection.is_ready())
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.state, State::Stopped)
    }

    pub(crate) const fn is_draining(&self) -> bool {
        self.leave_at.is_some()
    }

    pub(crate) fn is_ready(&self) -> bool {
        matches!(&self.state, State::Open(connection) if connection.is_ready())
    }

    pub(crate) fn logged_in(&mut self, now: Monotonic) {
        self.ready_at = Some(now);
        self.repeats = 0;
        self.loss_told = false;
    }

    /// Whether a login may be repeated at once; not for ever.
    pub(crate) fn may_repeat(&mut self) -> bool {
        self.repeats += 1;
        self.repeats <= LOGIN_REPEATS_MAX
    }

    pub(crate) fn drain(&mut self, hint: DrainHint, now: Monotonic, random: &mut fastrand::Rng) {
        let delay_ms = u64::from(hint.reconnect_after_ms) + random.u64(0..=u64::from(hint.jitter_ms));
        self.leave_at = Some(now.plus_millis(delay_ms));
    }

    /// The connection is gone: when to open the next. `None` when stopped, or when that was said before.
    pub(crate) fn lost(
        &mut self,
        refusal: Option<Refusal>,
        now: Monotonic,
        random: &mut fastrand::Rng,
    ) -> Option<Monotonic> {
        if self.is_stopped() {
            return None;
        }
        self.state = State::Resting;
        let stable = |at: Monotonic| now.millis_since(at) >= STABLE_CONNECTION_MS;
        if self.ready_at.take().is_some_and(stable) {
            self.failures = 0;
        }
        let wish_ms = refusal.map_or(0, |refusal| refusal.retry_after_ms);
        let at = Retry::draw(now, wish_ms, random).at(self.failures);
        self.failures = self.failures.saturating_add(1);
        Some(self.leave_at.take().map_or(at, |leave_at| leave_at.max(now)))
    }

    /// The next login follows at once.
    pub(crate) fn repeat(&mut self) {
        self.state = State::Resting;
        self.ready_at = None;
        self.leave_at = None;
    }

    pub(crate) fn stop(&mut self) {
        self.state = State::Stopped;
    }

    /// `true` once per outage.
    pub(crate) fn tell_loss(&mut self) -> bool {
        !std::mem::replace(&mut self.loss_told, true)
    }

    /// When the machine has to act on the connection.
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        let State::Open(connection) = &self.state else { return None };
        [connection.deadline(), self.leave_at].into_iter().flatten().min()
    }

    /// The server stops and the time to leave has come.
    pub(crate) fn must_leave(&self, now: Monotonic) -> bool {
        self.is_open() && self.leave_at.is_some_and(|at| at <= now)
    }
}
