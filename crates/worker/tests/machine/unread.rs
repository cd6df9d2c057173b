//! Read marks, and what a list counts as unread.

use iris_types::limits::LINES_PER_USER_MAX;
use iris_types::request::{Answer, MarkRead, Request, SetFlags};
use iris_types::{ConversationId, ErrorCode, Flags, InboxItem, Peer, Policy, Seq, Standing, Target};
use iris_worker::WorkerLimits;

use crate::world::*;

fn mark(target: &Target, up_to: u64) -> Request {
    Request::MarkRead(MarkRead { target: target.clone(), up_to: Seq(up_to) })
}

/// Marks and waits for it.
fn read(world: &mut World, who: &str, target: &Target, up_to: u64) -> Option<ErrorCode> {
    let id = world.begin_any(who, mark(target, up_to));
    world.run();
    world.pass(300);
    match world.answer(id).expect("an answer") {
        Answer::Done => None,
        other => refused(other),
    }
}

/// Read mark, unread, last seq of the one conversation.
fn line(world: &mut World, who: &str) -> (u64, u64, u64) {
    let [one] = <[_; 1]>::try_from(world.list(who, 9)).unwrap();
    (one.read.0, one.unread, one.last_seq.0)
}

#[test]
fn messages_of_others_are_unread_until_they_are_marked() {
    for workers in [1, 2] {
        let mut world = World::new(workers, small());
        let (to_b, to_a) = (Target::User(user("b")), Target::User(user("a")));
        for text in ["1", "2", "3"] {
            world.send("a", "b", text);
        }
        world.pass(2_000);
        assert_eq!((line(&mut world, "a"), line(&mut world, "b")), ((3, 0, 3), (0, 3, 3)));
        assert_eq!(read(&mut world, "b", &to_a, 2), None);
        assert_eq!(line(&mut world, "b"), (2, 1, 3));
        // An own message right behind the mark moves it, one behind unread ones does not.
        world.send("b", "a", "4");
        world.send("a", "b", "5");
        world.pass(2_000);
        assert_eq!((line(&mut world, "a"), line(&mut world, "b")), ((3, 1, 5), (2, 2, 5)));
        for _ in 0..2 {
            assert_eq!(read(&mut world, "b", &to_a, 6), Some(ErrorCode::UnknownConversation));
            assert_eq!(
                read(&mut world, "b", &Target::User(user("c")), 1),
                Some(ErrorCode::UnknownConversation)
            );
            world.restart();
        }
        assert_eq!(read(&mut world, "b", &to_a, 3), None);
        assert_eq!(line(&mut world, "b"), (4, 1, 5));
        assert_eq!((read(&mut world, "b", &to_a, 5), read(&mut world, "b", &to_a, 1)), (None, None));
        assert_eq!(read(&mut world, "a", &to_b, 5), None);
        world.settle();
        world.restart();
        assert_eq!((line(&mut world, "a"), line(&mut world, "b")), ((5, 0, 5), (5, 0, 5)));
    }
}

#[test]
fn the_own_devices_are_told_how_a_conversation_stands() {
    let mut world = World::new(1, WorkerLimits::default());
    world.attach("b");
    world.send("a", "b", "1");
    world.send("a", "b", "2");
    assert_eq!(read(&mut world, "b", &Target::User(user("a")), 1), None);
    let flags = Flags::MUTED;
    let set = SetFlags { target: Target::User(user("a")), mask: Flags::SETTABLE, values: flags };
    for _ in 0..2 {
        assert_eq!(world.ask("b", Request::SetFlags(set.clone())), Answer::Done);
    }
    let states = world.inbox_entries("b").into_iter().filter_map(|entry| match &entry.item {
        InboxItem::State(state) => Some((state.read.0, state.unread, state.flags)),
        _ => None,
    });
    assert_eq!(states.collect::<Vec<_>>(), [(1, 1, Flags::default()), (1, 1, flags)]);
    assert_eq!(world.pushes.last().map(|(to, _)| *to), Some(session("b")));
    world.settle();
    world.restart();
    assert_eq!(world.list("b", 9)[0].flags, flags);
}

