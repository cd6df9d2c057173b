//! Groups: made and changed once whatever breaks on the way, and told like messages.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod world;

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use iris_client_core::{
    ClientEvent, HistoryQuestion, NewGroup, NewMessage, QueryError, QueryNumber, Question, RosterQuestion,
};
use iris_protocol::Versions;
use iris_types::limits::{GROUP_MEMBERS_HARD_MAX, ID_AHEAD_MS_MAX};
use iris_types::request::HistoryFrom;
use iris_types::{
    Change, ConversationId, ErrorCode, GroupChange, GroupDescription, GroupTitle, Peer, Policy, Refusal,
    Role, Seq, Target, Timestamp,
};
use world::{START, World, text, user};

fn tea(members: &[&str], policy: Policy) -> Question {
    Question::CreateGroup(NewGroup {
        title: GroupTitle::new("Tea").unwrap(),
        description: GroupDescription::new("at five").unwrap(),
        policy,
        members: members.iter().map(|name| user(name)).collect(),
    })
}

fn ask(world: &mut World, at: usize, question: Question) -> QueryNumber {
    world.devices[at].core.ask(question).unwrap()
}

/// The one answer to a question.
fn answer(world: &World, at: usize, number: QueryNumber) -> ClientEvent {
    let is_it = |event: &&ClientEvent| event.answers() == Some(number);
    let answers: Vec<_> = world.devices[at].events.iter().filter(is_it).collect();
    assert_eq!(answers.len(), 1, "one answer: {answers:?}");
    answers[0].clone()
}

fn created(world: &World, at: usize, number: QueryNumber) -> ConversationId {
    match answer(world, at, number) {
        ClientEvent::GroupCreated { group, .. } => group,
        other => panic!("{other:?}"),
    }
}

/// What a device was told of a group, by seq: changes and texts.
fn told(world: &World, at: usize, group: ConversationId) -> Vec<String> {
    let line = |event: &ClientEvent| match event {
        ClientEvent::Message { message, .. } if message.conversation == group => {
            let Peer::Group(title) = &message.with else { panic!("{message:?}") };
            let what = match Change::from_body(&message.body) {
                Ok(change) => change.name().to_owned(),
                Err(_) => message.body.as_text().unwrap().to_owned(),
            };
            Some(format!("{} {} {what} {}", message.seq, message.from, title.as_str()))
        }
        _ => None,
    };
    world.devices[at].events.iter().filter_map(line).collect()
}

#[test]
fn a_group_is_made_changed_and_written_to_in_every_version() {
    for versions in [Versions::ONLY_1, Versions::ALL] {
        let mut world = World::new(versions);
        let alice = world.add_with("alice", "laptop", versions);
        let phone = world.add_with("alice", "phone", versions);
        let bob = world.add_with("bob", "laptop", versions);
        world.settle();
        let made = ask(&mut world, alice, tea(&["bob"], Policy::OPEN_HISTORY));
        world.settle();
        let group = created(&world, alice, made);
        let change = |change| Question::ChangeGroup { group, change };
        let accept = ask(&mut world, bob, change(GroupChange::Accept));
        world.settle();
        let again = ask(&mut world, bob, change(GroupChange::Accept));
        let rename = GroupChange::Rename(GroupTitle::new("Coffee").unwrap());
        let rename = ask(&mut world, alice, change(rename));
        let role = ask(&mut world, alice, change(GroupChange::SetRole(user("bob"), Role::Admin)));
        let stranger = ask(&mut world, alice, change(GroupChange::Remove(user("carol"))));
        world.settle();
        let changed = |query, seq: Option<u64>| ClientEvent::GroupChanged { query, group, seq: seq.map(Seq) };
        assert_eq!(answer(&world, bob, accept), changed(accept, Some(3)));
        assert_eq!(answer(&world, bob, again), changed(again, None));
        assert_eq!(answer(&world, alice, rename), changed(rename, Some(4)));
        assert_eq!(answer(&world, alice, role), changed(role, Some(5)));
        let refusal = ErrorCode::UnknownMember.into();
        assert_eq!(answer(&world, alice, stranger), ClientEvent::QueryFailed { query: stranger, refusal });
        world.send(bob, NewMessage { to: group.into(), body: text("hello"), id: None, reference: None });
        world.settle();
        let all = [
            "1 alice created Tea",
            "2 alice invited Tea",
            "3 bob joined Tea",
            "4 alice renamed Coffee",
            "5 alice role Coffee",
            "6 bob hello Coffee",
        ];
        assert_eq!(told(&world, alice, group), all);
        assert_eq!(told(&world, phone, group), all);
        assert_eq!(told(&world, bob, group), all[1..5], "without what was before, and the own message");
        assert_eq!(world.devices[bob].seqs_sent(), [Seq(6)]);
        for at in [alice, phone, bob] {
            assert_eq!(world.devices[at].core.target(group), Some(Target::Group(group)));
            world.restart(at);
            assert_eq!(
                world.devices[at].core.target(group),
                Some(Target::Group(group)),
                "and after a restart"
            );
        }
    }
}

