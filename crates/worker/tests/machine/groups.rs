//! Groups over many vnodes, on one worker and on several.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use iris_store::{LogChunk, Logs, StoreError};
use iris_types::request::{Answer, ReadRoster, Request, SessionId};
use iris_types::{
    ConversationId, ErrorCode, InboxItem, Peer, Policy, Position, Role, Standing, Target, VnodeId,
};
use iris_vnode::{ChunkReader, Event};
use iris_worker::WorkerLimits;

use crate::world::*;

const ADDS: Policy = Policy::ADMINS_ADD;

/// Users spread over all vnodes.
pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("user{index:03}")).collect()
}

pub(crate) fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// The chunks of all logs that were not trimmed, which are sealed for that: the end of their workers.
pub(crate) fn chunks(world: &World) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    for log in Logs::list(&world.engine).unwrap() {
        world.engine.seal(log.log).unwrap();
        let mut take = |chunk: LogChunk<'_>| {
            chunks.push(Bytes::copy_from_slice(chunk.bytes));
            Ok(())
        };
        match world.engine.replay(log.log, Position(1), &mut take) {
            Ok(()) | Err(StoreError::NoSuchPosition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    chunks
}

pub(crate) fn events(chunk: &Bytes) -> Vec<(VnodeId, Event)> {
    let (mut reader, mut events) = (ChunkReader::new(chunk.clone()).unwrap(), Vec::new());
    while let Some((vnode, _, event)) = reader.next_event().unwrap() {
        events.push((vnode, event));
    }
    events
}

/// Members and invitations, page by page: name, role.
pub(crate) fn roster(
    world: &mut World,
    who: &str,
    group: ConversationId,
    limit: u16,
) -> Vec<(String, Option<Role>)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        match world.ask(who, Request::ReadRoster(ReadRoster { group, after, limit })) {
            Answer::Roster(page) => {
                assert!(page.items.len() <= usize::from(limit));
                after = page.items.last().map(|item| item.user.clone());
                all.extend(page.items.into_iter().map(|item| (item.user.to_string(), item.role)));
                if !page.more {
                    return all;
                }
            }
            other => panic!("no page: {other:?}"),
        }
    }
}

/// What a group's messages say in the order of a user's inbox.
pub(crate) fn received(world: &mut World, name: &str) -> Vec<String> {
    world.inbox(name, 0).1.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn everybody_gets_every_message_once_and_in_one_order() {
    for workers in [1, 2, 3] {
        let mut world = World::new(workers, small());
        let names = names(24);
        for name in &names {
            world.attach(name);
        }
        let group = world.group(&names[0], ADDS, &refs(&names[1..]));
        for round in 0..3 {
            for name in &names {
                world.say(name, group, &format!("{name} {round}")).unwrap();
            }
        }
        world.pass(2_000);
        let expected: Vec<String> = std::iter::once("<created>".to_owned())
            .chain((0..3).flat_map(|round| names.iter().map(move |name| format!("{name} {round}"))))
            .collect();
        let mut pushed: BTreeMap<SessionId, Vec<u64>> = BTreeMap::new();
        for (session, entry) in &world.pushes {
            pushed.entry(*session).or_default().push(entry.offset.0);
        }
        for _ in 0..2 {
            for name in &names {
                assert_eq!(received(&mut world, name), expected, "{name}, {workers} workers");
                let history = world.history_of(name, Target::Group(group), 50);
                assert_eq!(
                    history.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
                    (1..=73).collect::<Vec<_>>()
                );
                assert_eq!(history.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), expected);
                assert_eq!(world.conversations(name, 9), [("title".to_owned(), 73)]);
            }
            world.settle();
            world.restart();
        }
        // A session is pushed everything but its own sends, or these without body, in the order of offsets.
        for name in &names {
            let pushed = &pushed[&session(name)];
            assert!(pushed.is_sorted_by(|one, other| one < other), "{name}: {pushed:?}");
            assert!((70..=73).contains(&pushed.len()), "{name}: {}", pushed.len());
        }
    }
}

