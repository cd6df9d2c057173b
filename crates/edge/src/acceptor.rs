//! One loop's listening socket: accepts as long as there is room, and waits without spinning when there is not.

use std::io;
use std::os::fd::OwnedFd;

use iris_types::Monotonic;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};

use crate::web::Service;

/// Milliseconds without accepting after descriptors or memory ran out.
const PAUSE_MS: u64 = iris_types::limits::ACCEPT_PAUSE_MS;

/// A listening socket, watched by epoll while its loop accepts.
pub(crate) struct Acceptor {
    socket: OwnedFd,
    token: u64,
    service: Service,
    is_watched: bool,
    pause_until: Monotonic,
}

impl Acceptor {
    pub(crate) fn new(socket: OwnedFd, token: u64, service: Service, epoll: &OwnedFd) -> io::Result<Self> {
        epoll::add(epoll, &socket, EventData::new_u64(token), EventFlags::IN)?;
        Ok(Self { socket, token, service, is_watched: true, pause_until: Monotonic(0) })
    }

    /// What its connections are for.
    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    /// The next connection that waits, if any.
    pub(crate) fn accept(&mut self, now: Monotonic) -> Option<OwnedFd> {
        loop {
            match accept_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => {
                    // Without it a small answer may wait for the acknowledgement of the one before.
                    let _ = sockopt::set_tcp_nodelay(&socket, true);
                    return Some(socket);
                }
                // Gone before we came; or interrupted.
                Err(Errno::CONNABORTED | Errno::INTR | Errno::PROTO | Errno::PERM) => {}
                Err(Errno::WOULDBLOCK) => return None,
                Err(error) => {
                    self.pause(error, now);
                    return None;
                }
            }
        }
    }

    /// Watches or not, as `has_room` and the last pause say.
    pub(crate) fn watch(&mut self, has_room: bool, now: Monotonic, epoll: &OwnedFd) -> io::Result<()> {
        let is_wanted = has_room && now >= self.pause_until;
        if is_wanted != self.is_watched {
            let flags = if is_wanted { EventFlags::IN } else { EventFlags::empty() };
            epoll::modify(epoll, &self.socket, EventData::new_u64(self.token), flags)?;
            self.is_watched = is_wanted;
        }
        Ok(())
    }

    /// When to call [`Self::watch`] again, if a pause is on.
    pub(crate) fn resume_at(&self, now: Monotonic) -> Option<Monotonic> {
        (now < self.pause_until).then_some(self.pause_until)
    }

    fn pause(&mut self, error: Errno, now: Monotonic) {
        if self.pause_until.plus_millis(60_000) <= now || self.pause_until == Monotonic(0) {
            tracing::warn!(%error, "cannot accept connections; see the limit of open files");
        }
        self.pause_until = now.plus_millis(PAUSE_MS);
    }
}