#[test]
fn changes_of_groups_happen_once_whatever_connection_breaks() {
    for cut in (0..900).step_by(15) {
        let mut world = World::new(Versions::ALL);
        let alice = world.add("alice", "laptop");
        world.settle();
        world.server.refuse_reads.push_back(Refusal::from(ErrorCode::Busy));
        let made = ask(&mut world, alice, tea(&[], Policy::default()));
        world.cut_after = Some(world.carried + cut);
        world.settle();
        let group = created(&world, alice, made);
        let invite = GroupChange::Invite(user("bob"));
        let invited = ask(&mut world, alice, Question::ChangeGroup { group, change: invite });
        world.settle();
        let expected = ClientEvent::GroupChanged { query: invited, group, seq: Some(Seq(2)) };
        assert_eq!(answer(&world, alice, invited), expected, "{cut}");
        assert_eq!(told(&world, alice, group).len(), 2, "{cut}");
        let ids: BTreeSet<_> = world.server.told.ids.iter().collect();
        assert_eq!(ids.len(), 2, "each is repeated under its own id, {cut}");
    }
}

#[test]
fn a_change_dated_ahead_gets_another_id_and_still_happens_once() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    let made = ask(&mut world, alice, tea(&[], Policy::default()));
    // The server's clock was wrong at the login and is set right now.
    world.server.now = Timestamp(START - 2 * ID_AHEAD_MS_MAX);
    world.settle();
    let group = created(&world, alice, made);
    assert_eq!(told(&world, alice, group), ["1 alice created Tea"]);
    assert_eq!(world.server.told.ids.len(), 2);
}

