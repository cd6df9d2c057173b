//! A core that answers in the caller's thread, a clock moved by hand, and clients over real TLS.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod client;
pub mod core;
pub mod web;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use iris_edge::{
    AdmissionLimits, Clock, CoreLink, Edge, EdgeConfig, EdgeInbox, Now, Statistics, TlsConfig, TokenSecret,
    WebListener, token,
};
use iris_protocol::server::ServerConfig;
use iris_types::limits::RATE_MAX;
use iris_types::{Monotonic, Timestamp, UserId};
use rustls_pki_types::CertificateDer;

pub use self::client::Client;
pub use self::core::FakeCore;

/// How long a test waits for anything: far longer than a busy machine takes.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const START: Timestamp = Timestamp(1_800_000_000_000);

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct HandClock(Mutex<Now>);

impl HandClock {
    pub fn advance(&self, millis: u64) {
        let mut now = self.0.lock().unwrap();
        now.wall = now.wall.plus_millis(millis);
        now.monotonic = now.monotonic.plus_millis(millis);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap()
    }
}

/// A running edge with a fake core behind it.
pub struct World {
    pub edge: Edge,
    pub core: Arc<FakeCore>,
    pub clock: Arc<HandClock>,
    pub authority: CertificateDer<'static>,
}

/// What an edge of the tests has that others may not have.
struct Setup {
    connections_max: usize,
    event_loops: u16,
    protocol: ServerConfig,
    web: Vec<WebListener>,
    admission: AdmissionLimits,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            connections_max: usize::MAX,
            event_loops: 1,
            protocol: ServerConfig::default(),
            web: Vec::new(),
            admission: AdmissionLimits { connections_per_minute: RATE_MAX, failed_logins_per_hour: RATE_MAX },
        }
    }
}

pub fn secret() -> TokenSecret {
    TokenSecret::new(b"0123456789abcdefghijklmnopqrstuv").unwrap()
}

impl World {
    pub fn new() -> Self {
        Self::with(1, ServerConfig::default())
    }

    pub fn with(event_loops: u16, protocol: ServerConfig) -> Self {
        Self::behind(event_loops, protocol, |core| core)
    }

    /// With something between edge and core.
    pub fn behind(
        event_loops: u16,
        protocol: ServerConfig,
        wrap: impl FnOnce(Arc<FakeCore>) -> Arc<dyn CoreLink>,
    ) -> Self {
        Self::bounded(usize::MAX, event_loops, protocol, wrap)
    }

    /// With so many connections at most.
    pub fn bounded(
        connections_max: usize,
        event_loops: u16,
        protocol: ServerConfig,
        wrap: impl FnOnce(Arc<FakeCore>) -> Arc<dyn CoreLink>,
    ) -> Self {
        Self::start(Setup { connections_max, event_loops, protocol, ..Setup::default() }, wrap)
    }

    /// With listeners for browsers: [`web::listeners`].
    pub fn web() -> Self {
        Self::web_behind(|core| core)
    }

    pub fn web_behind(wrap: impl FnOnce(Arc<FakeCore>) -> Arc<dyn CoreLink>) -> Self {
        Self::start(Setup { web: web::listeners(), ..Setup::default() }, wrap)
    }

    /// The same, and what anybody may do so often only.
    pub fn limited(admission: AdmissionLimits) -> Self {
        Self::start(Setup { web: web::listeners(), admission, ..Setup::default() }, |core| core)
    }

    fn start(setup: Setup, wrap: impl FnOnce(Arc<FakeCore>) -> Arc<dyn CoreLink>) -> Self {
        let Setup { connections_max, event_loops, protocol, web, admission } = setup;
        let (authority, tls) = material();
        let inboxes = EdgeInbox::for_loops(event_loops).unwrap();
        let core = Arc::new(FakeCore::new(inboxes.clone()));
        let now = Now { wall: START, monotonic: Monotonic(1_000) };
        let clock = Arc::new(HandClock(Mutex::new(now)));
        let config = EdgeConfig {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            web,
            inboxes,
            tls,
            token_check: Arc::new(|bytes, now| token::verify(&secret(), bytes, now)),
            protocol: Arc::new(protocol),
            clock: clock.clone(),
            connections_max,
            admission,
        };
        let edge = Edge::start(config, wrap(core.clone())).unwrap();
        Self { edge, core, clock, authority }
    }

    pub fn address(&self) -> SocketAddr {
        self.edge.local_address()
    }

    pub fn token(&self, user: &str, seconds: u64) -> String {
        let jti = format!("jti-{user}-{seconds}");
        token::mint(&secret(), &UserId::new(user).unwrap(), self.clock.now().wall, seconds, &jti).unwrap()
    }

    /// Moves the clock and has every loop look at it.
    pub fn advance(&self, millis: u64) {
        self.clock.advance(millis);
        self.edge.wake();
    }

    /// Moves the clock, and waits until the only loop has taken a whole turn at the new time.
    pub fn advance_and_look(&self, millis: u64) {
        self.clock.advance(millis);
        let turns = self.edge.statistics().turns;
        // The turn that is running may have read the clock before it was moved.
        self.wait_for("another turn", |statistics| statistics.turns >= turns + 2);
    }

    /// Waits until the statistics are as wanted.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Statistics) -> bool) -> Statistics {
        #[allow(clippy::disallowed_methods, reason = "a test waits only so long")]
        let begin = std::time::Instant::now();
        loop {
            let statistics = self.edge.statistics();
            if wanted(&statistics) {
                return statistics;
            }
            assert!(begin.elapsed() < PATIENCE, "still not {what}: {statistics:?}");
            self.edge.wake();
            std::thread::yield_now();
        }
    }
}

/// A certificate for localhost that is its own authority.
pub fn material() -> (CertificateDer<'static>, TlsConfig) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let tls = TlsConfig::from_pem(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).unwrap();
    (cert.der().clone(), tls)
}
