//! Out of descriptors: waits without spinning, goes on when some are free. A process of its own, for the limit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::TcpStream;

use iris_protocol::Versions;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use support::client::connect;
use support::{Client, World};

#[test]
fn running_out_of_descriptors_pauses_accepting_only() {
    let world = World::new();
    let mut alice = Client::live(&world, "alice", Versions::ALL);
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..before }).unwrap();
    // The clients' ends take descriptors, too: the last of them connect but are not accepted.
    let mut sockets = Vec::new();
    while let Ok(socket) = TcpStream::connect(world.address()) {
        sockets.push(socket);
    }
    let turns = world.edge.statistics().turns;
    alice.send(1, "bob", b"x");
    alice.flush();
    alice.wait(|event| matches!(event, iris_protocol::client::ClientEvent::Sent { .. }));
    let statistics = world.edge.statistics();
    assert!(statistics.accepted < sockets.len() as u64 + 1, "{statistics:?}");
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
