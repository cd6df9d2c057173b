//! Rest between turns under load.
//!
//! A write costs the kernel about 5 µs whatever it carries, most of what a message costs. A loop that has much to
//! write therefore rests for as long as its turn took, at most [`LOOP_REST_MS_MAX`]: what arrives meanwhile shares
//! records and writes. With little to do a turn takes microseconds and nothing rests.

use std::time::{Duration, Instant};

use iris_types::limits::LOOP_REST_MS_MAX;
use rustix::event::{Timespec, poll};

/// Writes of a turn below which sharing would not pay.
const WRITES_MIN: u64 = 64;
/// The shortest rest: a shorter one costs more than it saves.
const REST_MIN: Duration = Duration::from_millis(1);

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
    let rest = worked.min(Duration::from_millis(LOOP_REST_MS_MAX));
    (writes >= WRITES_MIN && rest >= REST_MIN).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_is_as_long_as_the_work_and_bounded() {
        let millis = Duration::from_millis;
        assert_eq!(rest_after(millis(5), 1_000), Some(millis(5)));
        assert_eq!(rest_after(millis(500), 1_000), Some(millis(LOOP_REST_MS_MAX)));
        assert_eq!(rest_after(millis(5), WRITES_MIN - 1), None);
        assert_eq!(rest_after(Duration::from_micros(900), 1_000), None);
    }
}
