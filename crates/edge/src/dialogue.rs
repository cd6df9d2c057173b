//! What is spoken over a channel: frames, for browsers inside a WebSocket; or HTTP, until a browser has its files or
//! opens a WebSocket.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use iris_protocol::DrainHint;
use iris_protocol::http::{HttpConnection, Site};
use iris_protocol::websocket::{End, WebSocket};
use iris_types::limits::{HTTP_WRITE_BYTES, OUTPUT_BYTES_MAX};
use iris_types::request::SessionId;
use iris_types::{ErrorCode, Monotonic, Refusal};

use crate::admission::{AddressKey, Verdict};
use crate::clock::Now;
use crate::machine::EdgeMachine;
use crate::workspace::Workspace;

#[allow(
    clippy::large_enum_variant,
    reason = "nearly every connection has a session: another allocation costs more"
)]
pub(crate) enum Dialogue {
    Frames {
        machine: EdgeMachine,
        /// Boxed, so that a connection without one is no larger.
        socket: Option<Box<WebSocket>>,
    },
    Http {
        connection: Box<HttpConnection>,
        site: Arc<Site>,
    },
}

impl Dialogue {
    pub(crate) fn frames(session: SessionId, work: &Workspace) -> Self {
        Self::Frames { machine: EdgeMachine::new(&work.protocol, session, work.now), socket: None }
    }

    pub(crate) fn http(site: Arc<Site>, work: &Workspace) -> Self {
        Self::Http { connection: Box::new(HttpConnection::new(work.now.monotonic)), site }
    }

    /// Takes plaintext and works in it. `Some`: so much of it was HTTP, and what follows is a WebSocket's: transmit,
    /// then call [`Self::upgrade`].
    pub(crate) fn receive(
        &mut self,
        plaintext: &mut [u8],
        peer: BorrowedFd<'_>,
        work: &mut Workspace,
    ) -> Option<usize> {
        match self {
            Self::Http { connection, site } => {
                let progress = connection.receive(plaintext, site, work.now.wall);
                progress.is_upgraded.then_some(progress.consumed)
            }
            Self::Frames { machine, socket } => {
                let frames = match socket {
                    Some(socket) => socket.receive(plaintext, work.now.monotonic),
                    None => plaintext,
                };
                if !frames.is_empty() {
                    let Workspace { now, check, admission, gathered, .. } = work;
                    let check =
                        |token: &[u8], _| admission.check(&**check, token, AddressKey::of_peer(peer), *now);
                    machine.receive(frames, *now, &check, gathered);
                }
                if socket.as_ref().is_some_and(|socket| matches!(socket.end(), Some(End::Refused(_)))) {
                    machine.close(ErrorCode::BadFrame);
                }
                None
            }
        }
    }

    /// Frames inside a WebSocket from here on; the time for the login starts now. The WebSocket counts as a connection
    /// of `peer`.
    pub(crate) fn upgrade(&mut self, session: SessionId, peer: BorrowedFd<'_>, work: &mut Workspace) {
        work.totals.websockets += 1;
        let mut machine = EdgeMachine::new(&work.protocol, session, work.now);
        let verdict = work.admission.connect(AddressKey::of_peer(peer), work.now.monotonic);
        work.totals.rate_limited += u64::from(verdict != Verdict::Admitted);
        match verdict {
            Verdict::Admitted => {}
            // It is here already, so it may as well hear.
            Verdict::Refused(refusal) => machine.close(refusal),
            Verdict::Dropped => machine.close(ErrorCode::RateLimited),
        }
        *self = Self::Frames { machine, socket: Some(Box::default()) };
    }

    /// Appends what is to be sent: all of it, or a part of a file.
    pub(crate) fn transmit(&mut self, work: &mut Workspace, out: &mut Vec<u8>) {
        match self {
            Self::Http { connection, .. } => {
                connection.transmit(HTTP_WRITE_BYTES, work.now.monotonic, out);
            }
            Self::Frames { machine, socket: None } => {
                machine.transmit(out);
            }
            Self::Frames { machine, socket: Some(socket) } => {
                work.frames.clear();
                machine.transmit(&mut work.frames);
                if machine.is_closing() {
                    socket.close();
                }
                socket.transmit(&work.frames, out);
            }
        }
    }

    /// Nothing is received any more.
    pub(crate) fn is_closing(&self) -> bool {
        match self {
            Self::Http { connection, .. } => connection.is_closing(),
            Self::Frames { machine, socket } => {
                machine.is_closing() || socket.as_ref().is_some_and(|socket| socket.end().is_some())
            }
        }
    }

    /// The bytes of the next [`Self::transmit`], if any, are the last.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_closing() && !self.has_part()
    }

    /// Whether a part of a file is to be sent.
    pub(crate) fn has_part(&self) -> bool {
        matches!(self, Self::Http { connection, .. } if connection.pending_output_bytes() > 0)
    }

    /// Whether a client may say more although it has not taken `unsent` bytes: a file is taken before another is asked
    /// for.
    pub(crate) fn may_read(&self, unsent: usize) -> bool {
        match self {
            Self::Http { .. } => unsent == 0 && !self.has_part(),
            Self::Frames { machine, socket } => {
                let pongs = socket.as_ref().map_or(0, |socket| socket.pending_output_bytes());
                machine.pending_output_bytes() + pongs + unsent <= OUTPUT_BYTES_MAX
            }
        }
    }

    /// When [`Self::handle_deadline`] has to be called, if nothing happens before.
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        match self {
            Self::Http { connection, .. } => connection.deadline(),
            Self::Frames { machine, socket } => {
                let of_socket = socket.as_ref().and_then(|socket| socket.deadline());
                machine.deadline().into_iter().chain(of_socket).min()
            }
        }
    }

    pub(crate) fn handle_deadline(&mut self, now: Now) {
        match self {
            Self::Http { connection, .. } => connection.handle_deadline(now.monotonic),
            Self::Frames { machine, socket } => {
                machine.handle_deadline(now);
                let of_socket = socket.as_ref().and_then(|socket| socket.deadline());
                if of_socket.is_some_and(|deadline| now.monotonic >= deadline) {
                    machine.close(ErrorCode::TimedOut);
                }
            }
        }
    }

    /// Closes once it is told why, as far as HTTP has words for it.
    pub(crate) fn close(&mut self, why: impl Into<Refusal>) {
        match self {
            Self::Http { connection, .. } => connection.close(),
            Self::Frames { machine, .. } => machine.close(why),
        }
    }

    pub(crate) fn drain(&mut self, hint: DrainHint) {
        match self {
            Self::Http { connection, .. } => connection.close(),
            Self::Frames { machine, .. } => machine.drain(hint),
        }
    }

    pub(crate) fn machine(&mut self) -> Option<&mut EdgeMachine> {
        match self {
            Self::Http { .. } => None,
            Self::Frames { machine, .. } => Some(machine),
        }
    }
}
