//! One connection of a web listener: requests one behind the other, until it closes or becomes a WebSocket.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf as _, Bytes};
use iris_types::limits::{HTTP_CONNECTION_MS_MAX, HTTP_RESPONSES_MAX};
use iris_types::{Monotonic, Timestamp};

use super::{HeadReader, RequestHead, Site, WEBSOCKET_PATH};
use crate::websocket::{Upgrade, UpgradeError};

/// The machine of one connection. What it holds of a response's body is a reference to the table's bytes; beside that
/// at most one head that is not whole and the heads of [`HTTP_RESPONSES_MAX`] responses.
pub struct HttpConnection {
    head: HeadReader,
    /// Heads and bodies of responses, in order, as far as they are not sent.
    waiting: VecDeque<Bytes>,
    /// Nothing is received any more: the connection closes behind what waits.
    is_last: bool,
    /// When it closes whatever happens.
    ends_at: Monotonic,
}

/// What a call of [`HttpConnection::receive`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpProgress {
    /// Bytes that are done with: all of them, unless the connection became a WebSocket.
    pub consumed: usize,
    /// What follows the bytes of [`HttpConnection::transmit`] is a WebSocket.
    pub is_upgraded: bool,
}

impl HttpConnection {
    /// The time for the first head starts now.
    #[must_use]
    pub fn new(now: Monotonic) -> Self {
        Self {
            head: HeadReader::new(now),
            waiting: VecDeque::new(),
            is_last: false,
            ends_at: now.plus_millis(HTTP_CONNECTION_MS_MAX),
        }
    }

    /// Takes bytes of the client and answers every request that is whole. A fault is answered, too; it is the last
    /// thing that is.
    pub fn receive(&mut self, bytes: &[u8], site: &Site, wall: Timestamp) -> HttpProgress {
        let mut rest = bytes;
        while !self.is_last && !rest.is_empty() {
            match self.head.receive(rest) {
                Ok(progress) => {
                    rest = rest.get(progress.consumed..).unwrap_or_default();
                    if progress.head.is_some_and(|head| self.respond(&head, site, wall)) {
                        return HttpProgress { consumed: bytes.len() - rest.len(), is_upgraded: true };
                    }
                }
                Err(error) => self.refuse(error.into()),
            }
        }
        HttpProgress { consumed: bytes.len(), is_upgraded: false }
    }

    /// Appends what waits, at most about `room` bytes of it; `true` when there was anything. Whoever has taken
    /// everything may ask again: the time for the next head starts now.
    pub fn transmit(&mut self, room: usize, now: Monotonic, out: &mut Vec<u8>) -> bool {
        let (before, end) = (out.len(), out.len().saturating_add(room));
        while out.len() < end
            && let Some(part) = self.waiting.front_mut()
        {
            let length = part.len().min(end - out.len());
            out.extend_from_slice(part.get(..length).unwrap_or_default());
            part.advance(length);
            if part.is_empty() {
                self.waiting.pop_front();
            }
        }
        if out.len() > before && self.waiting.is_empty() {
            self.waiting = VecDeque::new();
            self.head.restart(now);
        }
        out.len() > before
    }

    /// Bytes that wait for [`Self::transmit`].
    #[must_use]
    pub fn pending_output_bytes(&self) -> usize {
        self.waiting.iter().map(Bytes::len).sum()
    }

    /// Nothing is received any more: close the transport behind the last bytes of [`Self::transmit`].
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.is_last
    }

    /// Closes behind what waits.
    pub fn close(&mut self) {
        self.is_last = true;
    }

    /// When [`Self::handle_deadline`] has to be called, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        match (self.waiting.is_empty(), self.is_last) {
            (true, true) => None,
            (true, false) => Some(self.head.deadline().min(self.ends_at)),
            (false, _) => Some(self.ends_at),
        }
    }

    /// Closes: the head that is awaited is late, or all the time is over; then what waits is dropped.
    pub fn handle_deadline(&mut self, now: Monotonic) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.is_last = true;
            self.waiting = VecDeque::new();
        }
    }

    /// Bytes on the heap that belong to this connection alone.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.head.heap_bytes() + self.waiting.capacity() * size_of::<Bytes>()
    }

    /// Whether the connection is a WebSocket from here on.
    fn respond(&mut self, head: &RequestHead, site: &Site, wall: Timestamp) -> bool {
        if !site.audience.knows(head.host()) {
            self.refuse(UpgradeError::Forbidden);
        } else if head.path() == WEBSOCKET_PATH {
            match self.upgrade(head, site) {
                Ok(()) => return true,
                Err(error) => self.refuse(error),
            }
        } else {
            // A head and a body each.
            let is_full = self.waiting.len() + 2 >= 2 * HTTP_RESPONSES_MAX;
            self.is_last = is_full || head.lists("connection", "close");
            let response = site.assets.respond(head, &site.audience, wall, self.is_last);
            self.waiting.push_back(response.head.into());
            self.waiting.extend((!response.body.is_empty()).then_some(response.body));
        }
        false
    }

    fn upgrade(&mut self, head: &RequestHead, site: &Site) -> Result<(), UpgradeError> {
        let upgrade = Upgrade::of(head)?;
        if !site.audience.admits(upgrade.host, upgrade.origin) {
            return Err(UpgradeError::Forbidden);
        }
        if !self.waiting.is_empty() {
            return Err(UpgradeError::Pipelined);
        }
        let mut response = Vec::new();
        upgrade.accept(&mut response);
        self.waiting.push_back(response.into());
        Ok(())
    }

    fn refuse(&mut self, error: UpgradeError) {
        let mut response = Vec::new();
        error.refuse(&mut response);
        self.waiting.push_back(response.into());
        self.is_last = true;
    }
}

/// Shows how much there is, never what: cookies and links hold secrets.
impl fmt::Debug for HttpConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpConnection")
            .field("head", &self.head)
            .field("pending_output_bytes", &self.pending_output_bytes())
            .field("is_last", &self.is_last)
            .finish_non_exhaustive()
    }
}
