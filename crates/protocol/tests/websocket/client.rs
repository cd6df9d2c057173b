//! A client that others wrote talks to the machines over a pipe in memory.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use iris_protocol::client::{ClientConnection, ClientEvent};
use iris_protocol::http::HeadReader;
use iris_protocol::server::{ServerConfig, ServerConnection, ServerEvent};
use iris_protocol::websocket::{End, Upgrade, WebSocket};
use iris_protocol::{DrainHint, Versions};
use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use iris_types::request::RequestId;
use iris_types::{ErrorCode, Offset};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Bytes, Message};

use super::{NOW, scripted};

/// The server's machines, stacked as a connection stacks them.
struct Server {
    head: Option<HeadReader>,
    socket: WebSocket,
    connection: ServerConnection,
    core: scripted::Core,
    /// Sent, and not read by the client.
    output: Vec<u8>,
}

impl Server {
    fn receive(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let mut consumed = 0;
        if let Some(reader) = &mut self.head {
            let progress = reader.receive(&bytes).unwrap();
            consumed = progress.consumed;
            let Some(head) = progress.head else { return };
            let upgrade = Upgrade::of(&head).unwrap();
            assert_eq!((upgrade.path, upgrade.host, upgrade.origin), ("/ws", "iris.test", None));
            upgrade.accept(&mut self.output);
            self.head = None;
        }
        let mut events = Vec::new();
        let frames = self.socket.receive(&mut bytes[consumed..], NOW);
        if !frames.is_empty() {
            self.connection.receive(frames, NOW, &mut events);
        }
        events.into_iter().for_each(|event| self.serve(event));
        if matches!(self.socket.end(), Some(End::Refused(_))) {
            self.connection.close(ErrorCode::BadFrame);
        }
        self.transmit();
    }

    fn serve(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Authenticate { .. } => self.connection.accept_login(self.core.attached()),
            ServerEvent::Request { id, request } => {
                let (answer, pushed) = self.core.handle(request);
                answer.into_iter().for_each(|answer| self.connection.answer(id, answer));
                pushed.iter().for_each(|entry| self.connection.push(entry));
            }
            ServerEvent::Close => assert!(self.connection.is_closing()),
        }
    }

    fn transmit(&mut self) {
        let mut frames = Vec::new();
        self.connection.transmit(&mut frames);
        if self.connection.is_closing() {
            self.socket.close();
        }
        self.socket.transmit(&frames, &mut self.output);
    }
}

/// The client's end.
#[derive(Clone)]
struct Pipe(Rc<RefCell<Server>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().receive(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let output = &mut self.0.borrow_mut().output;
        if output.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // Little at a time, as a network would.
        let length = into.len().min(output.len()).min(1_000);
        into[..length].copy_from_slice(&output[..length]);
        output.drain(..length);
        Ok(length)
    }
}

/// A whole client: theirs for WebSockets, ours for what goes through.
struct Client {
    socket: tungstenite::WebSocket<Pipe>,
    connection: ClientConnection,
    events: Vec<ClientEvent>,
    server: Rc<RefCell<Server>>,
}

impl Client {
    fn connect() -> Self {
        let server = Server {
            head: Some(HeadReader::new(NOW)),
            socket: WebSocket::new(),
            connection: ServerConnection::new(&Arc::new(ServerConfig::default()), NOW),
            core: scripted::Core::default(),
            output: Vec::new(),
        };
        let server = Rc::new(RefCell::new(server));
        let (socket, response) = tungstenite::client("ws://iris.test/ws", Pipe(Rc::clone(&server))).unwrap();
        assert_eq!(response.status(), 101);
        let connection = ClientConnection::new(scripted::login(Versions::ALL), NOW);
        Self { socket, connection, events: Vec::new(), server }
    }

