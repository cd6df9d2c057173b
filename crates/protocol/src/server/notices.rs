//! What a device is told beside its inbox, and says beside its requests: presence and typing. Neither may grow without
//! bound: typing is dropped first, of presence only the latest is kept.

use iris_types::limits::{
    PRESENCE_OUTPUT_BYTES_MAX, TYPING_OUTPUT_BYTES_MAX, TYPING_PACE_MS, TYPING_PER_PACE_MAX, WATCHED_MAX,
};
use iris_types::{Monotonic, Presence, Typing};

use crate::output::Output;
use crate::{presence, typing};

/// Presences that wait until the output is sent: of each user the latest. `None` unless the output is long.
#[derive(Debug, Default)]
pub(super) struct Late(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    presences: Vec<Presence>,
}

impl Late {
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// Appends what waited; the output was sent just before.
    pub(super) fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(waiting) = self.0.take() else { return false };
        waiting.presences.iter().for_each(|presence| presence::encode_push(presence, out));
        true
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let bytes =
            |waiting: &Waiting| size_of::<Waiting>() + waiting.presences.capacity() * size_of::<Presence>();
        self.0.as_deref().map_or(0, bytes)
    }

    /// Nobody watches more users than there is room for here.
    fn keep(&mut self, presence: &Presence) {
        let waiting = &mut self.0.get_or_insert_default().presences;
        if let Some(one) = waiting.iter_mut().find(|one| one.user == presence.user) {
            one.state = presence.state;
        } else if waiting.len() < WATCHED_MAX {
            waiting.push(presence.clone());
        }
    }
}

pub(super) fn put_presence(output: &mut Output, late: &mut Late, presence: &Presence) {
    if output.len() > PRESENCE_OUTPUT_BYTES_MAX {
        late.keep(presence);
    } else {
        presence::encode_push(presence, output.frames());
    }
}

pub(super) fn put_typing(output: &mut Output, typing: &Typing) {
    if output.len() <= TYPING_OUTPUT_BYTES_MAX {
        typing::encode_notice(typing, output.frames());
    }
}

/// How often the client may say that its user writes: nobody waits for an answer, so nothing else holds it back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TypingPace {
    since: Monotonic,
    passed: u16,
}

impl TypingPace {
    pub(super) fn may_pass(&mut self, now: Monotonic) -> bool {
        if now >= self.since.plus_millis(TYPING_PACE_MS) {
            *self = Self { since: now, passed: 0 };
        }
        let may_pass = usize::from(self.passed) < TYPING_PER_PACE_MAX;
        self.passed += u16::from(may_pass);
        may_pass
    }
}
