//! Who may come in how often (SEC-6): connections of an address, failed logins of an account.
//!
//! - An address is an IPv4 address, or the first 64 bits of an IPv6 one: what one customer of a provider has.
//! - Beyond its connections an address is told `rate_limited` and when to try again. That costs a handshake, so it is
//!   told only so often; beyond that its connections are closed without a word.
//! - Browsers open several connections for a page. Those have a larger bound, and a WebSocket counts like a connection.
//! - A failed login is one whose token names the account and was refused, whoever made that token. Once an account has
//!   had too many, nobody may try whose address has failed with it lately, not even with a good token; or guessing
//!   would not be bounded. Other addresses are let in: a stranger cannot lock anybody out.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use iris_types::limits::{
    CONNECTIONS_PER_MINUTE, FAILED_LOGINS_PER_HOUR, RATE_TOLD_FACTOR, RATE_VISITS_FACTOR,
};
use iris_types::{ErrorCode, Monotonic, Refusal, UserId};

use crate::clock::Now;
use crate::machine::{Checked, TokenCheck};
use crate::rates::{Rate, Rates};
use crate::token;

const MINUTE_MS: u64 = 60_000; // layout
const HOUR_MS: u64 = 3_600_000; // layout

/// How often, in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Of one address. At least 1.
    pub connections_per_minute: u32,
    /// Of one account. At least 1.
    pub failed_logins_per_hour: u32,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            connections_per_minute: CONNECTIONS_PER_MINUTE,
            failed_logins_per_hour: FAILED_LOGINS_PER_HOUR,
        }
    }
}

/// Where a client comes from, as far as limits tell clients apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AddressKey([u8; 8]);

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admitted,
    /// To be told.
    Refused(Refusal),
    /// To be closed without a word.
    Dropped,
}

/// The counts of all event loops.
#[derive(Debug)]
pub(crate) struct Admission(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    connections: Rates<AddressKey>,
    told: Rates<AddressKey>,
    visits: Rates<AddressKey>,
    failed: Rates<UserId>,
    failed_from: Rates<(UserId, AddressKey)>,
}

impl AddressKey {
    fn of(address: SocketAddr) -> Self {
        let mut key = [0; 8];
        match address.ip().to_canonical() {
            // The first bits of an IPv6 address of the world are not 0.
            IpAddr::V4(ip) => key.iter_mut().skip(4).zip(ip.octets()).for_each(|(to, from)| *to = from),
            IpAddr::V6(ip) => key.iter_mut().zip(ip.octets()).for_each(|(to, from)| *to = from),
        }
        Self(key)
    }

    /// Of who is at the other end. A socket that is broken already counts for nobody in particular.
    pub(crate) fn of_peer(socket: BorrowedFd<'_>) -> Self {
        let peer = rustix::net::getpeername(socket).ok().and_then(|peer| peer?.try_into().ok());
        peer.map_or(Self([0; 8]), Self::of)
    }
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Self {
        let connections = limits.connections_per_minute;
        let a_minute = |times| Rate::new(times, MINUTE_MS);
        let failed = Rate::new(limits.failed_logins_per_hour, HOUR_MS);
        Self(Mutex::new(Counts {
            connections: Rates::new(a_minute(connections)),
            told: Rates::new(a_minute(connections.saturating_mul(RATE_TOLD_FACTOR))),
            visits: Rates::new(a_minute(connections.saturating_mul(RATE_VISITS_FACTOR))),
            failed: Rates::new(failed),
            failed_from: Rates::new(failed),
        }))
    }

    /// A connection, or a WebSocket, that will carry frames.
    pub(crate) fn connect(&self, from: AddressKey, now: Monotonic) -> Verdict {
        let mut counts = self.lock();
        match counts.connections.take(&from, now) {
            Ok(()) => Verdict::Admitted,
            Err(_) if counts.told.take(&from, now).is_err() => Verdict::Dropped,
            Err(wait_ms) => Verdict::Refused(rate_limited(wait_ms)),
        }
    }

    /// A connection of a browser, which may fetch files.
    pub(crate) fn visit(&self, from: AddressKey, now: Monotonic) -> Verdict {
        match self.lock().visits.take(&from, now) {
            Ok(()) => Verdict::Admitted,
            Err(_) => Verdict::Dropped,
        }
    }

    /// Checks the token of a login, unless its account or address have failed too often; counts a failure.
    ///
    /// # Errors
    /// As `check`, or [`ErrorCode::RateLimited`] with the time to wait.
    pub(crate) fn check(
        &self,
        check: &TokenCheck,
        token: &[u8],
        from: AddressKey,
        now: Now,
    ) -> Checked<Refusal> {
        let claimed = token::claimed_user(token);
        if let Some(user) = &claimed {
            let counts = self.lock();
            let wait_ms = counts.failed.wait_ms(user, now.monotonic);
            if wait_ms > 0 && counts.failed_from.has_used(&(user.clone(), from), now.monotonic) {
                return Err(rate_limited(wait_ms));
            }
        }
        let checked = check(token, now.wall);
        if checked.is_err()
            && let Some(user) = &claimed
        {
            self.failed(user, from, now.monotonic);
        }
        checked.map_err(Refusal::from)
    }

