use iris_store::Doubt;
use iris_store::memory::Landing;
use iris_types::request::{
    Answer, HistoryFrom, ListConversations, ReadHistory, RenameDevice, Request, RevokeDevice, SessionId,
};
use iris_types::{DeviceLabel, ErrorCode, Offset};
use iris_worker::{Input, WorkerLimits};

use crate::world::*;

const PHONE: (&str, &str) = ("a", "phone");
const LAPTOP: (&str, &str) = ("a", "laptop");

fn session_of((user, device): (&str, &str)) -> SessionId {
    session(&format!("{user}/{device}"))
}

fn attach(world: &mut World, who: (&str, &str)) -> Answer {
    let login = world.login(who.0, who.1);
    world.attach_as(session_of(who), login)
}

fn ask(world: &mut World, who: (&'static str, &'static str), request: Request) -> Answer {
    world.ask_as((who.0, who.1, session_of(who)), request)
}

fn revoke(device: &str) -> Request {
    Request::RevokeDevice(RevokeDevice { device: self::device(device) })
}

fn rename(device: &str, label: &str) -> Request {
    Request::RenameDevice(RenameDevice {
        device: self::device(device),
        label: DeviceLabel::new(label).unwrap(),
    })
}

/// Device, label, whether it is online.
fn listed(world: &mut World, who: (&'static str, &'static str)) -> Vec<(String, Option<String>, bool)> {
    match ask(world, who, Request::ListDevices) {
        Answer::Devices(items) => items
            .into_iter()
            .map(|one| (one.device.to_string(), one.label.map(|label| label.as_str().to_owned()), one.online))
            .collect(),
        other => panic!("no list: {other:?}"),
    }
}

/// Phone and laptop of `a` are connected.
fn world(workers: u16, limits: WorkerLimits) -> World {
    let mut world = World::new(workers, limits);
    for who in [PHONE, LAPTOP] {
        assert_eq!(refused(attach(&mut world, who)), None);
    }
    world
}

#[test]
fn devices_are_listed_with_their_labels() {
    for limits in [WorkerLimits::default(), small()] {
        let mut world = world(1, limits);
        assert_eq!(ask(&mut world, LAPTOP, rename("phone", "Alice's phone")), Answer::Done);
        let phone = |online| ("phone".to_owned(), Some("Alice's phone".to_owned()), online);
        let laptop = |online| ("laptop".to_owned(), None, online);
        assert_eq!(listed(&mut world, PHONE), [phone(true), laptop(true)]);
        world.tell_user("a", Input::Detach { session: session_of(LAPTOP), user: user("a") });
        assert_eq!(listed(&mut world, PHONE), [phone(true), laptop(false)]);
        world.settle();
        world.restart();
        assert_eq!(listed(&mut world, PHONE), [phone(false), laptop(false)]);
        assert_eq!(refused(ask(&mut world, PHONE, rename("tablet", "x"))), Some(ErrorCode::UnknownDevice));
    }
}

#[test]
fn a_change_is_durable_before_it_is_answered() {
    for request in [rename("laptop", "x"), revoke("laptop")] {
        let mut world = world(1, WorkerLimits::default());
        world.hold = vec!["append"];
        let before = world.answers.len();
        let from = ("a", "phone", session_of(PHONE));
        let id = world.request_as(0, from, request);
        world.run();
        assert_eq!((world.answers.len() - before, world.closed.len()), (0, 0));
        // Nobody sees it before either.
        let list = world.request_as(0, from, Request::ListDevices);
        world.run();
        assert_eq!(world.answer(list), None);
        world.release();
        assert_eq!(world.answer(id), Some(Answer::Done));
        assert!(matches!(world.answer(list), Some(Answer::Devices(_))));
    }
}

