//! SEC-6 at the edge: connections of an address, failed logins of an account; refused with the time to wait.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::TcpStream;

use iris_edge::AdmissionLimits;
use iris_protocol::Versions;
use iris_protocol::client::ClientEvent;
use iris_types::limits::{
    CONNECTIONS_PER_MINUTE, FAILED_LOGINS_PER_HOUR, RATE_TOLD_FACTOR, RATE_VISITS_FACTOR,
};
use iris_types::{ErrorCode, Refusal};

use support::client::{Stream, TlsClient, connect, read_to_close};
use support::web::{DOORS, Door, WebStream};
use support::{Client, World};

/// Milliseconds in which one more connection, or failed login, is allowed.
const CONNECTION_MS: u32 = 60_000 / CONNECTIONS_PER_MINUTE;
const LOGIN_MS: u32 = 3_600_000 / FAILED_LOGINS_PER_HOUR;

/// How a login ends: `None` when it is let in.
fn login<S: Stream>(stream: S, token: &str) -> Option<Refusal> {
    let mut client = Client::over(stream, token, Versions::ALL);
    let ended = client.wait(|event| {
        matches!(
            event,
            ClientEvent::Ready { .. } | ClientEvent::LoginRefused { .. } | ClientEvent::Closed { .. }
        )
    });
    match ended {
        ClientEvent::LoginRefused { refusal, .. } | ClientEvent::Closed { refusal, .. } => Some(refusal),
        _ => None,
    }
}

fn rate_limited(wait_ms: u32) -> Option<Refusal> {
    Some(Refusal::after(ErrorCode::RateLimited, wait_ms))
}

/// SEC-6: 5 connections a minute per address.
#[test]
fn connections_of_an_address_are_limited_and_told_when_to_come_again() {
    let world = World::limited(AdmissionLimits::default());
    let token = world.token("alice", 3_600);
    let attempt = || login(TlsClient::connect(&world), &token);
    for _ in 0..CONNECTIONS_PER_MINUTE {
        assert_eq!(attempt(), None);
    }
    assert_eq!(attempt(), rate_limited(CONNECTION_MS));
    world.advance_and_look(u64::from(CONNECTION_MS) - 1);
    assert_eq!(attempt(), rate_limited(1));
    world.advance_and_look(1);
    assert_eq!(attempt(), None);
    assert_eq!(attempt(), rate_limited(CONNECTION_MS));
    let statistics = world.wait_for("counted", |statistics| statistics.connections == 0);
    assert_eq!(statistics.rate_limited, 3);

    // Who goes on all the same gets no more handshakes.
    let told = u64::from(CONNECTIONS_PER_MINUTE * RATE_TOLD_FACTOR);
    let mut sockets: Vec<TcpStream> = (0..2 * told).map(|_| connect(&world)).collect();
    let statistics = world.wait_for("all", |statistics| statistics.rate_limited == 3 + 2 * told);
    assert!(statistics.connections <= told, "{statistics:?}");
    assert!(read_to_close(sockets.last_mut().unwrap()).is_empty());
}

#[test]
fn websockets_are_connections_and_files_are_not() {
    for door in DOORS {
        let world = World::limited(AdmissionLimits::default());
        let token = world.token("alice", 3_600);
        let attempt = || login(WebStream::open(&world, door), &token);
        for _ in 0..CONNECTIONS_PER_MINUTE {
            assert_eq!(attempt(), None);
        }
        assert_eq!(attempt(), rate_limited(CONNECTION_MS), "{door:?}");
        // The address is the same at every listener.
        assert_eq!(login(TlsClient::connect(&world), &token), rate_limited(CONNECTION_MS));
        let host = door.host(&world);
        let page = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let before = CONNECTIONS_PER_MINUTE + 1;
        for _ in before..CONNECTIONS_PER_MINUTE * RATE_VISITS_FACTOR {
            assert!(door.connect(&world).ask(&page).0.starts_with("HTTP/1.1 200 "));
        }
        let mut socket = TcpStream::connect(door.address(&world)).unwrap();
        assert!(read_to_close(&mut socket).is_empty());
        world.advance_and_look(60_000);
        assert_eq!(attempt(), None);
        assert!(door.connect(&world).ask(&page).0.starts_with("HTTP/1.1 200 "));
    }
}

/// SEC-6: 10 failed logins an hour per account.
#[test]
fn failed_logins_of_an_account_are_limited_and_told_when_to_come_again() {
    let limits = AdmissionLimits { connections_per_minute: 1_000, ..AdmissionLimits::default() };
    let world = World::limited(limits);
    let (alice, bob) = (world.token("alice", 86_400), world.token("bob", 3_600));
    let forged = format!("{}x", &alice[..alice.len() - 1]);
    for number in 0..FAILED_LOGINS_PER_HOUR {
        let refused = match number % 2 {
            0 => login(TlsClient::connect(&world), &forged),
            _ => login(WebStream::open(&world, Door::Https), &forged),
        };
        assert_eq!(refused.map(|refusal| refusal.code), Some(ErrorCode::BadToken));
    }
    assert_eq!(login(TlsClient::connect(&world), &forged), rate_limited(LOGIN_MS));
    assert_eq!(login(TlsClient::connect(&world), &alice), rate_limited(LOGIN_MS));
    assert_eq!(login(WebStream::open(&world, Door::Http), &alice), rate_limited(LOGIN_MS));
    assert_eq!(login(TlsClient::connect(&world), &bob), None, "nobody else");
    world.advance_and_look(u64::from(LOGIN_MS));
    assert_eq!(login(TlsClient::connect(&world), &alice), None);
}

/// What the core refuses is a failed login, too.
#[test]
fn revoked_tokens_are_failed_logins() {
    let limits = AdmissionLimits { connections_per_minute: 1_000, ..AdmissionLimits::default() };
    let world = World::limited(limits);
    let token = world.token("refused", 3_600);
    for _ in 0..FAILED_LOGINS_PER_HOUR {
        let refused = login(TlsClient::connect(&world), &token);
        assert_eq!(refused.map(|refusal| refusal.code), Some(ErrorCode::TokenRevoked));
    }
    assert_eq!(login(TlsClient::connect(&world), &token), rate_limited(LOGIN_MS));
}
