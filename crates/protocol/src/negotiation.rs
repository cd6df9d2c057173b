//! What both sides settle before they talk: versions, capabilities, limits, and when to come back.

use iris_types::limits::{
    BATCH_ITEMS_MAX, BODY_BYTES_MAX, IDLE_MS_MAX, PUSH_WINDOW_BYTES_MAX, PUSH_WINDOW_ENTRIES_MAX,
    REQUESTS_IN_FLIGHT_MAX,
};

/// Protocol versions as a set of bits: bit 0 stands for version 1, bit 1 for version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions(pub u32);

impl Versions {
    /// One message per frame.
    pub const ONLY_1: Self = Self(0b01);
    /// Batch frames and cumulative acknowledgements.
    pub const ONLY_2: Self = Self(0b10);
    /// Every version there is.
    pub const ALL: Self = Self(0b11);

    /// The highest version that both sides and this code know.
    #[must_use]
    pub const fn best_common(self, other: Self) -> Option<u8> {
        let common = self.0 & other.0 & Self::ALL.0;
        if common & 0b10 != 0 {
            Some(2)
        } else if common & 0b01 != 0 {
            Some(1)
        } else {
            None
        }
    }

    #[must_use]
    pub const fn contains(self, version: u8) -> bool {
        version >= 1 && version <= 32 && self.0 >> (version - 1) & 1 == 1
    }
}

/// Optional abilities as a set of bits; none is assigned yet, unknown ones are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// Every capability this code has.
    pub const ALL: Self = Self(0);

    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The server's bounds, told with Ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    pub body_bytes_max: u32,
    pub batch_items_max: u16,
    pub requests_in_flight_max: u16,
    /// Entries and bytes pushed and not yet acknowledged; beyond either the server stops and asks for a sync.
    pub window_entries_max: u32,
    pub window_bytes_max: u32,
    /// Silence after which the server closes.
    pub idle_ms_max: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            body_bytes_max: BODY_BYTES_MAX as u32,
            batch_items_max: BATCH_ITEMS_MAX as u16,
            requests_in_flight_max: REQUESTS_IN_FLIGHT_MAX as u16,
            window_entries_max: PUSH_WINDOW_ENTRIES_MAX as u32,
            window_bytes_max: PUSH_WINDOW_BYTES_MAX as u32,
            idle_ms_max: IDLE_MS_MAX as u32,
        }
    }
}

/// When to come back to a server that stops: after `reconnect_after_ms` and a random part of `jitter_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainHint {
    pub reconnect_after_ms: u32,
    pub jitter_ms: u32,
}
