//! Clients that break rules: bounded, told where TLS has words for it, and closed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use iris_protocol::Versions;
use iris_protocol::client::ClientEvent;
use iris_protocol::server::ServerConfig;
use iris_types::ErrorCode;
use iris_types::limits::{
    HANDSHAKE_MS_MAX, HANDSHAKES_IN_FLIGHT_MAX, HELLO_MS_MIN, IDLE_MS_MAX, LINGER_MS_MAX, LOGIN_MS_MAX,
    PARTIAL_FRAME_MS_MAX,
};
use rustls::crypto::aws_lc_rs::default_provider;

use support::client::{Stream as _, TlsClient, connect, read_to_close, tls_config};
use support::{Client, World};

const ALERT: u8 = 21;
const FATAL: u8 = 2;
const BAD_RECORD_MAC: u8 = 20;
const PROTOCOL_VERSION: u8 = 70;

/// The first bytes of a TLS 1.3 client.
fn client_hello(world: &World) -> Vec<u8> {
    let config = tls_config(world, default_provider());
    let mut client = rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

/// A ClientHello as TLS 1.2 clients send it: no `supported_versions`.
fn client_hello_1_2() -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0]); // no session id
    hello.extend([0, 4, 0xc0, 0x2b, 0xc0, 0x2f]); // ECDHE with AES-128-GCM
    hello.extend([1, 0]); // no compression
    let extensions = [
        &[0, 10, 0, 4, 0, 2, 0, 29][..],  // groups: X25519
        &[0, 11, 0, 2, 1, 0],             // points: uncompressed
        &[0, 13, 0, 6, 0, 4, 4, 3, 8, 4], // signatures: ECDSA P-256, RSA-PSS
    ]
    .concat();
    hello.extend((extensions.len() as u16).to_be_bytes());
    hello.extend(extensions);
    let mut message = vec![1];
    message.extend(&(hello.len() as u32).to_be_bytes()[1..]);
    message.extend(hello);
    let mut record = vec![22, 3, 1];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

fn is_fatal_alert(bytes: &[u8], description: u8) -> bool {
    matches!(bytes, [ALERT, 3, _, 0, 2, FATAL, of, ..] if *of == description)
}

fn wait_until_empty(world: &World) {
    let statistics = world.wait_for("empty", |statistics| statistics.connections == 0);
    assert_eq!((statistics.handshakes_in_flight, statistics.sessions), (0, 0));
}

#[test]
fn tls_1_2_is_refused() {
    let world = World::new();
    let mut socket = connect(&world);
    socket.write_all(&client_hello_1_2()).unwrap();
    let answer = read_to_close(&mut socket);
    assert!(is_fatal_alert(&answer, PROTOCOL_VERSION), "{answer:?}");
    drop(socket);
    wait_until_empty(&world);
}

#[test]
fn a_client_hello_may_come_byte_by_byte_and_in_many_records() {
    let world = World::new();
    let hello = client_hello(&world);
    let mut whole = connect(&world);
    for byte in &hello {
        whole.write_all(&[*byte]).unwrap();
    }
    let mut first = [0; 6];
    std::io::Read::read_exact(&mut whole, &mut first).unwrap();
    assert_eq!((first[0], first[5]), (22, 2), "a ServerHello");

    let mut cut = connect(&world);
    for part in hello[5..].chunks(100) {
        let [high, low] = (part.len() as u16).to_be_bytes();
        cut.write_all(&[22, 3, 1, high, low]).unwrap();
        cut.write_all(part).unwrap();
    }
    std::io::Read::read_exact(&mut cut, &mut first).unwrap();
    assert_eq!((first[0], first[5]), (22, 2), "a ServerHello");
}

#[test]
fn garbage_instead_of_a_handshake_is_closed() {
    let world = World::new();
    let seed = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("TEST_SEED={seed}");
    let mut random = Random(seed);
    let http = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    let endless = [&[22, 3, 1, 0x40, 0][..], &[1, 0xff, 0xff, 0xff], &[0; 16_380]].concat().repeat(4);
    let early_data = vec![23, 3, 3, 0, 3, 1, 2, 3];
    let alert = vec![21, 3, 3, 0, 2, 2, 40];
    let empty = [22, 3, 3, 0, 0].repeat(50);
    let mut all = vec![http, endless, early_data, alert, empty];
    all.extend((0..50).map(|_| (0..400).map(|_| random.byte() | 0x80).collect()));
    for garbage in all {
        let mut socket = connect(&world);
        // The server may close before everything is written.
        let _ = socket.write_all(&garbage);
        read_to_close(&mut socket);
    }
    wait_until_empty(&world);
    assert_eq!(world.edge.statistics().handshakes_done, 0);
}

