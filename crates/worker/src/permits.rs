//! How many messages a user may send: counted in the user's state, over all devices and conversations. A worker that
//! holds a conversation and not its author asks the author's worker for some ahead.

use std::collections::VecDeque;

use iris_types::limits::{PERMITS_AHEAD, PERMITS_ASK_MS};
use iris_types::{ErrorCode, Monotonic, Refusal, UserId, VnodeId};
use iris_vnode::Map;

use crate::state::Named;
use crate::whisper::Whisper;
use crate::worker::Worker;

/// What was granted by other workers.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    leases: Map<UserId, Lease>,
    /// Who was asked about, and when, in the order of asking: a question or its answer may be lost.
    asked: VecDeque<(Monotonic, UserId)>,
}

impl Permits {
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        self.asked.front().map(|(at, _)| at.plus_millis(PERMITS_ASK_MS))
    }
}

/// Leases that are kept; beyond it those that nobody waits for go, and what is left of them is lost to their users for
/// a moment.
const LEASES_MAX: usize = iris_types::limits::LEASES_MAX;

#[derive(Debug, Default)]
struct Lease {
    left: u32,
    /// When more were asked for, if the answer is missing.
    asked: Option<Monotonic>,
    /// Nothing is granted before.
    refused_until: Monotonic,
    waiting: Vec<Named>,
}

/// Whether a message may be sent.
pub(crate) enum Permit {
    Granted,
    /// The author's worker is asked.
    Waiting,
    Refused(Refusal),
}

impl Worker {
    /// Asks for one message of `user` in a conversation.
    pub(crate) fn permit(&mut self, user: &UserId, named: Named) -> Permit {
        let home = self.config.vnodes.of_user(user);
        if self.hosted(home).is_none() {
            return self.leased_permit(user, home, named);
        }
        let (rate, mono) = (self.config.limits.messages, self.mono);
        // Loaded, for the author of a command is loaded before it is decided.
        let Some(state) = self.user_slot_mut(user) else { return Permit::Granted };
        let retry_after_ms = state.bucket.retry_after_ms(rate, mono);
        if retry_after_ms == 0 {
            return Permit::Granted;
        }
        self.statistics.rate_limited += 1;
        Permit::Refused(Refusal::after(ErrorCode::RateLimited, retry_after_ms))
    }

    /// A message of `user` was taken.
    pub(crate) fn use_permit(&mut self, user: &UserId) {
        let (rate, mono) = (self.config.limits.messages, self.mono);
        if let Some(state) = self.user_slot_mut(user) {
            state.bucket.take(1, rate, mono);
        } else if let Some(lease) = self.permits.leases.get_mut(user) {
            lease.left = lease.left.saturating_sub(1);
        }
    }

    fn leased_permit(&mut self, user: &UserId, home: VnodeId, named: Named) -> Permit {
        let mono = self.mono;
        if self.permits.leases.len() >= LEASES_MAX && !self.permits.leases.contains_key(user) {
            self.permits.leases.retain(|_, lease| !lease.waiting.is_empty());
        }
        let lease = self.permits.leases.entry(user.clone()).or_default();
        if lease.left > 0 {
            return Permit::Granted;
        }
        if lease.refused_until > mono {
            let wait = u32::try_from(lease.refused_until.millis_since(mono)).unwrap_or(u32::MAX);
            self.statistics.rate_limited += 1;
            return Permit::Refused(Refusal::after(ErrorCode::RateLimited, wait));
        }
        if !lease.waiting.contains(&named) {
            lease.waiting.push(named);
        }
        if lease.asked.is_none() {
            self.ask_permits(user, home);
        }
        Permit::Waiting
    }

    fn ask_permits(&mut self, user: &UserId, home: VnodeId) {
        let (mono, back) = (self.mono, self.config.index);
        if let Some(lease) = self.permits.leases.get_mut(user) {
            lease.asked = Some(mono);
            self.permits.asked.push_back((mono, user.clone()));
            self.whisper_to(home, Whisper::AskPermits { user: user.clone(), back });
        }
    }

    /// Asks again where no answer came in time.
    pub(crate) fn ask_permits_again(&mut self) {
        while self.permits.deadline().is_some_and(|at| at <= self.mono)
            && let Some((at, user)) = self.permits.asked.pop_front()
        {
            let lease = self.permits.leases.get_mut(&user).filter(|lease| lease.asked == Some(at));
            let Some(lease) = lease else { continue };
            lease.asked = None;
            if !lease.waiting.is_empty() {
                let home = self.config.vnodes.of_user(&user);
                self.ask_permits(&user, home);
            }
        }
    }

    /// At the user's worker: grants some.
    pub(crate) fn grant_permits(&mut self, slot: u32, back: crate::WorkerIndex) {
        let (rate, mono) = (self.config.limits.messages, self.mono);
        let Some(state) = self.users.get_mut(slot) else { return };
        let user = state.user.clone();
        let granted = state.bucket.take(PERMITS_AHEAD, rate, mono);
        let retry_after_ms = if granted > 0 { 0 } else { state.bucket.retry_after_ms(rate, mono) };
        self.whisper_to_worker(back, Whisper::Permits { user, granted, retry_after_ms });
    }

    /// At the conversation's worker: what waits goes on.
    pub(crate) fn permits_granted(&mut self, user: &UserId, granted: u32, retry_after_ms: u32) {
        let mono = self.mono;
        let Some(lease) = self.permits.leases.get_mut(user) else { return };
        lease.asked = None;
        lease.left += granted;
        lease.refused_until = mono.plus_millis(u64::from(retry_after_ms));
        for named in std::mem::take(&mut lease.waiting) {
            if let Some(slot) = self.conversation_index.get(&named).copied() {
                self.pump_conversation(slot);
            }
        }
    }
}
