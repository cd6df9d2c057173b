//! One event loop: sockets, inbox, deadlines, and the turns that serve them.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use iris_cluster::{CoreLink, ToCore, ToEdge};
use iris_types::limits::{HANDSHAKES_IN_FLIGHT_MAX, LINK_ITEMS_MAX};
use iris_types::request::SessionId;
use iris_types::{ErrorCode, Monotonic};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::acceptor::Acceptor;
use crate::admission::{AddressKey, Admission, Verdict};
use crate::clock::Clock;
use crate::connection::Connection;
use crate::control::Control;
use crate::edge::EdgeConfig;
use crate::inbox::EdgeInbox;
use crate::newcomers::Newcomers;
use crate::pace::Turn;
use crate::slab::{Key, Slab};
use crate::sweep::Sweep;
use crate::web::Service;
use crate::workspace::Workspace;

/// Descriptors that one turn serves.
const EVENTS_PER_TURN: usize = 1_024;
/// Connections accepted in one turn, so that a storm of new ones does not starve the others.
const ACCEPTS_PER_TURN: usize = 64;
/// Milliseconds until what the core had no room for is offered again.
const OFFER_AGAIN_MS: u64 = iris_types::limits::OFFER_AGAIN_MS;

/// Generation 0 is no connection's. From 1 on: listeners.
const INBOX: u64 = 0;

/// One loop and everything it owns. Runs on its own thread.
pub(crate) struct EventLoop {
    number: usize,
    epoll: OwnedFd,
    /// Empty once draining.
    acceptors: Vec<Acceptor>,
    connections_max: usize,
    inbox: Arc<EdgeInbox>,
    core: Arc<dyn CoreLink>,
    control: Arc<Control>,
    clock: Arc<dyn Clock>,
    slab: Slab,
    work: Workspace,
    sweep: Sweep,
    newcomers: Newcomers,
    /// Connections that may have something to write or have ended.
    touched: Vec<Key>,
    from_core: Vec<ToEdge>,
    /// When a drain closes what is left.
    close_at: Option<Monotonic>,
}

