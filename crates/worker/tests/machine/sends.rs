use iris_types::ErrorCode;
use iris_types::request::{Answer, SendMessage};
use iris_worker::WorkerLimits;

use crate::world::*;

fn world() -> World {
    World::new(1, WorkerLimits::default())
}

#[test]
fn seqs_are_dense_and_shared_by_both_sides() {
    let mut world = world();
    for (index, (from, to)) in [("a", "b"), ("b", "a"), ("a", "b")].into_iter().enumerate() {
        assert_eq!(world.send(from, to, "x").seq.0, index as u64 + 1);
    }
    assert_eq!(world.send("a", "c", "x").seq.0, 1);
    assert_eq!(world.inbox("a", 0).1.len(), 4);
    assert_eq!(world.inbox("b", 0).1.len(), 3);
}

#[test]
fn a_note_to_oneself_is_one_entry() {
    let mut world = world();
    world.send("a", "a", "note");
    assert_eq!(world.inbox("a", 0), (None, vec![(1, "note".to_owned())]));
    assert_eq!(world.history("a", "a", 10), [(1, "note".to_owned())]);
    assert_eq!(world.conversations("a", 10), [("a".to_owned(), 1)]);
}

#[test]
fn a_retry_gets_the_first_answer() {
    let mut world = world();
    let id = world.id();
    let first = world.send_as("a", message(id, "b", "x")).unwrap();
    world.send("b", "a", "y");
    let again = world.send_as("a", message(id, "b", "x")).unwrap();
    assert_eq!((again.seq, again.sent_at, again.offset), (first.seq, first.sent_at, None));
    assert_eq!(world.send_as("a", message(id, "b", "other")), Err(ErrorCode::IdConflict));
    // Another sender may use the same id, and so may another conversation.
    assert_eq!(world.send_as("b", message(id, "a", "x")).unwrap().seq.0, 3);
    assert_eq!(world.send_as("a", message(id, "c", "x")).unwrap().seq.0, 1);
    assert_eq!(world.history("a", "b", 10).len(), 3);
}

#[test]
fn duplicates_are_known_for_seven_days_wherever_they_are() {
    let mut world = World::new(1, small());
    let id = world.id();
    let first = world.send_as("a", message(id, "b", "x")).unwrap();
    for day in 1..=6 {
        world.settle();
        world.pass(DAY - 80_000);
        if day == 3 {
            world.restart();
        }
        assert_eq!(world.send_as("a", message(id, "b", "x")).unwrap().seq, first.seq, "day {day}");
        assert_eq!(world.send_as("a", message(id, "b", "z")), Err(ErrorCode::IdConflict), "day {day}");
        world.send("a", "b", "more");
    }
    assert_eq!(world.history("a", "b", 100).len(), 7);
    world.pass(3 * DAY);
    world.settle();
    assert_eq!(world.send_as("a", message(id, "b", "x")), Err(ErrorCode::IdTooOld));
}

#[test]
fn what_a_wrong_clock_forgot_is_refused_when_it_is_right_again() {
    for restarts in [false, true] {
        let mut world = World::new(1, small());
        let id = world.id();
        world.send_as("a", message(id, "b", "x")).unwrap();
        world.settle();
        let right = world.now;
        world.pass(40 * DAY);
        world.settle();
        world.now = right;
        if restarts {
            world.restart();
        }
        assert_eq!(world.send_as("a", message(id, "b", "x")), Err(ErrorCode::IdTooOld), "{restarts}");
        world.send("a", "b", "new ones are taken");
        assert_eq!(world.history("a", "b", 9).len(), 2);
    }
}

#[test]
fn ids_have_a_window() {
    let mut world = world();
    let week = 7 * DAY;
    let cases = [
        (NOON - week, Ok(1)),
        (NOON - week - 1, Err(ErrorCode::IdTooOld)),
        (NOON + 300_000, Ok(2)),
        (NOON + 300_001, Err(ErrorCode::IdInFuture)),
    ];
    for (at, expected) in cases {
        let id = world.id_at(at);
        let answer = world.send_as("a", message(id, "b", "x"));
        assert_eq!(answer.map(|sent| sent.seq.0), expected, "{at}");
    }
    // What was committed is found before any rule, although the clock went back since.
    let id = world.id_at(NOON + 300_000);
    assert_eq!(world.send_as("a", message(id, "b", "x")).unwrap().seq.0, 3);
    world.now -= 60_000;
    assert_eq!(world.send_as("a", message(id, "b", "x")).unwrap().seq.0, 3);
}

