//! Acknowledgements: gathered for a while, then one event moves a user's cursors.

use std::collections::BTreeSet;

use iris_types::limits::ACKNOWLEDGE_INTERVAL_MS_MAX;
use iris_types::{ErrorCode, Monotonic, Offset, Refusal};
use iris_vnode::{Stamp, acknowledge, attach};

use crate::state::Caller;
use crate::worker::Worker;

/// Users with acknowledgements that are not decided, by when they are to be. A crash forgets them: the cursors lag and
/// what was seen is delivered again.
#[derive(Debug, Default)]
pub(crate) struct Noted(BTreeSet<(Monotonic, u32)>);

/// When one user's acknowledgements are decided: soon, if none were lately, and ever less often while they go on. So
/// people see at once what arrives, and at a high rate the receipts are a fraction of the messages.
#[derive(Debug, Default)]
pub(crate) struct Beat {
    due: Option<Monotonic>,
    last: Monotonic,
    interval_ms: u64,
}

impl Noted {
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        self.0.first().map(|(due, _)| *due)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Beat {
    pub(crate) const fn is_due(&self) -> bool {
        self.due.is_some()
    }

    fn next(&self, mono: Monotonic, least_ms: u64) -> Monotonic {
        mono.plus_millis(least_ms).max(self.last.plus_millis(self.interval_ms))
    }

    /// It is decided. What counts is when that was planned: a full log is no pause of the user's.
    fn strike(&mut self, due: Monotonic, least_ms: u64) {
        let twice = self.interval_ms.saturating_mul(2);
        let goes_on = due.millis_since(self.last) <= twice;
        let interval = if goes_on { twice.min(ACKNOWLEDGE_INTERVAL_MS_MAX) } else { 0 };
        *self = Self { due: None, last: due, interval_ms: interval.max(least_ms) };
    }
}

impl Worker {
    pub(crate) fn acknowledge(&mut self, slot: u32, caller: &Caller, up_to: Offset) {
        let Some(user) = self.users.get_mut(slot) else { return };
        let is_crowded = user.arrivals.is_crowded();
        let Some(inbox) = user.inbox.as_mut() else { return };
        match acknowledge::note(inbox, &caller.device, up_to) {
            // Before more has come than is known.
            Ok(true) if is_crowded => self.note_soon(slot),
            Ok(true) => self.note(slot),
            Ok(false) => {}
            Err(ErrorCode::CursorAhead) => {
                self.refuse_after_proof(caller, Refusal::new(ErrorCode::CursorAhead))
            }
            Err(code) => self.refuse(caller, code, Stamp::default()),
        }
    }

    /// Plans that what was noted of the user is decided at the user's next beat.
    pub(crate) fn note(&mut self, slot: u32) {
        let Some(user) = self.users.get(slot) else { return };
        let due = user.beat.next(self.mono, self.config.limits.acknowledge_interval_ms);
        self.note_by(slot, due);
    }

    /// The same for what somebody waits for, or what is behind.
    pub(crate) fn note_soon(&mut self, slot: u32) {
        self.note_by(slot, self.mono.plus_millis(self.config.limits.acknowledge_interval_ms));
    }

    fn note_by(&mut self, slot: u32, due: Monotonic) {
        let Some(user) = self.users.get_mut(slot) else { return };
        if user.beat.due.is_none_or(|planned| due < planned) {
            if let Some(planned) = user.beat.due.replace(due) {
                self.noted.0.remove(&(planned, slot));
            }
            self.noted.0.insert((due, slot));
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

    /// Decides what is due; everything when draining.
    pub(crate) fn decide_noted(&mut self) {
        let (mono, least_ms) = (self.mono, self.config.limits.acknowledge_interval_ms);
        while let Some((due, slot)) = self.noted.0.first().copied()
            && (due <= mono || self.is_draining())
            && !self.log.is_full(&self.config.limits)
        {
            self.noted.0.pop_first();
            if let Some(user) = self.users.get_mut(slot).filter(|user| user.beat.due == Some(due)) {
                user.beat.strike(due, least_ms);
                self.move_cursors(slot);
            }
        }
    }

    /// Moves cursors, and gives the receipts that follow from them, in one chunk.
    fn move_cursors(&mut self, slot: u32) {
        let (now, stamp) = (self.now, self.log.stamp(&self.config.limits));
        let Some(user) = self.users.get_mut(slot) else { return };
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
