//! A login: whether the device may come in, and its registration.

use iris_types::limits::{DEVICES_PER_USER_MAX, LAST_LOGIN_INTERVAL_MS, LOGIN_SKEW_MS_MAX};
use iris_types::request::Login;
use iris_types::{ErrorCode, Offset, Timestamp, UserId};

use crate::devices::Device;
use crate::events::Event;
use crate::nonces::{Nonces, Taken};
use crate::{Devices, Inbox, Stamp};

/// The device is in: commit the event, if there is one, and answer.
#[derive(Debug)]
pub struct Accepted {
    pub event: Option<Event>,
    /// The answer has to wait for the event's commit. Otherwise the event says only when the device logged in.
    pub waits: bool,
    pub cursor: Offset,
}

/// Decides a login. `started_at`: when this worker was made; what was said before is not known to it. Nonces are
/// remembered by the caller when the login is accepted.
///
/// # Errors
/// The code of the refusal; nothing was changed.
pub fn decide(
    inbox: &mut Inbox,
    login: &Login,
    nonces: &Nonces,
    (now, started_at): (Timestamp, Timestamp),
    stamp: Stamp,
) -> Result<Accepted, ErrorCode> {
    let known = inbox.devices.as_deref();
    check_token(known, login)?;
    // Before any other rule: whatever else is wrong, it would not help to repair it.
    inbox.check_device(&login.device)?;
    check_time(login.at, now, started_at)?;
    check_nonce(known, login, nonces)?;
    let is_registered = known.is_some_and(|devices| devices.device(&login.device).is_some());
    if !is_registered && known.is_some_and(|devices| devices.list.len() >= DEVICES_PER_USER_MAX) {
        return Err(ErrorCode::TooManyDevices);
    }
    // Its time could come again after a restart, for it is not over yet.
    let is_ahead = login.at >= now;
    let devices = inbox.devices.get_or_insert_default();
    if !is_registered {
        register(devices, login, now);
    }
    if is_ahead {
        devices.nonces_ahead.push((login.nonce, login.at));
    }
    let waits = !is_registered || is_ahead;
    let (mut cursor, mut is_due) = (Offset::ZERO, waits);
    if let Some(device) = devices.device_mut(&login.device) {
        cursor = device.cursor;
        is_due |= device.last_login.0.abs_diff(now.0) >= LAST_LOGIN_INTERVAL_MS;
        if is_due {
            device.last_login = now;
        }
    }
    devices.last_seen = devices.last_seen.max(now);
    let event = is_due.then(|| change(inbox, &login.user, now, stamp));
    Ok(Accepted { event, waits, cursor })
}

/// The event that writes down that a user was there.
pub fn seen(inbox: &mut Inbox, user: &UserId, now: Timestamp, stamp: Stamp) -> Event {
    let devices = inbox.devices.get_or_insert_default();
    devices.last_seen = devices.last_seen.max(now);
    change(inbox, user, now, stamp)
}

/// Why a login cannot be taken while nothing can be written; `None`: it need not wait for a write, or is refused
/// anyway.
#[must_use]
pub fn needs_room(inbox: &Inbox, login: &Login, now: Timestamp) -> Option<ErrorCode> {
    inbox.check_device(&login.device).ok()?;
    let is_registered = inbox.devices.as_ref().is_some_and(|devices| devices.device(&login.device).is_some());
    match (is_registered, login.at >= now) {
        (false, _) => Some(ErrorCode::StorageFull),
        // With the server's time, which the refusal carries, the next try lies behind it.
        (true, true) => Some(ErrorCode::StaleTimestamp),
        (true, false) => None,
    }
}

/// The event that writes a user's devices as they are now.
pub fn change(inbox: &mut Inbox, user: &UserId, now: Timestamp, stamp: Stamp) -> Event {
    let devices = inbox.devices.get_or_insert_default();
    devices.expire(now);
    let bytes = devices.encode();
    inbox.touched = stamp;
    inbox.devices_touched = stamp;
    Event::Devices { user: user.clone(), devices: bytes }
}

/// A clock that is set back over a restart opens logins of before the restart to a repetition, for nothing is stored
/// of them. Refusing whatever is dated before the newest time that was ever committed would close that, and would
/// refuse everybody for as long as a clock that was once ahead had been ahead.
fn check_time(at: Timestamp, now: Timestamp, started_at: Timestamp) -> Result<(), ErrorCode> {
    let skew = at.millis_since(now).max(now.millis_since(at));
    if skew > LOGIN_SKEW_MS_MAX || at < started_at { Err(ErrorCode::StaleTimestamp) } else { Ok(()) }
}

fn check_token(known: Option<&Devices>, login: &Login) -> Result<(), ErrorCode> {
    let is_revoked = known.is_some_and(|devices| devices.is_revoked(&login.token));
    if is_revoked { Err(ErrorCode::TokenRevoked) } else { Ok(()) }
}

fn check_nonce(known: Option<&Devices>, login: &Login, nonces: &Nonces) -> Result<(), ErrorCode> {
    let is_stored =
        known.is_some_and(|devices| devices.nonces_ahead.iter().any(|(nonce, _)| *nonce == login.nonce));
    match nonces.check(&login.user, &login.nonce) {
        _ if is_stored => Err(ErrorCode::NonceReplayed),
        Taken::Replayed => Err(ErrorCode::NonceReplayed),
        Taken::Full => Err(ErrorCode::Busy),
        Taken::Fresh => Ok(()),
    }
}

fn register(devices: &mut Devices, login: &Login, now: Timestamp) {
    devices.list.push(Device {
        name: login.device.clone(),
        label: None,
        registered_at: now,
        last_login: now,
        cursor: Offset::ZERO,
        acknowledged: Offset::ZERO,
    });
}
