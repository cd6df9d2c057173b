use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use iris_protocol::client::{ClientConfig, ClientConnection, ClientEvent};
use iris_protocol::{Capabilities, Versions};
use iris_types::request::{RequestId, SendMessage};
use iris_types::{Body, BodyKind, DeviceId, ErrorCode, MessageId, Monotonic, Offset, UserId};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

use super::{PATIENCE, START, World};

/// A TLS client on a blocking socket.
pub struct TlsClient {
    pub socket: TcpStream,
    pub tls: rustls::ClientConnection,
}

/// What carries frames: TLS, or a WebSocket.
pub trait Stream {
    fn write(&mut self, frames: &[u8]);
    /// Waits for bytes; empty when the server closed.
    fn read(&mut self) -> Vec<u8>;
}

/// A client that speaks the protocol.
pub struct Client<S = TlsClient> {
    pub stream: S,
    pub machine: ClientConnection,
    pub events: VecDeque<ClientEvent>,
}

pub fn tls_config(world: &World, provider: CryptoProvider) -> Arc<rustls::ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(world.authority.clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub fn connect(world: &World) -> TcpStream {
    let socket = TcpStream::connect(world.address()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Reads until the server closes; whatever it sent. Fails the test when it does not close.
pub fn read_to_close(socket: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match socket.read_to_end(&mut all) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "not closed"),
    }
    all
}

impl TlsClient {
    pub fn connect(world: &World) -> Self {
        Self::with(world, tls_config(world, aws_lc_rs::default_provider()))
    }

    pub fn with(world: &World, config: Arc<rustls::ClientConfig>) -> Self {
        let tls = rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let mut client = Self { socket: connect(world), tls };
        while client.tls.is_handshaking() {
            client.tls.complete_io(&mut client.socket).unwrap();
        }
        client
    }

    pub fn flush(&mut self) {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket).unwrap();
        }
    }

    /// Reads until the server closes.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let part = self.read();
            if part.is_empty() {
                return all;
            }
            all.extend(part);
        }
    }
}

impl Stream for TlsClient {
    fn write(&mut self, plaintext: &[u8]) {
        let mut rest = plaintext;
        while !rest.is_empty() {
            let taken = self.tls.writer().write(rest).unwrap();
            rest = &rest[taken..];
            self.flush();
        }
    }

    fn read(&mut self) -> Vec<u8> {
        let mut plaintext = vec![0; 64 * 1_024];
        loop {
            match self.tls.reader().read(&mut plaintext) {
                Ok(length) => {
                    plaintext.truncate(length);
                    return plaintext;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Vec::new(),
            }
            match self.tls.read_tls(&mut self.socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Vec::new(),
                Err(error) => panic!("nothing came: {error}"),
            }
            if self.tls.process_new_packets().is_err() {
                return Vec::new();
            }
            self.flush();
        }
    }
}

pub fn message(to: &str, number: u64, body: &[u8]) -> SendMessage {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    SendMessage {
        id: MessageId::from_parts(START, random),
        to: UserId::new(to).unwrap().into(),
        previous: None,
        body: Body::new(BodyKind(7), Bytes::copy_from_slice(body)).unwrap(),
    }
}

impl Client {
    /// Sends Hello and login, waits for nothing.
    pub fn begin(world: &World, user: &str, versions: Versions) -> Self {
        Self::over(TlsClient::connect(world), &world.token(user, 3_600), versions)
    }

    /// Asks without reading a single answer until the server reads no further: then it owes as much as it may.
    pub fn ask_until_read_no_further(&mut self, world: &World) {
        self.stream.socket.set_nonblocking(true).unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test waits only so long")]
        let began = std::time::Instant::now();
        while world.edge.statistics().reading_paused == 0 {
            assert!(began.elapsed() < PATIENCE, "still read");
            if self.stream.tls.wants_write() {
                let _ = self.stream.tls.write_tls(&mut self.stream.socket);
                continue;
            }
            (0..1_000).for_each(|_| self.machine.ping(Monotonic(0)));
            let mut out = Vec::new();
            self.machine.transmit(&mut out);
            self.stream.tls.writer().write_all(&out).unwrap();
        }
        self.stream.socket.set_nonblocking(false).unwrap();
    }

