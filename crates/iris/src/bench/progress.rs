//! One line a second while a run goes on.

use super::clock::Stopwatch;
use super::tally::Tally;

const EVERY_US: u64 = 1_000_000;

/// What was said last.
pub(crate) struct Progress {
    clock: Stopwatch,
    next_us: u64,
    said: Option<(u64, u64, u64)>,
}

impl Progress {
    pub(crate) fn new(clock: Stopwatch) -> Self {
        Self { clock, next_us: 0, said: None }
    }

    /// Says the rates since the last line, when a second has passed.
    pub(crate) fn show(&mut self, phase: &str, tally: &Tally) {
        let now_us = self.clock.micros();
        if now_us < self.next_us {
            return;
        }
        self.next_us = now_us + EVERY_US;
        let (at_us, acked, shown) = self.said.replace((now_us, tally.acked, tally.shown)).unwrap_or_default();
        let rate = |count: u64| count * 1_000_000 / now_us.saturating_sub(at_us).max(1);
        let window = &tally.window;
        let mut line = format!(
            "{:>5} s  {phase:<9} acked {:>7}/s  delivered {:>7}/s",
            now_us / 1_000_000,
            rate(tally.acked - acked),
            rate(tally.shown - shown)
        );
        if window.send_to_receive.count() > 0 {
            let p99 = window.send_to_receive.quantile_ms(0.99);
            line += &format!("  send->receive p99 {p99:.1} ms");
        }
        if tally.errors + tally.disconnects > 0 {
            line += &format!("  errors {}  disconnects {}", tally.errors, tally.disconnects);
        }
        eprintln!("{line}");
    }

    /// The same for whatever else is counted.
    pub(crate) fn say(&mut self, line: impl FnOnce() -> String) {
        let now_us = self.clock.micros();
        if now_us >= self.next_us {
            self.next_us = now_us + EVERY_US;
            eprintln!("{:>5} s  {}", now_us / 1_000_000, line());
        }
    }
}