#[test]
fn a_send_waits_for_its_predecessor() {
    let mut world = world();
    let (one, two, three) = (world.id(), world.id(), world.id());
    let follow = |id, previous, text| SendMessage { previous: Some(previous), ..message(id, "b", text) };
    assert_eq!(world.send_as("a", follow(two, one, "2")), Err(ErrorCode::OutOfOrder));
    // Pipelined: the first is decided, not committed, when the second comes.
    let first = world.begin("a", message(one, "b", "1"));
    let second = world.begin("a", follow(two, one, "2"));
    world.run();
    assert_eq!(sent(world.answer(first).unwrap()).unwrap().seq.0, 1);
    assert_eq!(sent(world.answer(second).unwrap()).unwrap().seq.0, 2);
    world.settle();
    world.restart();
    // The predecessor is in a run by now; somebody else's id is none.
    assert_eq!(
        world.send_as("b", SendMessage { previous: Some(two), ..message(three, "a", "3") }),
        Err(ErrorCode::OutOfOrder)
    );
    assert_eq!(world.send_as("a", follow(three, two, "3")).unwrap().seq.0, 3);
}

#[test]
fn nothing_leaves_before_its_commit() {
    let mut world = world();
    world.attach("a");
    world.attach("b");
    world.hold = vec!["append"];
    let id = world.id();
    let first = world.begin("a", message(id, "b", "x"));
    world.run();
    let again = world.begin("a", message(id, "b", "x"));
    let conflict = world.begin("a", message(id, "b", "y"));
    world.run();
    assert_eq!((world.answer(first), world.answer(again), world.answer(conflict)), (None, None, None));
    assert_eq!(world.pushes.len(), 0);
    // Pages show what is committed, at once.
    assert_eq!(world.inbox("b", 0).1.len(), 0);
    assert_eq!(world.history("a", "b", 10).len(), 0);
    world.release();
    let first = sent(world.answer(first).unwrap()).unwrap();
    assert_eq!(first.offset.map(|offset| offset.0), Some(1));
    assert_eq!(sent(world.answer(again).unwrap()).unwrap().seq, first.seq);
    assert_eq!(sent(world.answer(conflict).unwrap()), Err(ErrorCode::IdConflict));
    // The sender's session has its offset from the answer.
    let pushed: Vec<_> = world.pushes.iter().map(|(to, entry)| (*to, entry.offset.0)).collect();
    assert_eq!(pushed, [(session("b"), 1)]);
}

#[test]
fn other_devices_of_the_sender_are_pushed_to() {
    let mut world = world();
    world.attach("a");
    let (other, login) = (session("a2"), world.login("a", "d2"));
    assert!(matches!(world.attach_as(other, login), Answer::Attached(_)));
    world.send("a", "b", "x");
    let pushed: Vec<_> = world.pushes.iter().map(|(to, entry)| (*to, text_of(entry))).collect();
    assert_eq!(pushed, [(other, "x".to_owned())]);
}

#[test]
fn chunks_are_bounded_and_so_is_what_waits() {
    let limits = WorkerLimits { gathered_bytes_max: 2_000, ..WorkerLimits::default() };
    let mut world = World::new(1, limits);
    world.hold = vec!["append"];
    let mut requests = Vec::new();
    for _ in 0..20 {
        let id = world.id();
        requests.push(world.begin("a", message(id, "b", &"x".repeat(200))));
        world.run();
    }
    let refused: Vec<_> = requests.iter().filter_map(|id| world.answer(*id)).filter_map(refused).collect();
    assert!(refused.len() > 5 && refused.iter().all(|code| *code == ErrorCode::Busy), "{refused:?}");
    world.release();
    assert!(requests.iter().all(|id| world.answer(*id).is_some()));
    assert_eq!(world.history("a", "b", 100).len(), 20 - refused.len());
}
