//! PRE-1 to PRE-4: who is there, told to those who watch and may know.

use iris_types::limits::{LINES_PER_USER_MAX, WATCH_LEASE_MS};
use iris_types::request::{Answer, BlockUser, Request, SetFlags};
use iris_types::{Audience, Flags, Policy, PresenceState, SettingsChange, Target, Watched};
use iris_worker::{Input, WorkerLimits};

use crate::world::{World, message, session, user};

/// Alice and bob know each other, carol knows nobody; all are there.
fn world(workers: u16) -> World {
    let mut world = World::new(workers, WorkerLimits::default());
    for name in ["alice", "bob", "carol"] {
        world.attach(name);
    }
    world.send("alice", "bob", "hello");
    world.send("bob", "alice", "hello");
    world.presences.clear();
    world
}

fn watched(name: &str) -> Watched {
    Watched { user: user(name), group: None }
}

fn watch(world: &mut World, who: &str, whom: &str) {
    assert_eq!(world.ask(who, Request::Watch(vec![watched(whom)])), Answer::Done);
    world.run();
}

fn ask(world: &mut World, who: &str, whom: &str) -> PresenceState {
    match world.ask(who, Request::ReadPresence(vec![watched(whom)])) {
        Answer::Presence(items) => items[0].state,
        other => panic!("{other:?}"),
    }
}

/// What somebody was told of another since the last time this was asked.
fn told(world: &mut World, who: &str, whom: &str) -> Vec<PresenceState> {
    let about = |session, name: &str| (session, user(name));
    let wanted = about(session(who), whom);
    let all = std::mem::take(&mut world.presences);
    all.into_iter()
        .filter(|(session, presence)| (*session, presence.user.clone()) == wanted)
        .map(|(_, presence)| presence.state)
        .collect()
}

fn leave(world: &mut World, name: &str) {
    world.tell_user(name, Input::Detach { session: session(name), user: user(name) });
}

#[test]
fn contacts_see_each_other_come_and_go_on_any_worker() {
    for workers in [1, 2, 3] {
        let mut world = world(workers);
        watch(&mut world, "alice", "bob");
        assert_eq!(told(&mut world, "alice", "bob"), [PresenceState::Online]);
        leave(&mut world, "bob");
        let gone = told(&mut world, "alice", "bob");
        assert!(matches!(gone[..], [PresenceState::LastSeen(at)] if at.0 == world.now), "{gone:?}");
        assert_eq!(ask(&mut world, "alice", "bob"), gone[0]);
        world.attach("bob");
        assert_eq!(told(&mut world, "alice", "bob"), [PresenceState::Online]);
        assert_eq!(ask(&mut world, "bob", "alice"), PresenceState::Online);
    }
}

#[test]
fn a_stranger_learns_nothing_unless_everybody_may() {
    let mut world = world(2);
    watch(&mut world, "carol", "bob");
    assert_eq!(told(&mut world, "carol", "bob"), [PresenceState::Hidden]);
    assert_eq!(ask(&mut world, "carol", "bob"), PresenceState::Hidden);
    let everybody = SettingsChange { last_seen: Some(Audience::Everybody), ..SettingsChange::default() };
    assert_eq!(world.ask("bob", Request::ChangeSettings(everybody)), Answer::Done);
    assert_eq!(ask(&mut world, "carol", "bob"), PresenceState::Hidden, "who does not tell does not see");
    assert_eq!(world.ask("carol", Request::ChangeSettings(everybody)), Answer::Done);
    assert_eq!(ask(&mut world, "carol", "bob"), PresenceState::Online);
}

