//! Out of descriptors: waits without spinning, goes on when some are free. A process of its own, for the limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::fd::{AsRawFd, OwnedFd};

use iris_protocol::Versions;
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use support::client::connect;
use support::{Client, World};

/// Clients that connect, and how many of them the edge has descriptors for.
const CLIENTS: u64 = 40;
const ACCEPTED: u64 = 10;

#[test]
fn running_out_of_descriptors_pauses_accepting_only() {
    let world = World::new();
    let mut alice = Client::live(&world, "alice", Versions::ALL);
    let before = getrlimit(Resource::Nofile);
    // The clients' ends exist before the limit does: connecting takes descriptors of the edge alone, and those
    // do not reach for all of them.
    let sockets: Vec<OwnedFd> =
        (0..CLIENTS).map(|_| socket(AddressFamily::INET, SocketType::STREAM, None).unwrap()).collect();
    let highest = sockets.iter().map(|socket| socket.as_raw_fd().unsigned_abs()).max().unwrap();
    let limit = u64::from(highest) + 1 + ACCEPTED;
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), ..before }).unwrap();
    for socket in &sockets {
        rustix::net::connect(socket, &world.address()).unwrap();
    }
    // The last of those that are accepted takes the last descriptor; the next attempt pauses.
    world.wait_for("full", |statistics| statistics.connections == 1 + ACCEPTED);
    let turns = world.edge.statistics().turns;
    alice.send(1, "bob", b"x");
    alice.flush();
    alice.wait(|event| matches!(event, iris_protocol::client::ClientEvent::Sent { .. }));
    let statistics = world.edge.statistics();
    assert_eq!(statistics.accepted, 1 + ACCEPTED, "{statistics:?}");
    assert!(statistics.turns - turns < 1_000, "spins: {statistics:?}");
    drop(sockets);
    setrlimit(Resource::Nofile, before).unwrap();
    world.advance(1_000);
    world.wait_for("empty but for her", |statistics| statistics.connections == 1);
    drop(connect(&world));
    let mut bob = Client::live(&world, "bob", Versions::ALL);
    bob.machine.ping(iris_types::Monotonic(0));
    bob.flush();
}
