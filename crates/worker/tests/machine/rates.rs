//! SEC-6: how many messages a user may send, over all devices and conversations.

use iris_types::ErrorCode;
use iris_types::request::{Answer, Request};
use iris_worker::{Rate, WorkerLimits};

use crate::world::{World, message, sent};

fn world(workers: u16) -> World {
    let messages = Rate { per_minute: 60, burst: 3 };
    let mut world = World::new(workers, WorkerLimits { messages, ..WorkerLimits::default() });
    for name in ["a", "b", "c", "d"] {
        world.attach(name);
    }
    world
}

/// What a send is answered with: `Ok`, or the code and the time to wait.
fn try_send(world: &mut World, from: &str, to: &str) -> Result<(), (ErrorCode, u32)> {
    let id = world.id();
    match world.ask(from, Request::SendMessage(message(id, to, "text"))) {
        Answer::Sent(_) => Ok(()),
        Answer::Refused { refusal, .. } => Err((refusal.code, refusal.retry_after_ms)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_sends_a_burst_and_then_as_fast_as_allowed() {
    let mut world = world(1);
    for to in ["b", "c", "d"] {
        assert_eq!(try_send(&mut world, "a", to), Ok(()));
    }
    assert_eq!(try_send(&mut world, "a", "b"), Err((ErrorCode::RateLimited, 1_000)));
    assert_eq!(try_send(&mut world, "b", "a"), Ok(()), "everybody has a bucket of their own");
    world.pass(999);
    assert_eq!(try_send(&mut world, "a", "b"), Err((ErrorCode::RateLimited, 1)));
    world.pass(1);
    assert_eq!(try_send(&mut world, "a", "b"), Ok(()));
    assert_eq!(try_send(&mut world, "a", "c"), Err((ErrorCode::RateLimited, 1_000)));
}

#[test]
fn a_repeated_message_is_answered_whatever_its_author_may_send() {
    let mut world = world(1);
    let id = world.id();
    let first = world.send_as("a", message(id, "b", "text"));
    for to in ["c", "d"] {
        assert_eq!(try_send(&mut world, "a", to), Ok(()));
    }
    assert!(try_send(&mut world, "a", "c").is_err());
    let again = sent(world.ask("a", Request::SendMessage(message(id, "b", "text"))));
    assert_eq!(again.map(|one| one.seq), first.map(|one| one.seq));
}

#[test]
fn over_several_workers_nobody_sends_more_than_allowed() {
    for workers in [2, 3] {
        let mut world = world(workers);
        let mut taken = 0;
        // 20 conversations all over the workers, tried for 10 s.
        for second in 0..10 {
            for number in 0..20 {
                taken += u32::from(try_send(&mut world, "a", &format!("x{number}")).is_ok());
            }
            world.pass(if second == 9 { 0 } else { 1_000 });
        }
        assert!((3..=3 + 9).contains(&taken), "{taken} messages over {workers} workers");
    }
}