#[test]
fn a_message_is_one_event_for_each_vnode_that_members_live_on() {
    for (workers, streams) in [(1, false), (2, true), (3, true)] {
        let mut world = World::new(workers, WorkerLimits::default());
        let names = names(40);
        let group = world.group(&names[0], ADDS, &refs(&names[1..]));
        world.pass(2_000);
        world.say(&names[3], group, "text").unwrap();
        world.pass(2_000);
        let homes: BTreeSet<VnodeId> = names.iter().map(|name| world.count().of_user(&user(name))).collect();
        let events: Vec<(VnodeId, Event)> = chunks(&world).iter().flat_map(events).collect();
        let is_of_text = |event: &&(VnodeId, Event)| match &event.1 {
            Event::GroupEntries(entries) => entries.message.body.as_text() == Some("text"),
            _ => false,
        };
        let entries: Vec<&(VnodeId, Event)> = events.iter().filter(is_of_text).collect();
        let at: Vec<VnodeId> = entries.iter().map(|(vnode, _)| *vnode).collect();
        assert_eq!((at.len(), at.into_iter().collect::<BTreeSet<_>>()), (homes.len(), homes.clone()));
        let recipients: usize = entries
            .iter()
            .map(|(vnode, event)| match event {
                Event::GroupEntries(event) => {
                    let lives_here = |user| world.count().of_user(user) == *vnode;
                    assert!(event.entries.iter().all(|entry| lives_here(&entry.recipient.user)));
                    event.entries.len()
                }
                _ => 0,
            })
            .sum();
        assert_eq!(recipients, names.len());
        let is_forward = |event: &&(VnodeId, Event)| match &event.1 {
            Event::Forward { forward, .. } => forward.ends_with(b"text"),
            _ => false,
        };
        assert_eq!(events.iter().any(|event| is_forward(&event)), streams, "{workers} workers");
        if !streams {
            // Those of the creation began in their members' entries.
            assert_eq!(events.iter().filter(|(_, event)| matches!(event, Event::Line { .. })).count(), 1);
        }
    }
}

#[test]
fn a_sender_learns_the_own_offset_where_that_is_known() {
    for workers in [1, 2] {
        let mut world = World::new(workers, WorkerLimits::default());
        let names = names(12);
        let group = world.group(&names[0], ADDS, &refs(&names[1..]));
        world.pass(2_000);
        let home = world.worker_with(world.count().of_group(group));
        let mut known = 0;
        for name in &names {
            let sent = world.say(name, group, name).unwrap();
            world.pass(2_000);
            let is_here = world.worker_with(world.count().of_user(&user(name))) == home;
            assert_eq!(sent.offset.is_some(), is_here, "{name}");
            let inbox = world.inbox(name, 0).1;
            if let Some(offset) = sent.offset {
                known += 1;
                assert!(inbox.contains(&(offset.0, name.clone())), "{name}");
            }
        }
        assert!(known > 0 && (workers == 1) == (known == names.len()), "{known}");
    }
}

#[test]
fn the_authors_other_device_gets_the_message_and_the_sending_one_knows_it() {
    for workers in [1, 2] {
        let mut world = World::new(workers, WorkerLimits::default());
        let group = world.group("a", ADDS, &["b"]);
        world.pass(2_000);
        for device in ["phone", "laptop"] {
            let login = world.login("a", device);
            world.attach_as(session(device), login);
        }
        world.attach("b");
        world.pushes.clear();
        let send = to_group(world.id(), group, "text");
        let phone = ("a", "phone", session("phone"));
        let sent = sent(world.ask_as(phone, Request::SendMessage(send))).unwrap();
        world.pass(2_000);
        let mut pushed = Vec::new();
        for (to, entry) in &world.pushes {
            let InboxItem::Message(message) = &entry.item else { panic!("{entry:?}") };
            assert_eq!((message.seq, message.conversation, &message.from), (sent.seq, group, &user("a")));
            assert_eq!((text_of(entry).as_str(), matches!(message.with, Peer::Group(_))), ("text", true));
            let origin = message.origin.as_ref().map(ToString::to_string);
            pushed.push((*to, origin));
        }
        pushed.sort();
        let from_phone = Some("phone".to_owned());
        let mut expected = vec![(session("b"), None), (session("laptop"), from_phone.clone())];
        if sent.offset.is_none() {
            // The answer did not say where it is: the device is told, without body, by its edge.
            expected.push((session("phone"), from_phone));
        }
        expected.sort();
        assert_eq!(pushed, expected, "{workers} workers");
    }
}

