//! One connection of an event loop: a socket, TLS around the machine, and what is half read or half written.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use iris_cluster::ToEdge;
use iris_protocol::DrainHint;
use iris_types::limits::{HANDSHAKE_MS_MAX, LINGER_MS_MAX, OUTPUT_BYTES_MAX, PARTIAL_FRAME_MS_MAX};
use iris_types::request::SessionId;
use iris_types::{ErrorCode, Monotonic};
use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::clock::Now;
use crate::handshake::Handshake;
use crate::machine::EdgeMachine;
use crate::record::{Alert, Opened, Records, record_length};
use crate::slab::Key;
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
    interest: EventFlags,
    /// Already in the loop's list of connections to flush.
    pub(crate) is_touched: bool,
    is_counted: bool,
}

#[allow(
    clippy::large_enum_variant,
    reason = "nearly every connection is open: another allocation costs more"
)]
enum Stage {
    Handshake {
        tls: Box<Handshake>,
        until: Monotonic,
    },
    Open {
        records: Records,
        machine: EdgeMachine,
    },
    /// Everything is said; waits for the client to read it and close.
    Lingering {
        until: Monotonic,
        is_shut: bool,
    },
    /// To be removed.
    Ended,
}

impl Connection {
    /// `None` when rustls has no connection for it.
    pub(crate) fn new(socket: OwnedFd, key: Key, work: &mut Workspace) -> Option<Self> {
        let tls = Box::new(Handshake::new(&work.tls).ok()?);
        work.totals.handshakes_in_flight += 1;
        Some(Self {
            socket,
            key,
            stage: Stage::Handshake { tls, until: work.now.monotonic.plus_millis(HANDSHAKE_MS_MAX) },
            unread: Vec::new(),
            unread_until: Monotonic(u64::MAX),
            unsent: Vec::new(),
            closing_until: Monotonic(u64::MAX),
            interest: EventFlags::IN,
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
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::OUT, !self.unsent.is_empty());
        wanted.set(EventFlags::IN, self.output_bytes() <= OUTPUT_BYTES_MAX);
        let before = std::mem::replace(&mut self.interest, wanted);
        work.totals.reading_paused += u64::from(!wanted.contains(EventFlags::IN));
        work.totals.reading_paused -= u64::from(!before.contains(EventFlags::IN));
        (wanted != before).then_some(wanted)
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
        if self.interest.contains(EventFlags::IN) { self.read(work) } else { self.end(work) }
    }

    /// A message of the core for this connection.
    pub(crate) fn handle(&mut self, message: ToEdge) {
        if let Some(machine) = self.machine() {
            machine.handle(message);
        }
    }

    pub(crate) fn machine(&mut self) -> Option<&mut EdgeMachine> {
        match &mut self.stage {
            Stage::Open { machine, .. } => Some(machine),
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
            Stage::Open { machine, .. } => {
                let machine = machine.deadline().unwrap_or(Monotonic(u64::MAX));
                machine.min(self.unread_until).min(self.closing_until)
            }
            Stage::Ended => Monotonic(u64::MAX),
        }
    }

    pub(crate) fn handle_deadline(&mut self, work: &mut Workspace) {
        match &mut self.stage {
            Stage::Open { machine, .. } if work.now.monotonic < self.closing_until => {
                machine.handle_deadline(work.now);
                if work.now.monotonic >= self.unread_until {
                    machine.close(ErrorCode::TimedOut);
                }
            }
            _ => self.end(work),
        }
    }

    /// Asks the client to come back later; one that is not even connected yet is turned away.
    pub(crate) fn drain(&mut self, hint: DrainHint, work: &mut Workspace) {
        match &mut self.stage {
            Stage::Open { machine, .. } => machine.drain(hint),
            Stage::Handshake { .. } => self.end(work),
            _ => {}
        }
    }

    /// Tells the client why and closes; one without a session is just closed.
    pub(crate) fn close_with(&mut self, code: ErrorCode, work: &mut Workspace) {
        match &mut self.stage {
            Stage::Open { machine, .. } => machine.close(code),
            Stage::Handshake { .. } => self.end(work),
            _ => {}
        }
    }

    /// Nothing is read or written any more.
    pub(crate) fn end(&mut self, work: &mut Workspace) {
        self.change_stage(Stage::Ended, work);
    }

    /// The machine has nothing to wait for once it is closing; behind a peer that reads nothing its last word would
    /// wait for ever.
    fn limit_closing(&mut self, now: Now) {
        let is_closing = self.machine().is_some_and(|machine| machine.is_closing());
        if is_closing && self.closing_until == Monotonic(u64::MAX) {
            self.closing_until = now.monotonic.plus_millis(LINGER_MS_MAX);
        }
    }

    fn output_bytes(&self) -> usize {
        let pending = match &self.stage {
            Stage::Open { machine, .. } => machine.pending_output_bytes(),
            _ => 0,
        };
        pending + self.unsent.len()
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
        match self.open_records(input.get_mut(shaken..).unwrap_or_default(), work) {
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
                    self.begin_session(work);
                }
                progress.consumed
            }
            Err(_) => {
                self.linger(work);
                0
            }
        }
    }

    fn begin_session(&mut self, work: &mut Workspace) {
        let Stage::Handshake { tls, .. } = std::mem::replace(&mut self.stage, Stage::Ended) else { return };
        work.totals.handshakes_in_flight -= 1;
        let Ok(records) = tls.into_records(&mut work.ciphers) else {
            work.totals.handshakes_failed += 1;
            return;
        };
        work.totals.handshakes_done += 1;
        let Key { slot, generation } = self.key;
        let session = SessionId { event_loop: work.event_loop, slot, generation };
        let machine = EdgeMachine::new(&work.protocol, session, work.now);
        self.stage = Stage::Open { records, machine };
    }

    /// Opens every whole record of `input`; returns the bytes that are done with.
    fn open_records(&mut self, input: &mut [u8], work: &mut Workspace) -> Result<usize, Alert> {
        let mut consumed = 0;
        loop {
            let Stage::Open { records, machine } = &mut self.stage else { return Ok(consumed) };
            let rest = input.get_mut(consumed..).unwrap_or_default();
            if machine.is_closing() {
                return Ok(consumed + rest.len());
            }
            let Some(length) = record_length(rest)? else { return Ok(consumed) };
            let record = rest.get_mut(..length).unwrap_or_default();
            match records.open(record, &mut work.ciphers)? {
                Opened::Data(plaintext) => {
                    work.totals.records_received += 1;
                    machine.receive(plaintext, work.now, &*work.check, &mut work.gathered);
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

    /// Seals what the machine has to say and writes it; closes behind a last word.
    fn transmit(&mut self, work: &mut Workspace) {
        let Stage::Open { records, machine } = &mut self.stage else { return };
        if machine.is_ready() && !self.is_counted {
            self.is_counted = true;
            work.totals.sessions += 1;
        }
        let is_closing = machine.is_closing();
        let mut plaintext = std::mem::take(&mut work.plaintext);
        plaintext.clear();
        machine.transmit(&mut plaintext);
        let mut output = std::mem::take(&mut work.output);
        output.clear();
        let sealed = if plaintext.is_empty() {
            Ok(0)
        } else {
            records.seal(&plaintext, &mut work.ciphers, &mut output)
        };
        work.totals.records_sent += *sealed.as_ref().unwrap_or(&0);
        if !output.is_empty() {
            self.write(&output, work);
        }
        work.plaintext = plaintext;
        work.output = output;
        match sealed {
            Ok(_) if is_closing => self.close(Alert::CloseNotify, work),
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
        let Stage::Open { records, .. } = &mut self.stage else { return };
        let mut output = Vec::new();
        if records.seal_alert(alert, &mut work.ciphers, &mut output).is_ok() {
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
            Stage::Open { mut machine, .. } => work.gathered.to_core.extend(machine.detach()),
            Stage::Lingering { .. } | Stage::Ended => {}
        }
        if std::mem::take(&mut self.is_counted) {
            work.totals.sessions -= 1;
        }
        if self.has_ended() {
            work.totals.reading_paused -= u64::from(!self.interest.contains(EventFlags::IN));
            self.interest = EventFlags::IN;
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
