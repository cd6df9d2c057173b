//! One connection of an event loop: a socket, a channel around what is spoken, and what is half read or half written.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use iris_cluster::ToEdge;
use iris_protocol::DrainHint;
use iris_types::limits::{HTTP_TURN_BYTES_MAX, LINGER_MS_MAX, PARTIAL_FRAME_MS_MAX};
use iris_types::request::{Answer, SessionId};
use iris_types::{ErrorCode, Monotonic, Refusal};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::admission::AddressKey;
use crate::channel::Channel;
use crate::clock::Now;
use crate::dialogue::Dialogue;
use crate::machine::EdgeMachine;
use crate::record::{Alert, Opened};
use crate::slab::Key;
use crate::stage::{Interest, Stage};
use crate::web::Service;
use crate::workspace::Workspace;

/// One connection. Idle it has no buffer.
pub(crate) struct Connection {
    socket: OwnedFd,
    key: Key,
    stage: Stage,
    /// The beginning of a record, and until when its end has to come.
    unread: Vec<u8>,
    unread_until: Monotonic,
    /// Ciphertext that the socket had no room for.
    unsent: Vec<u8>,
    /// Until when a peer that is being closed has to take what it is still owed.
    closing_until: Monotonic,
    /// What epoll watches for.
    interest: Interest,
    /// Already in the loop's list of connections to flush.
    pub(crate) is_touched: bool,
    is_counted: bool,
}

