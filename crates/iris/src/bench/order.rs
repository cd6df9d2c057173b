//! Watches a numbered flow: what came twice, what overtook, what is missing.

use std::collections::BTreeSet;

/// What was seen of the numbers 0, 1, 2, ...
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// The greatest number seen, plus one.
    next: u32,
    /// Smaller numbers that were not seen (yet).
    missing: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    InOrder,
    /// Others were left out before it.
    Ahead,
    /// It was overtaken.
    Late,
    Again,
}

impl Order {
    pub(crate) fn take(&mut self, number: u32) -> Arrival {
        if number < self.next {
            return if self.missing.remove(&number) { Arrival::Late } else { Arrival::Again };
        }
        let ahead = number > self.next;
        self.missing.extend(self.next..number);
        self.next = number.saturating_add(1);
        if ahead { Arrival::Ahead } else { Arrival::InOrder }
    }

    /// Different numbers seen.
    pub(crate) fn seen(&self) -> u64 {
        u64::from(self.next) - self.missing.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_late_and_missing_are_told_apart() {
        let mut order = Order::default();
        let arrivals: Vec<_> = [0, 1, 4, 1, 2, 2, 5].map(|number| order.take(number)).into();
        use Arrival::{Again, Ahead, InOrder, Late};
        assert_eq!(arrivals, [InOrder, InOrder, Ahead, Again, Late, Again, InOrder]);
        assert_eq!(order.seen(), 5);
    }
}
