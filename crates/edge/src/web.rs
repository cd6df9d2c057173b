//! Listeners that serve the web client and its WebSocket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use iris_protocol::http::{Assets, Audience, Site};

use crate::listener::{Listeners, listen};

/// A listener for browsers.
#[derive(Clone, Debug)]
pub struct WebListener {
    pub place: WebPlace,
    pub assets: Arc<Assets>,
}

/// Where browsers connect.
#[derive(Clone, Debug)]
pub enum WebPlace {
    /// HTTPS, with the edge's certificate. Pages of `origins`, beside its own, may open WebSockets.
    Tls { address: SocketAddr, origins: Vec<String> },
    /// Plain HTTP, for trying things out: a page cannot open a WebSocket to an authority that the browser does not know.
    /// On 127.0.0.1 and, if this machine has it, ::1; no other address can be named.
    Loopback { port: u16 },
}

/// What clients of a listener speak.
#[derive(Clone, Debug)]
pub(crate) enum Service {
    Frames,
    Https(Arc<Site>),
    LoopbackHttp(Arc<Site>),
}

/// Sockets of one address, one per event loop, and what is served there.
#[derive(Debug)]
pub(crate) struct Entrance {
    pub(crate) sockets: Vec<OwnedFd>,
    pub(crate) service: Service,
}

impl WebPlace {
    /// Before it is listened at, port 0 has not become a port.
    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Tls { address, .. } => *address,
            Self::Loopback { port } => (Ipv4Addr::LOCALHOST, *port).into(),
        }
    }
}

impl WebListener {
    /// Listens; the (first) address and what comes in there.
    ///
    /// # Errors
    /// When the address is taken by somebody else, not ours, or not permitted.
    pub(crate) fn listen(&self, event_loops: usize) -> io::Result<(SocketAddr, Vec<Entrance>)> {
        let Listeners { sockets, address } = listen(self.place.address(), event_loops)?;
        let site = |audience| Arc::new(Site { assets: Arc::clone(&self.assets), audience });
        match &self.place {
            WebPlace::Tls { origins, .. } => {
                let service = Service::Https(site(Audience::secure(origins.clone())));
                Ok((address, vec![Entrance { sockets, service }]))
            }
            WebPlace::Loopback { .. } => {
                let service = Service::LoopbackHttp(site(Audience::loopback(address.port())));
                let mut entrances = vec![Entrance { sockets, service: service.clone() }];
                // Many machines have no IPv6, and nobody is told of this address.
                if let Ok(also) = listen((Ipv6Addr::LOCALHOST, address.port()).into(), event_loops) {
                    entrances.push(Entrance { sockets: also.sockets, service });
                }
                Ok((address, entrances))
            }
        }
    }
}
