//! Whatever a server says: no panic, no standstill, nothing unbounded, and nothing lost of what was accepted.

#![allow(clippy::unwrap_used)]

mod world;

use iris_client_core::HistoryQuestion;
use iris_protocol::Versions;
use iris_types::request::HistoryFrom;
use world::{World, message, seed, user};

/// A device that sends, receives and asks.
fn busy(versions: Versions, prepare: impl FnOnce(&mut World)) -> World {
    let mut world = World::new(versions);
    let alice = world.add("alice", "laptop");
    let bob = world.add("bob", "laptop");
    prepare(&mut world);
    for number in 0..4 {
        world.send(alice, message("bob", &format!("a{number}")));
        world.send(bob, message("alice", &format!("b{number}")));
    }
    let limit = std::num::NonZeroU64::MIN.saturating_add(9);
    let question = HistoryQuestion { with: user("bob").into(), from: HistoryFrom::Latest, limit };
    let core = &mut world.devices.first_mut().unwrap().core;
    core.history(question).unwrap();
    core.conversations().unwrap();
    world.run_for_ms(120_000);
    world
}

#[test]
fn a_server_that_says_something_wrong_anywhere() {
    for versions in [Versions::ALL, Versions::ONLY_1] {
        let whole = busy(versions, |_| {}).carried;
        for flip_at in (seed() as usize % 5..whole).step_by(5) {
            let world = busy(versions, |world| world.flip_at = Some(flip_at));
            for device in &world.devices {
                let restored = device.database.restored();
                let kept = restored.unsent.len() + device.outcomes().len();
                assert!(kept >= 4, "byte {flip_at}: an accepted send is neither kept nor reported");
            }
        }
    }
}

#[test]
fn noise_instead_of_a_server() {
    let mut random = fastrand::Rng::with_seed(seed());
    for _ in 0..300 {
        let mut world = World::new(Versions::ALL);
        let alice = world.add("alice", "laptop");
        if random.bool() {
            world.settle();
        }
        let noise: Vec<u8> = (0..random.usize(1..200)).map(|_| random.u8(..)).collect();
        let now = world.now_of(alice);
        let device = world.devices.first_mut().unwrap();
        device.core.received(&noise, now);
        world.run_for_ms(60_000);
    }
}