    /// Sends what waits and reads until nothing comes any more.
    fn settle(&mut self) {
        loop {
            let mut frames = Vec::new();
            if self.connection.transmit(&mut frames) {
                self.socket.send(Message::Binary(frames.into())).unwrap();
            }
            match self.socket.read() {
                Ok(Message::Binary(frames)) => {
                    assert!(are_whole(&frames), "a message carries whole frames");
                    self.connection.receive(&frames, NOW, &mut self.events);
                }
                Ok(other) => panic!("{other:?}"),
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn read(&mut self) -> Result<Message, tungstenite::Error> {
        self.socket.read()
    }

    /// The code and reason that the server closes with, then the end.
    fn read_close(&mut self) -> Option<(u16, String)> {
        let closed = match self.read() {
            Ok(Message::Close(closed)) => closed,
            other => panic!("{other:?}"),
        };
        closed.map(|frame| (frame.code.into(), frame.reason.to_string()))
    }
}

fn are_whole(mut frames: &[u8]) -> bool {
    while let Ok(Some(frame)) = iris_protocol::frame::split(frames, FRAME_PAYLOAD_BYTES_MAX) {
        frames = frame.rest;
    }
    frames.is_empty()
}

#[test]
fn a_session_goes_through() {
    let mut client = Client::connect();
    client.server.borrow_mut().core.receive(1, &"Hi Alice ".repeat(3_000));
    client.settle();
    assert!(client.connection.is_ready());
    client.connection.sync(RequestId(1), Offset(0));
    client.connection.send(RequestId(2), &scripted::message(2, "Hi Bob"));
    client.settle();
    let kinds: Vec<&str> = client
        .events
        .iter()
        .map(|event| match event {
            ClientEvent::Entries { .. } => "entries",
            ClientEvent::Sent { .. } => "sent",
            _ => "other",
        })
        .collect();
    assert!(kinds.contains(&"entries") && kinds.contains(&"sent"), "{kinds:?}");
    let mut server = client.server.borrow_mut();
    server.connection.drain(DrainHint { reconnect_after_ms: 1, jitter_ms: 1 });
    server.connection.close(ErrorCode::Draining);
    server.transmit();
    drop(server);
    assert!(matches!(client.read(), Ok(Message::Binary(_))), "Drain and Closed");
    assert_eq!(client.read_close(), Some((1_000, String::new())));
}

#[test]
fn pings_come_back_and_a_close_is_answered() {
    let mut client = Client::connect();
    for payload in [&b""[..], b"still there?", &[7; 125]] {
        client.socket.send(Message::Ping(Bytes::copy_from_slice(payload))).unwrap();
        assert_eq!(client.read().unwrap(), Message::Pong(Bytes::copy_from_slice(payload)));
    }
    let bye = CloseFrame { code: CloseCode::Library(4_321), reason: "bye".into() };
    client.socket.close(Some(bye)).unwrap();
    assert_eq!(client.read_close(), Some((4_321, String::new())));
    assert_eq!(client.server.borrow().socket.end(), Some(End::Client(Some(4_321))));
    // Both have closed: the rest is the transport's.
    assert!(client.server.borrow().output.is_empty());
}

#[test]
fn what_is_wrong_is_told_in_both_languages() {
    let cases = [
        (Message::text("hello"), 1_003),
        (Message::binary(vec![8, 0]), 1_007),
        (Message::binary(vec![]), 1_007),
        (Message::binary(vec![0; 200_000]), 1_009),
    ];
    for (message, code) in cases {
        let mut client = Client::connect();
        client.settle();
        client.socket.send(message).unwrap();
        let Ok(Message::Binary(frames)) = client.read() else { panic!("no Closed before {code}") };
        client.connection.receive(&frames, NOW, &mut client.events);
        assert!(
            matches!(client.events.last(), Some(ClientEvent::Closed { .. })),
            "{:?} before {code}",
            client.events
        );
        let (told, reason) = client.read_close().unwrap();
        assert!(told == code && !reason.is_empty(), "{told}: {reason}");
    }
}
