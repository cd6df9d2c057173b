//! A user's devices, as the user is told of them.

use iris_types::{DeviceId, DeviceSummary};

use crate::Inbox;

/// In the order of their first logins.
#[must_use]
pub fn list(inbox: &Inbox, is_online: impl Fn(&DeviceId) -> bool) -> Vec<DeviceSummary> {
    let devices = inbox.devices.iter().flat_map(|devices| &devices.list);
    devices
        .map(|device| DeviceSummary {
            device: device.name.clone(),
            label: device.label.clone(),
            registered_at: device.registered_at,
            last_login: device.last_login,
            online: is_online(&device.name),
        })
        .collect()
}
