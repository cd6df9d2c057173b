use iris_types::{Position, VnodeId};
use iris_worker::{Confirm, Frame, WorkerLimits};

use crate::world::*;

/// Users spread over all vnodes.
fn names() -> Vec<String> {
    (0..24).map(|index| format!("user{index}")).collect()
}

/// Everybody writes to everybody near, then every inbox and history is complete.
fn exchange(world: &mut World, rounds: u64) {
    let names = names();
    for round in 0..rounds {
        for (index, from) in names.iter().enumerate() {
            let to = &names[(index + 1 + usize::try_from(round).unwrap()) % names.len()];
            world.send(from, to, "x");
        }
    }
    world.pass(2_000);
    for name in &names {
        assert_eq!(world.inbox(name, 0).1.len() as u64, rounds * 2, "{name}");
    }
}

#[test]
fn on_one_worker_everything_takes_the_shortcut() {
    let mut world = World::new(1, small());
    exchange(&mut world, 3);
    assert_eq!(world.statistics(|statistics| statistics.forwards), 0);
    assert!(world.statistics(|statistics| statistics.shortcuts) > 20);
}

#[test]
fn between_workers_everything_goes_through_streams() {
    for workers in [2, 3] {
        let mut world = World::new(workers, small());
        exchange(&mut world, 3);
        assert!(world.statistics(|statistics| statistics.forwards) > 10);
        world.settle();
        world.restart();
        for name in names() {
            assert_eq!(world.inbox(&name, 0).1.len(), 6);
        }
    }
}

#[test]
fn a_cold_recipient_may_be_reached_through_the_stream() {
    let limits = WorkerLimits { waits_for_recipient: false, ..small() };
    let mut world = World::new(1, limits);
    exchange(&mut world, 2);
    let forwards = world.statistics(|statistics| statistics.forwards);
    assert!(forwards > 10, "{forwards}");
    // Restarted with the other habit, streams go on where they were.
    world.limits.waits_for_recipient = true;
    world.restart();
    let names = names();
    for (index, from) in names.iter().enumerate() {
        world.send(from, &names[(index + 7) % names.len()], "y");
    }
    assert_eq!(world.statistics(|statistics| statistics.forwards), 0);
    for name in &names {
        assert_eq!(world.inbox(name, 0).1.len(), 6, "{name}");
    }
}

#[test]
fn a_shortcut_never_overtakes() {
    let limits = WorkerLimits { waits_for_recipient: false, ..WorkerLimits::default() };
    let mut world = World::new(1, limits);
    let to = names().into_iter().find(|name| world_vnode(name) != world_vnode("a")).unwrap();
    world.send("a", &to, "0");
    world.hold = vec!["append"];
    world.restart_cold();
    let begin = |world: &mut World, text: &str| {
        let id = world.id();
        world.begin("a", message(id, &to, text));
        world.run();
    };
    ["1", "2", "3"].iter().for_each(|text| begin(&mut world, text));
    assert!(world.statistics(|statistics| statistics.forwards) >= 3);
    // Now the recipient's state is loaded, but what is older has not arrived.
    assert_eq!(world.inbox(&to, 0).1.len(), 1);
    ["4", "5", "6"].iter().for_each(|text| begin(&mut world, text));
    world.release();
    world.pass(2_000);
    let texts: Vec<_> = world.inbox(&to, 0).1.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4", "5", "6"]);
}

/// Rows of forwards in runs, as the directory's manifests say.
fn forward_rows(world: &World) -> u64 {
    // What an entry has in front of its manifest.
    const HEADER_BYTES: usize = 41;
    let entries = iris_store::Registers::scan(&world.engine, "vnode/").unwrap();
    let manifest =
        |value: &iris_store::Value| iris_tables::Manifest::decode(&value.bytes[HEADER_BYTES..]).unwrap();
    let of_entry = |value| {
        let manifest = manifest(value);
        let runs = manifest.runs().iter().filter(|run| run.table == iris_tables::Table::Stream);
        runs.map(|run| run.rows).sum::<u64>()
    };
    entries.iter().map(|(_, value)| of_entry(value)).sum()
}

