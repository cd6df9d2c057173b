//! A user gives a device a label.

use iris_types::request::RenameDevice;
use iris_types::{ErrorCode, Timestamp, UserId};

use crate::events::Event;
use crate::{Inbox, Stamp, attach};

/// Decides a label. `None`: it is the one that the device has.
///
/// # Errors
/// [`ErrorCode::UnknownDevice`] for a device that never logged in, or was revoked; nothing was changed.
pub fn decide(
    inbox: &mut Inbox,
    user: &UserId,
    rename: &RenameDevice,
    now: Timestamp,
    stamp: Stamp,
) -> Result<Option<Event>, ErrorCode> {
    let device = inbox.devices.as_mut().and_then(|devices| devices.device_mut(&rename.device));
    let device = device.ok_or(ErrorCode::UnknownDevice)?;
    if device.label.as_ref() == Some(&rename.label) {
        return Ok(None);
    }
    device.label = Some(rename.label.clone());
    Ok(Some(attach::change(inbox, user, now, stamp)))
}