/// A mark is refused by what is known of the conversation: that has to be all that the device may have been told.
#[test]
fn a_mark_knows_messages_that_came_while_the_line_was_loaded() {
    let mut world = World::new(1, WorkerLimits::default());
    let target = Target::User(user("a"));
    world.send("a", "b", "1");
    // Loaded while the second message is decided and not committed.
    world.hold = vec!["append"];
    let send = message(world.id(), "b", "2");
    world.begin("a", send);
    world.run();
    let set = SetFlags { target: target.clone(), mask: Flags::PINNED, values: Flags::PINNED };
    let pinned = world.begin_any("b", Request::SetFlags(set));
    world.run();
    world.release();
    assert_eq!(world.answer(pinned), Some(Answer::Done));
    assert_eq!(read(&mut world, "b", &target, 2), None);
    // Asked for before the third one is committed, and loaded behind it.
    world.settle();
    world.restart();
    world.cache = iris_worker::SharedCache::new(0);
    world.attach("b");
    world.hold = vec!["load"];
    let second = world.begin_any("b", mark(&target, 2));
    world.run();
    let loads = std::mem::take(&mut world.held);
    assert!(!loads.is_empty());
    world.hold.clear();
    world.send("a", "b", "3");
    for (index, id, call) in loads {
        world.finish(index, id, call);
    }
    world.run();
    world.pass(300);
    assert_eq!(world.answer(second), Some(Answer::Done));
    assert_eq!(read(&mut world, "b", &target, 3), None);
    assert_eq!(line(&mut world, "b"), (3, 0, 3));
}

#[test]
fn who_comes_into_a_group_has_what_brought_them_unread() {
    let mut world = World::new(1, small());
    let group = world.group("o", Policy::ADMINS_ADD, &["a"]);
    let target = Target::Group(group);
    for text in ["2", "3"] {
        world.say("o", group, text).unwrap();
    }
    assert_eq!(refused(world.change("o", group, "add b")), None);
    assert_eq!(refused(world.change("o", group, "invite c")), None);
    assert_eq!(refused(world.change("o", group, "invite d")), None);
    world.say("o", group, "7").unwrap();
    assert_eq!(refused(world.change("d", group, "leave")), None);
    assert_eq!(refused(world.change("o", group, "remove c")), None);
    world.say("b", group, "10").unwrap();
    for _ in 0..2 {
        let lines = ["o", "a", "b", "c", "d"].map(|who| line(&mut world, who));
        // Read mark, unread, last seq; what was said since an invitation that came to nothing does not count.
        assert_eq!(lines, [(7, 2, 10), (0, 10, 10), (3, 6, 10), (8, 1, 9), (8, 0, 8)]);
        world.settle();
        world.restart();
    }
    assert_eq!(read(&mut world, "c", &target, 10), Some(ErrorCode::UnknownConversation));
    assert_eq!(read(&mut world, "c", &target, 9), None);
    assert_eq!(read(&mut world, "stranger", &target, 1), Some(ErrorCode::UnknownConversation));
    assert_eq!(line(&mut world, "c"), (9, 0, 9));
}

#[test]
fn blocks_without_a_conversation_hide_no_other_line() {
    let mut world = World::new(1, small());
    for index in 0..20 {
        world.send("a", &format!("friend{index:02}"), "x");
    }
    for index in 0..300 {
        let block = iris_types::request::BlockUser { user: user(&format!("foe{index}")), on: true };
        assert_eq!(world.ask("a", Request::BlockUser(block)), Answer::Done);
        if index % 100 == 0 {
            world.settle();
        }
    }
    for _ in 0..2 {
        for limit in [1, 7, 100] {
            assert_eq!(world.conversations("a", limit).len(), 20, "{limit}");
        }
        world.settle();
        world.restart();
    }
}

