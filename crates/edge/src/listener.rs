//! Listening sockets: one per event loop on the same port, so that the kernel spreads the connections.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

/// Connections that the kernel holds for us while we accept no more; it caps this at `net.core.somaxconn`.
const BACKLOG: i32 = 4_096;

/// One socket per event loop, all on `address`.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) sockets: Vec<OwnedFd>,
    pub(crate) address: SocketAddr,
}

/// # Errors
/// When the address is taken by somebody else, not ours, or not permitted.
pub(crate) fn listen(address: SocketAddr, count: usize) -> io::Result<Listeners> {
    let mut listeners = Listeners { sockets: Vec::with_capacity(count), address };
    // A first socket without SO_REUSEPORT finds out whether somebody else has the port: two servers of one user
    // would otherwise share it silently.
    let probe = bound(address, false)?;
    listeners.address = address_of(&probe)?;
    drop(probe);
    for _ in 0..count {
        let socket = bound(listeners.address, true)?;
        net::listen(&socket, BACKLOG)?;
        listeners.sockets.push(socket);
    }
    Ok(listeners)
}

fn bound(address: SocketAddr, shared: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, shared)?;
    net::bind(&socket, &address)?;
    Ok(socket)
}

fn address_of(socket: &OwnedFd) -> io::Result<SocketAddr> {
    SocketAddr::try_from(net::getsockname(socket)?).map_err(|_| io::Error::other("not an internet socket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_share_a_port_and_others_cannot_have_it() -> io::Result<()> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = listen(any, 3)?;
        assert_eq!(listeners.sockets.len(), 3);
        assert_ne!(listeners.address.port(), 0);
        for socket in &listeners.sockets {
            assert_eq!(address_of(socket)?, listeners.address);
        }
        let taken = listen(listeners.address, 1).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(taken, Err(io::ErrorKind::AddrInUse));
        Ok(())
    }
}
