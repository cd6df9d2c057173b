//! The load generator: many devices in one thread, over epoll.
//!
//! Every device is the client machine of the SDKs with a local database in memory, which has stored whatever it
//! is given at once. What a run does with them is an [`Application`].

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use anyhow::{Context, Result};
use bytes::Bytes;
use iris_client_core::{ClientCore, ClientEvent, Config, Now, Output, Restored, StoreOperation};
use iris_edge::TokenSecret;
use iris_protocol::{ClientFrame, ServerFrame, Versions};
use iris_types::limits::{HANDSHAKE_MS_MAX, TOKEN_LIFETIME_S_MAX};
use iris_types::{DeviceId, Monotonic, UserId};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{Timespec, poll};
use rustix::io::Errno;

use super::clock::Stopwatch;
use super::frames::Frames;
use super::transport::{Endpoint, Peer, READ_BYTES, Transport};

/// Descriptors that one turn serves.
const EVENTS_PER_TURN: usize = 1_024;
/// Descriptors from which on a turn is followed by a rest, so that the next one serves as many.
const EVENTS_MANY: usize = 16;
/// How long: it counts in every latency measured.
const REST: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// What a run does with its devices, and what it writes down.
pub(crate) trait Application {
    /// Whether [`Self::sent`] is to be called.
    const SEES_SENT_FRAMES: bool;

    /// A frame arrived; the client machine has not seen it yet.
    fn arrived(&mut self, who: usize, frame: &ServerFrame);
    /// A frame is on its way to the server.
    fn sent(&mut self, _who: usize, _frame: &ClientFrame) {}
    /// News for the application; it counts as taken when this returns.
    fn event(&mut self, who: usize, event: &ClientEvent, at_us: u64);
    /// Durable when this returns.
    fn store(&mut self, _who: usize, _operations: Vec<StoreOperation>) {}
    /// The device takes a turn: a chance to send.
    fn refill(&mut self, _who: usize, _core: &mut ClientCore, _now: Now) {}
    /// A connection that was open is closed.
    fn closed(&mut self, _who: usize) {}
}

/// How the devices log in.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) endpoint: Endpoint,
    pub(crate) secret: TokenSecret,
    pub(crate) versions: Versions,
    /// Sends of one device on their way at once.
    pub(crate) window: usize,
}

/// Every device and the loop that serves them.
pub(crate) struct Generator {
    access: Access,
    epoll: OwnedFd,
    events: Vec<Event>,
    devices: Vec<Device>,
    /// When a device wants a turn, whatever happens.
    timers: BTreeSet<(Monotonic, usize)>,
    touched: Vec<usize>,
    clock: Stopwatch,
    random: fastrand::Rng,
    buffer: Vec<u8>,
    plain: Vec<u8>,
    outputs: Vec<Output>,
}

struct Device {
    user: UserId,
    name: DeviceId,
    core: Option<ClientCore>,
    transport: Option<Transport>,
    /// The machine knows of the connection.
    secured: bool,
    listens_for_room: bool,
    connect_at: Option<Monotonic>,
    /// A connection that is not secured by then is given up.
    give_up_at: Option<Monotonic>,
    timer: Option<Monotonic>,
    touched: bool,
    incoming: Frames,
    outgoing: Frames,
}

impl Generator {
    pub(crate) fn new(access: Access, clock: Stopwatch, seed: u64) -> Result<Self> {
        Ok(Self {
            access,
            epoll: epoll::create(CreateFlags::CLOEXEC).context("no epoll")?,
            events: Vec::with_capacity(EVENTS_PER_TURN),
            devices: Vec::new(),
            timers: BTreeSet::new(),
            touched: Vec::new(),
            clock,
            random: fastrand::Rng::with_seed(seed),
            buffer: vec![0; READ_BYTES],
            plain: Vec::with_capacity(READ_BYTES),
            outputs: Vec::new(),
        })
    }

