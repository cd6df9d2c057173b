//! Browsers: a WebSocket client that others wrote, and HTTP as text, over TLS and without.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use iris_edge::{WebListener, WebPlace};
use iris_protocol::Versions;
use iris_protocol::http::{Asset, Assets};
use rustls::crypto::aws_lc_rs;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;

use super::client::{Client, Stream, tls_config};
use super::{PATIENCE, World};

/// A page whose WebSockets the listener with TLS takes beside its own.
pub const OTHER_ORIGIN: &str = "https://chat.example.org";
/// More than the sockets of both ends hold.
pub const LARGE_BYTES: usize = 16 * 1_024 * 1_024;

/// Which of [`listeners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Https,
    Http,
}

pub const DOORS: [Door; 2] = [Door::Https, Door::Http];

pub fn listeners() -> Vec<WebListener> {
    let file = |path: &str, bytes: Vec<u8>| Asset { path: path.to_owned(), bytes: bytes.into(), gzip: None };
    let page = file("index.html", b"<p>Iris".to_vec());
    let assets = Arc::new(Assets::new([page, file("assets/large.wasm", large())]));
    let tls = WebPlace::Tls { address: ([127, 0, 0, 1], 0).into(), origins: vec![OTHER_ORIGIN.to_owned()] };
    [tls, WebPlace::Loopback { port: 0 }]
        .map(|place| WebListener { place, assets: Arc::clone(&assets) })
        .to_vec()
}

pub fn large() -> Vec<u8> {
    // 251 divides no size of a part, so that parts that are swapped or missing show.
    let pattern: Vec<u8> = (0..251).collect();
    let mut bytes = pattern.repeat(LARGE_BYTES / pattern.len() + 1);
    bytes.truncate(LARGE_BYTES);
    bytes
}

impl Door {
    pub fn address(self, world: &World) -> SocketAddr {
        world.edge.web_addresses()[self as usize]
    }

    pub fn scheme(self) -> &'static str {
        if self == Self::Https { "https" } else { "http" }
    }

    /// As a browser names it.
    pub fn host(self, world: &World) -> String {
        format!("localhost:{}", self.address(world).port())
    }

    pub fn connect(self, world: &World) -> Pipe {
        let socket = TcpStream::connect(self.address(world)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.set_nodelay(true).unwrap();
        match self {
            Self::Http => Pipe::Plain(socket),
            Self::Https => {
                let config = tls_config(world, aws_lc_rs::default_provider());
                let tls = rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
                Pipe::Tls(Box::new(rustls::StreamOwned::new(tls, socket)))
            }
        }
    }

    /// The head of a request for a WebSocket.
    pub fn websocket_request(host: &str, more: &str) -> String {
        format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
        )
    }

    /// A session over a WebSocket; nothing is waited for.
    pub fn begin(self, world: &World, user: &str) -> Client<WebStream> {
        Client::over(WebStream::open(world, self), &world.token(user, 3_600), Versions::ALL)
    }

    pub fn login(self, world: &World, user: &str) -> Client<WebStream> {
        let mut client = self.begin(world, user);
        client.wait_until_ready();
        client
    }
}

/// A browser's connection.
pub enum Pipe {
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
    Plain(TcpStream),
}

impl Pipe {
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Tls(stream) => &stream.sock,
            Self::Plain(socket) => socket,
        }
    }

    /// Sends `text` and reads one response: its head, and as many bytes as that says.
    pub fn ask(&mut self, text: &str) -> (String, Vec<u8>) {
        self.write_all(text.as_bytes()).unwrap();
        self.flush().unwrap();
        let is_head = text.starts_with("HEAD ");
        self.response(is_head)
    }

    pub fn response(&mut self, is_head: bool) -> (String, Vec<u8>) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(
                self.read(&mut byte).unwrap(),
                1,
                "closed behind {:?}",
                String::from_utf8_lossy(&head)
            );
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = if is_head { 0 } else { length.map_or(0, |length| length.parse().unwrap()) };
        let mut body = vec![0; length];
        self.read_exact(&mut body).unwrap();
        (head, body)
    }

    /// Reads until the server closes. Fails the test when it does not.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        match self.read_to_end(&mut all) {
            Ok(_) => {}
            Err(error) => assert!(
                matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof),
                "{error}"
            ),
        }
        all
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => stream.read(into),
            Self::Plain(socket) => socket.read(into),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => stream.write(bytes),
            Self::Plain(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            Self::Plain(socket) => socket.flush(),
        }
    }
}

/// A WebSocket as a browser opens it.
pub struct WebStream {
    pub socket: tungstenite::WebSocket<Pipe>,
    /// How the server closed.
    pub closed: Option<(u16, String)>,
    pub pongs: Vec<Bytes>,
}

impl WebStream {
    pub fn open(world: &World, door: Door) -> Self {
        let host = door.host(world);
        let mut request = format!("ws://{host}/ws").into_client_request().unwrap();
        let origin = HeaderValue::from_str(&format!("{}://{host}", door.scheme())).unwrap();
        request.headers_mut().insert("Origin", origin);
        let (socket, response) = tungstenite::client(request, door.connect(world)).unwrap();
        assert_eq!(response.status(), 101);
        Self { socket, closed: None, pongs: Vec::new() }
    }
}

impl Stream for WebStream {
    fn write(&mut self, frames: &[u8]) {
        self.socket.send(Message::binary(frames.to_vec())).unwrap();
    }

    fn read(&mut self) -> Vec<u8> {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(frames)) => return frames.to_vec(),
                Ok(Message::Pong(payload)) => self.pongs.push(payload),
                Ok(Message::Close(frame)) => {
                    self.closed = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                }
                Ok(other) => panic!("{other:?}"),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    panic!("nothing came")
                }
                Err(_) => return Vec::new(),
            }
        }
    }
}
