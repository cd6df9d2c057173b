use iris_types::limits::TOKEN_AHEAD_MS_MAX;
use iris_types::request::{Login, TokenFacts};
use iris_types::{ErrorCode, Monotonic, Offset, Timestamp};
use iris_vnode::{Event, Inbox, Nonces, Stamp, acknowledge, attach, read_inbox, revoke};

use crate::{NOW, device, user};

fn login() -> Login {
    let token = TokenFacts { id: [1; 16], issued_at: Timestamp(NOW - 5), expires_at: Timestamp(NOW + 5) };
    Login { user: user("a"), device: device("d"), token, nonce: [2; 16], at: Timestamp(NOW - 1) }
}

/// Started ten seconds ago; device `d` is registered, at cursor 3 of 5.
fn inbox() -> Inbox {
    let mut inbox = Inbox::new(Offset(5), Offset::ZERO, None);
    let times = (Timestamp(NOW), Timestamp(NOW - 10_000));
    attach::decide(&mut inbox, &login(), &Nonces::default(), times, Stamp(1)).unwrap();
    assert_eq!(acknowledge::note(&mut inbox, &device("d"), Offset(3)), Ok(true));
    assert!(acknowledge::move_cursors(&mut inbox));
    inbox
}

/// What becomes of a login: the cursor, and whether something is written.
fn check(change: impl FnOnce(&mut Login, &mut Inbox, &mut Nonces)) -> Result<(u64, bool), ErrorCode> {
    let (mut login, mut inbox, mut nonces) = (login(), inbox(), Nonces::default());
    change(&mut login, &mut inbox, &mut nonces);
    let times = (Timestamp(NOW), Timestamp(NOW - 10_000));
    let accepted = attach::decide(&mut inbox, &login, &nonces, times, Stamp(3))?;
    assert_eq!(accepted.event.is_some(), inbox.devices_touched == Stamp(3));
    Ok((accepted.cursor.0, accepted.event.is_some()))
}

#[test]
fn a_login_is_taken_once_in_time_with_a_valid_token() {
    assert_eq!(check(|_, _, _| {}), Ok((3, false)));
    assert_eq!(check(|login, _, _| login.device = device("new")), Ok((0, true)));
    for (at, expected) in [
        (NOW - 10_000, Ok((3, false))),
        (NOW - 10_001, Err(ErrorCode::StaleTimestamp)),
        (NOW, Ok((3, true))),
        (NOW + 60_000, Ok((3, true))),
        (NOW + 60_001, Err(ErrorCode::StaleTimestamp)),
    ] {
        assert_eq!(check(|login, _, _| login.at = Timestamp(at)), expected, "{at}");
    }
    let replayed = check(|login, _, nonces| nonces.remember(&login.user, login.nonce, Monotonic(0)));
    assert_eq!(replayed, Err(ErrorCode::NonceReplayed));
    let of_another = check(|login, _, nonces| nonces.remember(&user("b"), login.nonce, Monotonic(0)));
    assert_eq!(of_another, Ok((3, false)));
    // The token is refused from its date on, and from as long before as it may have been dated ahead.
    let revoked_at =
        |at| check(|_, inbox, _| drop(revoke::revoke_user(inbox, &user("a"), Timestamp(at), Stamp(2))));
    assert_eq!(revoked_at(NOW - 5), Err(ErrorCode::TokenRevoked));
    assert_eq!(revoked_at(NOW - 5 - TOKEN_AHEAD_MS_MAX), Err(ErrorCode::TokenRevoked));
    assert_eq!(revoked_at(NOW - 6 - TOKEN_AHEAD_MS_MAX), Ok((3, false)));
    let token = ([1; 16], Timestamp(NOW + 5));
    let one =
        check(|_, inbox, _| drop(revoke::revoke_token(inbox, &user("a"), token, Timestamp(NOW), Stamp(2))));
    assert_eq!(one, Err(ErrorCode::TokenRevoked));
}

#[test]
fn nonces_are_bounded_and_forgotten() {
    let mut nonces = Nonces::default();
    for number in 0..=255 {
        nonces.remember(&user("a"), [number; 16], Monotonic(u64::from(number)));
    }
    let full = check(|login, _, mine| {
        *mine = std::mem::take(&mut nonces);
        login.nonce[0] = 99;
        mine.expire(Monotonic(100_000));
    });
    assert_eq!(full, Err(ErrorCode::Busy));
    let mut nonces = Nonces::default();
    nonces.remember(&user("a"), [2; 16], Monotonic(0));
    nonces.expire(Monotonic(1_000_000));
    assert_eq!(check(|_, _, mine| *mine = std::mem::take(&mut nonces)), Ok((3, false)));
}

#[test]
fn a_cursor_only_moves_forward_and_never_ahead() {
    let mut inbox = inbox();
    assert_eq!(acknowledge::note(&mut inbox, &device("d"), Offset(6)), Err(ErrorCode::CursorAhead));
    assert_eq!(acknowledge::note(&mut inbox, &device("x"), Offset(5)), Err(ErrorCode::WrongState));
    assert_eq!(acknowledge::note(&mut inbox, &device("d"), Offset(2)), Ok(false));
    assert!(!acknowledge::move_cursors(&mut inbox));
    assert_eq!(acknowledge::note(&mut inbox, &device("d"), Offset(5)), Ok(true));
    assert!(acknowledge::move_cursors(&mut inbox));
    let event = attach::change(&mut inbox, &user("a"), Timestamp(NOW), Stamp(3));
    assert!(matches!(event, Event::Devices { .. }));
    // Elided only once it is committed, and once the conversations know what is delivered.
    assert_eq!((inbox.elidable(Stamp(2)), inbox.elidable(Stamp(3))), (None, None));
    for (given, elidable) in [(4, Some(Offset(4))), (5, Some(Offset(5))), (9, Some(Offset(5)))] {
        inbox.devices.as_mut().unwrap().given = Offset(given);
        assert_eq!((inbox.elidable(Stamp(2)), inbox.elidable(Stamp(3))), (None, elidable));
    }
}

#[test]
fn a_page_says_what_is_gone() {
    let mut inbox = Inbox::new(Offset(9), Offset(4), None);
    inbox.last = Offset(12);
    let plan =
        |after| read_inbox::plan(&inbox, Offset(after)).map(|plan| (plan.gap, plan.first.0, plan.last.0));
    assert_eq!(plan(0), Ok((Some((Offset(1), Offset(4))), 5, 9)));
    assert_eq!(plan(3), Ok((Some((Offset(4), Offset(4))), 5, 9)));
    assert_eq!(plan(4), Ok((None, 5, 9)));
    assert_eq!(plan(9), Ok((None, 10, 9)));
    // What is decided and not committed is not there.
    assert_eq!(plan(10), Err(ErrorCode::CursorAhead));
}