/// A group's life, and what everybody gets of it.
#[test]
fn who_comes_and_goes_gets_what_concerns_them_and_nothing_else() {
    for workers in [1, 2, 3] {
        let mut world = World::new(workers, small());
        let group = world.group("o", Policy::default(), &["b", "c"]);
        let say =
            |world: &mut World, who: &str, text: &str| world.say(who, group, text).map(|sent| sent.seq.0);
        let act = |world: &mut World, who: &str, change: &str| match world.change(who, group, change) {
            Answer::Sent(sent) => Ok(sent.seq.0),
            Answer::Done => Ok(0),
            Answer::Refused { refusal, .. } => Err(refusal.code),
            other => panic!("{other:?}"),
        };
        assert_eq!(say(&mut world, "o", "alone"), Ok(2));
        assert_eq!(say(&mut world, "b", "too early"), Err(ErrorCode::NotMember));
        assert_eq!(act(&mut world, "b", "accept"), Ok(3));
        assert_eq!(act(&mut world, "b", "accept"), Ok(0));
        assert_eq!(say(&mut world, "b", "hello"), Ok(4));
        assert_eq!(act(&mut world, "c", "leave"), Ok(5));
        assert_eq!(act(&mut world, "o", "policy 1"), Ok(6));
        assert_eq!(act(&mut world, "o", "add d"), Ok(7));
        assert_eq!(act(&mut world, "d", "rename other"), Err(ErrorCode::NotAllowed));
        assert_eq!(act(&mut world, "o", "role d admin"), Ok(8));
        assert_eq!(act(&mut world, "d", "rename other"), Ok(9));
        assert_eq!(act(&mut world, "d", "remove b"), Ok(10));
        assert_eq!(say(&mut world, "b", "too late"), Err(ErrorCode::NotMember));
        assert_eq!(say(&mut world, "d", "without b"), Ok(11));
        assert_eq!(act(&mut world, "o", "leave"), Ok(12));
        assert_eq!(act(&mut world, "d", "invite b"), Ok(13));
        assert_eq!(say(&mut world, "d", "invited, not in"), Ok(14));
        assert_eq!(act(&mut world, "b", "accept"), Ok(15));
        assert_eq!(say(&mut world, "b", "again"), Ok(16));
        world.pass(2_000);
        let expected = [
            (
                "o",
                "<created> alone <joined> hello <left> <policy> <added d> <role d> <renamed> <removed b> \
                 without.b <left>",
            ),
            (
                "b",
                "<created> <joined> hello <left> <policy> <added d> <role d> <renamed> <removed b> <invited b> \
                 <joined> again",
            ),
            ("c", "<created> <left>"),
            (
                "d",
                "<added d> <role d> <renamed> <removed b> without.b <left> <invited b> invited,.not.in <joined> \
                 again",
            ),
        ];
        for _ in 0..2 {
            for (name, texts) in expected {
                let dotted = |text: &String| {
                    if text.starts_with('<') { text.clone() } else { text.replace(' ', ".") }
                };
                let found: Vec<String> = received(&mut world, name).iter().map(dotted).collect();
                assert_eq!(found.join(" "), texts, "{name}, {workers} workers");
            }
            let standings = ["o", "b", "c", "d"].map(|name| {
                let [one] = <[_; 1]>::try_from(world.list(name, 9)).unwrap();
                (one.standing, one.last_seq.0)
            });
            let (gone, member) = (Standing::Gone, Standing::Member);
            assert_eq!(standings, [(gone, 12), (member, 16), (gone, 5), (member, 16)]);
            let members = [("b".to_owned(), Some(Role::Member)), ("d".to_owned(), Some(Role::Owner))];
            assert_eq!(roster(&mut world, "b", group, 1), members);
            let seqs = |world: &mut World, name| {
                let history = world.history_of(name, Target::Group(group), 3);
                history.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>()
            };
            assert_eq!(seqs(&mut world, "o"), (1..=12).collect::<Vec<_>>());
            assert_eq!(seqs(&mut world, "b"), [3, 4, 5, 6, 7, 8, 9, 10, 15, 16]);
            assert_eq!(seqs(&mut world, "c"), [0; 0]);
            assert_eq!(seqs(&mut world, "d"), (7..=16).collect::<Vec<_>>());
            world.settle();
            world.restart();
        }
    }
}

