//! Whole sessions over real TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use iris_protocol::client::{ClientEvent, Entry};
use iris_protocol::server::ServerConfig;
use iris_protocol::{DrainHint, Versions};
use iris_types::request::RequestId;
use iris_types::{ErrorCode, InboxEntry, InboxItem, Offset};
use rustls::HandshakeKind;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};

use support::client::{TlsClient, connect, read_to_close, tls_config};
use support::{Client, PATIENCE, World};

/// Alice sends one message and Bob gets it.
fn one_message(alice: &mut Client, bob: &mut Client, number: u32) {
    alice.send(number, "bob", b"hello");
    alice.flush();
    let sent = alice.wait(|event| matches!(event, ClientEvent::Sent { .. }));
    assert!(matches!(sent, ClientEvent::Sent { request, .. } if request == RequestId(number)));
    match bob.wait(|event| matches!(event, ClientEvent::Entries { .. })) {
        ClientEvent::Entries { entries, .. } => match entries.as_slice() {
            [Entry::Whole(InboxEntry { item: InboxItem::Message(message), .. })] => {
                assert_eq!(message.body.bytes().as_ref(), b"hello");
            }
            other => panic!("{other:?}"),
        },
        _ => unreachable!(),
    }
}

#[test]
fn two_clients_talk_in_every_version_over_any_loop() {
    for (offered, spoken) in
        [(Versions::ALL, Versions::ALL), (Versions::ONLY_1, Versions::ALL), (Versions::ALL, Versions::ONLY_1)]
    {
        let world = World::with(2, ServerConfig { versions: offered, ..ServerConfig::default() });
        let mut bob = Client::live(&world, "bob", spoken);
        for number in 1..=4 {
            let mut alice = Client::login(&world, "alice", spoken);
            one_message(&mut alice, &mut bob, number);
        }
        bob.machine.acknowledge(Offset(4));
        bob.flush();
        world.core.wait_for_acknowledgement("bob", Offset(4));
        let statistics = world.edge.statistics();
        assert_eq!(statistics.handshakes_done, 5);
        assert_eq!(statistics.event_loop_cpu_us.len(), 2);
        world.edge.stop().unwrap();
    }
}

