//! Somebody writes: never stored, dropped wherever it does not fit.

use std::collections::BTreeMap;
use std::sync::Arc;

use iris_types::limits::TYPING_INTERVAL_MS;
use iris_types::{ConversationId, Flags, Target, Typing, UserId};
use iris_vnode::Members;

use crate::state::Caller;
use crate::whisper::Whisper;
use crate::worker::Worker;
use crate::{Output, WorkerIndex};

impl Worker {
    pub(crate) fn typing(&mut self, slot: u32, caller: &Caller, target: Target, on: bool) {
        let (mono, conversation) = (self.mono, target.conversation(&caller.user));
        let Some(user) = self.users.get_mut(slot) else { return };
        let tells = user.inbox.as_ref().is_some_and(|inbox| inbox.settings.typing);
        let is_again = user.typed.is_some_and(|(last, at, was_on)| {
            last == conversation && was_on == on && mono.millis_since(at) < TYPING_INTERVAL_MS
        });
        if !tells || is_again {
            return;
        }
        user.typed = Some((conversation, mono, on));
        let home = self.config.vnodes.of_target(&caller.user, &target);
        self.whisper_to(home, Whisper::Typing { user: caller.user.clone(), target, on });
    }

    /// At the conversation. One that is not in memory is loaded for the next time.
    pub(crate) fn typing_in(&mut self, user: &UserId, target: &Target, on: bool) {
        if !self.has_room_to_wait() {
            return;
        }
        let Some(slot) = self.conversation_of(user, target) else { return };
        let Some(state) = self.conversations.get(slot) else { return };
        let Some(conversation) = state.conversation.as_ref() else { return };
        let others: Vec<UserId> = match &conversation.members {
            Members::Direct(direct) if direct.is_blocked() || direct.side_of(user).is_none() => return,
            Members::Direct(direct) => {
                direct.names().into_iter().filter(|other| *other != user).cloned().collect()
            }
            Members::Group(group) if group.may_write(user).is_err() => return,
            Members::Group(group) => {
                group.members().map(|(other, _)| other).filter(|other| *other != user).cloned().collect()
            }
            Members::Nobody => return,
        };
        let typing = Arc::new(Typing { conversation: state.id, user: user.clone(), on });
        let mut workers: BTreeMap<WorkerIndex, Vec<UserId>> = BTreeMap::new();
        for other in others {
            let worker = self.config.placement.worker_of(self.config.vnodes.of_user(&other));
            workers.entry(worker).or_default().push(other);
        }
        for (to, others) in workers {
            let typing = Arc::clone(&typing);
            self.whisper_to_worker(to, Whisper::ShowTyping { to: others, typing });
        }
    }

    /// At the users who see it, if they let others see it, too, and do not block who writes. What is not in memory of
    /// that is loaded for the next time.
    pub(crate) fn show_typing(&mut self, to: &[UserId], typing: &Arc<Typing>) {
        for user in to {
            let Some(slot) = self.user_index.get(user).copied() else { continue };
            let Some(state) = self.users.get(slot) else { continue };
            let sees = state.inbox.as_ref().is_some_and(|inbox| inbox.settings.typing);
            let direct = ConversationId::direct(user, &typing.user);
            if state.sessions.is_empty() || !sees || !self.ensure_line(slot, direct) {
                continue;
            }
            let Some(state) = self.users.get(slot) else { continue };
            let known = state.lines.get(&direct).and_then(Option::as_ref);
            if known.is_some_and(|known| known.line.flags.has(Flags::BLOCKED)) {
                continue;
            }
            let sessions = state.sessions.iter();
            let outputs =
                sessions.map(|session| Output::Typing { session: session.id, typing: Arc::clone(typing) });
            self.outputs.extend(outputs);
        }
    }
}
