//! A device says how far it is: "delivered" is a cursor.

use iris_types::{DeviceId, ErrorCode, Offset};

use crate::Inbox;

/// Notes an acknowledgement; [`move_cursors`] takes it up later, together with others. Whether it was news: a
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

/// Moves the cursors to what was noted. Whether one has moved: then [`crate::attach::change`] is to be committed.
pub fn move_cursors(inbox: &mut Inbox) -> bool {
    let Some(devices) = inbox.devices.as_mut() else { return false };
    let mut has_moved = false;
    for device in &mut devices.list {
        has_moved |= device.acknowledged > device.cursor;
        device.cursor = device.cursor.max(device.acknowledged);
    }
    has_moved
}