#[test]
fn forwards_that_a_shortcut_confirms_leave_the_runs() {
    let limits = WorkerLimits { waits_for_recipient: false, ..small() };
    let mut world = World::new(1, limits);
    let is_elsewhere = |name: &String| world_vnode(name) != world_vnode("a") && user(name) > user("a");
    let to = names().into_iter().find(is_elsewhere).unwrap();
    let begin = |world: &mut World| {
        let id = world.id();
        world.begin("a", message(id, &to, "x"));
        world.run();
    };
    let finish_held = |world: &mut World| {
        for (index, id, call) in std::mem::take(&mut world.held) {
            world.finish(index, id, call);
        }
        world.run();
    };
    let forwards = |world: &World| world.statistics(|statistics| statistics.forwards);
    let shortcuts = |world: &World| world.statistics(|statistics| statistics.shortcuts);
    world.send(&to, &to, "x");
    world.settle();
    for _ in 0..8 {
        let before = (forwards(&world), shortcuts(&world));
        // A forward whose recipient is not loaded comes into a run.
        world.hold = vec!["load"];
        begin(&mut world);
        while forwards(&world) == before.0 {
            finish_held(&mut world);
        }
        world.settle();
        // It is taken, and the next message comes before that is committed.
        world.hold = vec!["append"];
        finish_held(&mut world);
        begin(&mut world);
        assert_eq!((forwards(&world), shortcuts(&world)), (before.0 + 1, before.1 + 1));
        world.release();
        world.settle();
    }
    let rows = forward_rows(&world);
    assert!(rows < 4, "{rows} forwards of 8 are kept");
    assert_eq!(world.inbox(&to, 0).1.len(), 17);
}

fn world_vnode(name: &str) -> VnodeId {
    iris_types::placement::VnodeCount::new(16).unwrap().of_user(&user(name))
}

#[test]
fn lost_repeated_and_reordered_frames_change_nothing() {
    let mut world = World::new(2, WorkerLimits::default());
    let (from, to) = (
        "a",
        names()
            .into_iter()
            .find(|name| world_vnode(name).0 % 2 != world_vnode("a").0 % 2 && user(name) > user("a"))
            .unwrap(),
    );
    world.attach(&to);
    let frame = |first, texts: &[&str]| Frame {
        source: world_vnode(from),
        destination: world_vnode(&to),
        first: Position(first),
        forwards: texts.iter().map(|text| forward(&to, text)).collect(),
    };
    let index = usize::from(world_vnode(&to).0 % 2);
    let frames = [
        frame(2, &["2"]),
        frame(1, &["1"]),
        frame(1, &["again"]),
        frame(1, &["again", "2", "3"]),
        frame(5, &["5"]),
        frame(3, &["again"]),
        frame(4, &["4", "5"]),
    ];
    for frame in frames {
        world.tell(index, iris_worker::Input::Frame(frame));
        world.run();
    }
    let texts: Vec<_> = world.inbox(&to, 0).1.into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["1", "2", "3", "4", "5"]);
    // A confirm of what was never sent is no confirm.
    let (source, destination) = (world_vnode(from), world_vnode(&to));
    world.tell(1 - index, iris_worker::Input::Confirm(Confirm { source, destination, up_to: Position(9) }));
    world.run();
    assert_eq!(world.stops, []);
}

fn forward(to: &str, text: &str) -> bytes::Bytes {
    let id = iris_types::MessageId::from_parts(iris_types::Timestamp(NOON), [3; 10]);
    let message = iris_types::InboxMessage {
        conversation: iris_types::ConversationId::direct(&user("a"), &user(to)),
        seq: iris_types::Seq(1),
        id,
        from: user("a"),
        with: user("a").into(),
        origin: None,
        sent_at: iris_types::Timestamp(NOON),
        body: body(text),
    };
    iris_vnode::Forward::Entry { to: user(to), item: iris_types::InboxItem::Message(message) }.encode()
}

