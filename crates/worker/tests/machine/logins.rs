use iris_types::limits::TOKEN_AHEAD_MS_MAX;
use iris_types::request::{Answer, Request};
use iris_types::{ErrorCode, Offset, Timestamp};
use iris_worker::{AdminAnswer, AdminCommand, Input, WorkerLimits};

use crate::world::*;

fn world() -> World {
    World::new(1, WorkerLimits::default())
}

fn cursor(answer: &Answer) -> (u64, u64) {
    match answer {
        Answer::Attached(attached) => (attached.cursor.0, attached.last.0),
        other => panic!("not attached: {other:?}"),
    }
}

#[test]
fn a_cursor_is_what_the_device_acknowledged() {
    let mut world = world();
    assert_eq!(cursor(&world.attach("b")), (0, 0));
    for _ in 0..3 {
        world.send("a", "b", "x");
    }
    assert_eq!(cursor(&world.attach("b")), (0, 3));
    world.acknowledge("b", 2);
    world.acknowledge("b", 1);
    world.pass(250);
    assert_eq!(cursor(&world.attach("b")), (2, 3));
    world.restart();
    assert_eq!(cursor(&world.attach("b")), (2, 3));
    let before = world.answers.len();
    world.acknowledge("b", 4);
    assert_eq!(refused(world.answers[before].2.clone()), Some(ErrorCode::CursorAhead));
    let answer = world.ask("b", Request::ReadInbox { after: Offset(4) });
    assert_eq!(refused(answer), Some(ErrorCode::CursorAhead));
}

#[test]
fn acknowledgements_are_gathered() {
    let mut world = world();
    world.attach("b");
    for _ in 0..10 {
        world.send("a", "b", "x");
    }
    let before = world.statistics(|statistics| statistics.chunks);
    for offset in 1..=10 {
        world.acknowledge("b", offset);
    }
    world.pass(250);
    assert_eq!(world.statistics(|statistics| statistics.chunks) - before, 1);
}

#[test]
fn a_second_connection_replaces_the_first() {
    let mut world = world();
    world.attach("a");
    let (other, login) = (session("other"), world.login("a", "d"));
    world.attach_as(other, login);
    assert_eq!(world.closed, [(session("a"), ErrorCode::Replaced)]);
    world.send("b", "a", "x");
    assert_eq!(world.pushes.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [other]);
}

#[test]
fn a_connection_that_goes_while_it_logs_in_is_not_registered() {
    let mut world = world();
    world.hold = vec!["append"];
    let login = world.login("a", "d");
    world.tell(0, Input::Attach { session: session("a"), login });
    world.run();
    world.tell(0, Input::Detach { session: session("a"), user: user("a") });
    world.release();
    assert_eq!(world.statistics(|statistics| statistics.sessions), 0);
    world.send("b", "a", "x");
    assert_eq!(world.pushes.len(), 0);
}

#[test]
fn nonces_times_and_devices_have_rules() {
    let mut world = world();
    let started = world.now;
    world.pass(100_000);
    let check = |world: &mut World, change: &dyn Fn(&mut iris_types::request::Login)| {
        let mut login = world.login("a", "d");
        change(&mut login);
        refused(world.attach_as(session("a"), login))
    };
    assert_eq!(check(&mut world, &|login| login.nonce = [9; 16]), None);
    assert_eq!(check(&mut world, &|login| login.nonce = [9; 16]), Some(ErrorCode::NonceReplayed));
    let now = world.now;
    assert_eq!(
        check(&mut world, &|login| login.at = Timestamp(now - 60_001)),
        Some(ErrorCode::StaleTimestamp)
    );
    assert_eq!(
        check(&mut world, &|login| login.at = Timestamp(now + 60_001)),
        Some(ErrorCode::StaleTimestamp)
    );
    assert_eq!(check(&mut world, &|login| login.at = Timestamp(now - 60_000)), None);
    // Ahead of the server: remembered over a restart, for its time has not come.
    let ahead = Timestamp(now + 50_000);
    let ahead = move |login: &mut iris_types::request::Login| (login.at, login.nonce) = (ahead, [8; 16]);
    assert_eq!(check(&mut world, &ahead), None);
    world.pass(1_000);
    world.restart();
    assert_eq!(check(&mut world, &ahead), Some(ErrorCode::NonceReplayed));
    let stale = Timestamp(world.now - 1);
    assert_eq!(check(&mut world, &|login| login.at = stale), Some(ErrorCode::StaleTimestamp));
    assert!(stale.0 > started);
    for index in 1..10 {
        assert_eq!(check(&mut world, &|login| login.device = device(&format!("d{index}"))), None);
    }
    let eleventh = check(&mut world, &|login| login.device = device("d10"));
    assert_eq!(eleventh, Some(ErrorCode::TooManyDevices));
}

#[test]
fn a_revoked_user_needs_a_new_token() {
    let mut world = world();
    world.attach("a");
    world.attach("b");
    world.revoke(AdminCommand::RevokeUser { user: user("a") });
    assert_eq!(world.admin, [AdminAnswer::Done]);
    assert_eq!(world.closed, [(session("a"), ErrorCode::TokenRevoked)]);
    world.restart();
    assert_eq!(refused(world.attach("a")), Some(ErrorCode::TokenRevoked));
    // Tokens may be dated ahead: those are refused, too.
    world.pass(TOKEN_AHEAD_MS_MAX + 2_000);
    assert_eq!(refused(world.attach("a")), None);
    assert_eq!(refused(world.attach("b")), None);
}

#[test]
fn one_token_is_revoked_durably() {
    let mut world = world();
    world.attach("a");
    world.hold = vec!["append"];
    let expires_at = Timestamp(world.now + DAY);
    world.revoke(AdminCommand::RevokeToken { user: user("a"), token: [1; 16], expires_at });
    // Not before it is durable.
    assert_eq!((world.admin.len(), world.closed.len()), (0, 0));
    world.release();
    assert_eq!((world.admin.len(), world.closed.len()), (1, 1));
    world.settle();
    world.restart();
    assert_eq!(refused(world.attach("a")), Some(ErrorCode::TokenRevoked));
    let mut login = world.login("a", "d");
    login.token.id = [2; 16];
    assert_eq!(refused(world.attach_as(session("a"), login)), None);
}
