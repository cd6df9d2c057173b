//! The server's side of a WebSocket (RFC 6455): the same frames as over TLS, for browsers.
//!
//! ```text
//! bytes ──► HttpConnection ──► Upgrade ──► 101 ─┐
//!                                               ▼
//! bytes ──────────────────────────────────► WebSocket ──► frames ──► ServerConnection
//! bytes ◄────────────────────────────────── WebSocket ◄── frames ◄── ServerConnection
//! ```
//!
//! - [`Upgrade`], [`UpgradeError`]: whether an HTTP request ([`crate::http`]) opens a WebSocket, and what is answered.
//! - [`WebSocket`]: everything behind it. It is a layer without buffers: what arrives is unmasked where it lies and
//!   cut out of its WebSocket frames; putting Iris frames together, their bounds and their order stay with
//!   [`crate::server::ServerConnection`].
//!
//! No extension and no subprotocol is ever agreed on, so no message is compressed.

mod close;
mod frame;
mod upgrade;

use std::fmt;

use iris_types::Monotonic;
use iris_types::limits::{PARTIAL_FRAME_MS_MAX, WEBSOCKET_PONG_BYTES_MAX};

use self::frame::{Control, Opcode, Reader, Turn};

pub use self::close::{CloseCode, End};
pub use self::upgrade::{Upgrade, UpgradeError};

/// The machine behind the upgrade.
///
/// Memory on the heap: nothing when idle; a control frame that is not whole (at most 125 bytes) and pongs that wait
/// to be sent (at most twice [`WEBSOCKET_PONG_BYTES_MAX`], as vectors grow).
#[derive(Default)]
pub struct WebSocket {
    reader: Reader,
    /// Whole frames.
    pongs: Vec<u8>,
    end: Option<End>,
    /// The close frame went out: nothing follows it.
    is_said: bool,
}

impl WebSocket {
    /// The 101 is sent, or about to be.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what arrived, cut anywhere, and works in it. Returns what its messages carry: whole Iris frames one
    /// behind the other, but for the first and the last, which may be cut. Look at [`Self::end`] afterwards.
    pub fn receive<'a>(&mut self, bytes: &'a mut [u8], now: Monotonic) -> &'a [u8] {
        let mut turn = Turn::new(bytes);
        while self.end.is_none() {
            match self.reader.next(&mut turn, now) {
                Ok(None) => break,
                Ok(Some(Control::Ping(payload))) => self.pong(&payload),
                Ok(Some(Control::Pong)) => {}
                Ok(Some(Control::Close(payload))) => self.finish(close::end_of(&payload)),
                Err(code) => self.finish(End::Refused(code)),
            }
        }
        turn.into_plain()
    }

    /// Appends what is to be sent: pongs, then `frames` (whole ones, of one turn) as binary messages, then the close
    /// frame, if this is the end. `true` when there was anything.
    pub fn transmit(&mut self, frames: &[u8], out: &mut Vec<u8>) -> bool {
        let before = out.len();
        let pongs = std::mem::take(&mut self.pongs);
        if !self.is_said {
            out.extend_from_slice(&pongs);
            frame::put_messages(frames, out);
        }
        if let Some(end) = self.end
            && !std::mem::replace(&mut self.is_said, true)
        {
            close::put_close(end, out);
        }
        out.len() > before
    }

    /// Bytes that wait for [`Self::transmit`], but for a close frame.
    #[must_use]
    pub fn pending_output_bytes(&self) -> usize {
        self.pongs.len()
    }

    /// Nothing is received any more; the next [`Self::transmit`] ends with a close frame. Later calls do nothing.
    pub fn close(&mut self) {
        self.finish(End::Server);
    }

    /// Why the WebSocket ends, if it does: close the transport behind the last bytes of [`Self::transmit`].
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// When the rest of a message or of a frame has to be here at the latest; `None` when nothing is half received.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        self.reader.begun_at().map(|begun| begun.plus_millis(PARTIAL_FRAME_MS_MAX))
    }

    /// Bytes on the heap, for the memory account; the machine itself is `size_of::<Self>()`.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.reader.heap_bytes() + self.pongs.capacity()
    }

    /// A client that does not take its pongs gets the latest only, as section 5.5.3 allows.
    fn pong(&mut self, payload: &[u8]) {
        let bytes = frame::HEADER_BYTES_MIN + payload.len();
        if self.pongs.len() + bytes > WEBSOCKET_PONG_BYTES_MAX {
            self.pongs.clear();
        }
        frame::put(Opcode::Pong, payload, &mut self.pongs);
    }

    fn finish(&mut self, end: End) {
        if self.end.is_none() {
            self.end = Some(end);
            self.reader = Reader::default();
        }
    }
}

/// Shows how it stands, never what was said.
impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("end", &self.end)
            .field("is_said", &self.is_said)
            .field("pending_output_bytes", &self.pending_output_bytes())
            .finish_non_exhaustive()
    }
}