#[test]
fn a_damaged_hello_never_harms() {
    let world = World::new();
    let hello = client_hello(&world);
    for at in (0..hello.len()).step_by(7) {
        let mut damaged = hello.clone();
        damaged[at] ^= 0x55;
        let mut socket = connect(&world);
        socket.write_all(&damaged).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        read_to_close(&mut socket);
    }
    wait_until_empty(&world);
}

#[test]
fn garbage_after_the_handshake_is_a_bad_record() {
    for record in [
        [&[23, 3, 3, 0, 40][..], &[9; 40]].concat(), // does not decrypt
        vec![23, 3, 3, 0xff, 0xff],                  // too long
        vec![20, 3, 3, 0, 1, 1],                     // change_cipher_spec after the handshake
        vec![22, 3, 3, 0, 5, 24, 0, 0, 1, 0],        // key_update in plaintext
        vec![23, 3, 3, 0, 0],                        // no room for a tag
    ] {
        let world = World::new();
        let mut client = Client::login(&world, "alice", Versions::ALL);
        client.stream.socket.write_all(&record).unwrap();
        assert_eq!(client.next(), None, "{record:?}");
        world.core.wait_for_detach("alice");
        drop(client);
        wait_until_empty(&world);
    }
}

#[test]
fn a_flipped_byte_is_answered_with_bad_record_mac() {
    let world = World::new();
    let mut client = TlsClient::connect(&world);
    client.tls.writer().write_all(b"anything").unwrap();
    let mut record = Vec::new();
    client.tls.write_tls(&mut record).unwrap();
    *record.last_mut().unwrap() ^= 1;
    client.socket.write_all(&record).unwrap();
    client.tls.read_tls(&mut client.socket).unwrap();
    let error = loop {
        match client.tls.process_new_packets() {
            Ok(_) => {
                assert_ne!(client.tls.read_tls(&mut client.socket).unwrap(), 0, "closed without an alert")
            }
            Err(error) => break error,
        }
    };
    let expected = rustls::AlertDescription::from(BAD_RECORD_MAC);
    assert_eq!(error, rustls::Error::AlertReceived(expected));
}

#[test]
fn oversize_and_nonsense_frames_before_login_are_closed() {
    let world = World::new();
    let too_long = [&[1, 0xff, 0xff][..], &[0; 2_000]].concat();
    let frames = [too_long, vec![0xee, 0, 1, 0], vec![0; 64], b"GET / HTTP/1.1\r\n\r\n".to_vec()];
    for frame in frames {
        let mut client = TlsClient::connect(&world);
        client.write(&frame);
        client.read_to_close();
    }
    wait_until_empty(&world);
    assert_eq!((world.core.requests(), world.core.sessions()), (0, 0));
}

#[test]
fn slow_handshakes_are_closed_in_time() {
    let world = World::new();
    let hello = client_hello(&world);
    let mut silent = connect(&world);
    let mut half = connect(&world);
    half.write_all(&hello[..hello.len() / 2]).unwrap();
    let mut unfinished = connect(&world);
    unfinished.write_all(&hello).unwrap();
    world.wait_for("three", |statistics| statistics.handshakes_in_flight == 3);
    std::io::Read::read_exact(&mut unfinished, &mut [0]).unwrap();
    world.advance(HANDSHAKE_MS_MAX - 1);
    // Another byte does not buy time.
    half.write_all(&hello[hello.len() / 2..][..1]).unwrap();
    world.advance(1_001);
    for socket in [&mut silent, &mut half, &mut unfinished] {
        read_to_close(socket);
    }
    let statistics = world.wait_for("empty", |statistics| statistics.connections == 0);
    assert_eq!(statistics.handshakes_failed, 3);
}

#[test]
fn a_slow_login_is_closed_in_time() {
    let world = World::new();
    let mut silent = TlsClient::connect(&world);
    let mut half = TlsClient::connect(&world);
    half.write(&[1]);
    let mut greeted = TlsClient::connect(&world);
    let whole_login = login_bytes(&world);
    greeted.write(&whole_login[..whole_login.len() - 1]);
    world.wait_for("three", |statistics| statistics.handshakes_done == 3 && statistics.records_received >= 2);
    world.advance(LOGIN_MS_MAX + 1_000);
    for client in [&mut silent, &mut half, &mut greeted] {
        client.read_to_close();
    }
    drop((silent, half, greeted));
    wait_until_empty(&world);
    assert_eq!(world.core.sessions(), 0);
}

