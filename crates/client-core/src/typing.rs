//! Who is writing: said at most so often, shown until it is not said any more, never stored.

use std::collections::{BTreeMap, BTreeSet};

use iris_types::limits::{TYPING_MS, TYPING_SHOWN_MAX, TYPING_TOLD_MAX};
use iris_types::{ConversationId, Monotonic, Target, Typing, UserId};

use crate::ClientEvent;
use crate::draft::Draft;

/// Milliseconds until a device that goes on writing says so again: well before others forget it.
const SAY_AGAIN_MS: u64 = TYPING_MS / 2;

type Writer = (ConversationId, UserId);

/// What was said, and what others said.
#[derive(Debug, Default)]
pub(crate) struct Writers {
    /// When this device last said that it is writing.
    told: BTreeMap<Target, Monotonic>,
    /// Until when each is shown.
    shown: BTreeMap<Writer, Monotonic>,
    timers: BTreeSet<(Monotonic, Writer)>,
}

impl Writers {
    /// Whether to say so now.
    pub(crate) fn tell(&mut self, target: &Target, on: bool, now: Monotonic) -> bool {
        if !on {
            return self.told.remove(target).is_some();
        }
        self.told.retain(|_, at| now.millis_since(*at) < TYPING_MS);
        let said = self.told.get(target).is_some_and(|at| now.millis_since(*at) < SAY_AGAIN_MS);
        if said || (self.told.len() >= TYPING_TOLD_MAX && !self.told.contains_key(target)) {
            return false;
        }
        self.told.insert(target.clone(), now);
        true
    }

    /// This device sent a message there: whoever reads it knows that the writing is over.
    pub(crate) fn sent(&mut self, target: &Target) {
        self.told.remove(target);
    }

    /// Somebody begins or goes on, or stops.
    pub(crate) fn notice(&mut self, typing: Typing, now: Monotonic, draft: &mut Draft) {
        let Typing { conversation, user, on } = typing;
        let writer = (conversation, user);
        if !on {
            return self.stop(&writer, draft);
        }
        let until = now.plus_millis(TYPING_MS);
        match self.shown.get(&writer).copied() {
            Some(former) => {
                self.timers.remove(&(former, writer.clone()));
            }
            None if self.shown.len() >= TYPING_SHOWN_MAX => return,
            None => draft.event(event(&writer, true)),
        }
        self.timers.insert((until, writer.clone()));
        self.shown.insert(writer, until);
    }

    /// Stops showing one, if it is shown: they said so, or sent what they wrote.
    pub(crate) fn wrote(&mut self, conversation: ConversationId, user: &UserId, draft: &mut Draft) {
        if !self.shown.is_empty() {
            self.stop(&(conversation, user.clone()), draft);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Stops showing those whose time is over.
    pub(crate) fn expire(&mut self, now: Monotonic, draft: &mut Draft) {
        while let Some((at, writer)) = self.timers.first().cloned()
            && at <= now
        {
            self.stop(&writer, draft);
        }
    }

    /// Nobody says anything any more.
    pub(crate) fn connection_lost(&mut self, draft: &mut Draft) {
        self.told.clear();
        self.timers.clear();
        std::mem::take(&mut self.shown).keys().for_each(|writer| draft.event(event(writer, false)));
    }

    fn stop(&mut self, writer: &Writer, draft: &mut Draft) {
        if let Some(at) = self.shown.remove(writer) {
            self.timers.remove(&(at, writer.clone()));
            draft.event(event(writer, false));
        }
    }
}

fn event((conversation, user): &Writer, on: bool) -> ClientEvent {
    ClientEvent::Typing(Typing { conversation: *conversation, user: user.clone(), on })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversations_written_in_at_once_are_bounded() -> Result<(), iris_types::InvalidName> {
        let mut writers = Writers::default();
        let mut said = 0;
        for number in 0..2 * TYPING_TOLD_MAX {
            let target = Target::User(UserId::new(&format!("user{number}"))?);
            said += usize::from(writers.tell(&target, true, Monotonic(9)));
        }
        assert_eq!(said, TYPING_TOLD_MAX);
        let late = Target::User(UserId::new("late")?);
        assert!(!writers.tell(&late, true, Monotonic(9)));
        assert!(writers.tell(&late, true, Monotonic(9 + TYPING_MS)), "the others have stopped");
        Ok(())
    }
}
