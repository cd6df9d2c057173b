//! The codec and both machines are total: any bytes give an answer or a typed end, never a panic, and never more
//! memory than the bytes justify.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod scripted;

use std::sync::Arc;

use iris_protocol::client::{ClientConnection, ClientEvent};
use iris_protocol::server::{ServerConfig, ServerConnection, ServerEvent};
use iris_protocol::{ClientFrame, ServerFrame, Versions};
use iris_types::request::{MarkRead, ReadRoster};
use iris_types::{
    ConversationId, CreateGroup, GroupDescription, GroupTitle, Monotonic, Policy, Presence, PresenceState,
    Seq, Target, Typing, Watched,
};
use scripted::{Pair, Side, login, message, user};

const NOW: Monotonic = Monotonic(1);

/// Runs `check` with many random generators; a failure names the seed that `TEST_SEED` repeats.
fn with_seeds(rounds: u64, check: impl Fn(&mut fastrand::Rng)) {
    let first = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x1215_u64);
    for seed in first..first + rounds {
        let run = std::panic::AssertUnwindSafe(|| check(&mut fastrand::Rng::with_seed(seed)));
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("repeat with TEST_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn random_bytes(random: &mut fastrand::Rng, length_max: usize) -> Vec<u8> {
    let length = random.usize(..=length_max);
    // Small numbers make lengths and counts that fit more often.
    let small = random.bool();
    std::iter::repeat_with(|| if small { random.u8(..4) } else { random.u8(..) }).take(length).collect()
}

/// Real traffic of a whole session, changed a little.
fn changed_flights(random: &mut fastrand::Rng, side: Side, flights: &[(Side, Vec<u8>)]) -> Vec<u8> {
    let of_side = flights.iter().filter(|(from, _)| *from == side);
    let mut bytes = of_side.flat_map(|(_, bytes)| bytes.iter().copied()).collect::<Vec<_>>();
    for _ in 0..random.usize(1..6) {
        let at = random.usize(..bytes.len());
        match random.u8(..4) {
            0 => bytes[at] = random.u8(..),
            1 => bytes[at] ^= 1 << random.u8(..8),
            2 => drop(bytes.drain(at..(at + random.usize(..5)).min(bytes.len()))),
            _ => bytes.insert(at, random.u8(..)),
        }
    }
    bytes
}

fn session() -> Vec<(Side, Vec<u8>)> {
    let mut pair = Pair::new(Versions::ALL, &Arc::new(ServerConfig::default()));
    (1..=5).for_each(|number| drop(pair.core.receive(number, "hi")));
    pair.settle();
    pair.client.sync(iris_types::request::RequestId(1), iris_types::Offset(0));
    pair.client.send(iris_types::request::RequestId(2), &message(9, "mine"));
    pair.client.list_devices(iris_types::request::RequestId(3));
    pair.settle();
    pair.receive(10, "pushed");
    pair.settle();
    others(&mut pair);
    pair.flights
}

/// A group, its roster, a read mark, presence and typing.
fn others(pair: &mut Pair) {
    let request = iris_types::request::RequestId;
    let id = scripted::message_id(20);
    let create = CreateGroup {
        id,
        title: GroupTitle::new("Tea").unwrap(),
        description: GroupDescription::new("").unwrap(),
        policy: Policy::default(),
        members: vec![user("bob")],
    };
    let group = ConversationId::group(&user("alice"), id);
    pair.client.create_group(request(4), &create).unwrap();
    pair.client.read_roster(request(5), &ReadRoster { group, after: None, limit: 9 });
    let mark = MarkRead { target: user("bob").into(), up_to: Seq(3) };
    pair.client.mark_read(request(6), &mark);
    pair.client.read_presence(request(7), &[Watched { user: user("bob"), group: Some(group) }]).unwrap();
    pair.client.say_typing(&Target::Group(group), true);
    pair.settle();
    pair.server.tell_presence(&Presence { user: user("bob"), state: PresenceState::Online });
    pair.server.tell_typing(&Typing { conversation: group, user: user("bob"), on: true });
    pair.settle();
    assert!(pair.client.is_ready());
}

#[test]
fn payloads_of_any_bytes() {
    with_seeds(200, |random| {
        for opcode in 0..=u8::MAX {
            let payload = random_bytes(random, 200);
            if let Ok(frame) = ClientFrame::decode(opcode, &payload) {
                frame.encode(&mut Vec::new()).unwrap();
            }
            if let Ok(frame) = ServerFrame::decode(opcode, &payload) {
                let mut out = Vec::new();
                frame.encode(&mut out).unwrap();
                assert_eq!(ServerFrame::decode(opcode, &out[3..]), Ok(frame), "what is read is written");
            }
        }
    });
}

#[test]
fn the_server_survives_any_bytes() {
    let flights = session();
    with_seeds(2_000, |random| {
        let mut server = ServerConnection::new(&Arc::new(ServerConfig::default()), NOW);
        let mut core = scripted::Core::default();
        let bytes = if random.bool() {
            random_bytes(random, 400)
        } else {
            changed_flights(random, Side::Client, &flights)
        };
        let mut received = 0;
        for piece in bytes.chunks(random.usize(1..100)) {
            received += piece.len();
            let mut events = Vec::new();
            server.receive(piece, NOW, &mut events);
            for event in events {
                serve(&mut server, &mut core, event);
            }
            assert!(server.heap_bytes() <= 64 + 2 * received + 64 * 1_024, "bounded by what came and goes");
            server.transmit(&mut Vec::new());
        }
    });
}

fn serve(server: &mut ServerConnection, core: &mut scripted::Core, event: ServerEvent) {
    match event {
        ServerEvent::Authenticate { .. } => server.accept_login(core.attached()),
        ServerEvent::Request { id, request } => {
            let (answer, pushed) = core.handle(request);
            answer.into_iter().for_each(|answer| server.answer(id, answer));
            pushed.iter().for_each(|entry| server.push(entry));
        }
        ServerEvent::Close => assert!(server.is_closing()),
    }
}

#[test]
fn the_client_survives_any_bytes() {
    let flights = session();
    with_seeds(2_000, |random| {
        let mut client = ClientConnection::new(login(Versions::ALL), NOW);
        let bytes = if random.bool() {
            random_bytes(random, 400)
        } else {
            changed_flights(random, Side::Server, &flights)
        };
        let mut events = Vec::new();
        for piece in bytes.chunks(random.usize(1..100)) {
            client.receive(piece, NOW, &mut events);
            if client.is_ready() {
                client.sync(iris_types::request::RequestId(1), iris_types::Offset(0));
            }
            client.transmit(&mut Vec::new());
        }
        let closes = events.iter().filter(|event| matches!(event, ClientEvent::Closed { .. })).count();
        let is_last = matches!(events.last(), Some(ClientEvent::Closed { .. }));
        assert!(closes == 0 || closes == 1 && is_last, "once and last");
    });
}