#[test]
fn a_login_that_the_core_never_answers_is_closed_and_detached() {
    let world = World::new();
    world.core.is_silent.store(true, std::sync::atomic::Ordering::SeqCst);
    let mut client = Client::begin(&world, "alice", Versions::ALL);
    world.wait_for("attached", |statistics| statistics.submitted == 1);
    world.advance(LOGIN_MS_MAX + 1_000);
    assert_eq!(client.closed_with(), Some(ErrorCode::TimedOut));
    world.core.wait_for_detach("alice");
}

#[test]
fn half_a_frame_and_half_a_record_are_closed_in_time() {
    let world = World::new();
    let mut half_frame = Client::login(&world, "alice", Versions::ALL);
    let mut half_record = Client::login(&world, "bob", Versions::ALL);
    // A loop counts what it read after the client has its answer.
    let before = world.wait_for("counted", |now| now.records_received == 2);
    half_frame.stream.write(&[2, 0, 200, 1, 2, 3]);
    half_record.stream.socket.write_all(&[23, 3, 3, 1, 0, 5, 5]).unwrap();
    let sealed = 5 + 6 + 1 + 16;
    world.wait_for("read", |now| now.bytes_received == before.bytes_received + sealed + 7);
    for _ in 0..PARTIAL_FRAME_MS_MAX / 1_000 + 2 {
        // A byte now and then does not buy time.
        let _ = half_record.stream.socket.write_all(&[5]);
        world.advance(1_000);
    }
    assert_eq!(half_frame.closed_with(), Some(ErrorCode::TimedOut));
    assert_eq!(half_record.closed_with(), Some(ErrorCode::TimedOut));
    world.core.wait_for_detach("alice");
    world.core.wait_for_detach("bob");
}

#[test]
fn silence_is_closed_and_a_ping_keeps_alive() {
    let world = World::new();
    let mut silent = Client::login(&world, "alice", Versions::ALL);
    let mut lively = Client::login(&world, "bob", Versions::ALL);
    world.advance(IDLE_MS_MAX - 1_000);
    lively.machine.ping(iris_types::Monotonic(1));
    lively.flush();
    lively.wait(|event| matches!(event, ClientEvent::Pong));
    world.advance(2_000);
    assert_eq!(silent.closed_with(), Some(ErrorCode::TimedOut));
    lively.machine.ping(iris_types::Monotonic(2));
    lively.flush();
    lively.wait(|event| matches!(event, ClientEvent::Pong));
}

#[test]
fn who_disappears_is_detached() {
    let world = World::new();
    let reset = Client::login(&world, "alice", Versions::ALL);
    // Unread bytes make the close a reset.
    reset.stream.socket.shutdown(Shutdown::Read).unwrap();
    drop(reset);
    let half = Client::login(&world, "bob", Versions::ALL);
    half.stream.socket.shutdown(Shutdown::Write).unwrap();
    let mut polite = Client::login(&world, "carol", Versions::ALL);
    polite.stream.tls.send_close_notify();
    polite.stream.flush();
    assert!(polite.stream.read_to_close().is_empty());
    assert!(polite.stream.tls.wants_read() || polite.next().is_none());
    for user in ["alice", "bob", "carol"] {
        world.core.wait_for_detach(user);
    }
    drop((half, polite));
    wait_until_empty(&world);
}

#[test]
fn an_early_close_is_no_trouble() {
    let world = World::new();
    drop(connect(&world));
    let mut hello_only = connect(&world);
    hello_only.write_all(&client_hello(&world)).unwrap();
    drop(hello_only);
    let mut after_handshake = TlsClient::connect(&world);
    after_handshake.tls.send_close_notify();
    after_handshake.flush();
    after_handshake.read_to_close();
    let mut alert_first = connect(&world);
    alert_first.write_all(&[21, 3, 3, 0, 2, 1, 0]).unwrap();
    alert_first.shutdown(Shutdown::Write).unwrap();
    read_to_close(&mut alert_first);
    drop((after_handshake, alert_first));
    wait_until_empty(&world);
}

#[test]
fn a_closed_connection_lingers_only_so_long() {
    let world = World::new();
    let token = world.token("refused", 60);
    let client = Client::over(TlsClient::connect(&world), &token, Versions::ALL);
    // The refusal is sent, the client neither reads nor closes.
    world.wait_for("answered", |statistics| statistics.submitted == 1 && statistics.records_sent > 0);
    assert_eq!(world.edge.statistics().connections, 1);
    world.advance(LINGER_MS_MAX + 1_000);
    wait_until_empty(&world);
    drop(client);
}

