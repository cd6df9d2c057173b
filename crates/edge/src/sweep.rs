//! Deadlines without a timer per connection: a walk over all slots, a part at a time.
//!
//! A connection's deadline is met within a second of its time; each costs one look per second and no memory.

use iris_types::Monotonic;

const PARTS: u64 = 4;
/// Milliseconds between two parts of a round.
const PART_MS: u64 = iris_types::limits::SWEEP_PART_MS;

/// Where the walk is.
#[derive(Debug)]
pub(crate) struct Sweep {
    next_at: Monotonic,
    part: u64,
    has_completed_round: bool,
}

impl Sweep {
    pub(crate) fn new(now: Monotonic) -> Self {
        Self { next_at: now.plus_millis(PART_MS), part: 0, has_completed_round: false }
    }

    /// When the next part is due.
    pub(crate) fn next(&self) -> Monotonic {
        self.next_at
    }

    /// The slots to look at now: one part per [`PART_MS`] since the last call, all of them after a whole round.
    pub(crate) fn due_slots(&mut self, now: Monotonic, slots: usize) -> impl Iterator<Item = usize> + use<> {
        let is_due = now >= self.next_at;
        let parts = if is_due { (now.millis_since(self.next_at) / PART_MS + 1).min(PARTS) } else { 0 };
        if is_due {
            self.next_at = now.plus_millis(PART_MS);
        }
        let (begin, end) = (self.part, self.part + parts);
        self.part = end % PARTS;
        self.has_completed_round = end >= PARTS;
        let edge = |part: u64| slots * part as usize / PARTS as usize;
        (edge(begin)..edge(end.min(PARTS))).chain(0..edge(end.saturating_sub(PARTS)))
    }

    /// Whether the last call of [`Self::due_slots`] ended a round, about once a second.
    pub(crate) fn has_completed_round(&self) -> bool {
        self.has_completed_round
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_covers_every_slot_once() {
        for slots in [0, 1, 3, 4, 1_001] {
            let mut sweep = Sweep::new(Monotonic(0));
            let mut seen = vec![0; slots];
            for part in 1..=PARTS {
                assert_eq!(sweep.due_slots(Monotonic(part * PART_MS - 1), slots).next(), None);
                sweep.due_slots(Monotonic(part * PART_MS), slots).for_each(|slot| seen[slot] += 1);
                assert_eq!(sweep.has_completed_round(), part == PARTS);
            }
            assert!(seen.iter().all(|times| *times == 1), "{slots} slots: {seen:?}");
        }
    }

    #[test]
    fn after_a_long_sleep_everything_is_due() {
        let mut sweep = Sweep::new(Monotonic(0));
        assert!(sweep.due_slots(Monotonic(100_000), 10).eq(0..10));
        assert!(sweep.has_completed_round());
    }

    #[test]
    fn parts_that_were_missed_are_caught_up() {
        let mut sweep = Sweep::new(Monotonic(0));
        sweep.due_slots(Monotonic(PART_MS), 8).for_each(drop);
        // Two parts late, then a whole round late, which starts where the walk is.
        assert!(sweep.due_slots(Monotonic(4 * PART_MS), 8).eq(2..8));
        assert!(sweep.has_completed_round());
        sweep.due_slots(Monotonic(5 * PART_MS), 8).for_each(drop);
        assert!(sweep.due_slots(Monotonic(9 * PART_MS), 8).eq((2..8).chain(0..2)));
    }
}
