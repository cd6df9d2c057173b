//! A running edge: its listeners and the threads of its event loops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use iris_cluster::CoreLink;
use iris_protocol::DrainHint;
use iris_protocol::server::ServerConfig;

use crate::admission::{Admission, AdmissionLimits};
use crate::clock::Clock;
use crate::control::{Control, DrainOrder};
use crate::event_loop::EventLoop;
use crate::inbox::EdgeInbox;
use crate::listener;
use crate::machine::TokenCheck;
use crate::tls::TlsConfig;
use crate::web::{Entrance, Service, WebListener};

pub use crate::control::Statistics;

/// What an edge needs.
pub struct EdgeConfig {
    /// Port 0: a free one, see [`Edge::local_address`].
    pub address: SocketAddr,
    /// Where browsers connect, if anywhere.
    pub web: Vec<WebListener>,
    /// One event loop is started for each: [`EdgeInbox::for_loops`]. The core has the same ones.
    pub inboxes: Vec<Arc<EdgeInbox>>,
    pub tls: TlsConfig,
    pub token_check: Arc<TokenCheck>,
    /// Versions offered and bounds.
    pub protocol: Arc<ServerConfig>,
    pub clock: Arc<dyn Clock>,
    /// Who may come in how often.
    pub admission: AdmissionLimits,
    /// Connections that may be open at once, each with a descriptor. Further ones wait to be accepted. Every loop
    /// has the same part of them, since the kernel deals connections out evenly.
    pub connections_max: usize,
}

/// Why an edge does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot start an event loop: {0}")]
    EventLoop(io::Error),
}

/// A running edge. Dropping it stops it.
pub struct Edge {
    local_address: SocketAddr,
    web_addresses: Vec<SocketAddr>,
    inboxes: Vec<Arc<EdgeInbox>>,
    control: Arc<Control>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Edge {
    /// Listens, and starts one thread per inbox.
    ///
    /// # Errors
    /// [`StartError`] when the address is taken or not ours, or descriptors or threads have run out.
    pub fn start(config: EdgeConfig, core: Arc<dyn CoreLink>) -> Result<Self, StartError> {
        let event_loops = config.inboxes.len();
        let refused = |address| move |source| StartError::Listen { address, source };
        let listeners = listener::listen(config.address, event_loops).map_err(refused(config.address))?;
        let local_address = listeners.address;
        let mut entrances = vec![Entrance { sockets: listeners.sockets, service: Service::Frames }];
        let mut web_addresses = Vec::new();
        for web in &config.web {
            let (address, more) = web.listen(event_loops).map_err(refused(web.place.address()))?;
            web_addresses.push(address);
            entrances.extend(more);
        }
        let control = Arc::new(Control::new(event_loops));
        let admission = Arc::new(Admission::new(config.admission));
        let mut edge = Self {
            local_address,
            web_addresses,
            inboxes: config.inboxes.clone(),
            control: Arc::clone(&control),
            threads: Vec::new(),
        };
        for number in 0..event_loops {
            let doors = entrances
                .iter_mut()
                .filter_map(|entrance| Some((entrance.sockets.pop()?, entrance.service.clone())));
            let (core, control, admission) =
                (Arc::clone(&core), Arc::clone(&control), Arc::clone(&admission));
            let event_loop = EventLoop::new(number, doors.collect(), &config, core, control, admission)
                .map_err(StartError::EventLoop)?;
            edge.threads.push(spawn(number, event_loop).map_err(StartError::EventLoop)?);
        }
        Ok(edge)
    }

    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Of [`EdgeConfig::web`], in its order.
    #[must_use]
    pub fn web_addresses(&self) -> &[SocketAddr] {
        &self.web_addresses
    }

    #[must_use]
    pub fn inboxes(&self) -> &[Arc<EdgeInbox>] {
        &self.inboxes
    }

    /// Stops accepting, tells every client to come back later, and closes what is left after `grace`. Returns at
    /// once: see [`Self::wait_until_empty`].
    pub fn drain(&self, hint: DrainHint, grace: Duration) {
        self.control
            .drain(DrainOrder { hint, grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX) });
        self.wake();
    }

    /// Waits until no connection is left, at most `limit`; whether that is so.
    #[must_use]
    pub fn wait_until_empty(&self, limit: Duration) -> bool {
        self.control.wait_until_empty(limit)
    }

    /// Closes every connection and ends the threads.
    ///
    /// # Errors
    /// What ended an event loop before, if one failed.
    pub fn stop(mut self) -> io::Result<()> {
        self.join()
    }

    /// Makes every loop look at the clock.
    pub fn wake(&self) {
        self.inboxes.iter().for_each(|inbox| inbox.wake());
    }

    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.control.statistics()
    }

    fn join(&mut self) -> io::Result<()> {
        self.control.stop();
        self.wake();
        let results: Vec<_> = self.threads.drain(..).map(JoinHandle::join).collect();
        results.into_iter().try_for_each(|result| {
            result.unwrap_or_else(|_| Err(io::Error::other("an event loop of the edge panicked")))
        })
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // `stop` returns the error; who drops does not want it.
        let _ = self.join();
    }
}

/// The only place of the edge that starts threads.
#[allow(clippy::disallowed_methods, reason = "one thread per event loop")]
fn spawn(number: usize, event_loop: EventLoop) -> io::Result<JoinHandle<io::Result<()>>> {
    std::thread::Builder::new().name(format!("edge-{number}")).spawn(move || event_loop.run())
}