    /// The core has refused the login of this user.
    pub(crate) fn refused(&self, user: &UserId, code: ErrorCode, from: AddressKey, now: Monotonic) {
        // Others say nothing against the client: its clock is off, the server is busy.
        let is_failure =
            matches!(code, ErrorCode::TokenRevoked | ErrorCode::DeviceRevoked | ErrorCode::NonceReplayed);
        if is_failure {
            self.failed(user, from, now);
        }
    }

    fn failed(&self, user: &UserId, from: AddressKey, now: Monotonic) {
        let mut counts = self.lock();
        counts.failed.count(user, now);
        counts.failed_from.count(&(user.clone(), from), now);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rate_limited(wait_ms: u64) -> Refusal {
    Refusal::after(ErrorCode::RateLimited, u32::try_from(wait_ms).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use iris_types::request::TokenFacts;

    use super::*;

    #[test]
    fn an_address_is_what_one_customer_has() {
        let key = |text: &str| AddressKey::of(text.parse().unwrap());
        assert_eq!(key("192.0.2.1:1"), key("192.0.2.1:2"));
        assert_ne!(key("192.0.2.1:1"), key("192.0.2.2:1"));
        assert_eq!(key("192.0.2.1:1"), key("[::ffff:192.0.2.1]:1"));
        assert_eq!(key("[2001:db8:1:2:3::1]:1"), key("[2001:db8:1:2:ffff:ffff:ffff:ffff]:1"));
        assert_ne!(key("[2001:db8:1:2::1]:1"), key("[2001:db8:1:3::1]:1"));
    }

    #[test]
    fn an_address_is_told_then_dropped() {
        let admission = Admission::new(AdmissionLimits::default());
        let from = AddressKey([1; 8]);
        let verdicts: Vec<_> = (0..40).map(|_| admission.connect(from, Monotonic(0))).collect();
        let told = Verdict::Refused(Refusal::after(ErrorCode::RateLimited, 12_000));
        let count = |wanted| verdicts.iter().filter(|verdict| **verdict == wanted).count();
        assert_eq!((count(Verdict::Admitted), count(told), count(Verdict::Dropped)), (5, 20, 15));
        assert_eq!(admission.connect(AddressKey([2; 8]), Monotonic(0)), Verdict::Admitted);
        assert_eq!(admission.connect(from, Monotonic(12_000)), Verdict::Admitted);
        let visits: Vec<_> = (0..70).map(|_| admission.visit(from, Monotonic(0))).collect();
        assert_eq!(visits.iter().filter(|verdict| **verdict == Verdict::Admitted).count(), 60);
    }

    #[test]
    fn failures_of_an_account_bind_those_who_failed() {
        let admission = Admission::new(AdmissionLimits::default());
        let (here, there, elsewhere) = (AddressKey([1; 8]), AddressKey([2; 8]), AddressKey([3; 8]));
        let alice = UserId::new("alice").unwrap();
        let facts = TokenFacts { id: [0; 16], issued_at: Default::default(), expires_at: Default::default() };
        // {"sub":"alice"} and {"sub":"bob"}, whoever signed them.
        let (good, bad, other) =
            ("h.eyJzdWIiOiJhbGljZSJ9.good", "h.eyJzdWIiOiJhbGljZSJ9.s", "h.eyJzdWIiOiJib2IifQ.s");
        let user = alice.clone();
        let check = move |token: &[u8], _| {
            if token.ends_with(b"good") { Ok((user.clone(), facts)) } else { Err(ErrorCode::BadToken) }
        };
        let at = |millis| Now { monotonic: Monotonic(millis), ..Now::default() };
        let outcome = |token: &str, from, millis| {
            let checked = admission.check(&check, token.as_bytes(), from, at(millis));
            checked.map(|_| ()).map_err(|refusal| (refusal.code, refusal.retry_after_ms))
        };
        let failed = Err((ErrorCode::BadToken, 0));
        let limited = |wait_ms| Err((ErrorCode::RateLimited, wait_ms));
        for _ in 0..9 {
            assert_eq!(outcome(bad, here, 0), failed);
        }
        assert_eq!(outcome(good, here, 0), Ok(()), "nine are allowed");
        admission.refused(&alice, ErrorCode::StaleTimestamp, here, Monotonic(0));
        assert_eq!(outcome(good, here, 0), Ok(()));
        admission.refused(&alice, ErrorCode::TokenRevoked, here, Monotonic(0));
        assert_eq!(outcome(bad, here, 0), limited(360_000));
        assert_eq!(outcome(good, here, 0), limited(360_000), "or guessing would not be bounded");
        assert_eq!(outcome(other, here, 0), failed, "another account");
        assert_eq!(outcome(good, there, 0), Ok(()), "nobody is locked out by strangers");
        assert_eq!(outcome(bad, there, 0), failed);
        assert_eq!(outcome(bad, there, 0), limited(360_000), "all addresses together");
        assert_eq!(outcome(good, elsewhere, 0), Ok(()));
        assert_eq!(outcome(good, here, 360_000), Ok(()), "after the time that was told");
        assert_eq!(outcome("nonsense", here, 0), failed);
    }
}
