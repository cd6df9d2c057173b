//! A device says how far it is: "delivered" is a cursor.

use iris_types::{DeviceId, ErrorCode, Offset, Timestamp, UserId};

use crate::events::Event;
use crate::{Inbox, Stamp, attach};

/// Notes an acknowledgement; [`move_cursors`] decides it later, together with others. Whether it was news: a
/// cursor never moves back.
///
/// # Errors
/// [`ErrorCode::CursorAhead`] for an offset that the inbox does not have; [`ErrorCode::WrongState`] for a device
/// that never logged in.
pub fn note(inbox: &mut Inbox, device: &DeviceId, up_to: Offset) -> Result<bool, ErrorCode> {
    if up_to > inbox.committed {
        return Err(ErrorCode::CursorAhead);
    }
    let device = inbox.devices.as_mut().and_then(|devices| devices.device_mut(device));
    let device = device.ok_or(ErrorCode::WrongState)?;
    let is_news = up_to > device.acknowledged;
    device.acknowledged = device.acknowledged.max(up_to);
    Ok(is_news)
}

/// Decides what was noted. `None` when there is nothing.
pub fn move_cursors(inbox: &mut Inbox, user: &UserId, now: Timestamp, stamp: Stamp) -> Option<Event> {
    let devices = inbox.devices.as_mut()?;
    let mut has_moved = false;
    for device in &mut devices.list {
        has_moved |= device.acknowledged > device.cursor;
        device.cursor = device.cursor.max(device.acknowledged);
    }
    has_moved.then(|| attach::change(inbox, user, now, stamp))
}
