//! Browsers: files and WebSockets, over TLS and, on loopback, without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::time::Duration;

use iris_protocol::client::{ClientEvent, Entry};
use iris_protocol::{DrainHint, Versions};
use iris_types::limits::{
    HTTP_CONNECTION_MS_MAX, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_MS_MAX, HTTP_RESPONSES_MAX, IDLE_MS_MAX,
    LINGER_MS_MAX, LOGIN_MS_MAX, PARTIAL_FRAME_MS_MAX,
};
use iris_types::{ErrorCode, InboxEntry, InboxItem, Offset};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Bytes, Message};

use support::client::Stream;
use support::web::{DOORS, Door, LARGE_BYTES, OTHER_ORIGIN, WebStream, large};
use support::{Client, PATIENCE, World};

fn wait_until_empty(world: &World) {
    let statistics = world.wait_for("empty", |statistics| statistics.connections == 0);
    assert_eq!((statistics.handshakes_in_flight, statistics.sessions), (0, 0));
    assert_eq!(statistics.reading_paused, 0);
}

fn get(path: &str, host: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
}

fn one_message<A: Stream, B: Stream>(from: &mut Client<A>, to: &mut Client<B>, user: &str, body: &[u8]) {
    from.send(1, user, body);
    from.flush();
    from.wait(|event| matches!(event, ClientEvent::Sent { .. }));
    match to.wait(|event| matches!(event, ClientEvent::Entries { .. })) {
        ClientEvent::Entries { entries, .. } => match entries.as_slice() {
            [Entry::Whole(InboxEntry { item: InboxItem::Message(message), .. })] => {
                assert_eq!(message.body.bytes().as_ref(), body);
            }
            other => panic!("{other:?}"),
        },
        _ => unreachable!(),
    }
}

/// PRO-4: the same frames, whatever carries them.
#[test]
fn browsers_and_others_talk() {
    for door in DOORS {
        let world = World::web();
        let mut native = Client::live(&world, "bob", Versions::ALL);
        let mut browser = door.login(&world, "alice");
        browser.sync_to_the_end(Offset::ZERO);
        one_message(&mut browser, &mut native, "bob", b"from a browser");
        one_message(&mut native, &mut browser, "alice", &[7; 32_000]);
        let statistics = world.wait_for("counted", |statistics| statistics.sessions == 2);
        assert_eq!(statistics.websockets, 1);
        let bye = CloseFrame { code: CloseCode::Library(4_321), reason: "bye".into() };
        browser.stream.socket.close(Some(bye)).unwrap();
        assert!(browser.next().is_none(), "{door:?}");
        assert_eq!(browser.stream.closed, Some((4_321, String::new())), "its own code");
        world.core.wait_for_detach("alice");
        drop((browser, native));
        wait_until_empty(&world);
    }
}

#[test]
fn many_pipelined_requests_and_pings_are_answered() {
    for door in DOORS {
        let world = World::web();
        let mut alice = door.login(&world, "alice");
        let before = world.edge.statistics().writes;
        (1..=1_000).for_each(|number| alice.send(number, "bob", &[7; 200]));
        alice.flush_in_messages_of(100_000);
        alice.stream.socket.send(Message::Ping(Bytes::from_static(b"still there?"))).unwrap();
        for _ in 0..1_000 {
            alice.wait(|event| matches!(event, ClientEvent::Sent { .. }));
        }
        alice.machine.ping(iris_types::Monotonic(0));
        alice.flush();
        alice.wait(|event| matches!(event, ClientEvent::Pong));
        assert_eq!(alice.stream.pongs, [Bytes::from_static(b"still there?")]);
        let writes = world.edge.statistics().writes - before;
        assert!(writes < 100, "{writes} writes for 1,000 answers");
    }
}

