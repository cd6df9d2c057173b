//! The open loop: sends have intended times, whatever became of the earlier ones.

/// The generator looks at the schedule once in a millisecond at most: what is due together travels together,
/// and the wait counts, because latency is counted from the intended time.
const TICK_US: u64 = 1_000;

/// Times at a steady rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    start_us: u64,
    interval_us: f64,
    given: u64,
}

impl Schedule {
    pub(crate) fn new(per_second: f64, start_us: u64) -> Self {
        Self { start_us, interval_us: 1e6 / per_second.max(0.001), given: 0 }
    }

    /// The next intended time, if it has come.
    pub(crate) fn due(&mut self, now_us: u64) -> Option<u64> {
        let at_us = self.next_us();
        (at_us <= now_us).then(|| {
            self.given += 1;
            at_us
        })
    }

    /// Microseconds until it is worth looking again.
    pub(crate) fn wait_us(&self, now_us: u64) -> u64 {
        self.next_us().saturating_sub(now_us).max(TICK_US)
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn next_us(&self) -> u64 {
        self.start_us + (self.given as f64 * self.interval_us) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_still_due_at_its_time() {
        let mut schedule = Schedule::new(4.0, 1_000_000);
        assert_eq!(schedule.due(999_999), None);
        assert_eq!((schedule.due(1_600_000), schedule.due(1_600_000)), (Some(1_000_000), Some(1_250_000)));
        assert_eq!((schedule.due(1_600_000), schedule.due(1_600_000)), (Some(1_500_000), None));
        assert_eq!((schedule.wait_us(1_600_000), schedule.wait_us(1_900_000)), (150_000, TICK_US));
    }
}