#[test]
fn many_marks_at_once_fit_their_chunks() {
    let limits = WorkerLimits { chunk_bytes_max: 20_000, ..WorkerLimits::default() };
    let mut world = World::new(1, limits);
    const COUNT: usize = 1_500;
    let names: Vec<String> = (0..COUNT).map(|index| format!("user{index:04}")).collect();
    for name in &names {
        world.send(name, "a", "x");
    }
    world.attach("a");
    let before = (world.statistics(|one| one.chunks), world.statistics(|one| one.chunk_bytes));
    world.hold = vec!["append"];
    let marks: Vec<_> =
        names.iter().map(|name| world.begin_any("a", mark(&Target::User(user(name)), 1))).collect();
    world.run();
    for _ in 0..8 {
        world.pass(300);
    }
    world.release();
    assert!(marks.iter().all(|id| world.answer(*id) == Some(Answer::Done)));
    let chunks = world.statistics(|one| one.chunks) - before.0;
    let bytes = world.statistics(|one| one.chunk_bytes) - before.1;
    // Each decision takes 256 of them at most, and the next begins a chunk of its own.
    assert!(chunks >= (COUNT / 256) as u64, "{bytes} bytes in {chunks} chunks");
    assert_eq!(world.list("a", 100).iter().filter(|one| one.unread > 0).count(), 0);
}

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// What a list says of a conversation is compared with a recount of what the user's inbox holds of it.
fn check_lines(world: &mut World, who: &str, group: ConversationId, seed: u64) {
    let entries = world.inbox_entries(who);
    for one in world.list(who, 3) {
        let (mut unread, mut last) = (0, 0);
        for entry in &entries {
            let InboxItem::Message(message) = &entry.item else { continue };
            if message.conversation == one.conversation {
                last = message.seq.0;
                unread += u64::from(message.seq > one.read && message.from != user(who));
            }
        }
        let is_group = matches!(one.with, Peer::Group(_));
        assert_eq!(is_group, one.conversation == group);
        assert_eq!((one.unread, one.last_seq.0), (unread, last), "TEST_SEED={seed}: {who}, {:?}", one.with);
        assert_eq!(one.standing, Standing::Member);
    }
}

fn run(seed: u64, workers: u16) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = World::new(workers, small());
    let names = ["a", "b", "c", "d"];
    let group = world.group("a", Policy::ADMINS_ADD, &names[1..]);
    for _ in 0..150 {
        let (who, other) = (names[random.below(4) as usize], names[random.below(4) as usize]);
        let target = if random.below(2) == 0 { Target::Group(group) } else { Target::User(user(other)) };
        match random.below(12) {
            0 => world.restart(),
            1 => world.settle(),
            2..=5 => {
                let id = target.conversation(&user(who));
                let list = world.list(who, 9);
                let last = list.iter().find(|one| one.conversation == id).map_or(0, |one| one.last_seq.0);
                let up_to = random.below(last + 2);
                let found = read(&mut world, who, &target, up_to);
                let is_unknown = up_to > last || last == 0;
                let expected = is_unknown.then_some(ErrorCode::UnknownConversation);
                assert_eq!(found, expected, "TEST_SEED={seed}: {who} {target:?} {up_to} of {last}");
            }
            _ => match &target {
                Target::Group(group) => drop(world.say(who, *group, "x").unwrap()),
                Target::User(_) => drop(world.send(who, other, "x")),
            },
        }
        world.pass(300);
    }
    world.pass(2_000);
    for _ in 0..2 {
        for name in names {
            check_lines(&mut world, name, group, seed);
        }
        world.settle();
        world.restart();
    }
}

#[test]
fn lists_count_what_a_recount_counts() {
    let first: u64 = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + 6 {
        run(seed, 1 + u16::try_from(seed % 3).unwrap());
    }
}

#[test]
fn a_line_that_was_forgotten_comes_back_with_the_last_message() {
    let mut world = World::new(1, WorkerLimits::default());
    let others: Vec<String> = (0..=LINES_PER_USER_MAX).map(|number| format!("x{number}")).collect();
    for other in &others {
        world.send(other, "a", "hello");
    }
    world.restart();
    world.attach("a");
    // Heard of before it was in memory, then in memory, then forgotten for others.
    let target = Target::User(user("b"));
    world.send("b", "a", "one");
    assert_eq!(read(&mut world, "a", &target, 1), None);
    world.send("b", "a", "two");
    for other in &others {
        let set = SetFlags { target: Target::User(user(other)), mask: Flags::MUTED, values: Flags::MUTED };
        assert_eq!(world.ask("a", Request::SetFlags(set)), Answer::Done);
    }
    assert_eq!(read(&mut world, "a", &target, 2), None);
}
