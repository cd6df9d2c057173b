//! Read marks, flags, blocks, settings, presence and typing: what the user's devices and others are told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod world;

use iris_client_core::{ClientEvent, QueryError, QueryNumber, Question};
use iris_protocol::Versions;
use iris_types::limits::{
    QUERIES_MAX, READ_MARKS_MAX, RECEIPT_INTERVAL_MS, TYPING_MS, TYPING_SHOWN_MAX, WATCHED_MAX,
};
use iris_types::request::{BlockUser, MarkRead, SetFlags};
use iris_types::{
    Audience, ConversationId, ErrorCode, Flags, Marks, Presence, PresenceState, Receipt, Refusal, Seq,
    Settings, SettingsChange, Target, Typing, Watched,
};
use world::{Death, World, message, user};

/// Bob has written `count` messages to alice, who has a laptop and a phone.
fn written(count: usize) -> (World, [usize; 3]) {
    let mut world = World::new(Versions::ALL);
    let [alice, phone] = ["laptop", "phone"].map(|device| world.add("alice", device));
    let bob = world.add("bob", "laptop");
    world.settle();
    for number in 0..count {
        world.send(bob, message("alice", &number.to_string()));
    }
    world.settle();
    (world, [alice, phone, bob])
}

fn ask(world: &mut World, at: usize, question: Question) -> QueryNumber {
    world.devices[at].core.ask(question).unwrap()
}

fn read(with: &str, up_to: u64) -> Question {
    Question::MarkRead(MarkRead { target: user(with).into(), up_to: Seq(up_to) })
}

fn answer(world: &World, at: usize, number: QueryNumber) -> Option<ClientEvent> {
    let mut answers = world.devices[at].events.iter().filter(|event| event.answers() == Some(number));
    let first = answers.next().cloned();
    assert_eq!(answers.next(), None, "one answer");
    first
}

fn is_done(world: &World, at: usize, number: QueryNumber) -> bool {
    answer(world, at, number) == Some(ClientEvent::Done { query: number })
}

fn seqs_told(world: &World) -> Vec<u64> {
    world.server.told.marks.iter().map(|mark| mark.up_to.0).collect()
}

