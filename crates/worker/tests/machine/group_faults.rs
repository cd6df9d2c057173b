//! Groups when something goes wrong: cold members, lost frames, restarts, full streams, the largest messages.

use bytes::Bytes;
use iris_types::limits::{BODY_BYTES_MAX, CHUNK_BYTES_MAX, DECISION_BYTES_MAX, STORED_CHUNK_BYTES_MAX};
use iris_types::request::{Answer, Request};
use iris_types::{Body, BodyKind, ChangeGroup, ConversationId, ErrorCode, InboxItem, Policy, Target};
use iris_vnode::Event;
use iris_vnode::events::MessageEvent;
use iris_worker::{Input, WorkerLimits};

use crate::groups::{chunks, events, names, received, refs, roster};
use crate::world::*;

const ADDS: Policy = Policy::ADMINS_ADD;

/// Carries out what is held, some of which may be held again.
fn finish_held(world: &mut World) -> bool {
    let held = std::mem::take(&mut world.held);
    let is_any = !held.is_empty();
    for (index, id, call) in held {
        world.finish(index, id, call);
    }
    world.run();
    is_any
}

#[test]
fn cold_members_get_messages_through_streams_in_order() {
    for limits in [WorkerLimits::default(), small()] {
        let mut world = World::new(1, limits);
        let names = names(30);
        let group = world.group(&names[0], ADDS, &refs(&names[1..]));
        world.settle();
        world.restart();
        world.cache = iris_worker::SharedCache::new(0);
        world.hold = vec!["load"];
        let mut asked = Vec::new();
        for round in 0..4 {
            for name in names.iter().step_by(5) {
                let send = to_group(world.id(), group, &format!("{name} {round}"));
                asked.push((world.begin(name, send), format!("{name} {round}")));
            }
            world.run();
            // Loads end late and one after the other.
            finish_held(&mut world);
            world.pass(300);
        }
        while finish_held(&mut world) {}
        world.release();
        world.pass(2_000);
        let mut said: Vec<(u64, String)> = Vec::new();
        for (id, text) in asked {
            said.push((sent(world.answer(id).unwrap()).unwrap().seq.0, text));
        }
        said.sort();
        assert!(said.iter().map(|(seq, _)| *seq).eq(2..=said.len() as u64 + 1));
        assert!(world.statistics(|statistics| statistics.forwards) > 0);
        let expected: Vec<String> =
            std::iter::once("<created>".to_owned()).chain(said.into_iter().map(|(_, text)| text)).collect();
        for name in &names {
            assert_eq!(received(&mut world, name), expected, "{name}");
        }
    }
}

/// More members on one vnode than memory has room for.
#[test]
fn a_message_arrives_although_memory_has_no_room_for_its_recipients() {
    let mut world = World::unstarted(small());
    world.vnodes = 1;
    world.start(1);
    let names = names(300);
    let group = world.group(&names[0], ADDS, &refs(&names[1..]));
    world.settle();
    world.restart();
    world.cache = iris_worker::SharedCache::new(0);
    world.hold = vec!["load"];
    let send = to_group(world.id(), group, "text");
    let asked = world.begin(&names[0], send);
    world.run();
    for _ in 0..200 {
        // One load after the other, with a turn in between: what is loaded may be dropped meanwhile.
        let Some((index, id, call)) = world.held.pop() else { break };
        world.finish(index, id, call);
        world.run();
    }
    world.release();
    world.pass(2_000);
    assert!(sent(world.answer(asked).unwrap()).is_ok());
    for name in names.iter().step_by(50) {
        assert_eq!(received(&mut world, name), ["<created>", "text"]);
    }
}

#[test]
fn frames_to_a_worker_that_is_away_are_sent_again() {
    let mut world = World::new(3, WorkerLimits::default());
    let names = names(24);
    let group = world.group(&names[0], ADDS, &refs(&names[1..]));
    world.pass(2_000);
    let home = world.worker_with(world.count().of_group(group));
    let is_home = |name: &&String| world.worker_with(world.count().of_user(&user(name))) == home;
    let author = names.iter().find(is_home).unwrap().clone();
    let away = (home + 1) % 3;
    let other = std::mem::replace(&mut world.workers[away], dead());
    for text in ["1", "2", "3"] {
        world.say(&author, group, text).unwrap();
    }
    world.workers[away] = other;
    for _ in 0..3 {
        world.pass(700);
    }
    // Sent again although nothing was lost.
    let frames = std::mem::take(&mut world.frames);
    assert!(!frames.is_empty());
    for (to, frame) in frames {
        world.tell(to, Input::Frame(frame.clone()));
        world.tell(to, Input::Frame(frame));
        world.run();
    }
    for name in &names {
        assert_eq!(received(&mut world, name), ["<created>", "1", "2", "3"], "{name}");
    }
}

