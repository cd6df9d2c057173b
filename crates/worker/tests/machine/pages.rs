use iris_types::request::{Answer, HistoryFrom, ReadHistory, Request};
use iris_types::{ErrorCode, Seq};
use iris_worker::WorkerLimits;

use crate::world::*;

/// Sends so many, letting runs come about in between.
fn filled(count: usize, limits: WorkerLimits) -> World {
    let mut world = World::new(1, limits);
    for index in 1..=count {
        world.send(
            if index % 3 == 0 { "b" } else { "a" },
            if index % 3 == 0 { "a" } else { "b" },
            &text(index),
        );
        if index % 17 == 0 {
            world.pass(20_000);
        }
    }
    world
}

fn text(index: usize) -> String {
    format!("message {index} {}", "x".repeat(index % 200))
}

fn texts(range: std::ops::RangeInclusive<usize>) -> Vec<(u64, String)> {
    range.map(|index| (index as u64, text(index))).collect()
}

#[test]
fn pages_come_from_memory_and_runs_alike() {
    for limits in [WorkerLimits::default(), small()] {
        let mut world = filled(400, limits);
        for limit in [7, 256] {
            assert_eq!(world.history("a", "b", limit), texts(1..=400));
        }
        assert_eq!(world.inbox("a", 0), (None, texts(1..=400)));
        assert_eq!(world.inbox("b", 390), (None, texts(391..=400)));
        world.restart();
        assert_eq!(world.history("b", "a", 100), texts(1..=400));
        assert_eq!(world.inbox("b", 0), (None, texts(1..=400)));
    }
}