impl Connection {
    /// `None` when rustls has no connection for it.
    /// With a `refusal` it is told that and closed.
    pub(crate) fn new(
        socket: OwnedFd,
        key: Key,
        service: Service,
        refusal: Option<Refusal>,
        work: &mut Workspace,
    ) -> Option<Self> {
        Some(Self {
            socket,
            key,
            stage: Stage::first(service, refusal, work)?,
            unread: Vec::new(),
            unread_until: Monotonic(u64::MAX),
            unsent: Vec::new(),
            closing_until: Monotonic(u64::MAX),
            interest: Interest::READS,
            is_touched: false,
            is_counted: false,
        })
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the client has not even begun with TLS.
    pub(crate) fn awaits_hello(&self) -> bool {
        matches!(&self.stage, Stage::Handshake { tls, .. } if tls.awaits_hello())
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    /// What epoll has to watch for from now on, if that changed: reading stops while the client does not take what
    /// it is owed.
    pub(crate) fn changed_interest(&mut self, work: &mut Workspace) -> Option<EventFlags> {
        let (may_read, has_part) = match &self.stage {
            Stage::Open { dialogue, .. } => (dialogue.may_read(self.unsent.len()), dialogue.has_part()),
            _ => (true, false),
        };
        let wanted = Interest { reads: may_read, writes: has_part || !self.unsent.is_empty() };
        let before = std::mem::replace(&mut self.interest, wanted);
        work.totals.reading_paused += u64::from(!wanted.reads);
        work.totals.reading_paused -= u64::from(!before.reads);
        (wanted != before).then_some(wanted.into())
    }

    /// Reads once and handles every whole record of it.
    pub(crate) fn read(&mut self, work: &mut Workspace) {
        let mut input = std::mem::take(&mut work.input);
        match self.fill(&mut input) {
            Ok(0) => self.end(work),
            Ok(length) => {
                work.totals.bytes_received += (length - self.unread.len()) as u64;
                self.take(&mut input, length, work);
            }
            Err(Errno::WOULDBLOCK | Errno::INTR) => {}
            Err(_) => self.end(work),
        }
        work.input = input;
    }

    /// The socket broke down: what is still to be read is read, unless nobody would take it.
    pub(crate) fn read_or_end(&mut self, work: &mut Workspace) {
        if self.interest.reads { self.read(work) } else { self.end(work) }
    }

    /// A message of the core for this connection.
    pub(crate) fn handle(&mut self, message: ToEdge, work: &Workspace) {
        let Stage::Open { dialogue, .. } = &mut self.stage else { return };
        let Some(machine) = dialogue.machine() else { return };
        if let ToEdge::Answer { answer: Answer::Refused { refusal, .. }, .. } = &message
            && let Some(user) = machine.logging_in()
        {
            let from = AddressKey::of_peer(self.socket.as_fd());
            work.admission.refused(user, refusal.code, from, work.now.monotonic);
        }
        machine.handle(message);
    }

    pub(crate) fn machine(&mut self) -> Option<&mut EdgeMachine> {
        match &mut self.stage {
            Stage::Open { dialogue, .. } => dialogue.machine(),
            _ => None,
        }
    }

    /// Writes what waits: one record and one write, unless it is more than a record or than the socket takes.
    pub(crate) fn flush(&mut self, work: &mut Workspace) {
        if !self.unsent.is_empty() && !self.write_unsent(work) {
            self.limit_closing(work.now);
            return;
        }
        self.transmit(work);
        if let Stage::Lingering { is_shut, .. } = &mut self.stage
            && self.unsent.is_empty()
            && !*is_shut
        {
            *is_shut = true;
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
        }
    }

    /// When [`Self::handle_deadline`] has to be called at the latest.
    pub(crate) fn deadline(&self) -> Monotonic {
        match &self.stage {
            Stage::Handshake { until, .. } | Stage::Lingering { until, .. } => *until,
            Stage::Open { dialogue, .. } => {
                let dialogue = dialogue.deadline().unwrap_or(Monotonic(u64::MAX));
                dialogue.min(self.unread_until).min(self.closing_until)
            }
            Stage::Ended => Monotonic(u64::MAX),
        }
    }

    pub(crate) fn handle_deadline(&mut self, work: &mut Workspace) {
        match &mut self.stage {
            Stage::Open { dialogue, .. } if work.now.monotonic < self.closing_until => {
                dialogue.handle_deadline(work.now);
                if work.now.monotonic >= self.unread_until {
                    dialogue.close(ErrorCode::TimedOut);
                }
            }
            _ => self.end(work),
        }
    }

    /// Asks the client to come back later; one that is not even connected yet is turned away.
    pub(crate) fn drain(&mut self, hint: DrainHint, work: &mut Workspace) {
        match &mut self.stage {
            Stage::Open { dialogue, .. } => dialogue.drain(hint),
            Stage::Handshake { .. } => self.end(work),
            _ => {}
        }
    }

    /// Tells the client why and closes; one without a session is just closed.
    pub(crate) fn close_with(&mut self, code: ErrorCode, work: &mut Workspace) {
        match &mut self.stage {
            Stage::Open { dialogue, .. } => dialogue.close(code),
            Stage::Handshake { .. } => self.end(work),
            _ => {}
        }
    }

    /// Nothing is read or written any more.
    pub(crate) fn end(&mut self, work: &mut Workspace) {
        self.change_stage(Stage::Ended, work);
    }

    /// What is spoken has nothing to wait for once it is ending; behind a peer that reads nothing its last word would
    /// wait for ever.
    fn limit_closing(&mut self, now: Now) {
        let is_ending = matches!(&self.stage, Stage::Open { dialogue, .. } if dialogue.is_ending());
        if is_ending && self.closing_until == Monotonic(u64::MAX) {
            self.closing_until = now.monotonic.plus_millis(LINGER_MS_MAX);
        }
    }

    /// Puts the unread beginning of a record and what the socket has into `input`. 0: the client is gone.
    fn fill(&mut self, input: &mut [u8]) -> Result<usize, Errno> {
        let before = self.unread.len();
        let (front, room) = input.split_at_mut_checked(before).ok_or(Errno::NOBUFS)?;
        front.copy_from_slice(&self.unread);
        match rustix::net::recv(&self.socket, room, RecvFlags::empty())? {
            (_, 0) => Ok(0),
            (_, length) => Ok(before + length),
        }
    }

    /// Handles `length` bytes of ciphertext and keeps what is no whole record.
    fn take(&mut self, input: &mut [u8], length: usize, work: &mut Workspace) {
        let input = input.get_mut(..length).unwrap_or_default();
        let shaken = self.shake_hands(input, work);
        match self.open_all(input.get_mut(shaken..).unwrap_or_default(), work) {
            Ok(opened) => {
                self.keep_unread(input.get(shaken + opened..).unwrap_or_default(), length, work.now)
            }
            Err(alert) => self.fail(alert, work),
        }
    }

    /// Returns the bytes that the handshake used up.
    fn shake_hands(&mut self, input: &mut [u8], work: &mut Workspace) -> usize {
        let Stage::Handshake { tls, .. } = &mut self.stage else { return 0 };
        let mut output = std::mem::take(&mut work.output);
        output.clear();
        let result = tls.advance(input, &mut output);
        self.write(&output, work);
        work.output = output;
        match result {
            Ok(progress) => {
                if progress.is_done {
                    self.begin_dialogue(work);
                }
                progress.consumed
            }
            Err(_) => {
                self.linger(work);
                0
            }
        }
    }

    fn begin_dialogue(&mut self, work: &mut Workspace) {
        let Stage::Handshake { tls, site, refusal, .. } = std::mem::replace(&mut self.stage, Stage::Ended)
        else {
            return;
        };
        work.totals.handshakes_in_flight -= 1;
        let Ok(records) = tls.into_records(&mut work.ciphers) else {
            work.totals.handshakes_failed += 1;
            return;
        };
        work.totals.handshakes_done += 1;
        let mut dialogue = match site {
            Some(site) => Dialogue::http(site, work),
            None => Dialogue::frames(self.session(work), work),
        };
        if let Some(refusal) = refusal {
            dialogue.close(refusal);
        }
        self.stage = Stage::Open { channel: Channel::Tls(records), dialogue };
    }

    fn session(&self, work: &Workspace) -> SessionId {
        let Key { slot, generation } = self.key;
        SessionId { event_loop: work.event_loop, slot, generation }
    }

    /// Opens what is whole of `input`; returns the bytes that are done with.
    fn open_all(&mut self, input: &mut [u8], work: &mut Workspace) -> Result<usize, Alert> {
        let mut consumed = 0;
        loop {
            let Stage::Open { channel, dialogue } = &mut self.stage else { return Ok(consumed) };
            let rest = input.get_mut(consumed..).unwrap_or_default();
            if dialogue.is_closing() {
                return Ok(consumed + rest.len());
            }
            let Some((length, opened)) = channel.open(rest, &mut work.ciphers)? else { return Ok(consumed) };
            match opened {
                Opened::Data(plaintext) => {
                    work.totals.records_received += 1;
                    if let Some(http) = dialogue.receive(plaintext, self.socket.as_fd(), work) {
                        self.upgrade(plaintext.get_mut(http..).unwrap_or_default(), work);
                    }
                }
                Opened::Nothing => {}
                Opened::Closed => {
                    self.transmit(work);
                    self.close(Alert::CloseNotify, work);
                    return Ok(input.len());
                }
            }
            consumed += length;
        }
    }

    /// Answers the request for a WebSocket, and takes what came right behind it.
    fn upgrade(&mut self, behind: &mut [u8], work: &mut Workspace) {
        self.transmit(work);
        let session = self.session(work);
        if let Stage::Open { dialogue, .. } = &mut self.stage {
            dialogue.upgrade(session, self.socket.as_fd(), work);
            dialogue.receive(behind, self.socket.as_fd(), work);
        }
    }

    /// Keeps the last bytes of `length`. Their time starts with the first of them: not anew when none of the
    /// bytes was done with.
    fn keep_unread(&mut self, rest: &[u8], length: usize, now: Now) {
        if rest.is_empty() || matches!(self.stage, Stage::Lingering { .. } | Stage::Ended) {
            self.unread = Vec::new();
            self.unread_until = Monotonic(u64::MAX);
            return;
        }
        if self.unread.is_empty() || rest.len() < length {
            self.unread_until = now.monotonic.plus_millis(PARTIAL_FRAME_MS_MAX);
        }
        self.unread.clear();
        self.unread.extend_from_slice(rest);
    }

    /// Writes what is to be said; of files as much as the socket takes, up to a bound.
    fn transmit(&mut self, work: &mut Workspace) {
        let end = work.totals.bytes_sent + HTTP_TURN_BYTES_MAX as u64;
        loop {
            self.transmit_once(work);
            let has_part = matches!(&self.stage, Stage::Open { dialogue, .. } if dialogue.has_part());
            if !has_part || !self.unsent.is_empty() || work.totals.bytes_sent >= end {
                return;
            }
        }
    }

    /// Seals what is to be said and writes it; closes behind a last word.
    fn transmit_once(&mut self, work: &mut Workspace) {
        let Stage::Open { channel, dialogue } = &mut self.stage else { return };
        if !self.is_counted && dialogue.machine().is_some_and(|machine| machine.is_ready()) {
            self.is_counted = true;
            work.totals.sessions += 1;
        }
        let mut plaintext = std::mem::take(&mut work.plaintext);
        plaintext.clear();
        dialogue.transmit(work, &mut plaintext);
        let is_ending = dialogue.is_ending();
        let mut output = std::mem::take(&mut work.output);
        output.clear();
        let sealed = channel.seal(&plaintext, &mut work.ciphers, &mut output);
        work.totals.records_sent += *sealed.as_ref().unwrap_or(&0);
        if !output.is_empty() {
            self.write(&output, work);
        }
        work.plaintext = plaintext;
        work.output = output;
        match sealed {
            Ok(_) if is_ending => self.close(Alert::CloseNotify, work),
            Ok(_) => {}
            Err(_) => self.end(work),
        }
    }

    fn fail(&mut self, alert: Alert, work: &mut Workspace) {
        self.transmit(work);
        self.close(alert, work);
    }

    /// Says a last alert and waits for the client to go.
    fn close(&mut self, alert: Alert, work: &mut Workspace) {
        let Stage::Open { channel, .. } = &mut self.stage else { return };
        let mut output = Vec::new();
        if channel.seal_alert(alert, &mut work.ciphers, &mut output).is_ok() {
            self.write(&output, work);
        }
        self.linger(work);
    }

    fn linger(&mut self, work: &mut Workspace) {
        if !self.has_ended() {
            let until = work.now.monotonic.plus_millis(LINGER_MS_MAX);
            self.change_stage(Stage::Lingering { until, is_shut: false }, work);
        }
    }

    /// The one way out of a stage but for a handshake that succeeds: keeps the counts, tells the core.
    fn change_stage(&mut self, stage: Stage, work: &mut Workspace) {
        match std::mem::replace(&mut self.stage, stage) {
            Stage::Handshake { .. } => {
                work.totals.handshakes_in_flight -= 1;
                work.totals.handshakes_failed += 1;
            }
            Stage::Open { mut dialogue, .. } => {
                work.gathered.to_core.extend(dialogue.machine().and_then(EdgeMachine::detach));
            }
            Stage::Lingering { .. } | Stage::Ended => {}
        }
        if std::mem::take(&mut self.is_counted) {
            work.totals.sessions -= 1;
        }
        if self.has_ended() {
            work.totals.reading_paused -= u64::from(!self.interest.reads);
            self.interest = Interest::READS;
        }
        self.unread = Vec::new();
    }

    /// Writes behind what is unsent; keeps what the socket does not take.
    fn write(&mut self, output: &[u8], work: &mut Workspace) {
        let written = if self.unsent.is_empty() { self.send(output, work) } else { 0 };
        self.unsent.extend_from_slice(output.get(written..).unwrap_or_default());
    }

    /// `true` when nothing is left.
    fn write_unsent(&mut self, work: &mut Workspace) -> bool {
        let unsent = std::mem::take(&mut self.unsent);
        let written = self.send(&unsent, work);
        if written < unsent.len() {
            self.unsent = unsent;
            self.unsent.drain(..written);
        }
        self.unsent.is_empty()
    }

    /// Returns the bytes taken. A broken socket takes everything, and the connection ends.
    fn send(&mut self, output: &[u8], work: &mut Workspace) -> usize {
        if output.is_empty() {
            return 0;
        }
        work.totals.writes += 1;
        match rustix::net::send(&self.socket, output, SendFlags::NOSIGNAL) {
            Ok(written) => {
                work.totals.bytes_sent += written as u64;
                written
            }
            Err(Errno::WOULDBLOCK | Errno::INTR) => 0,
            Err(_) => {
                self.end(work);
                output.len()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_need_makes_no_other_connection_larger() {
        // 704 for keys, 328 for the machine.
        assert!(size_of::<Connection>() <= 1_120, "{} bytes", size_of::<Connection>());
    }
}
