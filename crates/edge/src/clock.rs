//! Time as the edge sees it: read in one place, passed on as arguments.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use iris_types::{Monotonic, Timestamp};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For what is compared with tokens and clients: may jump.
    pub wall: Timestamp,
    /// For deadlines: never jumps.
    pub monotonic: Monotonic,
}

/// Where the event loops read the time. Tests pass one that they move by hand.
pub trait Clock: Send + Sync {
    fn now(&self) -> Now;
}

/// The clocks of the machine; monotonic time counts from the creation.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one clock of the edge")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one clock of the edge")]
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let monotonic = self.started.elapsed();
        Now {
            wall: Timestamp(saturated(wall.as_millis())),
            monotonic: Monotonic(saturated(monotonic.as_millis())),
        }
    }
}

fn saturated(millis: u128) -> u64 {
    u64::try_from(millis).unwrap_or(u64::MAX)
}