/// A worker that never gets anywhere.
fn dead() -> iris_worker::Worker {
    let config = iris_worker::WorkerConfig {
        vnodes: iris_types::placement::VnodeCount::new(16).unwrap(),
        placement: iris_worker::Placement::spread(3),
        index: iris_worker::WorkerIndex(0),
        limits: WorkerLimits::default(),
        seed: [99; 32],
    };
    let mut worker = iris_worker::Worker::new(config, iris_types::Timestamp(0), iris_types::Monotonic(0));
    worker.outputs().for_each(drop);
    worker
}

/// The steps of a group's life: who, what; the group's creation comes first.
const LIFE: [(&str, &str); 12] = [
    ("a", "invite b"),
    ("b", "accept"),
    ("a", "policy 1"),
    ("a", "add c"),
    ("b", "say hello"),
    ("a", "role c admin"),
    ("c", "rename other"),
    ("c", "remove b"),
    ("a", "say alone"),
    ("c", "add b"),
    ("a", "leave"),
    ("b", "say bye"),
];

fn request(world: &mut World, group: ConversationId, what: &str) -> Request {
    let id = world.id();
    match what.strip_prefix("say ") {
        Some(text) => Request::SendMessage(to_group(id, group, text)),
        None => Request::ChangeGroup(ChangeGroup { id, group, change: change_of(what) }),
    }
}

/// Before each step everything is lost that was not committed, and what was asked is asked again.
#[test]
fn a_group_lives_through_a_restart_at_every_step() {
    for (workers, flushes) in [(1, false), (1, true), (2, false), (3, true)] {
        let mut world = World::new(workers, small());
        let create = creation(world.id(), Policy::default(), &[]);
        let group = ConversationId::group(&user("a"), create.id);
        let mut steps = vec![("a", Request::CreateGroup(create))];
        for (who, what) in LIFE {
            let request = request(&mut world, group, what);
            steps.push((who, request));
        }
        for (number, (who, request)) in steps.into_iter().enumerate() {
            world.hold = vec!["append"];
            let lost = world.begin_any(who, request.clone());
            world.run();
            assert_eq!(world.answer(lost), None, "an answer before the commit");
            world.hold.clear();
            world.restart();
            // Committed, but the answer is lost.
            let first = world.begin_any(who, request.clone());
            world.run();
            let first = sent(world.answer(first).unwrap()).unwrap();
            assert_eq!(first.seq.0, number as u64 + 1, "{request:?}");
            if flushes {
                world.settle();
            }
            world.restart();
            let again = sent(world.ask(who, request.clone())).unwrap();
            assert_eq!((again.seq, again.sent_at), (first.seq, first.sent_at), "{request:?}");
        }
        world.pass(2_000);
        let history = world.history_of("c", Target::Group(group), 9);
        assert_eq!(history.first(), Some(&(5, "<added c>".to_owned())));
        assert_eq!(history.len(), 9);
        let all = [
            (
                "a",
                "<created> <invited b> <joined> <policy> <added c> hello <role c> <renamed> <removed b> alone \
                   <added b> <left>",
            ),
            (
                "b",
                "<invited b> <joined> <policy> <added c> hello <role c> <renamed> <removed b> <added b> <left> \
                   bye",
            ),
            ("c", "<added c> hello <role c> <renamed> <removed b> alone <added b> <left> bye"),
        ];
        for (name, texts) in all {
            assert_eq!(received(&mut world, name).join(" "), texts, "{name}, {workers} workers");
        }
        let names = |roster: Vec<(String, _)>| roster.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(roster(&mut world, "b", group, 9)), ["b", "c"]);
    }
}

#[test]
fn what_needs_a_full_stream_is_refused_as_busy() {
    let limits = WorkerLimits { stream_backlog_max: 5, ..WorkerLimits::default() };
    let mut world = World::new(3, limits);
    let names = names(24);
    let group = world.group("o", ADDS, &refs(&names));
    world.pass(2_000);
    let home = world.worker_with(world.count().of_group(group));
    let of = |world: &World, name: &str| world.worker_with(world.count().of_user(&user(name)));
    let away = (home + 1) % 3;
    let other = std::mem::replace(&mut world.workers[away], dead());
    let author = names.iter().find(|name| of(&world, name) == home).unwrap().clone();
    let results: Vec<_> = (0..7).map(|_| world.say(&author, group, "x").map(|sent| sent.seq.0)).collect();
    let busy = Err(ErrorCode::Busy);
    assert_eq!(results, [Ok(2), Ok(3), Ok(4), Ok(5), Ok(6), busy, busy]);
    assert_eq!(refused(world.change(&author, group, "rename x")), Some(ErrorCode::Busy));
    world.workers[away] = other;
    world.pass(2_000);
    world.say(&author, group, "y").unwrap();
    world.pass(2_000);
    for name in &names {
        assert_eq!(received(&mut world, name).len(), 7, "{name}");
    }
}

