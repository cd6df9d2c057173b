//! How often something may happen, by whom: token buckets in a table that is bounded.
//!
//! A bucket is one number: when it is full again. Each use moves that on by the time that refills one; as long as it
//! lies no further ahead than a whole bucket takes, the use is allowed. A full bucket is as good as none and is
//! forgotten. When the table is full all the same, the bucket makes room that is full again first: who has used least
//! is forgotten first, who is refused last.

use std::collections::{BTreeMap, BTreeSet};

use iris_types::Monotonic;
use iris_types::limits::RATE_ENTRIES_MAX;

/// So often in so long: at once, or spread over it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    times: u64,
    /// Microseconds that refill one.
    each_us: u64,
}

/// The buckets of everybody.
#[derive(Debug)]
pub(crate) struct Rates<K> {
    rate: Rate,
    full_at_us: BTreeMap<K, u64>,
    /// The same, the bucket that is full again first in front.
    order: BTreeSet<(u64, K)>,
    entries_max: usize,
}

impl Rate {
    /// `times` is at least 1.
    pub(crate) fn new(times: u32, period_ms: u64) -> Self {
        let times = u64::from(times.max(1));
        Self { times, each_us: (period_ms.saturating_mul(1_000) / times).max(1) }
    }
}

impl<K: Clone + Ord> Rates<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, full_at_us: BTreeMap::new(), order: BTreeSet::new(), entries_max: RATE_ENTRIES_MAX }
    }

    /// Takes one, or says after how many milliseconds there is one.
    pub(crate) fn take(&mut self, key: &K, now: Monotonic) -> Result<(), u64> {
        match self.wait_ms(key, now) {
            0 => {
                self.count(key, now);
                Ok(())
            }
            wait_ms => Err(wait_ms),
        }
    }

    /// Milliseconds until there is one; 0: now.
    pub(crate) fn wait_ms(&self, key: &K, now: Monotonic) -> u64 {
        let now = micros(now);
        let full_at = self.full_at_us.get(key).copied().unwrap_or(now).max(now);
        let earliest = (full_at + self.rate.each_us).saturating_sub(self.rate.times * self.rate.each_us);
        earliest.saturating_sub(now).div_ceil(1_000)
    }

    /// Whether this bucket is not full.
    pub(crate) fn has_used(&self, key: &K, now: Monotonic) -> bool {
        self.full_at_us.get(key).is_some_and(|full_at| *full_at > micros(now))
    }

    /// Takes one, whether there is one or not: a bucket is never emptier than empty.
    pub(crate) fn count(&mut self, key: &K, now: Monotonic) {
        let now = micros(now);
        self.forget_full(now);
        let before = self.full_at_us.remove(key);
        if let Some(full_at) = before {
            self.order.remove(&(full_at, key.clone()));
        } else if self.order.len() >= self.entries_max
            && let Some((_, other)) = self.order.pop_first()
        {
            self.full_at_us.remove(&other);
        }
        let most = now + self.rate.times * self.rate.each_us;
        let full_at = (before.unwrap_or(now).max(now) + self.rate.each_us).min(most);
        self.full_at_us.insert(key.clone(), full_at);
        self.order.insert((full_at, key.clone()));
    }

    fn forget_full(&mut self, now: u64) {
        while let Some((full_at, _)) = self.order.first()
            && *full_at <= now
            && let Some((_, key)) = self.order.pop_first()
        {
            self.full_at_us.remove(&key);
        }
    }
}

fn micros(now: Monotonic) -> u64 {
    // Far below the end of the numbers, so that sums stay below it, too.
    now.0.saturating_mul(1_000).min(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE_MS: u64 = 60_000;

    fn five_a_minute() -> Rates<u32> {
        Rates::new(Rate::new(5, MINUTE_MS))
    }

    #[test]
    fn a_burst_is_allowed_then_one_for_each_that_is_refilled() {
        let mut rates = five_a_minute();
        let at = |millis| Monotonic(1_000_000 + millis);
        for _ in 0..5 {
            assert_eq!(rates.take(&1, at(0)), Ok(()));
        }
        assert_eq!(rates.take(&1, at(0)), Err(12_000));
        assert_eq!(rates.take(&2, at(0)), Ok(()), "others have their own");
        assert_eq!(rates.take(&1, at(11_999)), Err(1));
        assert_eq!(rates.take(&1, at(12_000)), Ok(()), "after the time that was told");
        assert_eq!(rates.take(&1, at(12_000)), Err(12_000));
        assert_eq!(rates.take(&1, at(36_000)), Ok(()));
        assert_eq!(rates.take(&1, at(36_000)), Ok(()));
        assert!(rates.take(&1, at(36_000)).is_err());
        // Nothing is saved up beyond a full bucket.
        for _ in 0..5 {
            assert_eq!(rates.take(&1, at(10 * MINUTE_MS)), Ok(()));
        }
        assert!(rates.take(&1, at(10 * MINUTE_MS)).is_err());
    }

    #[test]
    fn refusals_and_counts_beyond_empty_do_not_make_it_worse() {
        let mut rates = five_a_minute();
        (0..100).for_each(|_| rates.count(&1, Monotonic(0)));
        assert_eq!(rates.wait_ms(&1, Monotonic(0)), 12_000);
        (0..100).for_each(|_| assert_eq!(rates.take(&1, Monotonic(0)), Err(12_000)));
        assert!(rates.has_used(&1, Monotonic(59_999)) && !rates.has_used(&1, Monotonic(60_000)));
        assert!(!rates.has_used(&2, Monotonic(0)));
    }

    #[test]
    fn high_rates_and_late_times_are_no_trouble() {
        let mut rates = Rates::new(Rate::new(1_000_000, MINUTE_MS));
        for _ in 0..100_000 {
            assert_eq!(rates.take(&1, Monotonic(7)), Ok(()));
        }
        let mut rates = five_a_minute();
        for at in [u64::MAX, u64::MAX - 1, 0] {
            let _ = rates.take(&1, Monotonic(at));
        }
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_used_least() {
        let mut rates = five_a_minute();
        rates.entries_max = 100;
        (0..5).for_each(|_| rates.take(&0, Monotonic(0)).unwrap());
        for other in 1..10_000 {
            rates.take(&other, Monotonic(1)).unwrap();
            assert!(rates.full_at_us.len() <= 100 && rates.order.len() == rates.full_at_us.len());
        }
        assert!(rates.take(&0, Monotonic(2)).is_err(), "the worst is remembered");
        rates.take(&0, Monotonic(MINUTE_MS + 5)).unwrap();
        assert_eq!(rates.full_at_us.len(), 1, "full ones are forgotten");
    }
}
