//! Who the device is, and the time that it is told.

use iris_protocol::Versions;
use iris_types::limits::CLIENT_WINDOW;
use iris_types::{DeviceId, Monotonic, Timestamp, UserId};

/// What a machine is made with.
#[derive(Clone, Debug)]
pub struct Config {
    pub user: UserId,
    pub device: DeviceId,
    /// The protocol versions to offer.
    pub versions: Versions,
    /// Sends on their way at once; more wait in the outbox. At least 1.
    pub window: usize,
}

impl Config {
    /// A device with the newest protocol and [`CLIENT_WINDOW`] sends on their way.
    #[must_use]
    pub const fn new(user: UserId, device: DeviceId) -> Self {
        Self { user, device, versions: Versions::ALL, window: CLIENT_WINDOW }
    }
}

/// The two clocks of a device, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// May be wrong and may jump: only the first login relies on it.
    pub wall: Timestamp,
    pub monotonic: Monotonic,
}