impl EventLoop {
    pub(crate) fn new(
        number: usize,
        doors: Vec<(OwnedFd, Service)>,
        config: &EdgeConfig,
        core: Arc<dyn CoreLink>,
        control: Arc<Control>,
        admission: Arc<Admission>,
    ) -> io::Result<Self> {
        let too_many =
            || io::Error::new(io::ErrorKind::InvalidInput, "more event loops than can be numbered");
        let inbox = Arc::clone(config.inboxes.get(number).ok_or_else(too_many)?);
        let number_in_sessions = u16::try_from(number).map_err(|_| too_many())?;
        let work = Workspace::new(number_in_sessions, config, admission);
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, inbox.descriptor(), EventData::new_u64(INBOX), EventFlags::IN)?;
        let acceptors = (INBOX + 1..)
            .zip(doors)
            .map(|(token, (socket, service))| Acceptor::new(socket, token, service, &epoll))
            .collect::<io::Result<_>>()?;
        Ok(Self {
            number,
            acceptors,
            connections_max: (config.connections_max / config.inboxes.len()).max(1),
            epoll,
            inbox,
            core,
            control,
            clock: Arc::clone(&config.clock),
            slab: Slab::default(),
            sweep: Sweep::new(work.now.monotonic),
            work,
            newcomers: Newcomers::default(),
            touched: Vec::new(),
            from_core: Vec::new(),
            close_at: None,
        })
    }

    /// Takes turns until the edge stops.
    ///
    /// # Errors
    /// When epoll fails: the process is out of memory or descriptors were mixed up.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_PER_TURN);
        while !self.control.is_stopping() {
            self.wait(&mut events)?;
            let turn = Turn::begin(self.work.totals.writes);
            self.turn(&events)?;
            turn.rest(self.work.totals.writes);
        }
        self.stop();
        Ok(())
    }

    fn wait(&mut self, events: &mut Vec<Event>) -> io::Result<()> {
        events.clear();
        let timeout = if self.inbox.may_sleep() && !self.control.is_stopping() {
            self.sleep_ms().map(timespec)
        } else {
            Some(timespec(0))
        };
        let waited = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), timeout.as_ref());
        self.inbox.stays_awake();
        match waited {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How long nothing is to be done unless something happens; `None`: for ever.
    fn sleep_ms(&self) -> Option<u64> {
        let now = self.work.now.monotonic;
        let sweep = (self.slab.len() > 0).then(|| self.sweep.next());
        let accept = self.acceptors.iter().filter_map(|acceptor| acceptor.resume_at(now)).min();
        let offer = (!self.work.gathered.to_core.is_empty()).then(|| now.plus_millis(OFFER_AGAIN_MS));
        let until = [sweep, accept, offer, self.close_at].into_iter().flatten().min()?;
        Some(until.millis_since(now))
    }

    /// Reads everything, hands it to the core at once, takes everything from the core, writes at last.
    fn turn(&mut self, events: &[Event]) -> io::Result<()> {
        self.work.now = self.clock.now();
        self.work.totals.turns += 1;
        self.follow_orders();
        for event in events {
            self.handle_event(*event);
        }
        self.meet_deadlines();
        self.submit();
        self.take_inbox();
        self.flush()?;
        self.watch_listeners()?;
        self.publish();
        Ok(())
    }

    fn handle_event(&mut self, event: Event) {
        match event.data.u64() {
            INBOX => self.inbox.silence(),
            token if Key::from_u64(token).generation == 0 => self.accept((token - INBOX - 1) as usize),
            data => self.handle_socket(Key::from_u64(data), event.flags),
        }
    }

    fn handle_socket(&mut self, key: Key, flags: EventFlags) {
        let Some(connection) = self.slab.at(key) else { return };
        if flags.contains(EventFlags::IN) {
            connection.read(&mut self.work);
        } else if flags.intersects(EventFlags::ERR | EventFlags::HUP) {
            connection.read_or_end(&mut self.work);
        }
        self.touch(key);
    }

    fn accept(&mut self, door: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            if !self.has_room() {
                return;
            }
            let now = self.work.now.monotonic;
            let Some(acceptor) = self.acceptors.get_mut(door) else { return };
            let Some(socket) = acceptor.accept(now) else { return };
            let service = acceptor.service().clone();
            self.work.totals.accepted += 1;
            let refusal = match self.admit(&socket, &service) {
                Verdict::Admitted => None,
                Verdict::Refused(refusal) => Some(refusal),
                Verdict::Dropped => continue,
            };
            self.make_room();
            let (epoll, work) = (&self.epoll, &mut self.work);
            let key = self.slab.insert(|key| {
                let token = EventData::new_u64(key.to_u64());
                // Without room in epoll the socket is closed at once: the client tries again.
                epoll::add(epoll, &socket, token, EventFlags::IN).ok()?;
                Connection::new(socket, key, service, refusal, work)
            });
            if let Some(key) = key {
                self.newcomers.add(key, now, &mut self.slab);
            }
        }
    }

    fn admit(&mut self, socket: &OwnedFd, service: &Service) -> Verdict {
        let (from, now) = (AddressKey::of_peer(socket.as_fd()), self.work.now.monotonic);
        let verdict = match service {
            Service::Frames => self.work.admission.connect(from, now),
            Service::Https(_) | Service::LoopbackHttp(_) => self.work.admission.visit(from, now),
        };
        self.work.totals.rate_limited += u64::from(verdict != Verdict::Admitted);
        verdict
    }

    /// Whether one more connection may come: it leaves a descriptor to others, and a place for its handshake is free
    /// or [`Self::make_room`] will free one.
    fn has_room(&mut self) -> bool {
        self.slab.len() < self.connections_max && (self.has_free_place() || self.next_to_leave().is_some())
    }

    fn has_free_place(&self) -> bool {
        self.work.totals.handshakes_in_flight < HANDSHAKES_IN_FLIGHT_MAX as u64
    }

    fn next_to_leave(&mut self) -> Option<Key> {
        self.newcomers.next_to_leave(self.work.now.monotonic, &mut self.slab)
    }

    fn make_room(&mut self) {
        if !self.has_free_place()
            && let Some(key) = self.next_to_leave()
            && let Some(connection) = self.slab.at(key)
        {
            connection.end(&mut self.work);
            self.touch(key);
        }
    }

    fn watch_listeners(&mut self) -> io::Result<()> {
        let (has_room, now) = (self.has_room(), self.work.now.monotonic);
        self.acceptors.iter_mut().try_for_each(|acceptor| acceptor.watch(has_room, now, &self.epoll))
    }

    fn meet_deadlines(&mut self) {
        let now = self.work.now.monotonic;
        for slot in self.sweep.due_slots(now, self.slab.slots()) {
            if let Some((key, connection)) = self.slab.in_slot(slot)
                && connection.deadline() <= now
            {
                connection.handle_deadline(&mut self.work);
                self.touch(key);
            }
        }
        if self.sweep.has_completed_round() {
            self.work.ciphers.forget_unused();
            self.publish_cpu();
        }
        if self.close_at.is_some_and(|close_at| now >= close_at) {
            self.close_at = None;
            self.for_each(|connection, work| connection.close_with(ErrorCode::Draining, work));
        }
    }

    fn follow_orders(&mut self) {
        if self.acceptors.is_empty() {
            return;
        }
        if let Some(order) = self.control.drain_order() {
            // Closing a listener turns away who waits in its queue; another server may take the port.
            self.acceptors.clear();
            self.close_at = Some(self.work.now.monotonic.plus_millis(order.grace_ms));
            self.for_each(|connection, work| connection.drain(order.hint, work));
        }
    }

    fn for_each(&mut self, mut action: impl FnMut(&mut Connection, &mut Workspace)) {
        for slot in 0..self.slab.slots() {
            if let Some((key, connection)) = self.slab.in_slot(slot) {
                action(connection, &mut self.work);
                self.touch(key);
            }
        }
    }

    /// One call for everything that the turn gathered; what the core has no room for is refused here.
    fn submit(&mut self) {
        if self.work.gathered.to_core.is_empty() {
            return;
        }
        let offered = self.work.gathered.to_core.len();
        let mut batch = std::mem::take(&mut self.work.gathered.to_core);
        self.core.submit(&mut batch);
        self.work.totals.submitted += (offered - batch.len()) as u64;
        self.work.totals.refused_busy += batch.len() as u64;
        let mut kept = 0;
        batch.retain(|refused| {
            let keep = kept < LINK_ITEMS_MAX && self.refuse(refused);
            kept += usize::from(keep);
            keep
        });
        self.work.gathered.to_core = batch;
    }

    /// Whether to offer this again: see [`crate::machine::EdgeMachine::refuse`].
    fn refuse(&mut self, refused: &ToCore) -> bool {
        let key = key_of(session_of(refused));
        let now = self.work.now;
        match self.slab.at(key).and_then(Connection::machine) {
            Some(machine) => {
                let keep = machine.refuse(refused, now);
                self.touch(key);
                keep
            }
            None => matches!(refused, ToCore::Detach { .. }),
        }
    }

    fn take_inbox(&mut self) {
        let mut items = std::mem::take(&mut self.from_core);
        self.inbox.take(&mut items);
        for item in items.drain(..) {
            let key = key_of(addressee(&item));
            if let Some(connection) = self.slab.at(key) {
                connection.handle(item, &self.work);
                self.touch(key);
            }
        }
        self.from_core = items;
    }

    fn touch(&mut self, key: Key) {
        if let Some(connection) = self.slab.at(key)
            && !std::mem::replace(&mut connection.is_touched, true)
        {
            self.touched.push(key);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut touched = std::mem::take(&mut self.touched);
        for key in touched.drain(..) {
            let Some(connection) = self.slab.at(key) else { continue };
            connection.is_touched = false;
            connection.flush(&mut self.work);
            if connection.has_ended() {
                self.slab.remove(key);
                continue;
            }
            if let Some(interest) = connection.changed_interest(&mut self.work) {
                let token = EventData::new_u64(key.to_u64());
                epoll::modify(&self.epoll, connection.socket(), token, interest)?;
            }
        }
        self.touched = touched;
        Ok(())
    }

    fn publish(&mut self) {
        let was_empty = self.work.totals.connections == 0;
        self.work.totals.connections = self.slab.len() as u64;
        if let Some(counters) = self.control.counters(self.number) {
            counters.publish(&self.work.totals);
        }
        if self.slab.len() == 0 && (!was_empty || self.acceptors.is_empty()) {
            self.control.announce_empty();
        }
    }

    fn publish_cpu(&self) {
        let used = clock_gettime(ClockId::ThreadCPUTime);
        let micros = used.tv_sec.unsigned_abs() * 1_000_000 + used.tv_nsec.unsigned_abs() / 1_000;
        if let Some(counters) = self.control.counters(self.number) {
            counters.set_cpu(micros);
        }
    }

    /// Says what can be said without waiting, and tells the core.
    fn stop(&mut self) {
        self.work.now = self.clock.now();
        self.for_each(|connection, work| connection.close_with(ErrorCode::Draining, work));
        // A connection that cannot be flushed now is closed below like the others.
        let _ = self.flush();
        self.for_each(Connection::end);
        self.core.submit(&mut self.work.gathered.to_core);
        self.slab = Slab::default();
        self.publish();
    }
}

fn session_of(message: &ToCore) -> SessionId {
    match message {
        ToCore::Attach { session, .. } | ToCore::Detach { session, .. } | ToCore::Request { session, .. } => {
            *session
        }
    }
}

fn addressee(message: &ToEdge) -> SessionId {
    match message {
        ToEdge::Answer { session, .. }
        | ToEdge::Push { session, .. }
        | ToEdge::Presence { session, .. }
        | ToEdge::Typing { session, .. }
        | ToEdge::Close { session, .. } => *session,
    }
}

fn key_of(session: SessionId) -> Key {
    Key { slot: session.slot, generation: session.generation }
}

fn timespec(millis: u64) -> Timespec {
    let seconds = i64::try_from(millis / 1_000).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: (millis % 1_000) as i64 * 1_000_000 }
}
