//! The generator's clocks, read together.

use std::time::Instant;

use iris_client_core::Now;
use iris_types::Monotonic;

use crate::clock::wall;

/// Counts from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[allow(clippy::disallowed_methods, reason = "the one clock of the benches")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }

    /// Both clocks of a device.
    pub(crate) fn now(&self) -> Now {
        Now { wall: wall(), monotonic: Monotonic(self.micros() / 1_000) }
    }
}