#[test]
fn a_confirm_waits_for_the_commit() {
    let mut world = World::new(2, WorkerLimits::default());
    let to = names().into_iter().find(|name| world_vnode(name).0 % 2 != world_vnode("a").0 % 2).unwrap();
    let index = usize::from(world_vnode(&to).0 % 2);
    let frame = || Frame {
        source: world_vnode("a"),
        destination: world_vnode(&to),
        first: Position(1),
        forwards: vec![forward(&to, "1")],
    };
    world.hold = vec!["append"];
    for _ in 0..2 {
        world.now += 1;
        let (now, mono) = (iris_types::Timestamp(world.now), iris_types::Monotonic(world.mono));
        world.workers[index].handle(iris_worker::Input::Frame(frame()), now, mono);
        let outputs: Vec<_> = world.workers[index].outputs().collect();
        assert!(
            !outputs.iter().any(|output| matches!(output, iris_worker::Output::Confirm { .. })),
            "{outputs:?}"
        );
        for output in outputs {
            if let iris_worker::Output::Call { id, call } = output {
                world.held.push((index, id, call));
            }
        }
    }
    for (index, id, call) in std::mem::take(&mut world.held) {
        world.finish(index, id, call);
    }
    let outputs: Vec<_> = world.workers[index].outputs().collect();
    assert!(
        outputs.iter().any(|output| matches!(output, iris_worker::Output::Confirm { .. })),
        "{outputs:?}"
    );
}

#[test]
fn a_stream_that_is_not_confirmed_fills_up_and_drains() {
    let limits = WorkerLimits { stream_backlog_max: 5, ..WorkerLimits::default() };
    let mut world = World::new(2, limits);
    let to = names()
        .into_iter()
        .find(|name| world_vnode(name).0 % 2 != world_vnode("a").0 % 2 && user(name) > user("a"))
        .unwrap();
    let other = std::mem::replace(&mut world.workers[usize::from(world_vnode(&to).0 % 2)], dead());
    let mut results = Vec::new();
    for _ in 0..8 {
        let id = world.id();
        results.push(world.send_as("a", message(id, &to, "x")).map(|sent| sent.seq.0));
    }
    let busy = Err(iris_types::ErrorCode::Busy);
    assert_eq!(results, [Ok(1), Ok(2), Ok(3), Ok(4), Ok(5), busy, busy, busy]);
    world.workers[usize::from(world_vnode(&to).0 % 2)] = other;
    world.pass(2_000);
    world.send("a", &to, "y");
    world.pass(2_000);
    assert_eq!(world.inbox(&to, 0).1.len(), 6);
}

#[test]
fn a_lost_frame_is_sent_again_although_others_follow() {
    let mut world = World::new(2, WorkerLimits::default());
    let to = names()
        .into_iter()
        .find(|name| world_vnode(name).0 % 2 != world_vnode("a").0 % 2 && user(name) > user("a"))
        .unwrap();
    let place = usize::from(world_vnode(&to).0 % 2);
    let other = std::mem::replace(&mut world.workers[place], dead());
    world.send("a", &to, "lost");
    world.workers[place] = other;
    for _ in 0..4 {
        world.pass(400);
        world.send("a", &to, "later");
    }
    assert_eq!(world.inbox(&to, 0).1.len(), 5);
}

/// A worker that never gets anywhere.
fn dead() -> iris_worker::Worker {
    let config = iris_worker::WorkerConfig {
        vnodes: iris_types::placement::VnodeCount::new(16).unwrap(),
        placement: iris_worker::Placement::spread(2),
        index: iris_worker::WorkerIndex(0),
        limits: WorkerLimits::default(),
        seed: [99; 32],
    };
    let mut worker = iris_worker::Worker::new(config, iris_types::Timestamp(0), iris_types::Monotonic(0));
    worker.outputs().for_each(drop);
    worker
}
