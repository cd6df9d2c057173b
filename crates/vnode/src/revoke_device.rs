//! A user ends a device for ever.

use iris_types::limits::REVOKED_DEVICES_MAX;
use iris_types::{DeviceId, ErrorCode, Timestamp, UserId};

use crate::events::Event;
use crate::{Inbox, Stamp, attach};

/// Decides a revocation: both events have to be committed in one chunk. `None`: the device is revoked already.
///
/// # Errors
/// [`ErrorCode::UnknownDevice`] for a device that never logged in, [`ErrorCode::TooManyDevices`] when no more can
/// be remembered; nothing was changed.
pub fn decide(
    inbox: &mut Inbox,
    user: &UserId,
    device: &DeviceId,
    now: Timestamp,
    stamp: Stamp,
) -> Result<Option<[Event; 2]>, ErrorCode> {
    if inbox.check_device(device).is_err() {
        return Ok(None);
    }
    let list = inbox.devices.as_mut().map(|devices| &mut devices.list).ok_or(ErrorCode::UnknownDevice)?;
    let place = list.iter().position(|known| known.name == *device).ok_or(ErrorCode::UnknownDevice)?;
    let revoked = inbox.revoked.get_or_insert_default();
    if revoked.list.len() >= REVOKED_DEVICES_MAX {
        return Err(ErrorCode::TooManyDevices);
    }
    list.remove(place);
    revoked.list.push((device.clone(), now));
    let revoked = Event::RevokedDevices { user: user.clone(), revoked: revoked.encode() };
    Ok(Some([revoked, attach::change(inbox, user, now, stamp)]))
}
