//! Memory is a cache: clean state that nobody asked for lately is dropped.

use iris_vnode::Map;

use crate::slab::Slab;
use crate::state::{CONVERSATION_BYTES, USER_BYTES};
use crate::worker::Worker;

/// Slots looked at in one turn at least, if memory is over its bound, and at most.
const STEPS: std::ops::Range<usize> = 64..32_768; // layout
/// Slots looked at per slot that is too many: the hand passes most of them twice before they go.
const STEPS_PER_EXCESS: usize = 4; // layout

/// Where the two hands are (the clock algorithm).
#[derive(Debug, Default)]
pub(crate) struct Hands {
    user: u32,
    conversation: u32,
    /// Users with sessions: they stay, whatever the hand finds.
    live_users: usize,
    /// Bytes of all rosters, roughly.
    roster_bytes: usize,
}

impl Worker {
    /// As many steps as the turn's new slots call for, so that memory keeps to its bound at any rate.
    pub(crate) fn evict(&mut self) {
        let excess = self.state_bytes().saturating_sub(self.config.limits.state_cache_bytes);
        let (users, conversations) = self.evictable_bytes();
        let excess = excess.min(users + conversations);
        if excess == 0 {
            return;
        }
        let steps = (excess / CONVERSATION_BYTES * STEPS_PER_EXCESS).clamp(STEPS.start, STEPS.end);
        for _ in 0..steps {
            let (users, conversations) = self.evictable_bytes();
            if users + conversations == 0 || self.state_bytes() <= self.config.limits.state_cache_bytes {
                return;
            }
            if users > conversations {
                self.pass_user();
            } else {
                self.pass_conversation();
            }
        }
    }

    /// Bytes of users without sessions, and of conversations.
    fn evictable_bytes(&self) -> (usize, usize) {
        let users = self.users.len().saturating_sub(self.hands.live_users);
        (users * USER_BYTES, self.conversation_bytes())
    }

    fn conversation_bytes(&self) -> usize {
        self.conversations.len() * CONVERSATION_BYTES + self.hands.roster_bytes
    }

    /// Notes what a group takes now.
    pub(crate) fn weigh_group(&mut self, slot: u32) {
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let Some(group) = state.conversation.as_ref().and_then(|one| one.group()) else { return };
        let before = std::mem::replace(&mut state.roster_bytes, group.bytes());
        self.hands.roster_bytes = (self.hands.roster_bytes + state.roster_bytes).saturating_sub(before);
    }

    /// Notes how many sessions a user had and has.
    pub(crate) fn count_sessions(&mut self, before: usize, after: usize) {
        match (before, after) {
            (0, 1..) => self.hands.live_users += 1,
            (1.., 0) => self.hands.live_users = self.hands.live_users.saturating_sub(1),
            _ => {}
        }
        self.statistics.sessions = (self.statistics.sessions + after as u64).saturating_sub(before as u64);
    }

    /// Bytes of loaded users and conversations, roughly.
    pub(crate) fn state_bytes(&self) -> usize {
        self.users.len() * USER_BYTES + self.conversation_bytes()
    }

    /// Drops every conversation that nothing waits for: a quiet worker gives its memory back.
    pub(crate) fn forget_conversations(&mut self) {
        for _ in 0..self.conversations.span() {
            if let Some(state) = self.conversations.get_mut(self.hands.conversation) {
                state.used = false;
            }
            self.pass_conversation();
        }
        if self.conversations.len() == 0 {
            self.conversations = Slab::default();
            self.conversation_index = Map::default();
            self.hands.conversation = 0;
        }
    }

    fn pass_user(&mut self) {
        let slot = self.hands.user;
        self.hands.user = following(slot, self.users.span());
        let (committed, mono, rate) = (self.log.committed, self.mono, self.config.limits.messages);
        let Some(user) = self.users.get_mut(slot) else { return };
        user.watchers.retain(|_, lease| lease.until > mono);
        let is_clean = user.inbox.as_ref().is_some_and(|inbox| inbox.touched <= committed);
        let is_needed = user.pins > 0
            || user.beat.is_due()
            || !user.sessions.is_empty()
            || !user.waiters.is_empty()
            || user.is_looking
            || user.renews
            || user.is_watched()
            || !user.bucket.is_full(rate, mono)
            || user.lines.values().any(Option::is_none);
        if is_clean
            && !is_needed
            && !std::mem::take(&mut user.used)
            && let Some(user) = self.users.remove(slot)
        {
            self.user_index.remove(&user.user);
            self.statistics.evictions += 1;
        }
    }

    fn pass_conversation(&mut self) {
        let slot = self.hands.conversation;
        self.hands.conversation = following(slot, self.conversations.span());
        let committed = self.log.committed;
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let is_clean = state.conversation.as_ref().is_some_and(|one| one.touched <= committed);
        if is_clean
            && state.queue.is_empty()
            && !state.owes_receipts
            && !std::mem::take(&mut state.used)
            && let Some(state) = self.conversations.remove(slot)
        {
            self.conversation_index.remove(&state.named);
            self.hands.roster_bytes = self.hands.roster_bytes.saturating_sub(state.roster_bytes);
            self.statistics.evictions += 1;
        }
    }
}

fn following(slot: u32, span: usize) -> u32 {
    if slot as usize + 1 < span { slot + 1 } else { 0 }
}