    /// Adds a device; it does nothing until [`Self::start`]. Returns its number: 0, 1, 2, ...
    pub(crate) fn add(&mut self, user: UserId, name: DeviceId) -> usize {
        self.devices.push(Device {
            user,
            name,
            core: None,
            transport: None,
            secured: false,
            listens_for_room: false,
            connect_at: None,
            give_up_at: None,
            timer: None,
            touched: false,
            incoming: Frames::default(),
            outgoing: Frames::default(),
        });
        self.devices.len() - 1
    }

    /// Starts the application of a device with what its database holds; it connects in the next turn.
    pub(crate) fn start(&mut self, who: usize, restored: Restored) {
        let (window, versions, seed) = (self.access.window, self.access.versions, self.random.u64(..));
        let Some(device) = self.devices.get_mut(who) else { return };
        let config = Config { window, versions, ..Config::new(device.user.clone(), device.name.clone()) };
        device.core = Some(ClientCore::new(config, restored, seed));
        self.touch(who);
    }

    /// The application of a device dies.
    pub(crate) fn kill(&mut self, who: usize, app: &mut impl Application) {
        let Some(device) = self.devices.get_mut(who) else { return };
        if device.core.take().is_some() && device.transport.take().is_some() {
            app.closed(who);
        }
        device.connect_at = None;
    }

    /// Where the server is from now on; devices that wait to connect do so at once.
    pub(crate) fn server_is_back(&mut self, endpoint: Endpoint) {
        self.access.endpoint = endpoint;
        let now = self.now().monotonic;
        let waiting = self.devices.iter_mut().enumerate().filter(|(_, device)| device.connect_at.is_some());
        for (who, device) in waiting {
            device.connect_at = Some(now);
            if !std::mem::replace(&mut device.touched, true) {
                self.touched.push(who);
            }
        }
    }

    pub(crate) fn core(&mut self, who: usize) -> Option<&mut ClientCore> {
        self.devices.get_mut(who)?.core.as_mut()
    }

    pub(crate) fn cores(&self) -> impl Iterator<Item = &ClientCore> {
        self.devices.iter().filter_map(|device| device.core.as_ref())
    }

    pub(crate) fn now(&self) -> Now {
        self.clock.now()
    }

    /// The device gets a turn in the next turn of the loop.
    pub(crate) fn touch(&mut self, who: usize) {
        if let Some(device) = self.devices.get_mut(who)
            && !std::mem::replace(&mut device.touched, true)
        {
            self.touched.push(who);
        }
    }

    /// Waits until something happens, at most until then (microseconds of the clock), and serves it.
    ///
    /// # Errors
    /// When epoll fails, or descriptors have run out.
    pub(crate) fn turn(&mut self, until_us: u64, app: &mut impl Application) -> Result<()> {
        let mut events = std::mem::take(&mut self.events);
        self.wait(until_us, &mut events)?;
        for event in &events {
            // Only our own numbers were registered.
            let who = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            self.serve_socket(who, event.flags, app);
        }
        self.events = events;
        self.ring_timers();
        let mut touched = std::mem::take(&mut self.touched);
        for who in touched.drain(..) {
            self.serve(who, app)?;
        }
        if self.touched.is_empty() {
            self.touched = touched;
        }
        if self.events.len() >= EVENTS_MANY {
            // Interrupted is rested, too.
            let _ = poll(&mut [], Some(&REST));
        }
        Ok(())
    }

