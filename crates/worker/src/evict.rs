//! Memory is a cache: clean state that nobody asked for lately is dropped.

use iris_vnode::Map;

use crate::slab::Slab;
use crate::state::{CONVERSATION_BYTES, USER_BYTES};
use crate::worker::Worker;

/// Slots looked at in one turn.
const STEPS_PER_TURN: usize = 64;

/// Where the two hands are (the clock algorithm).
#[derive(Debug, Default)]
pub(crate) struct Hands {
    user: u32,
    conversation: u32,
}

impl Worker {
    pub(crate) fn evict(&mut self) {
        for _ in 0..STEPS_PER_TURN {
            let users = self.users.len() * USER_BYTES;
            let conversations = self.conversations.len() * CONVERSATION_BYTES;
            if users + conversations <= self.config.limits.state_cache_bytes {
                return;
            }
            if users > conversations { self.pass_user() } else { self.pass_conversation() }
        }
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
        let committed = self.log.committed;
        let Some(user) = self.users.get_mut(slot) else { return };
        let is_clean = user.inbox.as_ref().is_some_and(|inbox| inbox.touched <= committed);
        let is_needed =
            user.pins > 0 || user.has_noted || !user.sessions.is_empty() || !user.waiters.is_empty();
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
            && !std::mem::take(&mut state.used)
            && let Some(state) = self.conversations.remove(slot)
        {
            self.conversation_index.remove(&state.id);
            self.statistics.evictions += 1;
        }
    }
}

fn following(slot: u32, span: usize) -> u32 {
    if slot as usize + 1 < span { slot + 1 } else { 0 }
}
