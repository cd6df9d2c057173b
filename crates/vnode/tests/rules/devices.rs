use iris_types::limits::{LAST_LOGIN_INTERVAL_MS, REVOKED_DEVICES_MAX};
use iris_types::request::{Login, RenameDevice, TokenFacts};
use iris_types::{DeviceLabel, ErrorCode, Offset, Timestamp};
use iris_vnode::{
    Devices, Event, Inbox, Nonces, RevokedDevices, Stamp, acknowledge, attach, list_devices, rename_device,
    revoke_device,
};

use crate::{NOW, device, user};

fn login(name: &str, at: u64) -> Login {
    let token =
        TokenFacts { id: [1; 16], issued_at: Timestamp(NOW - 5), expires_at: Timestamp(NOW + 900_000) };
    Login { user: user("a"), device: device(name), token, nonce: [2; 16], at: Timestamp(at - 1) }
}

/// The event of a login of the device at that time, or why there is none.
fn log_in(inbox: &mut Inbox, name: &str, at: u64) -> Result<Option<Event>, ErrorCode> {
    let times = (Timestamp(at), Timestamp(NOW - 10_000));
    let accepted = attach::decide(inbox, &login(name, at), &Nonces::default(), times, Stamp(3))?;
    assert!(!accepted.waits || accepted.event.is_some());
    Ok(accepted.event)
}

/// Phone and laptop, registered now; five entries, of which the laptop has all and the phone two.
fn inbox() -> Inbox {
    let mut inbox = Inbox::new(Offset(5), Offset::ZERO, None);
    for (name, cursor) in [("phone", 2), ("laptop", 5)] {
        assert!(log_in(&mut inbox, name, NOW).unwrap().is_some());
        acknowledge::note(&mut inbox, &device(name), Offset(cursor)).unwrap();
    }
    assert!(acknowledge::move_cursors(&mut inbox));
    inbox.devices.as_mut().unwrap().given = Offset(5);
    inbox
}

/// Whether a revocation is written, or why it is refused.
fn revoke(inbox: &mut Inbox, name: &str) -> Result<bool, ErrorCode> {
    let events = revoke_device::decide(inbox, &user("a"), &device(name), Timestamp(NOW + 7), Stamp(4))?;
    if let Some([revoked, devices]) = &events {
        assert!(matches!(revoked, Event::RevokedDevices { .. }) && matches!(devices, Event::Devices { .. }));
        assert_eq!((inbox.touched, inbox.devices_touched), (Stamp(4), Stamp(4)));
    }
    Ok(events.is_some())
}

fn rename(inbox: &mut Inbox, name: &str, label: &str) -> Result<bool, ErrorCode> {
    let rename = RenameDevice { device: device(name), label: DeviceLabel::new(label).unwrap() };
    let event = rename_device::decide(inbox, &user("a"), &rename, Timestamp(NOW), Stamp(5))?;
    Ok(event.is_some())
}

/// Name, label, whether it is online.
fn listed(inbox: &Inbox) -> Vec<(String, Option<String>, bool)> {
    let list = list_devices::list(inbox, |name| *name == device("phone"));
    let line = |one: iris_types::DeviceSummary| {
        (one.device.to_string(), one.label.map(|label| label.as_str().to_owned()), one.online)
    };
    list.into_iter().map(line).collect()
}

/// What a start would load.
fn stored(inbox: &Inbox) -> Inbox {
    let devices = inbox.devices.as_ref().map(|devices| Devices::decode(devices.encode()).unwrap());
    let revoked = inbox.revoked.as_ref().map(|one| Box::new(RevokedDevices::decode(one.encode()).unwrap()));
    Inbox { revoked, ..Inbox::new(inbox.last, inbox.trimmed, devices) }
}

#[test]
fn devices_are_listed_in_the_order_of_their_first_logins() {
    assert_eq!(listed(&Inbox::default()), []);
    let inbox = inbox();
    assert_eq!(listed(&inbox), [("phone".to_owned(), None, true), ("laptop".to_owned(), None, false)]);
    let times =
        list_devices::list(&inbox, |_| false).into_iter().map(|one| (one.registered_at, one.last_login));
    assert_eq!(times.collect::<Vec<_>>(), [(Timestamp(NOW), Timestamp(NOW)); 2]);
}

#[test]
fn a_label_is_given_to_a_device_that_is_there() {
    let mut inbox = inbox();
    for (name, label, expected) in [
        ("phone", "Büro", Ok(true)),
        ("phone", "Büro", Ok(false)),
        ("phone", "Home", Ok(true)),
        ("tablet", "Home", Err(ErrorCode::UnknownDevice)),
    ] {
        assert_eq!(rename(&mut inbox, name, label), expected, "{name} {label}");
    }
    let expected = [("phone".to_owned(), Some("Home".to_owned()), true), ("laptop".to_owned(), None, false)];
    assert_eq!(listed(&inbox), expected);
    assert_eq!(listed(&stored(&inbox)), expected);
    assert_eq!(rename(&mut Inbox::default(), "phone", "Home"), Err(ErrorCode::UnknownDevice));
}

