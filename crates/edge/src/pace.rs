//! Rest between turns under load.
//!
//! A write costs the kernel about 5 µs whatever it carries, and waking a worker and its log costs as much as a
//! message. A loop that has something to write to many connections therefore rests for as long as its turn took, at
//! least [`LOOP_REST_MS_MIN`], at most [`LOOP_REST_MS_MAX`]: what arrives meanwhile shares records, writes, wake-ups
//! and chunks of the log. With little to do nothing rests.

use std::time::{Duration, Instant};

use iris_types::limits::{LOOP_REST_MS_MAX, LOOP_REST_MS_MIN};
use rustix::event::{Timespec, poll};

/// Writes of a turn below which sharing would not pay.
const WRITES_MIN: u64 = 16; // layout

/// One turn, from its first event on.
pub(crate) struct Turn {
    began: Instant,
    writes_before: u64,
}

impl Turn {
    #[allow(clippy::disallowed_methods, reason = "measures work, decides nothing about a connection")]
    pub(crate) fn begin(writes: u64) -> Self {
        Self { began: Instant::now(), writes_before: writes }
    }

    /// Rests if the turn was worth it.
    pub(crate) fn rest(self, writes: u64) {
        if let Some(rest) = rest_after(self.began.elapsed(), writes - self.writes_before) {
            let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(rest.subsec_nanos()) };
            // Interrupted is rested, too.
            let _ = poll(&mut [], Some(&timeout));
        }
    }
}

fn rest_after(worked: Duration, writes: u64) -> Option<Duration> {
    let (least, most) = (Duration::from_millis(LOOP_REST_MS_MIN), Duration::from_millis(LOOP_REST_MS_MAX));
    (writes >= WRITES_MIN).then(|| worked.clamp(least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_is_as_long_as_the_work_and_bounded() {
        let millis = Duration::from_millis;
        assert_eq!(rest_after(millis(5), 1_000), Some(millis(5)));
        assert_eq!(rest_after(millis(500), 1_000), Some(millis(LOOP_REST_MS_MAX)));
        assert_eq!(rest_after(millis(0), WRITES_MIN), Some(millis(LOOP_REST_MS_MIN)));
        assert_eq!(rest_after(millis(5), WRITES_MIN - 1), None);
    }
}