#[test]
fn a_websocket_that_ends_says_why_twice() {
    for door in DOORS {
        let world = World::web();
        let mut refused = Client::over(WebStream::open(&world, door), "nonsense", Versions::ALL);
        let told = refused.wait(|event| matches!(event, ClientEvent::LoginRefused { .. }));
        assert!(
            matches!(told, ClientEvent::LoginRefused { refusal, .. } if refusal.code == ErrorCode::BadToken)
        );
        refused.closed_with();
        assert_eq!(refused.stream.closed, Some((1_000, String::new())));

        let cases = [
            (Message::text("hello"), 1_003),
            (Message::binary(vec![8, 0]), 1_007),
            (Message::binary(vec![0; 200_000]), 1_009),
        ];
        for (message, code) in cases {
            let mut alice = door.login(&world, "alice");
            alice.stream.socket.send(message).unwrap();
            assert_eq!(alice.closed_with(), Some(ErrorCode::BadFrame));
            assert_eq!(alice.stream.closed.take().map(|(code, _)| code), Some(code), "{door:?}");
            drop(alice);
            world.core.wait_for_detach("alice");
        }

        let mut replaced = door.login(&world, "carol");
        let second = door.login(&world, "carol");
        assert_eq!(replaced.closed_with(), Some(ErrorCode::Replaced));
        assert_eq!(replaced.stream.closed, Some((1_000, String::new())));
        drop((replaced, second, refused));
        wait_until_empty(&world);
    }
}

#[test]
fn hosts_and_origins_are_judged() {
    let world = World::web();
    let ports = DOORS.map(|door| door.address(&world).port());
    let own = |door: Door, name: &str| format!("{name}:{}", ports[door as usize]);
    let origin = |value: &str| Some(format!("Origin: {value}\r\n"));
    let (https, http) = (Door::Https, Door::Http);
    let (tls, plain) = (own(https, "localhost"), own(http, "localhost"));
    let cases = [
        (https, tls.clone(), None, 101),
        (https, tls.clone(), origin(&format!("https://{tls}")), 101),
        (https, tls.clone(), origin(OTHER_ORIGIN), 101),
        (https, "iris.example.org".to_owned(), origin("https://iris.example.org"), 101),
        (https, tls.clone(), origin(&format!("http://{tls}")), 403),
        (https, tls.clone(), origin("https://evil.example"), 403),
        (https, tls.clone(), origin("null"), 403),
        (https, tls.clone(), origin(&format!("https://{tls}.evil.example")), 403),
        (http, plain.clone(), None, 101),
        (http, plain.clone(), origin(&format!("http://{plain}")), 101),
        (http, own(http, "127.0.0.1"), origin(&format!("http://{}", own(http, "127.0.0.1"))), 101),
        (http, own(http, "[::1]"), origin(&format!("http://{}", own(http, "[::1]"))), 101),
        (http, own(http, "127.0.0.1"), origin(&format!("http://{plain}")), 403),
        (http, plain.clone(), origin(&format!("https://{plain}")), 403),
        (http, plain.clone(), origin("http://evil.example"), 403),
        (http, plain.clone(), origin(OTHER_ORIGIN), 403),
        (http, "localhost".to_owned(), None, 403),
        (http, tls, None, 403),
        (http, own(http, "evil.example"), origin(&format!("http://{}", own(http, "evil.example"))), 403),
        (http, own(http, "evil.example"), None, 403),
    ];
    for (door, host, origin, status) in cases {
        let mut pipe = door.connect(&world);
        let request = Door::websocket_request(&host, &origin.clone().unwrap_or_default());
        let (head, _) = pipe.ask(&request);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{door:?} {host} {origin:?}: {head}");
        if status != 101 {
            assert!(pipe.read_to_close().is_empty());
        }
        // Files are for any page's host that leads here, and with plain HTTP for the listener's own names alone.
        let (head, _) = door.connect(&world).ask(&get("/", &host, ""));
        let is_known = door == https || host.ends_with(&format!(":{}", ports[1])) && !host.contains("evil");
        assert!(head.starts_with(if is_known { "HTTP/1.1 200 " } else { "HTTP/1.1 403 " }), "{host}: {head}");
    }
    wait_until_empty(&world);
    assert_eq!(world.core.sessions(), 0);
}