#[test]
fn a_read_mark_is_told_to_the_own_devices_and_shown_to_the_sender() {
    for versions in [Versions::ONLY_1, Versions::ALL] {
        let mut world = World::new(versions);
        let [alice, phone] = ["laptop", "phone"].map(|device| world.add_with("alice", device, versions));
        let bob = world.add_with("bob", "laptop", versions);
        world.send(bob, message("alice", "one"));
        world.send(bob, message("alice", "two"));
        world.settle();
        let marked = ask(&mut world, alice, read("bob", 1));
        world.settle();
        assert!(is_done(&world, alice, marked));
        let conversation = ConversationId::direct(&user("alice"), &user("bob"));
        for at in [alice, phone] {
            let states = world.devices[at].events.iter().filter_map(|event| match event {
                ClientEvent::State { state, .. } => Some((state.conversation, state.read, state.unread)),
                _ => None,
            });
            assert_eq!(states.collect::<Vec<_>>(), [(conversation, Seq(1), 1)]);
        }
        let at = world.server.now;
        let marks = Marks { delivered: Seq(1), read: Seq(1) };
        let shown = world.devices[bob].events.iter().find_map(|event| match event {
            ClientEvent::Receipt { receipt, .. } => Some(receipt.clone()),
            _ => None,
        });
        let shown = shown.unwrap();
        assert_eq!(shown, Receipt { conversation, user: user("alice"), marks, at: shown.at });
        assert!(shown.at <= at);
        let asked = Question::Receipts { target: user("alice").into(), seq: Seq(1) };
        let asked = ask(&mut world, bob, asked);
        world.settle();
        match answer(&world, bob, asked) {
            Some(ClientEvent::Receipts { receipts, .. }) => assert_eq!(receipts.by, [(user("alice"), marks)]),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn entries_of_all_kinds_are_handed_over_once_over_restarts() {
    let (mut world, [_, phone, _]) = written(2);
    let changes = [
        read("bob", 2),
        Question::SetFlags(SetFlags { target: user("bob").into(), mask: Flags::MUTED, values: Flags::MUTED }),
        Question::ChangeSettings(SettingsChange { typing: Some(false), ..SettingsChange::default() }),
    ];
    world.devices[phone].takes = false;
    for question in changes {
        ask(&mut world, 0, question);
        world.settle();
    }
    let entries = |world: &World| {
        world.devices[phone]
            .count(|event| matches!(event, ClientEvent::State { .. } | ClientEvent::SettingsChanged { .. }))
    };
    assert_eq!(entries(&world), 3);
    let second = world.devices[phone].events.iter().filter_map(ClientEvent::mark).nth_back(1).unwrap();
    world.devices[phone].take(second);
    world.settle();
    world.devices[phone].events.clear();
    world.restart(phone);
    world.settle();
    assert_eq!(entries(&world), 1, "what was taken does not come again, what was not does");
    let settings = Settings { typing: false, ..Settings::default() };
    let told = |event: &ClientEvent| matches!(event, ClientEvent::SettingsChanged { settings: s, .. } if *s == settings);
    assert_eq!(world.devices[phone].count(told), 1);
}

#[test]
fn of_many_read_marks_the_server_hears_few_and_the_last() {
    let (mut world, [alice, _, _]) = written(200);
    let before = world.now;
    let numbers: Vec<_> = (1..=200)
        .map(|up_to| {
            let number = ask(&mut world, alice, read("bob", up_to));
            world.run_for_ms(5);
            number
        })
        .collect();
    world.settle();
    assert!(numbers.iter().all(|number| is_done(&world, alice, *number)), "each is answered");
    let told = seqs_told(&world);
    assert_eq!(told.last(), Some(&200));
    let most = 2 + world.now.millis_since(before) / RECEIPT_INTERVAL_MS;
    assert!(told.len() as u64 <= most, "{} marks in {} ms", told.len(), world.now.millis_since(before));
    assert!(told.is_sorted());
}

#[test]
fn a_read_mark_survives_lost_connections_refusals_and_restarts() {
    for cut in (0..200).step_by(10) {
        let (mut world, [alice, _, _]) = written(5);
        world.server.refuse_reads.push_back(Refusal::from(ErrorCode::Busy));
        let number = ask(&mut world, alice, read("bob", 5));
        world.cut_after = Some(world.carried + cut);
        world.settle();
        assert!(is_done(&world, alice, number), "{cut}");
        assert_eq!(seqs_told(&world).last(), Some(&5));
        assert_eq!(world.devices[alice].database.restored().read_marks, []);
    }
    for death in [Death::BeforeStore(1), Death::AfterStore(1), Death::AfterStore(2)] {
        let (mut world, [alice, _, _]) = written(5);
        world.is_down = true;
        world.disconnect(alice);
        world.drain();
        for up_to in [3, 5, 4] {
            ask(&mut world, alice, read("bob", up_to));
            world.drain();
        }
        world.restart(alice);
        world.drain();
        let target = Target::from(user("bob"));
        assert_eq!(world.devices[alice].database.restored().read_marks, [(target, Seq(5))]);
        world.is_down = false;
        let seen = world.devices[alice].stores_seen();
        world.devices[alice].dies = Some(match death {
            Death::BeforeStore(number) => Death::BeforeStore(seen + number),
            Death::AfterStore(number) => Death::AfterStore(seen + number),
            Death::AfterEvent(number) => Death::AfterEvent(number),
        });
        world.settle();
        assert_eq!(seqs_told(&world).last(), Some(&5));
        assert_eq!(world.devices[alice].database.restored().read_marks, []);
    }
}

#[test]
fn a_read_mark_that_is_refused_is_reported_and_forgotten() {
    let (mut world, [alice, _, _]) = written(3);
    let number = ask(&mut world, alice, read("bob", 9));
    world.settle();
    let refusal = ErrorCode::UnknownConversation.into();
    assert_eq!(answer(&world, alice, number), Some(ClientEvent::QueryFailed { query: number, refusal }));
    assert_eq!(world.devices[alice].database.restored().read_marks, []);
    let number = ask(&mut world, alice, read("bob", 3));
    world.settle();
    assert!(is_done(&world, alice, number), "a smaller one is told after it");
}

#[test]
fn read_marks_and_those_who_wait_for_them_are_bounded() {
    let (mut world, [alice, _, _]) = written(1);
    world.is_down = true;
    world.disconnect(alice);
    world.drain();
    let core = &mut world.devices[alice].core;
    for up_to in 0..QUERIES_MAX as u64 {
        core.ask(read("bob", up_to)).unwrap();
    }
    assert_eq!(core.ask(read("bob", 1_000)), Err(QueryError::TooMany));
    world.restart(alice);
    for part in 0..READ_MARKS_MAX / QUERIES_MAX {
        world.drain();
        for number in 0..QUERIES_MAX {
            // Marks that nobody waits for any more: the application was started again.
            let name = format!("user{}", part * QUERIES_MAX + number);
            assert_eq!(world.devices[alice].core.ask(read(&name, 1)).err(), None, "{name}");
        }
        world.drain();
        world.restart(alice);
    }
    assert_eq!(world.devices[alice].core.ask(read("more", 1)), Err(QueryError::TooMany));
}

#[test]
fn changes_of_flags_blocks_and_settings_are_done_and_told() {
    let (mut world, [alice, phone, _]) = written(1);
    let target = Target::from(user("bob"));
    let (mask, values) = (Flags::SETTABLE, Flags::PINNED);
    let flags = ask(&mut world, alice, Question::SetFlags(SetFlags { target: target.clone(), mask, values }));
    let block = ask(&mut world, alice, Question::BlockUser(BlockUser { user: user("bob"), on: true }));
    let change = SettingsChange { last_seen: Some(Audience::Nobody), ..SettingsChange::default() };
    let changed = ask(&mut world, alice, Question::ChangeSettings(change));
    world.settle();
    let settings = ask(&mut world, phone, Question::Settings);
    world.settle();
    for number in [flags, block, changed] {
        assert!(is_done(&world, alice, number));
    }
    assert_eq!(world.server.told.blocked, [(user("bob"), true)]);
    let expected = Settings { last_seen: Audience::Nobody, ..Settings::default() };
    let answered = ClientEvent::Settings { query: settings, settings: expected };
    assert_eq!(answer(&world, phone, settings), Some(answered));
    let list = world.devices[phone].core.conversations().unwrap();
    world.settle();
    match answer(&world, phone, list) {
        Some(ClientEvent::Conversations { items, .. }) => {
            assert_eq!((items[0].flags, items[0].unread), (Flags::PINNED, 1));
        }
        other => panic!("{other:?}"),
    }
    for mask in [Flags::BLOCKED, Flags::default()] {
        let set = Question::SetFlags(SetFlags { target: target.clone(), mask, values: mask });
        assert_eq!(world.devices[alice].core.ask(set), Err(QueryError::Flags));
    }
}

fn watched(names: &[&str]) -> Vec<Watched> {
    names.iter().map(|name| Watched { user: user(name), group: None }).collect()
}

#[test]
fn who_is_watched_is_said_again_at_each_connection() {
    let (mut world, [alice, _, _]) = written(0);
    let first = ask(&mut world, alice, Question::Watch(watched(&["bob"])));
    let second = ask(&mut world, alice, Question::Watch(watched(&["bob", "carol"])));
    world.settle();
    assert!(is_done(&world, alice, first) && is_done(&world, alice, second));
    assert_eq!(world.server.told.watched, [watched(&["bob", "carol"])], "only the last list goes out");
    let presence = Presence { user: user("bob"), state: PresenceState::Online };
    world.server_says(alice, |connection| connection.tell_presence(&presence));
    world.drain();
    assert_eq!(world.devices[alice].count(|event| *event == ClientEvent::Presence(presence.clone())), 1);
    world.disconnect(alice);
    world.settle();
    assert_eq!(world.server.told.watched.len(), 2);
    world.server.refuse_reads.push_back(Refusal::from(ErrorCode::Busy));
    let none = ask(&mut world, alice, Question::Watch(Vec::new()));
    world.settle();
    assert!(is_done(&world, alice, none));
    world.disconnect(alice);
    world.settle();
    assert_eq!(world.server.told.watched.last(), Some(&Vec::new()));
    assert_eq!(world.server.told.watched.len(), 3, "nobody needs no word");
}

#[test]
fn presence_is_asked_for_once_and_lists_are_bounded() {
    let (mut world, [alice, _, _]) = written(0);
    let known = Presence { user: user("bob"), state: PresenceState::LastSeen(world.server.now) };
    world.server.presence = vec![known.clone()];
    let number = ask(&mut world, alice, Question::Presence(watched(&["bob"])));
    world.settle();
    let expected = ClientEvent::Presences { query: number, items: vec![known] };
    assert_eq!(answer(&world, alice, number), Some(expected));
    let core = &mut world.devices[alice].core;
    assert_eq!(core.ask(Question::Presence(Vec::new())), Err(QueryError::Watched));
    let many = vec![watched(&["bob"])[0].clone(); WATCHED_MAX + 1];
    assert_eq!(core.ask(Question::Presence(many.clone())), Err(QueryError::Watched));
    assert_eq!(core.ask(Question::Watch(many)), Err(QueryError::Watched));
}

fn type_in(world: &mut World, at: usize, with: &str, on: bool) {
    let now = world.now_of(at);
    world.devices[at].core.typing(&user(with).into(), on, now);
    world.drain();
}

#[test]
fn typing_is_said_now_and_then() {
    let (mut world, [alice, _, _]) = written(0);
    let before = world.now;
    while world.now.millis_since(before) < 2 * TYPING_MS {
        type_in(&mut world, alice, "bob", true);
        world.pass_ms(100);
    }
    assert_eq!(world.server.told.typing.len(), 4, "every {} ms", TYPING_MS / 2);
    type_in(&mut world, alice, "bob", false);
    type_in(&mut world, alice, "bob", false);
    assert_eq!(world.server.told.typing.last(), Some(&(user("bob").into(), false)));
    assert_eq!(world.server.told.typing.len(), 5);
    type_in(&mut world, alice, "bob", true);
    world.send(alice, message("bob", "there it is"));
    type_in(&mut world, alice, "bob", false);
    type_in(&mut world, alice, "bob", true);
    let last: Vec<_> = world.server.told.typing[5..].iter().map(|(_, on)| *on).collect();
    assert_eq!(last, [true, true], "a message ends it without another word");
    world.is_down = true;
    world.disconnect(alice);
    let told = world.server.told.typing.len();
    type_in(&mut world, alice, "carol", true);
    world.is_down = false;
    world.settle();
    assert_eq!(world.server.told.typing.len(), told, "what was typed while offline is nobody's business");
}

/// When each event about typing came, after `from`, as "+" and "-".
fn typing_shown(world: &World, at: usize) -> String {
    let sign = |event: &ClientEvent| match event {
        ClientEvent::Typing(typing) => Some(if typing.on { '+' } else { '-' }),
        _ => None,
    };
    world.devices[at].events.iter().filter_map(sign).collect()
}

fn notice(world: &mut World, at: usize, name: &str, on: bool) {
    let conversation = ConversationId::direct(&user("alice"), &user(name));
    let typing = Typing { conversation, user: user(name), on };
    world.server_says(at, |connection| connection.tell_typing(&typing));
    world.drain();
}

#[test]
fn typing_of_others_ends_by_itself_with_their_message_and_with_the_connection() {
    let (mut world, [alice, _, bob]) = written(0);
    notice(&mut world, alice, "bob", true);
    world.pass_ms(TYPING_MS - 1);
    notice(&mut world, alice, "bob", true);
    world.pass_ms(TYPING_MS - 1);
    world.drain();
    assert_eq!(typing_shown(&world, alice), "+", "it goes on");
    let last = world.now;
    world.run_until(|world| typing_shown(world, alice) == "+-");
    assert_eq!(world.now.millis_since(last), 1);
    notice(&mut world, alice, "bob", true);
    notice(&mut world, alice, "bob", false);
    notice(&mut world, alice, "bob", false);
    assert_eq!(typing_shown(&world, alice), "+-+-");
    notice(&mut world, alice, "bob", true);
    world.send(bob, message("alice", "here"));
    world.settle();
    assert_eq!(typing_shown(&world, alice), "+-+-+-");
    notice(&mut world, alice, "bob", true);
    world.disconnect(alice);
    world.drain();
    assert_eq!(typing_shown(&world, alice), "+-+-+-+-");
    world.settle();
    for number in 0..2 * TYPING_SHOWN_MAX {
        notice(&mut world, alice, &format!("user{number}"), true);
    }
    assert_eq!(typing_shown(&world, alice).len(), 8 + TYPING_SHOWN_MAX);
    world.run_for_ms(TYPING_MS);
    assert_eq!(typing_shown(&world, alice).len(), 8 + 2 * TYPING_SHOWN_MAX);
}
