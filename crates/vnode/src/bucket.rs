//! How often somebody may do something: a token bucket.

use iris_types::Monotonic;

/// What a bucket holds and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At most 1,000,000,000.
    pub per_minute: u32,
    /// What a full bucket holds, at least 1.
    pub burst: u32,
}

/// One bucket; full until something was taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// What was taken and has not come back yet, in parts of [`PARTS`].
    taken: u64,
    at: Monotonic,
}

/// Parts of a token: a whole one per minute is one part per millisecond.
const PARTS: u64 = 60_000;

impl Rate {
    /// More than one machine can take of all users together: for development and measurements.
    pub const GENEROUS: Self = Self { per_minute: 60_000_000, burst: 1_000_000 };

    /// Milliseconds until so many parts are there, rounded up.
    fn wait(self, parts: u64) -> u64 {
        parts.div_ceil(u64::from(self.per_minute.max(1)))
    }
}

impl Bucket {
    /// Takes up to `want` tokens; returns how many.
    pub fn take(&mut self, want: u32, rate: Rate, now: Monotonic) -> u32 {
        self.fill(rate, now);
        let room = (u64::from(rate.burst.max(1)) * PARTS).saturating_sub(self.taken) / PARTS;
        let granted = want.min(u32::try_from(room).unwrap_or(u32::MAX));
        self.taken += u64::from(granted) * PARTS;
        granted
    }

    /// Milliseconds until there is a token; 0: there is one.
    #[must_use]
    pub fn retry_after_ms(&mut self, rate: Rate, now: Monotonic) -> u32 {
        self.fill(rate, now);
        let missing = (self.taken + PARTS).saturating_sub(u64::from(rate.burst.max(1)) * PARTS);
        u32::try_from(rate.wait(missing)).unwrap_or(u32::MAX)
    }

    /// Whether a new bucket would be the same.
    #[must_use]
    pub fn is_full(&self, rate: Rate, now: Monotonic) -> bool {
        self.taken <= now.millis_since(self.at).saturating_mul(u64::from(rate.per_minute))
    }

    fn fill(&mut self, rate: Rate, now: Monotonic) {
        let came = now.millis_since(self.at).saturating_mul(u64::from(rate.per_minute));
        self.taken = self.taken.saturating_sub(came);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_minute: 100, burst: 20 };

    #[test]
    fn a_burst_and_then_the_rate_and_never_more() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(50, RATE, Monotonic(0)), 20);
        assert_eq!(bucket.take(1, RATE, Monotonic(0)), 0);
        assert_eq!(bucket.retry_after_ms(RATE, Monotonic(0)), 600);
        assert_eq!(bucket.take(1, RATE, Monotonic(599)), 0);
        assert_eq!(bucket.take(9, RATE, Monotonic(600)), 1);
        let mut taken = 0;
        for ms in 600..60_600 {
            taken += bucket.take(1_000, RATE, Monotonic(ms));
        }
        assert_eq!(taken, 99, "a minute later, less the moment");
        assert!(!bucket.is_full(RATE, Monotonic(60_600)));
        assert!(bucket.is_full(RATE, Monotonic(60_600 + 12_000)));
    }

    #[test]
    fn a_bucket_that_waited_for_long_holds_a_burst() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(20, RATE, Monotonic(5)), 20);
        assert_eq!(bucket.take(u32::MAX, RATE, Monotonic(u64::MAX)), 20);
        let fast = Rate { per_minute: 1_000_000_000, burst: 1 };
        assert_eq!(Bucket::default().take(5, fast, Monotonic(1)), 1);
    }
}