    /// Logged in.
    pub fn login(world: &World, user: &str, versions: Versions) -> Self {
        let mut client = Self::begin(world, user, versions);
        client.wait_until_ready();
        client
    }

    /// Logged in and live.
    pub fn live(world: &World, user: &str, versions: Versions) -> Self {
        let mut client = Self::login(world, user, versions);
        client.sync_to_the_end(Offset::ZERO);
        client
    }
}

impl<S: Stream> Client<S> {
    pub fn over(stream: S, token: &str, versions: Versions) -> Self {
        let config = ClientConfig {
            versions,
            capabilities: Capabilities::ALL,
            token: Bytes::copy_from_slice(token.as_bytes()),
            device: DeviceId::new("phone").unwrap(),
            nonce: [7; 16],
            at: START,
        };
        let machine = ClientConnection::new(config, Monotonic(0));
        let mut client = Self { stream, machine, events: VecDeque::new() };
        client.flush();
        client
    }

    pub fn wait_until_ready(&mut self) {
        self.wait(|event| matches!(event, ClientEvent::Ready { .. }));
    }

    /// Syncs page by page until live; the offset of the last entry.
    pub fn sync_to_the_end(&mut self, after: Offset) -> Offset {
        self.machine.sync(RequestId(1_000_000), after);
        loop {
            self.flush();
            match self.wait(|event| matches!(event, ClientEvent::PageEnd { .. })) {
                ClientEvent::PageEnd { last, live: true, .. } => return last,
                ClientEvent::PageEnd { last, .. } => self.machine.acknowledge(last),
                _ => unreachable!(),
            }
        }
    }

    pub fn send(&mut self, number: u32, to: &str, body: &[u8]) {
        self.machine.send(RequestId(number), &message(to, u64::from(number), body));
    }

    pub fn flush(&mut self) {
        let mut out = Vec::new();
        if self.machine.transmit(&mut out) {
            self.stream.write(&out);
        }
    }

    /// The same in several writes, each of whole frames.
    pub fn flush_in_messages_of(&mut self, bytes: usize) {
        let mut out = Vec::new();
        self.machine.transmit(&mut out);
        let mut message = Vec::new();
        let mut rest = out.as_slice();
        while let Ok(Some(frame)) =
            iris_protocol::frame::split(rest, iris_types::limits::FRAME_PAYLOAD_BYTES_MAX)
        {
            let whole = &rest[..rest.len() - frame.rest.len()];
            if message.len() + whole.len() > bytes {
                self.stream.write(&std::mem::take(&mut message));
            }
            message.extend_from_slice(whole);
            rest = frame.rest;
        }
        self.stream.write(&message);
    }

    /// The next event; `None` when the server closed without another word.
    pub fn next(&mut self) -> Option<ClientEvent> {
        while self.events.is_empty() {
            let plaintext = self.stream.read();
            if plaintext.is_empty() {
                return None;
            }
            let mut events = Vec::new();
            self.machine.receive(&plaintext, Monotonic(0), &mut events);
            self.events.extend(events);
            self.flush();
        }
        self.events.pop_front()
    }

    /// Skips events until one is as wanted.
    pub fn wait(&mut self, wanted: impl Fn(&ClientEvent) -> bool) -> ClientEvent {
        loop {
            let event = self.next().expect("the server closed");
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Why the server closed, in its own words.
    pub fn closed_with(&mut self) -> Option<ErrorCode> {
        let mut code = None;
        while let Some(event) = self.next() {
            if let ClientEvent::Closed { refusal, .. } = event {
                code = Some(refusal.code);
            }
        }
        code
    }
}