#[test]
fn a_revoked_device_is_closed_with_the_commit_and_refused_for_ever() {
    for limits in [WorkerLimits::default(), small()] {
        let mut world = world(1, limits);
        assert_eq!(ask(&mut world, PHONE, revoke("laptop")), Answer::Done);
        assert_eq!(world.closed, [(session_of(LAPTOP), ErrorCode::DeviceRevoked)]);
        assert_eq!(world.statistics(|statistics| statistics.sessions), 1);
        for round in 0..3 {
            assert_eq!(refused(attach(&mut world, LAPTOP)), Some(ErrorCode::DeviceRevoked), "{round}");
            assert_eq!(listed(&mut world, PHONE).len(), 1);
            world.settle();
            world.restart();
        }
        for number in 1..10 {
            let login = world.login("a", &format!("d{number}"));
            assert_eq!(refused(world.attach_as(session("other"), login)), None, "revoked ones do not count");
        }
        let login = world.login("a", "eleventh");
        assert_eq!(refused(world.attach_as(session("other"), login)), Some(ErrorCode::TooManyDevices));
        assert_eq!(refused(attach(&mut world, LAPTOP)), Some(ErrorCode::DeviceRevoked));
        // Twice is once; what never was is unknown.
        assert_eq!(ask(&mut world, PHONE, revoke("laptop")), Answer::Done);
        assert_eq!(refused(ask(&mut world, PHONE, revoke("tablet"))), Some(ErrorCode::UnknownDevice));
    }
}

#[test]
fn a_device_that_revokes_itself_is_answered_and_then_closed() {
    let mut world = world(1, WorkerLimits::default());
    let before = world.closed.len();
    assert_eq!(ask(&mut world, PHONE, revoke("phone")), Answer::Done);
    assert_eq!(world.closed[before..], [(session_of(PHONE), ErrorCode::DeviceRevoked)]);
    assert_eq!(refused(attach(&mut world, PHONE)), Some(ErrorCode::DeviceRevoked));
    assert_eq!(listed(&mut world, LAPTOP).len(), 1);
}

#[test]
fn a_login_that_is_under_way_does_not_outlive_the_revocation() {
    let mut world = world(1, WorkerLimits::default());
    world.hold = vec!["append"];
    world.pass(61_000);
    // Decided before the revocation, and its event still waits.
    let login = world.login("a", "laptop");
    world.tell_user("a", Input::Attach { session: session("second"), login });
    let from = ("a", "phone", session_of(PHONE));
    world.request_as(0, from, revoke("laptop"));
    world.run();
    // Decided after it: refused, but not before the revocation is durable.
    let login = world.login("a", "laptop");
    world.tell_user("a", Input::Attach { session: session("third"), login });
    let told = |world: &World, name: &str| world.answers.iter().any(|(to, _, _)| *to == session(name));
    assert!(!told(&world, "second") && !told(&world, "third"));
    world.release();
    assert!(told(&world, "second") && told(&world, "third"));
    assert_eq!(world.closed.last(), Some(&(session("second"), ErrorCode::DeviceRevoked)));
    world.send("b", "a", "x");
    assert_eq!(world.pushes.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [session_of(PHONE)]);
}

/// Until its edge hears of it, a revoked device may go on asking.
#[test]
fn whatever_a_revoked_device_still_asks_is_refused() {
    let mut world = world(1, WorkerLimits::default());
    let known = world.id();
    let send = message(known, "b", "before");
    assert!(sent(ask(&mut world, LAPTOP, Request::SendMessage(send.clone()))).is_ok());
    assert_eq!(ask(&mut world, PHONE, revoke("laptop")), Answer::Done);
    let fresh = message(world.id(), "b", "after");
    let history = ReadHistory { with: user("b").into(), from: HistoryFrom::Latest, limit: 9 };
    for request in [
        Request::SendMessage(fresh),
        Request::ReadInbox { after: Offset(0) },
        Request::Acknowledge { up_to: Offset(1) },
        Request::ReadHistory(history),
        Request::ListConversations(ListConversations { after: None, limit: 9 }),
        Request::ListDevices,
        rename("phone", "mine"),
        revoke("phone"),
    ] {
        let answer = ask(&mut world, LAPTOP, request.clone());
        assert_eq!(refused(answer), Some(ErrorCode::DeviceRevoked), "{request:?}");
    }
    // What was accepted is not said to be refused.
    assert!(sent(ask(&mut world, LAPTOP, Request::SendMessage(send))).is_ok());
    assert_eq!(world.history("b", "a", 9), [(1, "before".to_owned())]);
    assert_eq!(listed(&mut world, PHONE), [("phone".to_owned(), None, true)]);
    world.tell_user("a", Input::Detach { session: session_of(LAPTOP), user: user("a") });
}

