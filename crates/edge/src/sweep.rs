//! Deadlines without a timer per connection: a walk over all slots, a part at a time.
//!
//! A connection's deadline is met within a second of its time; each costs one look per second and no memory.

use std::ops::Range;

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

    /// The slots to look at now; all of them when a whole round was missed.
    pub(crate) fn due_slots(&mut self, now: Monotonic, slots: usize) -> Range<usize> {
        self.has_completed_round = false;
        if now < self.next_at {
            return 0..0;
        }
        let is_late = now.millis_since(self.next_at) >= PARTS * PART_MS;
        self.next_at = now.plus_millis(PART_MS);
        if is_late {
            self.part = 0;
            self.has_completed_round = true;
            return 0..slots;
        }
        let edge = |part: u64| slots * part as usize / PARTS as usize;
        let due = edge(self.part)..edge(self.part + 1);
        self.part = (self.part + 1) % PARTS;
        self.has_completed_round = self.part == 0;
        due
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
                assert_eq!(sweep.due_slots(Monotonic(part * PART_MS - 1), slots), 0..0);
                sweep.due_slots(Monotonic(part * PART_MS), slots).for_each(|slot| seen[slot] += 1);
                assert_eq!(sweep.has_completed_round(), part == PARTS);
            }
            assert!(seen.iter().all(|times| *times == 1), "{slots} slots: {seen:?}");
        }
    }

    #[test]
    fn after_a_long_sleep_everything_is_due() {
        let mut sweep = Sweep::new(Monotonic(0));
        assert_eq!(sweep.due_slots(Monotonic(100_000), 10), 0..10);
        assert!(sweep.has_completed_round());
    }
}