#[test]
fn a_revoked_device_is_refused_for_ever_and_gone() {
    let mut inbox = inbox();
    for (name, expected) in [
        ("tablet", Err(ErrorCode::UnknownDevice)),
        ("phone", Ok(true)),
        ("phone", Ok(false)),
        ("tablet", Err(ErrorCode::UnknownDevice)),
    ] {
        assert_eq!(revoke(&mut inbox, name), expected, "{name}");
    }
    for mut inbox in [stored(&inbox), inbox] {
        assert_eq!(inbox.revoked.as_ref().unwrap().list, [(device("phone"), Timestamp(NOW + 7))]);
        assert_eq!(listed(&inbox).len(), 1);
        assert_eq!(inbox.check_device(&device("phone")), Err(ErrorCode::DeviceRevoked));
        assert_eq!(inbox.check_device(&device("laptop")), Ok(()));
        // Whatever else is wrong with the login: its time, for one.
        for at in [NOW, NOW - 20_000] {
            assert_eq!(log_in(&mut inbox, "phone", at), Err(ErrorCode::DeviceRevoked));
        }
        assert_eq!(attach::needs_room(&inbox, &login("phone", NOW), Timestamp(NOW)), None);
        assert_eq!(rename(&mut inbox, "phone", "Home"), Err(ErrorCode::UnknownDevice));
    }
    assert_eq!(revoke(&mut Inbox::default(), "phone"), Err(ErrorCode::UnknownDevice));
}

#[test]
fn a_revoked_device_holds_back_no_elision_and_takes_no_room() {
    let mut inbox = inbox();
    assert_eq!(inbox.elidable(Stamp(3)), Some(Offset(2)));
    assert_eq!(revoke(&mut inbox, "phone"), Ok(true));
    assert_eq!((inbox.elidable(Stamp(3)), inbox.elidable(Stamp(4))), (None, Some(Offset(5))));
    for number in 1..10 {
        assert!(log_in(&mut inbox, &format!("d{number}"), NOW).unwrap().is_some());
    }
    assert_eq!(log_in(&mut inbox, "eleventh", NOW), Err(ErrorCode::TooManyDevices));
    // The list is full, and still the answer says what is the matter.
    assert_eq!(log_in(&mut inbox, "phone", NOW), Err(ErrorCode::DeviceRevoked));
    assert_eq!(revoke(&mut inbox, "d1"), Ok(true));
    assert!(log_in(&mut inbox, "eleventh", NOW).unwrap().is_some());
}

#[test]
fn so_many_revocations_are_remembered_and_no_more() {
    let mut inbox = inbox();
    for number in 0..REVOKED_DEVICES_MAX {
        let name = format!("d{number}-{}", "x".repeat(50));
        log_in(&mut inbox, &name, NOW).unwrap();
        assert_eq!(revoke(&mut inbox, &name), Ok(true));
    }
    assert_eq!(revoke(&mut inbox, "phone"), Err(ErrorCode::TooManyDevices));
    assert_eq!(listed(&inbox).len(), 2);
    assert_eq!(stored(&inbox).revoked, inbox.revoked);
}

#[test]
fn the_last_login_is_written_once_a_minute_or_with_what_is_written_anyway() {
    let last = |inbox: &Inbox| list_devices::list(inbox, |_| false)[0].last_login.0 - NOW;
    let mut inbox = inbox();
    let mut check = |after: u64, is_written: bool, expected: u64| {
        let event = log_in(&mut inbox, "phone", NOW + after).unwrap();
        assert_eq!((event.is_some(), last(&inbox)), (is_written, expected), "{after}");
    };
    check(1, false, 0);
    check(LAST_LOGIN_INTERVAL_MS - 1, false, 0);
    check(LAST_LOGIN_INTERVAL_MS, true, LAST_LOGIN_INTERVAL_MS);
    check(LAST_LOGIN_INTERVAL_MS + 1, false, LAST_LOGIN_INTERVAL_MS);
    // A clock ahead of the server's is written for its nonce.
    let ahead = Login { at: Timestamp(NOW + 70_000), ..login("phone", NOW) };
    let times = (Timestamp(NOW + 70_000), Timestamp(NOW - 10_000));
    let accepted = attach::decide(&mut inbox, &ahead, &Nonces::default(), times, Stamp(3)).unwrap();
    assert!(accepted.waits && accepted.event.is_some());
    assert_eq!(last(&inbox), 70_000);
}