#[test]
fn a_stream_that_nobody_takes_from_is_bounded_whoever_makes_groups() {
    let limits = WorkerLimits { stream_backlog_max: 5, ..WorkerLimits::default() };
    let mut world = World::unstarted(limits);
    // Two vnodes, so that every second group is on the one that is not away.
    world.vnodes = 2;
    world.start(2);
    let count = world.count();
    let far =
        (0..).map(|index| format!("far{index}")).find(|name| count.of_user(&user(name)).0 == 1).unwrap();
    let near =
        (0..).map(|index| format!("near{index}")).find(|name| count.of_user(&user(name)).0 == 0).unwrap();
    world.workers.truncate(1);
    let (mut made, mut refusals) = (Vec::new(), 0);
    for round in 0..40 {
        let members: &[&str] = if round % 2 == 0 { &[&far] } else { &[] };
        let create = creation(world.id(), ADDS, members);
        let group = ConversationId::group(&user(&near), create.id);
        if count.of_group(group).0 == 1 {
            continue;
        }
        let id = world.request(0, &near, Request::CreateGroup(create));
        world.run();
        match refused(world.answer(id).unwrap()) {
            None => made.push((group, !members.is_empty())),
            Some(code) => {
                assert_eq!((code, members.is_empty()), (ErrorCode::Busy, false));
                refusals += 1;
            }
        }
    }
    assert!(refusals > 0);
    assert_eq!(made.iter().filter(|(_, is_far)| *is_far).count(), 5);
    // To come in to a group is no way around it.
    let (group, _) = made.iter().find(|(_, is_far)| !is_far).unwrap();
    for change in [format!("invite {far}"), format!("add {far}")] {
        let (id, change) = (world.id(), change_of(&change));
        let id = world.request(0, &near, Request::ChangeGroup(ChangeGroup { id, group: *group, change }));
        world.run();
        assert_eq!(refused(world.answer(id).unwrap()), Some(ErrorCode::Busy));
    }
}

#[test]
fn the_largest_message_to_a_large_cold_group_is_in_its_chunk_once() {
    let mut world = World::unstarted(WorkerLimits::default());
    world.vnodes = 256;
    world.start(1);
    world.hold = vec!["trim"];
    let names = names(400);
    let group = world.group(&names[0], ADDS, &refs(&names[1..]));
    world.settle();
    world.restart_cold();
    let text = vec![b'x'; BODY_BYTES_MAX];
    let body = Body::new(BodyKind(9), Bytes::from(text)).unwrap();
    let send = iris_types::request::SendMessage { body, ..to_group(world.id(), group, "x") };
    let before = world.statistics(|statistics| statistics.forwards);
    let sent = world.send_as(&names[0], send.clone()).unwrap();
    world.pass(2_000);
    let forwards = world.statistics(|statistics| statistics.forwards) - before;
    assert!(forwards > 150, "{forwards}");
    let of_message = |chunk: &Bytes| {
        events(chunk).iter().any(|(_, event)| {
            matches!(event, Event::Message(message) if message.body.bytes().len() == BODY_BYTES_MAX)
        })
    };
    let chunks: Vec<Bytes> = chunks(&world).into_iter().filter(of_message).collect();
    let [chunk] = <[Bytes; 1]>::try_from(chunks).unwrap();
    assert!(chunk.len() < 3 * BODY_BYTES_MAX, "{} bytes", chunk.len());
    let whole = events(&chunk).into_iter().filter(|(_, event)| match event {
        Event::Forward { forward, .. } => forward.len() > BODY_BYTES_MAX,
        _ => false,
    });
    assert_eq!(whole.count() as u64, forwards);
    world.restart();
    assert_eq!(world.send_as(&names[0], send).unwrap().seq, sent.seq);
    world.pass(2_000);
    for name in names.iter().step_by(40) {
        let entries = world.inbox_entries(name);
        let InboxItem::Message(message) = &entries.last().unwrap().item else { panic!("{name}") };
        assert_eq!((entries.len(), message.body.bytes().len()), (2, BODY_BYTES_MAX), "{name}");
    }
}

/// The longest names there are, each its own.
fn long_names(count: usize, bytes: usize) -> Vec<String> {
    (0..count).map(|index| format!("{index:0>bytes$}")).collect()
}

