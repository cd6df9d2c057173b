//! One TLS connection over a socket that never blocks.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustls::ClientConnection;
use rustls_pki_types::ServerName;

/// Bytes read from a socket at once.
pub(crate) const READ_BYTES: usize = 64 * 1_024;
/// Connections from one source address; a little below the number of ephemeral ports.
const CONNECTIONS_PER_SOURCE: usize = 25_000;

/// Where the server is, and how to talk to it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<rustls::ClientConfig>,
}

/// A socket and its TLS state.
pub(crate) struct Transport {
    socket: TcpStream,
    tls: ClientConnection,
}

/// What became of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Open,
    Closed,
}

impl Transport {
    /// Begins to connect. `number` spreads many connections over the loopback network's addresses.
    pub(crate) fn open(endpoint: &Endpoint, number: usize) -> io::Result<Self> {
        let name = ServerName::IpAddress(endpoint.address.ip().into());
        let mut tls = ClientConnection::new(Arc::clone(&endpoint.tls), name).map_err(io::Error::other)?;
        // What waits is bounded by the client machine's window.
        tls.set_buffer_limit(None);
        Ok(Self { socket: connect(endpoint.address, number)?, tls })
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn is_secured(&self) -> bool {
        !self.tls.is_handshaking()
    }

    /// Bytes wait for the socket.
    pub(crate) fn is_behind(&self) -> bool {
        self.tls.wants_write()
    }

    /// Appends what arrived to `plain`. `buffer` is only used meanwhile.
    pub(crate) fn read(&mut self, buffer: &mut [u8], plain: &mut Vec<u8>) -> io::Result<Peer> {
        loop {
            let length = match self.socket.read(buffer) {
                Ok(0) => return Ok(Peer::Closed),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Peer::Open),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let peer = self.take(buffer.get(..length).unwrap_or_default(), plain)?;
            if peer == Peer::Closed || length < buffer.len() {
                return Ok(peer);
            }
        }
    }

    /// Encrypts `plain` and writes as much as the socket takes; see [`Self::is_behind`].
    pub(crate) fn write(&mut self, plain: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(plain)?;
        self.flush()
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_not_yet(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says goodbye, if that can be done at once.
    pub(crate) fn close(mut self) {
        self.tls.send_close_notify();
        // The server sees the end of the connection in any case.
        let _ = self.flush();
    }

    fn take(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> io::Result<Peer> {
        while !bytes.is_empty() {
            self.tls.read_tls(&mut bytes)?;
            let state = self.tls.process_new_packets().map_err(io::Error::other)?;
            let (length, closed) = (state.plaintext_bytes_to_read(), state.peer_has_closed());
            let from = plain.len();
            plain.resize(from + length, 0);
            self.tls.reader().read_exact(plain.get_mut(from..).unwrap_or_default())?;
            if closed {
                return Ok(Peer::Closed);
            }
        }
        Ok(Peer::Open)
    }
}

/// A write to a socket that is full, or not connected yet.
fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected)
}

fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    rustix::net::sockopt::set_tcp_nodelay(&socket, true)?;
    if let Some(source) = source(address, number) {
        rustix::net::bind(&socket, &SocketAddr::from((source, 0)))?;
    }
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

/// Another source address for each of so many connections: ports are counted per pair of addresses.
fn source(address: SocketAddr, number: usize) -> Option<Ipv4Addr> {
    let block = u8::try_from(number / CONNECTIONS_PER_SOURCE).unwrap_or(u8::MAX);
    match address.ip() {
        IpAddr::V4(ip) if ip.is_loopback() && block > 0 => Some(Ipv4Addr::new(127, 0, 1, block)),
        _ => None,
    }
}