#[test]
fn every_cipher_suite_and_key_exchange_that_is_offered_works() {
    let world = World::new();
    let suites = [
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    let mut bob = Client::live(&world, "bob", Versions::ALL);
    for (number, suite) in suites.into_iter().enumerate() {
        for group in [kx_group::X25519MLKEM768, kx_group::X25519] {
            let mut provider = default_provider();
            provider.cipher_suites = vec![suite];
            provider.kx_groups = vec![group];
            let stream = TlsClient::with(&world, tls_config(&world, provider));
            assert_eq!(stream.tls.negotiated_key_exchange_group().unwrap().name(), group.name());
            let mut alice = Client::over(stream, &world.token("alice", 60), Versions::ALL);
            alice.wait_until_ready();
            one_message(&mut alice, &mut bob, number as u32 + 1);
        }
    }
}

#[test]
fn a_client_that_comes_again_resumes_with_its_one_ticket() {
    let world = World::new();
    let config = tls_config(&world, default_provider());
    let login = || {
        let stream = TlsClient::with(&world, config.clone());
        let mut client = Client::over(stream, &world.token("alice", 60), Versions::ALL);
        client.wait_until_ready();
        (client.stream.tls.handshake_kind(), client.stream.tls.tls13_tickets_received())
    };
    assert_eq!(login(), (Some(HandshakeKind::Full), 1));
    assert_eq!(login(), (Some(HandshakeKind::Resumed), 1));
}

#[test]
fn keys_are_updated_in_both_directions() {
    let world = World::new();
    let mut alice = Client::login(&world, "alice", Versions::ALL);
    let mut bob = Client::live(&world, "bob", Versions::ALL);
    for number in 1..=40 {
        // Requests an update of the server's keys, too; Bob's come while he only listens.
        alice.stream.tls.refresh_traffic_keys().unwrap();
        bob.stream.tls.refresh_traffic_keys().unwrap();
        bob.stream.flush();
        one_message(&mut alice, &mut bob, number);
        bob.machine.ping(iris_types::Monotonic(0));
        bob.flush();
        bob.wait(|event| matches!(event, ClientEvent::Pong));
    }
}

#[test]
fn a_refused_login_says_why_and_closes() {
    let world = World::new();
    let over = |token: &str| {
        let mut client = Client::over(TlsClient::connect(&world), token, Versions::ALL);
        let refused = client.wait(|event| matches!(event, ClientEvent::LoginRefused { .. }));
        assert!(client.stream.read_to_close().is_empty());
        match refused {
            ClientEvent::LoginRefused { refusal, .. } => refusal.code,
            _ => unreachable!(),
        }
    };
    assert_eq!(over("nonsense"), ErrorCode::BadToken);
    assert_eq!(over(&world.token("refused", 60)), ErrorCode::TokenRevoked);
    let token = world.token("alice", 60);
    world.advance(60_000);
    assert_eq!(over(&token), ErrorCode::TokenExpired);
    world.wait_for("empty", |statistics| statistics.connections == 0);
    assert_eq!(world.core.sessions(), 0);
}

#[test]
fn the_end_of_its_token_ends_a_session() {
    let world = World::new();
    let mut idle = Client::over(TlsClient::connect(&world), &world.token("alice", 60), Versions::ALL);
    idle.wait_until_ready();
    world.advance(60_000);
    assert_eq!(idle.closed_with(), Some(ErrorCode::TokenExpired));
    world.core.wait_for_detach("alice");
}

#[test]
fn a_session_that_the_core_closes_is_told_why() {
    let world = World::new();
    let mut first = Client::login(&world, "alice", Versions::ALL);
    let mut second = Client::login(&world, "alice", Versions::ALL);
    assert_eq!(first.closed_with(), Some(ErrorCode::Replaced));
    second.send(1, "bob", b"still here");
    second.flush();
    second.wait(|event| matches!(event, ClientEvent::Sent { .. }));
}

#[test]
fn many_pipelined_requests_are_all_answered_in_few_writes() {
    const COUNT: u32 = 1_000;
    let world = World::new();
    let mut alice = Client::login(&world, "alice", Versions::ALL);
    let before = world.edge.statistics().writes;
    (1..=COUNT).for_each(|number| alice.send(number, "bob", &[7; 200]));
    alice.flush();
    for number in 1..=COUNT {
        let sent = alice.wait(|event| matches!(event, ClientEvent::Sent { .. }));
        assert!(matches!(sent, ClientEvent::Sent { request, .. } if request == RequestId(number)));
    }
    let writes = world.edge.statistics().writes - before;
    assert!(writes < u64::from(COUNT) / 10, "{writes} writes for {COUNT} answers");
}

#[test]
fn what_the_core_has_no_room_for_is_refused_and_a_detach_is_offered_again() {
    let world = World::new();
    let mut alice = Client::login(&world, "alice", Versions::ALL);
    world.core.is_full.store(true, Ordering::SeqCst);
    alice.send(1, "bob", b"x");
    alice.flush();
    match alice.wait(|event| matches!(event, ClientEvent::Refused { .. })) {
        ClientEvent::Refused { request, refusal, .. } => {
            assert_eq!((request, refusal.code), (RequestId(1), ErrorCode::Busy));
            assert!(refusal.retry_after_ms > 0);
        }
        _ => unreachable!(),
    }
    let mut bob = Client::begin(&world, "bob", Versions::ALL);
    let refused = bob.wait(|event| matches!(event, ClientEvent::LoginRefused { .. }));
    assert!(matches!(refused, ClientEvent::LoginRefused { refusal, .. } if refusal.code == ErrorCode::Busy));
    drop(alice);
    world.wait_for("one less", |statistics| statistics.sessions == 0);
    world.core.is_full.store(false, Ordering::SeqCst);
    world.edge.wake();
    world.core.wait_for_detach("alice");
}

#[test]
fn a_slow_reader_is_told_to_sync_and_misses_nothing() {
    let world = World::new();
    let mut bob = Client::live(&world, "bob", Versions::ALL);
    let mut alice = Client::login(&world, "alice", Versions::ALL);
    // More than Bob's window; he acknowledges nothing.
    for number in 1..=40_u32 {
        alice.send(number, "bob", &[9; 20_000]);
        alice.flush();
        alice.wait(|event| matches!(event, ClientEvent::Sent { .. }));
    }
    let mut last = Offset::ZERO;
    loop {
        match bob.next().unwrap() {
            ClientEvent::Entries { entries, .. } => last = entries.last().unwrap().offset(),
            ClientEvent::SyncNeeded => break,
            _ => {}
        }
    }
    assert!(last < Offset(40));
    bob.machine.acknowledge(last);
    assert_eq!(bob.sync_to_the_end(last), Offset(40));
}

#[test]
fn a_client_that_takes_nothing_is_read_no_further() {
    let world = World::new();
    let mut alice = Client::login(&world, "alice", Versions::ALL);
    // Each ping is answered. Nobody reads the answers: they fill the sockets' buffers, then the server's.
    alice.ask_until_read_no_further(&world);
    // Others are served meanwhile, and she is, too, once she reads.
    let mut bob = Client::live(&world, "bob", Versions::ALL);
    bob.machine.ping(iris_types::Monotonic(0));
    bob.flush();
    bob.wait(|event| matches!(event, ClientEvent::Pong));
    let mut unread = vec![0; 256 * 1_024];
    while world.edge.statistics().reading_paused == 1 {
        assert!(std::io::Read::read(&mut alice.stream.socket, &mut unread).unwrap() > 0);
    }
}

#[test]
fn a_drain_gives_notice_then_closes_and_lets_nobody_in() {
    let world = World::new();
    let mut alice = Client::live(&world, "alice", Versions::ALL);
    let mut shy = connect(&world);
    world.wait_for("two", |statistics| statistics.connections == 2);
    let hint = DrainHint { reconnect_after_ms: 1_000, jitter_ms: 5_000 };
    world.edge.drain(hint, Duration::from_secs(10));
    assert_eq!(alice.wait(|event| matches!(event, ClientEvent::Drain(_))), ClientEvent::Drain(hint));
    assert!(read_to_close(&mut shy).is_empty());
    assert!(std::net::TcpStream::connect(world.address()).is_err());
    assert!(!world.edge.wait_until_empty(Duration::ZERO));
    world.advance(10_000);
    assert_eq!(alice.closed_with(), Some(ErrorCode::Draining));
    drop(alice);
    assert!(world.edge.wait_until_empty(PATIENCE));
    world.core.wait_for_detach("alice");
}

#[test]
fn stopping_closes_everybody_and_tells_the_core() {
    let world = World::with(2, ServerConfig::default());
    let mut alice = Client::login(&world, "alice", Versions::ALL);
    let World { edge, core, .. } = world;
    edge.stop().unwrap();
    assert_eq!(alice.closed_with(), Some(ErrorCode::Draining));
    core.wait_for_detach("alice");
    assert_eq!(core.sessions(), 0);
}
