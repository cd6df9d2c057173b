//! A user in memory: the inbox's ends and the devices.

use iris_types::{DeviceId, ErrorCode, Offset, Settings};

use crate::{Devices, RevokedDevices, Stamp};

/// What of a user is needed to decide.
#[derive(Debug, Default)]
pub struct Inbox {
    /// Last offset decided.
    pub last: Offset,
    /// Last offset committed: what pages and logins show.
    pub committed: Offset,
    /// Entries up to here are gone.
    pub trimmed: Offset,
    /// `None` for a user who never logged in.
    pub devices: Option<Box<Devices>>,
    /// `None` for nearly everybody.
    pub revoked: Option<Box<RevokedDevices>>,
    pub settings: Settings,
    /// Chunk of the last event of any kind.
    pub touched: Stamp,
    /// Chunk of the last event that changed [`Self::devices`] or [`Self::revoked`].
    pub devices_touched: Stamp,
}

impl Inbox {
    /// As the rows say.
    #[must_use]
    pub fn new(last: Offset, trimmed: Offset, devices: Option<Devices>) -> Self {
        Self { last, committed: last, trimmed, devices: devices.map(Box::new), ..Self::default() }
    }

    /// Whether the user has not revoked the device: nothing is done for one that is.
    ///
    /// # Errors
    /// [`ErrorCode::DeviceRevoked`], to be told once [`Self::devices_touched`] is committed.
    pub fn check_device(&self, device: &DeviceId) -> Result<(), ErrorCode> {
        let is_revoked = self.revoked.as_ref().is_some_and(|revoked| revoked.contains(device));
        if is_revoked { Err(ErrorCode::DeviceRevoked) } else { Ok(()) }
    }

    /// Entries up to here need not enter a run: every registered device, and there is one, has them for sure, and their
    /// conversations know it.
    #[must_use]
    pub fn elidable(&self, committed: Stamp) -> Option<Offset> {
        if self.devices_touched > committed {
            return None;
        }
        let devices = self.devices.as_ref()?;
        let cursors = devices.list.iter().map(|device| device.cursor);
        // Receipts are given out of the entries.
        cursors.min().map(|cursor| cursor.min(devices.given)).filter(|cursor| *cursor > self.trimmed)
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let devices = self.devices.as_ref().map_or(0, |devices| devices.bytes());
        size_of::<Self>() + devices + self.revoked.as_ref().map_or(0, |revoked| revoked.bytes())
    }
}
