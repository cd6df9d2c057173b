//! Full jitter: a random part of a bound that doubles from attempt to attempt, so that many clients do not come
//! back together.

use iris_types::Monotonic;
use iris_types::limits::{RETRY_BASE_MS, RETRY_CAP_MS};

/// One decision to try again, its randomness drawn beforehand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retry {
    from: Monotonic,
    /// What the other side asked for at least.
    wish_ms: u32,
    draw: u64,
}

impl Retry {
    pub(crate) fn draw(from: Monotonic, wish_ms: u32, random: &mut fastrand::Rng) -> Self {
        Self { from, wish_ms, draw: random.u64(..) }
    }

    /// When to try again after `before` attempts that failed: within 0.5 s, 1 s, 2 s, ..., at most 60 s.
    pub(crate) fn at(self, before: u32) -> Monotonic {
        let bound = RETRY_BASE_MS.saturating_mul(1 << before.min(16)).min(RETRY_CAP_MS);
        let jittered = self.draw % (bound + 1);
        self.from.plus_millis(jittered.max(u64::from(self.wish_ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_fill_a_growing_range_up_to_the_cap() {
        let mut random = fastrand::Rng::with_seed(7);
        for (before, bound) in [(0, 500), (1, 1_000), (3, 4_000), (7, 60_000), (40, 60_000)] {
            let mut delay = || Retry::draw(Monotonic(9), 0, &mut random).at(before).0 - 9;
            let delays: Vec<u64> = (0..1_000).map(|_| delay()).collect();
            assert!(delays.iter().all(|delay| *delay <= bound));
            assert!(delays.iter().any(|delay| *delay < bound / 5), "attempt {before} uses the low end");
            assert!(delays.iter().any(|delay| *delay > bound / 5 * 4), "attempt {before} uses the high end");
        }
    }

    #[test]
    fn a_wish_of_the_server_is_a_lower_bound() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100 {
            assert!(Retry::draw(Monotonic(0), 700, &mut random).at(1).0 >= 700);
        }
    }
}