#[test]
fn a_group_is_shown_to_members_and_to_who_is_invited() {
    let mut world = World::new(2, small());
    let group = world.group("o", Policy::OPEN_HISTORY, &["i"]);
    world.say("o", group, "x").unwrap();
    world.settle();
    world.restart();
    for (who, role) in [("o", Some(Role::Owner)), ("i", None)] {
        match world.ask(who, Request::ReadGroup { group }) {
            Answer::Group(one) => {
                assert_eq!(
                    (one.group, one.title.as_str(), one.policy),
                    (group, "title", Policy::OPEN_HISTORY)
                );
                assert_eq!((one.members, one.invited, one.role, one.last_seq.0), (1, 1, role, 2));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(roster(&mut world, who, group, 9).len(), 2);
    }
}

#[test]
fn what_is_asked_before_the_commit_is_answered_after_it() {
    let mut world = World::new(1, WorkerLimits::default());
    let group = world.group("o", ADDS.with(Policy::OPEN_HISTORY), &["m"]);
    world.say("o", group, "secret").unwrap();
    world.hold = vec!["append"];
    let (id, change) = (world.id(), change_of("add n"));
    let added = world.begin_any("o", Request::ChangeGroup(iris_types::ChangeGroup { id, group, change }));
    world.run();
    let history = || {
        let (with, from) = (Target::Group(group), iris_types::request::HistoryFrom::Latest);
        Request::ReadHistory(iris_types::request::ReadHistory { with, from, limit: 9 })
    };
    let before = iris_types::request::HistoryFrom::Before(iris_types::Seq(1));
    let nothing = iris_types::request::ReadHistory { with: Target::Group(group), from: before, limit: 9 };
    let roster = Request::ReadRoster(ReadRoster { group, after: None, limit: 9 });
    let asked = [Request::ReadGroup { group }, roster, history(), Request::ReadHistory(nothing)];
    let asked = asked.map(|request| world.begin_any("n", request));
    world.run();
    // A change that may never have been decides none of it.
    assert!(asked.iter().chain([&added]).all(|id| world.answer(*id).is_none()));
    world.release();
    let answers = asked.map(|id| world.answer(id).unwrap());
    assert!(matches!(&answers[0], Answer::Group(one) if one.members == 3));
    assert!(matches!(&answers[1], Answer::Roster(page) if page.items.len() == 3));
    assert!(matches!(&answers[2], Answer::HistoryPage(page) if page.entries.len() == 2));
    assert!(matches!(&answers[3], Answer::HistoryPage(page) if page.entries.is_empty()));
}

#[test]
fn an_operator_bounds_groups() {
    let mut world = World::new(1, WorkerLimits { group_members_max: 4, ..WorkerLimits::default() });
    let create = creation(world.id(), ADDS, &["b", "c", "d", "e"]);
    assert_eq!(refused(world.ask("a", Request::CreateGroup(create))), Some(ErrorCode::GroupFull));
    let group = world.group("a", ADDS, &["b", "c"]);
    assert_eq!(refused(world.change("a", group, "invite d")), None);
    assert_eq!(refused(world.change("a", group, "invite e")), Some(ErrorCode::GroupFull));
    assert_eq!(refused(world.change("d", group, "accept")), None);
}

#[test]
fn five_hundred_talk() {
    let mut world = World::new(2, small());
    let names = names(500);
    let group = world.group(&names[0], ADDS, &refs(&names[1..]));
    let one = names.last().unwrap();
    world.say(one, group, "hello").unwrap();
    world.settle();
    world.restart();
    world.say(&names[7], group, "again").unwrap();
    world.pass(2_000);
    for name in names.iter().step_by(7).chain([one]) {
        assert_eq!(received(&mut world, name), ["<created>", "hello", "again"], "{name}");
    }
    assert_eq!(roster(&mut world, one, group, 256).len(), 500);
    assert_eq!(refused(world.change(&names[0], group, "invite new")), Some(ErrorCode::GroupFull));
}