#[test]
fn a_peer_that_does_not_read_is_ended_in_time() {
    let world = World::new();
    let mut idle = Client::login(&world, "alice", Versions::ALL);
    idle.ask_until_read_no_further(&world);
    // The last word does not fit behind what she is owed already.
    world.advance_and_look(IDLE_MS_MAX + 1_000);
    world.advance_and_look(LINGER_MS_MAX - 1);
    assert_eq!(world.edge.statistics().connections, 1);
    world.advance(1_001);
    world.core.wait_for_detach("alice");
    wait_until_empty(&world);

    let mut replaced = Client::login(&world, "bob", Versions::ALL);
    replaced.ask_until_read_no_further(&world);
    let session = world.core.session_of("bob").unwrap();
    world.core.deliver(iris_cluster::ToEdge::Close { session, code: ErrorCode::Replaced });
    world.advance_and_look(0);
    world.advance(LINGER_MS_MAX + 1_000);
    world.core.wait_for_detach("bob");
    wait_until_empty(&world);
    drop((idle, replaced));
}

#[test]
fn handshakes_in_progress_are_bounded_and_silent_peers_make_room() {
    const MAX: u64 = HANDSHAKES_IN_FLIGHT_MAX as u64;
    const MORE: u64 = 20;
    let world = World::new();
    let mut talker = connect(&world);
    talker.write_all(&client_hello(&world)).unwrap();
    std::io::Read::read_exact(&mut talker, &mut [0]).unwrap();
    let silent: Vec<TcpStream> = (1..MAX + MORE).map(|_| connect(&world)).collect();
    let statistics = world.wait_for("full", |statistics| statistics.handshakes_in_flight == MAX);
    assert_eq!(statistics.connections, MAX);
    world.advance_and_look(HELLO_MS_MIN - 1);
    assert_eq!(world.edge.statistics().accepted, MAX, "the others wait");
    world.advance(1);
    let statistics = world.wait_for("the others", |statistics| statistics.accepted == MAX + MORE);
    assert_eq!((statistics.handshakes_in_flight, statistics.handshakes_failed), (MAX, MORE));
    // An honest client gets in while silent ones hold every other place.
    let alice = Client::login(&world, "alice", Versions::ALL);
    let statistics = world.wait_for("in", |statistics| statistics.sessions == 1);
    assert_eq!((statistics.handshakes_in_flight, statistics.handshakes_failed), (MAX - 1, MORE + 1));
    // The oldest of all had said hello.
    talker.set_nonblocking(true).unwrap();
    let error = std::io::Read::read_to_end(&mut talker, &mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "still open");
    world.advance(HANDSHAKE_MS_MAX + 1_000);
    world.wait_for("only her", |statistics| statistics.connections == 1);
    drop((silent, talker, alice));
    wait_until_empty(&world);
}

#[test]
fn connections_leave_descriptors_to_the_rest_of_the_process() {
    const MAX: u64 = 4;
    const COUNT: u64 = 40;
    let world = World::bounded(2 * MAX as usize + 1, 2, ServerConfig::default(), |core| core);
    // Whichever loop the kernel gives them to, both are full.
    let waiting: Vec<_> = (0..COUNT).map(|_| connect(&world)).collect();
    let full = world.wait_for("full", |statistics| statistics.connections == 2 * MAX);
    world.wait_for("more turns", |statistics| statistics.turns > full.turns + 10);
    assert_eq!(world.edge.statistics().accepted, 2 * MAX);
    // Who leaves makes room for who waits.
    drop(waiting);
    world.wait_for("all", |statistics| statistics.accepted == COUNT && statistics.connections == 0);
    drop(Client::login(&world, "alice", Versions::ALL));
}

/// Hello and login of a client that speaks the protocol.
fn login_bytes(world: &World) -> Vec<u8> {
    let mut machine = iris_protocol::client::ClientConnection::new(
        iris_protocol::client::ClientConfig {
            versions: Versions::ALL,
            capabilities: iris_protocol::Capabilities::ALL,
            token: world.token("alice", 60).into_bytes().into(),
            device: iris_types::DeviceId::new("phone").unwrap(),
            nonce: [1; 16],
            at: support::START,
        },
        iris_types::Monotonic(0),
    );
    let mut bytes = Vec::new();
    machine.transmit(&mut bytes);
    bytes
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 27)) >> 24) as u8
    }
}