#[test]
fn who_is_blocked_or_shut_out_is_told_at_once_and_both_ways() {
    let mut world = world(2);
    watch(&mut world, "alice", "bob");
    watch(&mut world, "bob", "alice");
    world.presences.clear();
    let block = |on| Request::BlockUser(BlockUser { user: user("bob"), on });
    assert_eq!(world.ask("alice", block(true)), Answer::Done);
    world.run();
    let all = std::mem::take(&mut world.presences);
    let hidden = all.iter().filter(|(_, one)| one.state == PresenceState::Hidden).count();
    assert_eq!((all.len(), hidden), (2, 2), "{all:?}");
    leave(&mut world, "alice");
    assert_eq!(told(&mut world, "bob", "alice"), []);
    world.attach("alice");
    assert_eq!(world.ask("alice", block(false)), Answer::Done);
    assert_eq!(ask(&mut world, "bob", "alice"), PresenceState::Online);
    let nobody = SettingsChange { last_seen: Some(Audience::Nobody), ..SettingsChange::default() };
    assert_eq!(world.ask("alice", Request::ChangeSettings(nobody)), Answer::Done);
    assert_eq!(ask(&mut world, "bob", "alice"), PresenceState::Hidden);
    assert_eq!(ask(&mut world, "alice", "bob"), PresenceState::Hidden);
}

#[test]
fn who_may_know_again_is_told_at_once() {
    let mut world = world(2);
    let set = |last_seen| {
        Request::ChangeSettings(SettingsChange { last_seen: Some(last_seen), ..SettingsChange::default() })
    };
    assert_eq!(world.ask("bob", set(Audience::Nobody)), Answer::Done);
    watch(&mut world, "alice", "bob");
    assert_eq!(told(&mut world, "alice", "bob"), [PresenceState::Hidden]);
    leave(&mut world, "bob");
    world.attach("bob");
    assert_eq!(told(&mut world, "alice", "bob"), [], "nothing shows that there is something");
    assert_eq!(world.ask("bob", set(Audience::Contacts)), Answer::Done);
    world.run();
    assert_eq!(told(&mut world, "alice", "bob"), [PresenceState::Online]);
    let block = |on| Request::BlockUser(BlockUser { user: user("alice"), on });
    assert_eq!(world.ask("bob", block(true)), Answer::Done);
    world.run();
    assert_eq!(told(&mut world, "alice", "bob"), [PresenceState::Hidden]);
    assert_eq!(world.ask("bob", block(false)), Answer::Done);
    world.run();
    assert_eq!(told(&mut world, "alice", "bob"), [PresenceState::Online]);
}

#[test]
fn whoever_has_been_answered_sees_the_other_at_once() {
    for workers in [1, 2, 3] {
        let mut world = world(workers);
        world.send("carol", "bob", "hello");
        watch(&mut world, "carol", "bob");
        watch(&mut world, "bob", "carol");
        let all = std::mem::take(&mut world.presences);
        assert!(all.iter().all(|(_, one)| one.state == PresenceState::Hidden), "{all:?}");
        world.send("bob", "carol", "who are you?");
        world.run();
        let all = std::mem::take(&mut world.presences);
        let online = all.iter().filter(|(_, one)| one.state == PresenceState::Online).count();
        assert_eq!((all.len(), online), (2, 2), "{workers} workers: {all:?}");
    }
}

#[test]
fn whoever_shows_nothing_any_more_is_told_nothing_although_the_lease_lasts() {
    let mut world = world(2);
    watch(&mut world, "alice", "bob");
    let nobody = SettingsChange { last_seen: Some(Audience::Nobody), ..SettingsChange::default() };
    assert_eq!(world.ask("alice", Request::ChangeSettings(nobody)), Answer::Done);
    world.run();
    assert_eq!(told(&mut world, "alice", "bob"), [PresenceState::Online, PresenceState::Hidden]);
    leave(&mut world, "bob");
    world.attach("bob");
    assert_eq!(told(&mut world, "alice", "bob"), []);
}

#[test]
fn an_answer_lets_nobody_know_before_it_is_committed() {
    let mut world = world(1);
    world.send("carol", "bob", "hello");
    watch(&mut world, "carol", "bob");
    assert_eq!(told(&mut world, "carol", "bob"), [PresenceState::Hidden]);
    world.hold = vec!["append"];
    let id = world.id();
    world.begin("bob", message(id, "carol", "who are you?"));
    world.run();
    assert_eq!(told(&mut world, "carol", "bob"), []);
    world.release();
    assert_eq!(told(&mut world, "carol", "bob"), [PresenceState::Online]);
}