#[test]
fn history_goes_both_ways() {
    let mut world = filled(40, small());
    let mut page = |from, limit| match world
        .ask("a", Request::ReadHistory(ReadHistory { with: user("b").into(), from, limit }))
    {
        Answer::HistoryPage(page) => {
            (page.entries.iter().map(|one| one.seq.0).collect::<Vec<_>>(), page.more)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(page(HistoryFrom::Latest, 3), (vec![38, 39, 40], true));
    assert_eq!(page(HistoryFrom::Before(Seq(3)), 3), (vec![1, 2], false));
    assert_eq!(page(HistoryFrom::Before(Seq(4)), 3), (vec![1, 2, 3], false));
    assert_eq!(page(HistoryFrom::Before(Seq(1)), 3), (vec![], false));
    assert_eq!(page(HistoryFrom::Before(Seq(1_000)), 1), (vec![40], true));
    assert_eq!(page(HistoryFrom::After(Seq(0)), 2), (vec![1, 2], true));
    assert_eq!(page(HistoryFrom::After(Seq(38)), 2), (vec![39, 40], false));
    assert_eq!(page(HistoryFrom::After(Seq(40)), 2), (vec![], false));
}

#[test]
fn strangers_see_their_own_empty_conversation() {
    let mut world = filled(3, WorkerLimits::default());
    assert_eq!(world.history("mallory", "a", 10), []);
    assert_eq!(world.inbox("mallory", 0).1, []);
}

#[test]
fn conversations_are_listed_in_pages() {
    let mut world = World::new(1, small());
    for index in 0..30 {
        for _ in 0..=index % 3 {
            world.send("a", &format!("user{index:02}"), "x");
        }
        if index % 7 == 0 {
            world.settle();
        }
    }
    let expected: Vec<_> = (0..30).map(|index| (format!("user{index:02}"), index % 3 + 1)).collect();
    for limit in [1, 7, 256] {
        assert_eq!(world.conversations("a", limit), expected);
    }
    world.send("user03", "a", "y");
    world.restart();
    assert_eq!(world.conversations("user03", 10), [("a".to_owned(), 2)]);
}

#[test]
fn a_page_read_while_a_flush_ends_has_no_hole() {
    let mut world = filled(60, small());
    world.settle();
    for index in 61..=80 {
        world.send("a", "b", &text(index));
    }
    world.hold = vec!["flush", "load"];
    world.settle();
    let id = world.request(0, "b", Request::ReadInbox { after: iris_types::Offset(0) });
    world.run();
    // The flush ends, the merge too, while the page still waits for its runs.
    let (loads, flushes): (Vec<_>, Vec<_>) =
        std::mem::take(&mut world.held).into_iter().partition(|(_, _, call)| call.name() == "load");
    assert_eq!((loads.len(), flushes.len()), (1, 1));
    world.hold = vec!["load"];
    for (index, call, work) in flushes {
        world.finish(index, call, work);
    }
    world.run();
    world.hold.clear();
    for (index, call, work) in loads {
        world.finish(index, call, work);
    }
    world.run();
    match world.answer(id) {
        Some(Answer::InboxPage(page)) => assert_eq!(page.entries.len(), 80),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_asked_for_in_the_turn_in_which_runs_are_replaced_reads_those_of_before() {
    let mut world = filled(60, small());
    world.attach("b");
    world.cache = iris_worker::SharedCache::new(0);
    let merges = world.statistics(|statistics| statistics.merges);
    for round in 0..20 {
        world.hold = vec!["compare and set"];
        for index in 0..4 {
            world.send("a", "b", &text(round * 4 + index));
        }
        world.pass(20_000);
        while let Some((index, call, work)) = world.held.pop() {
            let id = world.request(0, "b", Request::ReadInbox { after: iris_types::Offset(0) });
            world.hold.push("load");
            world.finish(index, call, work);
            world.run();
            // What the change made garbage is dropped by now.
            world.hold.pop();
            let is_load = |(_, _, call): &(usize, _, iris_worker::Call)| call.name() == "load";
            let (loads, changes): (Vec<_>, Vec<_>) =
                std::mem::take(&mut world.held).into_iter().partition(is_load);
            world.held = changes;
            loads.into_iter().for_each(|(index, call, work)| world.finish(index, call, work));
            world.run();
            let answer = world.answer(id);
            assert!(matches!(answer, Some(Answer::InboxPage(_))), "{answer:?}");
        }
    }
    assert!(world.statistics(|statistics| statistics.merges) > merges + 3);
}

#[test]
fn a_damaged_run_refuses_what_it_holds_and_nothing_else() {
    let mut world = filled(30, small());
    world.settle();
    world.send("c", "d", "fine");
    world.engine.fail_next(
        iris_store::memory::Operation::GetBlock,
        iris_store::StoreError::Corrupt { what: "a block".to_owned() },
    );
    world.cache = iris_worker::SharedCache::new(0);
    let answer = world.ask(
        "a",
        Request::ReadHistory(ReadHistory { with: user("b").into(), from: HistoryFrom::Latest, limit: 9 }),
    );
    assert_eq!(refused(answer), Some(ErrorCode::DataCorrupt));
    assert_eq!(world.history("c", "d", 9), [(1, "fine".to_owned())]);
    assert_eq!(world.history("a", "b", 9).len(), 30);
}

#[test]
fn what_finds_no_room_to_wait_begins_no_load() {
    let limits = WorkerLimits { waiting_max: 3, ..WorkerLimits::default() };
    let mut world = World::new(1, limits);
    let users: Vec<String> = (0..20).map(|index| format!("u{index}")).collect();
    for user in &users {
        world.send(user, user, "x");
    }
    world.settle();
    world.restart();
    world.cache = iris_worker::SharedCache::new(0);
    world.attach("u0");
    world.hold = vec!["load"];
    let read = |after| Request::ReadInbox { after: iris_types::Offset(after) };
    for user in &users[1..4] {
        world.request(0, user, read(0));
    }
    world.run();
    let before = (world.held.len(), world.statistics(|statistics| statistics.state_bytes));
    for user in &users[4..] {
        assert_eq!(refused(world.ask(user, read(0))), Some(ErrorCode::Busy));
        let history = ReadHistory { with: self::user(user).into(), from: HistoryFrom::Latest, limit: 9 };
        assert_eq!(refused(world.ask(user, Request::ReadHistory(history))), Some(ErrorCode::Busy));
    }
    let after = (world.held.len(), world.statistics(|statistics| statistics.state_bytes));
    assert_eq!(before, after, "a load for somebody who was refused");
    // What needs no waiting is done.
    let acknowledged = world.request(0, "u0", Request::Acknowledge { up_to: iris_types::Offset(1) });
    world.run();
    assert_eq!(world.answer(acknowledged), None);
}