#[test]
fn files_are_served_one_after_the_other() {
    let world = World::web();
    for door in DOORS {
        let host = door.host(&world);
        let mut pipe = door.connect(&world);
        let (head, body) = pipe.ask(&get("/", &host, ""));
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n"), "{head}");
        assert_eq!(body, b"<p>Iris");
        let socket = format!("{}://{host}", if door == Door::Https { "wss" } else { "ws" });
        let policy = format!(
            "\r\nContent-Security-Policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
             style-src 'self'; img-src 'self' data:; connect-src 'self' {socket}; font-src 'self'; \
             manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
        );
        assert!(head.contains(&policy), "{head}");
        for header in [
            "X-Content-Type-Options: nosniff",
            "Referrer-Policy: no-referrer",
            "Cross-Origin-Opener-Policy: same-origin",
            "Cache-Control: no-cache",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(head.contains(&format!("\r\n{header}\r\n")), "{header}: {head}");
        }
        let etag = head.lines().find_map(|line| line.strip_prefix("ETag: ")).unwrap();
        let (again, body) = pipe.ask(&get("/", &host, &format!("If-None-Match: {etag}\r\n")));
        assert!(again.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{again}");
        let (only_head, _) = pipe.ask(&get("/", &host, "").replace("GET", "HEAD"));
        assert_eq!(only_head, head);
        let (missing, _) = pipe.ask(&get("/favicon.ico", &host, ""));
        assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
        let (wrong, _) = pipe.ask(&get("/", &host, "").replace("GET", "POST"));
        assert!(wrong.starts_with("HTTP/1.1 405 "), "{wrong}");
        let (_, body) = pipe.ask(&get("/assets/large.wasm", &host, ""));
        assert!(body == large(), "{} bytes of {LARGE_BYTES}", body.len());
        // All on one connection; the last request of all closes it.
        assert_eq!(world.edge.statistics().connections, 1);
        let (last, _) = pipe.ask(&get("/", &host, "Connection: close\r\n"));
        assert!(last.contains("\r\nConnection: close\r\n"), "{last}");
        assert!(pipe.read_to_close().is_empty());
        drop(pipe);
        wait_until_empty(&world);
    }
}

/// SEC-10, for browsers: heads.
#[test]
fn broken_requests_are_told_and_closed() {
    let world = World::web();
    for door in DOORS {
        let host = door.host(&world);
        let cases = [
            (get("/", &host, &format!("X: {}\r\n", "x".repeat(HTTP_HEAD_BYTES_MAX))), "431"),
            (get("/", &host, &"X: y\r\n".repeat(100)), "431"),
            (get("/", &host, "Content-Length: 5\r\n") + "hello", "400"),
            ("GET / HTTP/1.0\r\n\r\n".to_owned(), "400"),
            ("\u{16}\u{3}\u{1}\u{2}\u{0}".to_owned(), "400"),
            (get("/ws", &host, ""), "426"),
            (get("/", &host, "") + "garbage behind it\r\n\r\n", "400"),
            (get("/", &host, "") + &Door::websocket_request(&host, ""), "400"),
        ];
        for (request, status) in cases {
            let mut pipe = door.connect(&world);
            let _ = pipe.write_all(request.as_bytes());
            let told = String::from_utf8(pipe.read_to_close()).unwrap();
            assert!(told.contains(&format!("HTTP/1.1 {status} ")), "{request:?}: {told}");
        }
        let mut eager = door.connect(&world);
        eager.write_all(get("/", &host, "").repeat(HTTP_RESPONSES_MAX + 1).as_bytes()).unwrap();
        let told = String::from_utf8(eager.read_to_close()).unwrap();
        assert_eq!(told.matches("HTTP/1.1 200 OK").count(), HTTP_RESPONSES_MAX);
    }
    wait_until_empty(&world);
}

/// SEC-10, for browsers: time.
#[test]
fn slow_requests_and_logins_are_closed_in_time() {
    for door in DOORS {
        let world = World::web();
        let host = door.host(&world);
        let mut silent = door.connect(&world);
        let mut half = door.connect(&world);
        let mut pipes = Vec::new();
        for pipe in [&mut silent, &mut half] {
            // Over TLS nothing is open before the handshake is.
            pipe.write_all(b"G").unwrap();
            pipes.push(pipe);
        }
        world.wait_for("read", |statistics| statistics.records_received == 2);
        world.advance_and_look(HTTP_HEAD_MS_MAX - 1);
        // Another byte does not buy time.
        pipes[1].write_all(b"ET / HTTP/1.1\r\n").unwrap();
        world.wait_for("read", |statistics| statistics.records_received == 3);
        assert_eq!(world.edge.statistics().connections, 2);
        world.advance(1_001);
        pipes.into_iter().for_each(|pipe| assert!(pipe.read_to_close().is_empty()));

        let mut fetched = door.connect(&world);
        fetched.ask(&get("/", &host, ""));
        let mut upgraded = WebStream::open(&world, door);
        world.advance_and_look(HTTP_HEAD_MS_MAX.max(LOGIN_MS_MAX) + 1_000);
        assert!(fetched.read_to_close().is_empty());
        assert!(!upgraded.read().is_empty(), "Closed");
        assert!(upgraded.read().is_empty());
        assert_eq!(upgraded.closed, Some((1_000, String::new())));
        drop((silent, half, fetched, upgraded));
        wait_until_empty(&world);
        assert_eq!(world.core.sessions(), 0);
    }
}

#[test]
fn half_a_message_and_silence_are_closed_in_time() {
    for door in DOORS {
        let world = World::web();
        let mut half = door.login(&world, "alice");
        let mut pinging = door.login(&world, "bob");
        let before = world.wait_for("ready", |statistics| statistics.sessions == 2).records_received;
        // A message of 100 bytes, of which the first are a whole frame: nothing but the message is cut.
        let mut message = vec![0x82, 0x80 | 100, 0, 0, 0, 0];
        half.machine.ping(iris_types::Monotonic(0));
        half.machine.transmit(&mut message);
        half.stream.socket.get_mut().write_all(&message).unwrap();
        world.wait_for("read", |statistics| statistics.records_received == before + 1);
        world.advance(PARTIAL_FRAME_MS_MAX + 1_000);
        assert_eq!(half.closed_with(), Some(ErrorCode::TimedOut));
        assert_eq!(half.stream.closed, Some((1_000, String::new())));
        world.core.wait_for_detach("alice");

        // Pings of the WebSocket are answered, but are no sign of life: an application has to be there.
        world.advance_and_look(IDLE_MS_MAX - PARTIAL_FRAME_MS_MAX - 2_000);
        pinging.stream.socket.send(Message::Ping(Bytes::new())).unwrap();
        world.wait_for("read", |statistics| statistics.records_received == before + 2);
        world.advance(2_000);
        assert_eq!(pinging.closed_with(), Some(ErrorCode::TimedOut));
        assert_eq!(pinging.stream.pongs.len(), 1);
        drop((half, pinging));
        wait_until_empty(&world);
    }
}

#[test]
fn who_disappears_is_detached() {
    for door in DOORS {
        let world = World::web();
        let gone = door.login(&world, "alice");
        drop(gone);
        let half = door.login(&world, "bob");
        half.stream.socket.get_ref().socket().shutdown(Shutdown::Write).unwrap();
        world.core.wait_for_detach("alice");
        world.core.wait_for_detach("bob");
        let fetching = door.connect(&world);
        drop(fetching);
        drop(half);
        wait_until_empty(&world);
    }
}

#[test]
fn who_takes_nothing_of_a_file_costs_little_and_is_ended_in_time() {
    for door in DOORS {
        let world = World::web();
        let mut pipe = door.connect(&world);
        // Asks again without end, and reads nothing.
        let request = get("/assets/large.wasm", &door.host(&world), "");
        pipe.write_all(request.as_bytes()).unwrap();
        let full = world.wait_for("no room", |statistics| statistics.reading_paused == 1);
        assert!(full.bytes_sent < LARGE_BYTES as u64);
        pipe.write_all(request.as_bytes()).unwrap();
        world.advance_and_look(HTTP_CONNECTION_MS_MAX - 1);
        assert_eq!(world.edge.statistics().connections, 1);
        world.advance_and_look(1_001);
        world.advance_and_look(LINGER_MS_MAX + 1_000);
        wait_until_empty(&world);
        // What was sent before is there, less than the whole file.
        assert!(pipe.read_to_close().len() < LARGE_BYTES);
    }
}

#[test]
fn a_session_that_takes_nothing_is_read_no_further() {
    for door in DOORS {
        let world = World::web();
        let mut alice = door.login(&world, "alice");
        // Each ping of either kind is answered, and nobody reads the answers.
        let mut out = Vec::new();
        (0..1_000).for_each(|_| alice.machine.ping(iris_types::Monotonic(0)));
        alice.machine.transmit(&mut out);
        alice.stream.socket.get_ref().socket().set_nonblocking(true).unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test waits only so long")]
        let began = std::time::Instant::now();
        while world.edge.statistics().reading_paused == 0 {
            assert!(began.elapsed() < PATIENCE, "still read");
            let _ = alice.stream.socket.write(Message::Ping(Bytes::from_static(&[7; 125])));
            let _ = alice.stream.socket.write(Message::binary(out.clone()));
            let _ = alice.stream.socket.flush();
        }
        let mut bob = door.login(&world, "bob");
        bob.machine.ping(iris_types::Monotonic(0));
        bob.flush();
        bob.wait(|event| matches!(event, ClientEvent::Pong));
        world.advance_and_look(IDLE_MS_MAX + 1_000);
        world.advance_and_look(LINGER_MS_MAX + 1_000);
        world.core.wait_for_detach("alice");
    }
}

#[test]
fn a_drain_reaches_browsers() {
    for door in DOORS {
        let world = World::web();
        let mut alice = door.login(&world, "alice");
        let mut fetched = door.connect(&world);
        fetched.ask(&get("/", &door.host(&world), ""));
        let address = door.address(&world);
        let hint = DrainHint { reconnect_after_ms: 1_000, jitter_ms: 5_000 };
        world.edge.drain(hint, Duration::from_secs(10));
        assert_eq!(alice.wait(|event| matches!(event, ClientEvent::Drain(_))), ClientEvent::Drain(hint));
        assert!(fetched.read_to_close().is_empty());
        assert!(std::net::TcpStream::connect(address).is_err());
        world.advance(10_000);
        assert_eq!(alice.closed_with(), Some(ErrorCode::Draining));
        drop((alice, fetched));
        assert!(world.edge.wait_until_empty(PATIENCE));
    }
}

#[test]
fn each_door_has_its_own_language_and_place() {
    let world = World::web();
    // TLS at the plain door is no HTTP, and the other way round.
    let mut hello = std::net::TcpStream::connect(Door::Http.address(&world)).unwrap();
    hello.write_all(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0]).unwrap();
    let mut told = String::new();
    hello.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    let mut plain = std::net::TcpStream::connect(Door::Https.address(&world)).unwrap();
    plain.write_all(get("/", "localhost", "").as_bytes()).unwrap();
    let mut alert = Vec::new();
    plain.read_to_end(&mut alert).unwrap();
    assert_eq!(alert.first(), Some(&21), "an alert: {alert:?}");
    // Frames without a WebSocket are no HTTP either, and HTTP is no frame.
    let mut frames = Door::Https.connect(&world);
    frames.write_all(&[1, 0, 8, 0, 0, 0, 3, 0, 0, 0, 0]).unwrap();
    assert!(frames.read_to_close().starts_with(b"HTTP/1.1 400 "));
    // Nobody else can reach the plain door: the port is free on every other address.
    let port = Door::Http.address(&world).port();
    assert!(Door::Http.address(&world).ip().is_loopback());
    assert!(TcpListener::bind(("127.0.0.2", port)).is_ok());
    assert!(TcpListener::bind(("127.0.0.1", port)).is_err());
    drop((hello, plain, frames));
    wait_until_empty(&world);
}