    fn wait(&mut self, until_us: u64, events: &mut Vec<Event>) -> Result<()> {
        events.clear();
        let timer_us = self.timers.first().map_or(u64::MAX, |(at, _)| at.0.saturating_mul(1_000));
        let wait_us = until_us.min(timer_us).saturating_sub(self.clock.micros());
        let wait_us = if self.touched.is_empty() { wait_us.min(1_000_000) } else { 0 };
        let timeout = Timespec {
            tv_sec: i64::try_from(wait_us / 1_000_000).unwrap_or(0),
            tv_nsec: i64::try_from(wait_us % 1_000_000 * 1_000).unwrap_or(0),
        };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("epoll failed"),
        }
    }

    fn ring_timers(&mut self) {
        let now = self.now().monotonic;
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, who)) = self.timers.pop_first() else { return };
            let Some(device) = self.devices.get_mut(who) else { continue };
            device.timer = None;
            self.touch(who);
        }
    }

    fn serve_socket(&mut self, who: usize, flags: EventFlags, app: &mut impl Application) {
        self.touch(who);
        let Some(device) = self.devices.get_mut(who) else { return };
        let Some(transport) = &mut device.transport else { return };
        let mut result = Ok(Peer::Open);
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            self.plain.clear();
            result = transport.read(&mut self.buffer, &mut self.plain);
        }
        if result.is_ok() && flags.contains(EventFlags::OUT) {
            result = transport.flush().and(result);
        }
        if !self.plain.is_empty() {
            self.received(who, app);
        }
        if !matches!(result, Ok(Peer::Open)) {
            self.lose(who, app);
        }
    }

    /// Gives what was read to the machine, after everybody else has seen it.
    fn received(&mut self, who: usize, app: &mut impl Application) {
        let now = self.clock.now();
        let plain = std::mem::take(&mut self.plain);
        if let Some(device) = self.devices.get_mut(who) {
            device.become_secured(&self.access.secret, now);
            device.incoming.feed(&plain, |opcode, payload| {
                if let Ok(frame) = ServerFrame::decode(opcode, payload) {
                    app.arrived(who, &frame);
                }
            });
            if let Some(core) = &mut device.core {
                core.received(&plain, now);
            }
        }
        self.plain = plain;
        self.plain.clear();
    }

    fn lose(&mut self, who: usize, app: &mut impl Application) {
        let now = self.clock.now();
        let Some(device) = self.devices.get_mut(who) else { return };
        if device.transport.take().is_none() {
            return;
        }
        device.give_up_at = None;
        app.closed(who);
        if let Some(core) = &mut device.core {
            core.disconnected(now);
        }
    }

    /// A turn of one device.
    fn serve(&mut self, who: usize, app: &mut impl Application) -> Result<()> {
        let now = self.clock.now();
        let Some(device) = self.devices.get_mut(who) else { return Ok(()) };
        device.touched = false;
        device.become_secured(&self.access.secret, now);
        if device.give_up_at.is_some_and(|at| at <= now.monotonic) {
            self.lose(who, app);
        }
        self.think(who, app, now);
        self.connect(who, app)?;
        self.transmit(who, app);
        self.listen(who)?;
        self.set_timer(who);
        Ok(())
    }

    /// Lets the machine do what follows from what it was told.
    fn think(&mut self, who: usize, app: &mut impl Application, now: Now) {
        let mut outputs = std::mem::take(&mut self.outputs);
        let at_us = self.clock.micros();
        while let Some(device) = self.devices.get_mut(who) {
            let Some(core) = &mut device.core else { break };
            app.refill(who, core, now);
            core.turn(now, &mut outputs);
            if outputs.is_empty() {
                break;
            }
            for output in outputs.drain(..) {
                match output {
                    Output::Connect { at } => device.connect_at = Some(at),
                    Output::Disconnect => {
                        device.give_up_at = None;
                        disconnect(&mut device.transport, who, app);
                    }
                    Output::Store { token, operations } => {
                        app.store(who, operations);
                        core.stored(token);
                    }
                    Output::Event(event) => {
                        app.event(who, &event, at_us);
                        if let Some(mark) = event.mark() {
                            core.handed_over(mark);
                        }
                    }
                }
            }
        }
        self.outputs = outputs;
    }

    fn connect(&mut self, who: usize, app: &mut impl Application) -> Result<()> {
        let now = self.clock.now();
        let Some(device) = self.devices.get_mut(who) else { return Ok(()) };
        if device.connect_at.is_none_or(|at| at > now.monotonic) || device.core.is_none() {
            return Ok(());
        }
        device.connect_at = None;
        disconnect(&mut device.transport, who, app);
        match Transport::open(&self.access.endpoint, who) {
            Ok(transport) => {
                let flags = EventFlags::IN | EventFlags::OUT;
                epoll::add(&self.epoll, transport.descriptor(), EventData::new_u64(who as u64), flags)
                    .context("epoll takes no more descriptors")?;
                device.transport = Some(transport);
                device.secured = false;
                device.listens_for_room = true;
                device.give_up_at = Some(now.monotonic.plus_millis(2 * HANDSHAKE_MS_MAX));
                (device.incoming, device.outgoing) = (Frames::default(), Frames::default());
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                if let Some(core) = &mut device.core {
                    core.disconnected(now);
                }
                self.touch(who);
            }
            Err(error) => return Err(error).context("cannot open a connection (descriptors? `ulimit -n`)"),
        }
        Ok(())
    }

    fn transmit(&mut self, who: usize, app: &mut impl Application) {
        let Some(device) = self.devices.get_mut(who) else { return };
        let (Some(core), Some(transport)) = (&mut device.core, &mut device.transport) else { return };
        if !device.secured || transport.is_behind() {
            return;
        }
        self.plain.clear();
        if !core.transmit(&mut self.plain) {
            return;
        }
        see_sent(&mut device.outgoing, &self.plain, who, app);
        if transport.write(&self.plain).is_err() {
            self.lose(who, app);
            self.touch(who);
        }
    }

    /// Asks to be told when the socket has room, only while something waits for it.
    fn listen(&mut self, who: usize) -> Result<()> {
        let Some(device) = self.devices.get_mut(who) else { return Ok(()) };
        let Some(transport) = &device.transport else { return Ok(()) };
        let wants_room = transport.is_behind();
        if wants_room != device.listens_for_room {
            device.listens_for_room = wants_room;
            let flags = if wants_room { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.epoll, transport.descriptor(), EventData::new_u64(who as u64), flags)
                .context("epoll does not take a change")?;
        }
        Ok(())
    }

    /// A timer that is too early costs a turn; one that is moved at every turn costs more.
    fn set_timer(&mut self, who: usize) {
        let now = self.now().monotonic;
        let Some(device) = self.devices.get_mut(who) else { return };
        let core = device.core.as_ref().and_then(ClientCore::deadline);
        let give_up = device.give_up_at.filter(|_| device.transport.is_some());
        let Some(at) = [core, device.connect_at, give_up].into_iter().flatten().min() else {
            return;
        };
        // What could not be done by now is looked at again, but not without end.
        let at = at.max(now.plus_millis(1));
        if device.timer.is_none_or(|planned| planned > at) {
            if let Some(planned) = device.timer.replace(at) {
                self.timers.remove(&(planned, who));
            }
            self.timers.insert((at, who));
        }
    }
}

impl Device {
    /// Logs in once the handshake is done.
    fn become_secured(&mut self, secret: &TokenSecret, now: Now) {
        let (Some(core), Some(transport)) = (&mut self.core, &self.transport) else { return };
        if self.secured || !transport.is_secured() {
            return;
        }
        self.secured = true;
        self.give_up_at = None;
        // Two tokens of one name and second differ in nothing that matters; revoking one is not benched.
        let id = format!("bench-{}-{}", self.name, now.wall.0);
        if let Ok(token) = iris_edge::token::mint(secret, &self.user, now.wall, TOKEN_LIFETIME_S_MAX, &id) {
            core.connected(Bytes::from(token), now);
        }
    }
}

fn disconnect(transport: &mut Option<Transport>, who: usize, app: &mut impl Application) {
    if let Some(transport) = transport.take() {
        transport.close();
        app.closed(who);
    }
}

fn see_sent<A: Application>(frames: &mut Frames, plain: &[u8], who: usize, app: &mut A) {
    if A::SEES_SENT_FRAMES {
        frames.feed(plain, |opcode, payload| {
            if let Ok(frame) = ClientFrame::decode(opcode, payload) {
                app.sent(who, &frame);
            }
        });
    }
}