#[test]
fn a_group_is_asked_about_page_by_page() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    let names: Vec<String> = (0..10).map(|number| format!("user{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let made = ask(&mut world, alice, tea(&names, Policy::ADMINS_ADD));
    world.settle();
    let group = created(&world, alice, made);
    let info = ask(&mut world, alice, Question::Group(group));
    let roster = |after: Option<&str>, limit| {
        let (after, limit) = (after.map(user), NonZeroU64::new(limit));
        Question::Roster(RosterQuestion { group, after, limit })
    };
    let asked = [roster(None, 0), roster(None, 4), roster(Some("user6"), 3), roster(Some("user6"), 4)]
        .map(|question| ask(&mut world, alice, question));
    let nobody = ask(&mut world, alice, Question::Group(ConversationId([9; 16])));
    world.settle();
    match answer(&world, alice, info) {
        ClientEvent::Group { group: info, .. } => {
            assert_eq!((info.members, info.invited, info.role), (11, 0, Some(Role::Owner)));
            assert_eq!((info.title.as_str(), info.description.as_str()), ("Tea", "at five"));
        }
        other => panic!("{other:?}"),
    }
    let rosters = asked.map(|number| match answer(&world, alice, number) {
        ClientEvent::Roster { items, next, .. } => (items.len(), next.map(|next| next.to_string())),
        other => panic!("{other:?}"),
    });
    let next = |name: &str| Some(name.to_owned());
    assert_eq!(rosters, [(11, None), (4, next("user2")), (3, None), (3, None)]);
    let refusal = ErrorCode::NotMember.into();
    assert_eq!(answer(&world, alice, nobody), ClientEvent::QueryFailed { query: nobody, refusal });
}

#[test]
fn history_of_a_group_goes_over_what_a_user_may_not_see() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    let made = ask(&mut world, alice, tea(&[], Policy::default()));
    world.settle();
    let group = created(&world, alice, made);
    for number in 2..=30 {
        let (to, body) = (group.into(), text(&number.to_string()));
        world.send(alice, NewMessage { to, body, id: None, reference: None });
    }
    world.settle();
    world.server.hidden.insert(group, 8..=21);
    for (from, limit, expected, more) in [
        (HistoryFrom::Latest, 9, (22..=30).collect::<Vec<u64>>(), true),
        (HistoryFrom::Latest, 11, [6, 7].into_iter().chain(22..=30).collect(), true),
        (HistoryFrom::Latest, u64::MAX, (1..=7).chain(22..=30).collect(), false),
        (HistoryFrom::Before(Seq(23)), 3, vec![6, 7, 22], true),
        (HistoryFrom::After(Seq(6)), 3, vec![7, 22, 23], true),
    ] {
        let limit = NonZeroU64::new(limit).unwrap();
        let number =
            ask(&mut world, alice, Question::History(HistoryQuestion { with: group.into(), from, limit }));
        world.settle();
        let part = |event: &ClientEvent| match event {
            ClientEvent::HistoryPage { query, entries, .. } if *query == number => Some(entries.clone()),
            _ => None,
        };
        let seqs: Vec<u64> =
            world.devices[alice].events.iter().filter_map(part).flatten().map(|entry| entry.seq.0).collect();
        assert_eq!(seqs, expected, "{from:?} {limit}");
        let (with, count) = (Target::Group(group), expected.len() as u64);
        let end = ClientEvent::HistoryEnd { query: number, with, count, more };
        assert_eq!(answer(&world, alice, number), end);
    }
}

#[test]
fn who_is_put_out_of_a_group_is_told_so_and_writes_to_it_no_more() {
    let mut world = World::new(Versions::ALL);
    let (alice, bob) = (world.add("alice", "laptop"), world.add("bob", "laptop"));
    world.settle();
    let made = ask(&mut world, alice, tea(&["bob"], Policy::ADMINS_ADD));
    world.settle();
    let group = created(&world, alice, made);
    let to_group = |body| NewMessage { to: group.into(), body: text(body), id: None, reference: None };
    world.send(bob, to_group("I am in"));
    world.settle();
    ask(&mut world, alice, Question::ChangeGroup { group, change: GroupChange::Remove(user("bob")) });
    world.settle();
    assert_eq!(told(&world, bob, group), ["2 alice added Tea", "4 alice removed Tea"]);
    let number = world.send(bob, to_group("still?"));
    world.settle();
    let refused = iris_client_core::Outcome::Failed(ErrorCode::NotMember.into());
    assert_eq!(world.devices[bob].outcomes().last(), Some(&(number, refused)));
}

#[test]
fn more_members_than_a_request_can_name_are_refused_at_once() {
    let mut world = World::new(Versions::ALL);
    let alice = world.add("alice", "laptop");
    world.settle();
    let group = |count: usize, length: usize| {
        let name = |number: usize| format!("{number:0length$}");
        let names: Vec<String> = (0..count).map(name).collect();
        tea(&names.iter().map(String::as_str).collect::<Vec<_>>(), Policy::default())
    };
    for question in [group(GROUP_MEMBERS_HARD_MAX + 1, 8), group(1_100, 64)] {
        assert_eq!(world.devices[alice].core.ask(question), Err(QueryError::TooManyMembers));
    }
    let largest = ask(&mut world, alice, group(1_000, 64));
    world.settle();
    created(&world, alice, largest);
}