#[test]
fn a_lease_is_renewed_while_the_connection_lives_and_runs_out_behind_it() {
    let mut world = world(2);
    watch(&mut world, "alice", "bob");
    for _ in 0..6 {
        world.pass(WATCH_LEASE_MS / 2);
    }
    world.presences.clear();
    leave(&mut world, "bob");
    assert_eq!(
        told(&mut world, "alice", "bob").len(),
        1,
        "an hour later, were it not renewed, nobody would tell"
    );
    leave(&mut world, "alice");
    world.pass(WATCH_LEASE_MS + 1);
    world.attach("bob");
    assert_eq!(told(&mut world, "alice", "bob"), []);
}

#[test]
fn last_seen_outlives_a_restart_and_is_written_once_a_minute_at_most() {
    let mut world = world(1);
    world.pass(3_600_000);
    let at = world.now;
    leave(&mut world, "bob");
    let chunks = world.statistics(|one| one.chunks);
    for _ in 0..5 {
        world.pass(1_000);
        world.attach("bob");
        leave(&mut world, "bob");
    }
    // Logins are written; that somebody has gone again is not.
    assert!(world.statistics(|one| one.chunks) <= chunks + 5);
    world.restart();
    world.attach("alice");
    let PresenceState::LastSeen(seen) = ask(&mut world, "alice", "bob") else { panic!("never seen") };
    assert!((at..=at + 5_000).contains(&seen.0), "{seen:?} and {at}");
}

#[test]
fn typing_reaches_the_other_members_who_let_others_see_it_too() {
    for workers in [1, 3] {
        let mut world = world(workers);
        let say = |world: &mut World, on| {
            let request = Request::Typing { target: Target::User(user("bob")), on };
            let index = world.worker_of(&user("alice"), &request);
            world.request(index, "alice", request);
            world.run();
            std::mem::take(&mut world.typings)
        };
        // A conversation that is not in memory is loaded by the first and shown with the next.
        say(&mut world, true);
        world.pass(1_000);
        let shown = say(&mut world, true);
        assert!(matches!(&shown[..], [(to, typing)] if *to == session("bob") && typing.on), "{shown:?}");
        assert_eq!(say(&mut world, true).len(), 0, "once a second");
        assert_eq!(say(&mut world, false).len(), 1, "that it is over is told at once");
        let off = SettingsChange { typing: Some(false), ..SettingsChange::default() };
        assert_eq!(world.ask("bob", Request::ChangeSettings(off)), Answer::Done);
        world.pass(2_000);
        assert_eq!(say(&mut world, true).len(), 0);
    }
}

#[test]
fn typing_is_never_answered_not_even_by_a_refusal() {
    let mut world = world(1);
    let say = |world: &mut World| {
        let id = world.request(0, "alice", Request::Typing { target: Target::User(user("bob")), on: true });
        world.run();
        world.answer(id)
    };
    assert_eq!(say(&mut world), None);
    world.tell_all(|| Input::Drain);
    assert_eq!(say(&mut world), None, "while the server drains");
    let asked = world.request(0, "alice", Request::ListDevices);
    world.run();
    assert!(matches!(world.answer(asked), Some(Answer::Refused { .. })), "everything else is refused then");
}

#[test]
fn a_block_hides_however_many_conversations_are_in_memory() {
    // Twice as many as memory keeps: somewhere both are forgotten and only one of them finds room.
    for count in LINES_PER_USER_MAX..=2 * LINES_PER_USER_MAX + 2 {
        let mut world = world(1);
        let group = world.group("alice", Policy::ADMINS_ADD, &["bob"]);
        let block = Request::BlockUser(BlockUser { user: user("bob"), on: true });
        assert_eq!(world.ask("alice", block), Answer::Done);
        for number in 0..count {
            let other = format!("x{number}");
            world.send(&other, "alice", "hello");
            let set =
                SetFlags { target: Target::User(user(&other)), mask: Flags::MUTED, values: Flags::MUTED };
            assert_eq!(world.ask("alice", Request::SetFlags(set)), Answer::Done);
        }
        let asked = Request::ReadPresence(vec![Watched { user: user("alice"), group: Some(group) }]);
        let Answer::Presence(items) = world.ask("bob", asked) else { panic!("no answer") };
        assert_eq!(items[0].state, PresenceState::Hidden, "with {count} in memory");
    }
}
