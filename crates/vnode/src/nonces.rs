//! Nonces of recent logins: each is taken once per user.

use std::collections::VecDeque;

use iris_types::limits::{LOGIN_SKEW_MS_MAX, NONCE_BYTES, NONCES_PER_USER_MAX};
use iris_types::{Monotonic, UserId};

use crate::Map;

/// Longer than any login can be repeated: its time is at most a skew ahead when it is taken, and refused a skew
/// later; twice that again, so that a clock set back does not open it.
const KEPT_MS: u64 = 4 * LOGIN_SKEW_MS_MAX;

/// The nonces of all users of a worker.
#[derive(Debug, Default)]
pub struct Nonces {
    users: Map<UserId, Vec<[u8; NONCE_BYTES]>>,
    order: VecDeque<(Monotonic, UserId)>,
}

/// Whether a nonce may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Fresh,
    Replayed,
    /// The user logs in too often.
    Full,
}

impl Nonces {
    /// Whether the nonce is new; it is remembered only by [`Self::remember`].
    #[must_use]
    pub fn check(&self, user: &UserId, nonce: &[u8; NONCE_BYTES]) -> Taken {
        match self.users.get(user) {
            Some(nonces) if nonces.contains(nonce) => Taken::Replayed,
            Some(nonces) if nonces.len() >= NONCES_PER_USER_MAX => Taken::Full,
            _ => Taken::Fresh,
        }
    }

    pub fn remember(&mut self, user: &UserId, nonce: [u8; NONCE_BYTES], mono: Monotonic) {
        self.users.entry(user.clone()).or_default().push(nonce);
        self.order.push_back((mono, user.clone()));
    }

    /// Forgets what is too old to be accepted again.
    pub fn expire(&mut self, mono: Monotonic) {
        while self.order.front().is_some_and(|(at, _)| mono.millis_since(*at) > KEPT_MS) {
            let Some((_, user)) = self.order.pop_front() else { return };
            if let Some(nonces) = self.users.get_mut(&user) {
                // A user's nonces were remembered in this order.
                nonces.remove(0);
                if nonces.is_empty() {
                    self.users.remove(&user);
                }
            }
        }
    }
}
