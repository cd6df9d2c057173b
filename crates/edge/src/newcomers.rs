//! Connections that have not said anything of use yet, in the order in which they came.
//!
//! The places for handshakes are few. Silent peers must not hold all of them, so when none is free the oldest
//! connection without a whole ClientHello makes room, once it has had its least time.

use std::collections::VecDeque;

use iris_types::Monotonic;
use iris_types::limits::{HANDSHAKES_IN_FLIGHT_MAX, HELLO_MS_MIN};

use crate::slab::{Key, Slab};

/// Some of them may have said hello or ended since: nobody takes them out when that happens.
#[derive(Default)]
pub(crate) struct Newcomers(VecDeque<(Key, Monotonic)>);

impl Newcomers {
    pub(crate) fn add(&mut self, key: Key, now: Monotonic, slab: &mut Slab) {
        if self.0.len() >= 2 * HANDSHAKES_IN_FLIGHT_MAX {
            // At most half of them are still in a handshake.
            self.0.retain(|(key, _)| is_silent(slab, *key));
        }
        self.0.push_back((key, now));
    }

    /// The one that has to make room now, if any.
    pub(crate) fn next_to_leave(&mut self, now: Monotonic, slab: &mut Slab) -> Option<Key> {
        while self.0.front().is_some_and(|(key, _)| !is_silent(slab, *key)) {
            self.0.pop_front();
        }
        let (key, since) = self.0.front()?;
        (now >= since.plus_millis(HELLO_MS_MIN)).then_some(*key)
    }
}

fn is_silent(slab: &mut Slab, key: Key) -> bool {
    slab.at(key).is_some_and(|connection| connection.awaits_hello())
}
