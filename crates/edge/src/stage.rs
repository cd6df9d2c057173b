//! Where a connection is in its life, and what epoll watches for meanwhile.

use std::sync::Arc;

use iris_protocol::http::Site;
use iris_types::limits::HANDSHAKE_MS_MAX;
use iris_types::{Monotonic, Refusal};
use rustix::event::epoll::EventFlags;

use crate::channel::Channel;
use crate::dialogue::Dialogue;
use crate::handshake::Handshake;
use crate::web::Service;
use crate::workspace::Workspace;

/// [`EventFlags`] take four bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

#[allow(
    clippy::large_enum_variant,
    reason = "nearly every connection is open: another allocation costs more"
)]
pub(crate) enum Stage {
    Handshake {
        tls: Box<Handshake>,
        until: Monotonic,
        /// Of a browser.
        site: Option<Arc<Site>>,
        /// What the client is told instead of being served.
        refusal: Option<Refusal>,
    },
    Open {
        channel: Channel,
        dialogue: Dialogue,
    },
    /// Everything is said; waits for the client to read it and close.
    Lingering {
        until: Monotonic,
        is_shut: bool,
    },
    /// To be removed.
    Ended,
}

impl Interest {
    pub(crate) const READS: Self = Self { reads: true, writes: false };
}

impl From<Interest> for EventFlags {
    fn from(interest: Interest) -> Self {
        let mut flags = Self::empty();
        flags.set(Self::IN, interest.reads);
        flags.set(Self::OUT, interest.writes);
        flags
    }
}

impl Stage {
    /// Of a connection that was accepted; `None` when rustls has no connection for it.
    pub(crate) fn first(service: Service, refusal: Option<Refusal>, work: &mut Workspace) -> Option<Self> {
        let site = match service {
            Service::LoopbackHttp(site) => {
                let dialogue = Dialogue::http(site, work);
                return Some(Self::Open { channel: Channel::Plain, dialogue });
            }
            Service::Https(site) => Some(site),
            Service::Frames => None,
        };
        let tls = Box::new(Handshake::new(&work.tls).ok()?);
        work.totals.handshakes_in_flight += 1;
        Some(Self::Handshake { tls, until: work.now.monotonic.plus_millis(HANDSHAKE_MS_MAX), site, refusal })
    }
}