#[test]
fn a_send_that_waits_when_its_device_is_revoked_is_not_taken() {
    let mut world = world(1, small());
    world.send("b", "a", "one");
    world.settle();
    world.restart_cold();
    for who in [PHONE, LAPTOP] {
        attach(&mut world, who);
    }
    world.hold = vec!["load"];
    let send = Request::SendMessage(message(world.id(), "b", "two"));
    let waiting = world.request_as(0, ("a", "laptop", session_of(LAPTOP)), send);
    world.run();
    assert_eq!(world.answer(waiting), None, "something has to be loaded first");
    assert_eq!(ask(&mut world, PHONE, revoke("laptop")), Answer::Done);
    world.release();
    assert_eq!(refused(world.answer(waiting).unwrap()), Some(ErrorCode::DeviceRevoked));
    assert_eq!(world.history("a", "b", 9), [(1, "one".to_owned())]);
}

#[test]
fn a_revoked_device_holds_back_no_elision() {
    let mut world = world(1, WorkerLimits::default());
    for _ in 0..20 {
        world.send("b", "a", "x");
    }
    let acknowledge = Request::Acknowledge { up_to: Offset(20) };
    world.request_as(0, ("a", "phone", session_of(PHONE)), acknowledge);
    world.run();
    assert_eq!(ask(&mut world, PHONE, revoke("laptop")), Answer::Done);
    world.settle();
    world.restart();
    // Every device that is left has them: they were not written, and that is told.
    assert_eq!(attach(&mut world, PHONE), attach(&mut world, PHONE));
    assert_eq!(world.inbox("a", 0), (Some((1, 20)), vec![]));
}

#[test]
fn nobody_names_a_device_of_somebody_else() {
    let mut world = world(1, WorkerLimits::default());
    let stranger = ("mallory", "phone");
    attach(&mut world, stranger);
    assert_eq!(listed(&mut world, stranger), [("phone".to_owned(), None, true)]);
    assert_eq!(ask(&mut world, stranger, rename("phone", "his own")), Answer::Done);
    for request in [rename("laptop", "x"), revoke("laptop")] {
        assert_eq!(refused(ask(&mut world, stranger, request)), Some(ErrorCode::UnknownDevice));
    }
    assert_eq!(ask(&mut world, stranger, revoke("phone")), Answer::Done);
    let untouched = [("phone".to_owned(), None, true), ("laptop".to_owned(), None, true)];
    assert_eq!(listed(&mut world, PHONE), untouched);
    assert_eq!(world.closed, [(session_of(stranger), ErrorCode::DeviceRevoked)]);
    assert_eq!(refused(attach(&mut world, PHONE)), None);
}

#[test]
fn a_full_disk_refuses_changes_and_lets_devices_in() {
    let mut world = world(1, WorkerLimits::default());
    world.pass(61_000);
    world.engine.doubt_next_append(Landing::Lost, Doubt::NoSpace);
    let send = message(world.id(), "a", "x");
    world.begin("b", send);
    world.run();
    for request in [rename("laptop", "x"), revoke("laptop")] {
        assert_eq!(refused(ask(&mut world, PHONE, request)), Some(ErrorCode::StorageFull));
    }
    // Its last login waits for room, the device does not.
    let mut login = world.login("a", "laptop");
    login.at.0 -= 1;
    assert_eq!(refused(world.attach_as(session_of(LAPTOP), login)), None);
    world.tell_all(|| Input::SafeMode(false));
    assert_eq!(ask(&mut world, PHONE, revoke("laptop")), Answer::Done);
}