/// Measures what [`DECISION_BYTES_MAX`] says.
#[test]
fn no_decision_about_a_group_is_larger_than_a_chunk_has_room_for() {
    const MEMBERS: usize = iris_types::limits::GROUP_MEMBERS_HARD_MAX;
    let limits = WorkerLimits { group_members_max: MEMBERS, ..WorkerLimits::default() };
    let title = "t".repeat(iris_types::limits::TITLE_BYTES_MAX);
    let title = iris_types::GroupTitle::new(&title).unwrap();
    let (mut largest_decision, owner) = (0, "o".repeat(64));
    // Names as a frame has room for to make a group of them all, then the longest, who come in one after the other.
    for (name_bytes, counts_creation) in [(31, true), (64, false)] {
        let mut world = World::unstarted(limits);
        // More vnodes than members, so that most get an event, a forward and a place in a stream of their own.
        world.vnodes = 8_192;
        world.start(1);
        world.hold = vec!["trim"];
        let names = long_names(MEMBERS - 1, name_bytes);
        let create =
            iris_types::CreateGroup { title: title.clone(), ..creation(world.id(), ADDS, &refs(&names)) };
        let group = ConversationId::group(&user(&owner), create.id);
        sent(world.ask(&owner, Request::CreateGroup(create))).unwrap();
        world.pass(2_000);
        // To members in memory, then to members that are not.
        let body = Body::new(BodyKind(9), Bytes::from(vec![b'x'; BODY_BYTES_MAX])).unwrap();
        let send = iris_types::request::SendMessage { body, ..to_group(world.id(), group, "x") };
        world.send_as(&owner, send.clone()).unwrap();
        let warm = chunks(&world);
        world.start(1);
        world.hold = vec!["trim"];
        let send = iris_types::request::SendMessage { id: world.id(), ..send };
        world.send_as(&owner, send).unwrap();
        let remove = world.change(&owner, group, &format!("remove {}", names[0]));
        assert_eq!(refused(remove), None);
        let all = warm.into_iter().chain(chunks(&world));
        let of_message = |chunk: &Bytes| {
            let is_counted = |event: &MessageEvent| counts_creation || event.seq.0 > 1;
            events(chunk).iter().any(|(_, event)| matches!(event, Event::Message(one) if is_counted(one)))
        };
        let largest = all.filter(of_message).map(|chunk| chunk.len()).max().unwrap_or(0);
        println!("names of {name_bytes} bytes: {largest} bytes");
        largest_decision = largest.max(largest_decision);
    }
    assert!(largest_decision < DECISION_BYTES_MAX, "{largest_decision}");
    assert!(largest_decision > DECISION_BYTES_MAX / 2, "{largest_decision}: the bound is too large");
    const { assert!(CHUNK_BYTES_MAX + DECISION_BYTES_MAX < STORED_CHUNK_BYTES_MAX) };
}

/// The chunk holds the body once, memory holds it in each forward.
#[test]
fn large_messages_to_cold_members_wait_within_the_bound_of_memory() {
    let mut world = World::unstarted(WorkerLimits::default());
    world.vnodes = 256;
    world.start(1);
    let names = names(400);
    let group = world.group(&names[0], ADDS, &refs(&names[1..]));
    world.settle();
    world.restart();
    world.hold = vec!["append"];
    let mut asked = Vec::new();
    for _ in 0..12 {
        let body = Body::new(BodyKind(9), Bytes::from(vec![b'x'; BODY_BYTES_MAX])).unwrap();
        let send = iris_types::request::SendMessage { body, ..to_group(world.id(), group, "x") };
        asked.push(world.begin(&names[0], send));
        world.run();
    }
    let is_busy = |answer: Answer| refused(answer) == Some(ErrorCode::Busy);
    let busy = asked.iter().filter(|id| world.answer(**id).is_some_and(is_busy)).count();
    // One has 200 forwards of 33 KB and may go over the bound of 32 MiB.
    assert!((5..=7).contains(&(asked.len() - busy)), "{busy} are refused");
    world.release();
    // What found no room at its destination is sent again.
    (0..3).for_each(|_| world.pass(1_100));
    assert_eq!(world.inbox_entries(&names[9]).len(), asked.len() - busy + 1);
}

#[test]
fn a_change_in_doubt_is_resolved_never_replaced() {
    use iris_store::memory::Landing;
    for landing in [Landing::Landed, Landing::Late, Landing::Lost] {
        let mut world = World::new(1, WorkerLimits::default());
        let group = world.group("a", ADDS, &["b"]);
        world.engine.doubt_next_append(landing, iris_store::Doubt::NoAnswer);
        let request = request(&mut world, group, "add c");
        let first = world.begin_any("a", request);
        world.run();
        world.say("c", group, "3").unwrap();
        assert_eq!(sent(world.answer(first).unwrap()).unwrap().seq.0, 2, "{landing:?}");
        world.restart();
        assert_eq!(received(&mut world, "c"), ["<added c>", "3"]);
        assert!(matches!(world.change("a", group, "add c"), Answer::Done));
    }
}
