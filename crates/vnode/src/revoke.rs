//! An operator takes tokens back.

use iris_types::limits::TOKEN_AHEAD_MS_MAX;
use iris_types::request::TokenFacts;
use iris_types::{Timestamp, UserId};

use crate::events::Event;
use crate::{Inbox, Stamp, attach};

/// Refuses every token of the user issued up to now. Who issued one may have had a clock that is ahead; a token
/// that says so is accepted, so it has to be refused, too.
pub fn revoke_user(inbox: &mut Inbox, user: &UserId, now: Timestamp, stamp: Stamp) -> Event {
    let devices = inbox.devices.get_or_insert_default();
    devices.revoked_before = devices.revoked_before.max(now.plus_millis(TOKEN_AHEAD_MS_MAX));
    attach::change(inbox, user, now, stamp)
}

/// Refuses one token until it would have expired.
pub fn revoke_token(
    inbox: &mut Inbox,
    user: &UserId,
    (token, expires_at): ([u8; 16], Timestamp),
    now: Timestamp,
    stamp: Stamp,
) -> Event {
    let devices = inbox.devices.get_or_insert_default();
    if !devices.revoked.iter().any(|(id, _)| *id == token) {
        devices.revoked.push((token, expires_at));
    }
    attach::change(inbox, user, now, stamp)
}

/// Whether a live session's token is revoked.
#[must_use]
pub fn is_revoked(inbox: &Inbox, token: &TokenFacts) -> bool {
    inbox.devices.as_ref().is_some_and(|devices| devices.is_revoked(token))
}
