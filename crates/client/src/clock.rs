//! The clocks and the randomness that the machine is given.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use iris_client_core::Now;
use iris_types::{Monotonic, Timestamp};

/// The process's clocks; the monotonic one counts from the clock's making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is where the SDK reads its clocks")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    #[allow(clippy::disallowed_methods, reason = "this is where the SDK reads its clocks")]
    pub(crate) fn now(&self) -> Now {
        let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Now {
            wall: Timestamp(u64::try_from(wall_ms).unwrap_or(u64::MAX)),
            monotonic: Monotonic(self.start.elapsed().as_millis().try_into().unwrap_or(u64::MAX)),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "this is where the SDK reads its clocks")]
    pub(crate) fn instant_after(after: std::time::Duration) -> Instant {
        Instant::now() + after
    }

    #[allow(clippy::disallowed_methods, reason = "this is where the SDK reads its clocks")]
    pub(crate) fn is_past(instant: Instant) -> bool {
        Instant::now() >= instant
    }

    pub(crate) fn instant(&self, at: Monotonic) -> Instant {
        self.start + std::time::Duration::from_millis(at.0)
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place where the SDK takes randomness from the system")]
/// 64 random bits of the operating system's.
pub(crate) fn random_seed() -> Result<u64, rustls::Error> {
    let mut seed = [0; 8];
    aws_lc_rs::rand::fill(&mut seed).map_err(|_| rustls::Error::FailedToGetRandomBytes)?;
    Ok(u64::from_be_bytes(seed))
}
