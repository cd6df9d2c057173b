//! Acknowledgements: gathered for a while, then one event moves a user's cursors.

use std::collections::VecDeque;

use iris_types::limits::ACKNOWLEDGE_INTERVAL_MS_MAX;
use iris_types::{ErrorCode, Monotonic, Offset, Refusal};
use iris_vnode::{Stamp, acknowledge, attach};

use crate::state::Caller;
use crate::worker::Worker;

/// Users whose acknowledgements are decided in one turn.
const USERS_PER_TURN: usize = 8; // layout

/// Users with acknowledgements that are not decided, in the order of their first. A crash forgets them: the
/// cursors lag and what was seen is delivered again.
#[derive(Debug, Default)]
pub(crate) struct Noted(VecDeque<(Monotonic, u32)>);

impl Noted {
    pub(crate) fn deadline(&self, interval_ms: u64) -> Option<Monotonic> {
        self.0.front().map(|(since, _)| since.plus_millis(interval_ms))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Worker {
    pub(crate) fn acknowledge(&mut self, slot: u32, caller: &Caller, up_to: Offset) {
        let Some(inbox) = self.users.get_mut(slot).and_then(|user| user.inbox.as_mut()) else { return };
        match acknowledge::note(inbox, &caller.device, up_to) {
            Ok(true) => self.note(slot),
            Ok(false) => {}
            Err(ErrorCode::CursorAhead) => {
                self.refuse_after_proof(caller, Refusal::new(ErrorCode::CursorAhead))
            }
            Err(code) => self.refuse(caller, code, Stamp::default()),
        }
    }

    pub(crate) fn note(&mut self, slot: u32) {
        let Some(user) = self.users.get_mut(slot) else { return };
        if !std::mem::replace(&mut user.has_noted, true) {
            self.noted.0.push_back((self.mono, slot));
        }
    }

    /// Only planted: counts a pushed entry as acknowledged.
    pub(crate) fn note_pushed(&mut self, slot: u32, offset: Offset) {
        let Some(user) = self.users.get_mut(slot) else { return };
        let Some(devices) = user.inbox.as_mut().and_then(|inbox| inbox.devices.as_mut()) else { return };
        for session in &user.sessions {
            if let Some(device) = devices.device_mut(&session.device) {
                device.acknowledged = device.acknowledged.max(offset);
            }
        }
        self.note(slot);
    }

    /// Decides what was noted long enough ago; everything when draining.
    ///
    /// Of a turn with many requests this takes its share and no more: the longer acknowledgements gather, the fewer
    /// receipts there are to commit. What is old does not wait for that.
    pub(crate) fn decide_noted(&mut self) {
        let is_draining = self.is_draining();
        let interval = if is_draining { 0 } else { self.config.limits.acknowledge_interval_ms };
        let mut decided = 0;
        while let Some((since, slot)) = self.noted.0.front().copied()
            && self.mono.millis_since(since) >= interval
            && !self.log.is_full(&self.config.limits)
        {
            let is_old = self.mono.millis_since(since) >= ACKNOWLEDGE_INTERVAL_MS_MAX;
            if decided >= USERS_PER_TURN && !is_old && !is_draining {
                break;
            }
            decided += 1;
            self.noted.0.pop_front();
            self.move_cursors(slot);
        }
    }

    /// Moves cursors, and gives the receipts that follow from them, in one chunk.
    fn move_cursors(&mut self, slot: u32) {
        let (now, stamp) = (self.now, self.log.stamp(&self.config.limits));
        let Some(user) = self.users.get_mut(slot) else { return };
        user.has_noted = false;
        let (vnode, name) = (user.vnode, user.user.clone());
        let Some(inbox) = user.inbox.as_mut() else { return };
        let has_moved = acknowledge::move_cursors(inbox);
        let has_given = self.give_receipts(slot, stamp);
        if !has_moved && !has_given {
            return;
        }
        let Some(inbox) = self.users.get_mut(slot).and_then(|user| user.inbox.as_mut()) else { return };
        let event = attach::seen(inbox, &name, now, stamp);
        self.commit(vnode, event, None);
        if let Some(hosted) = self.hosted_mut(vnode) {
            hosted.moved.insert(slot);
        }
    }
}
