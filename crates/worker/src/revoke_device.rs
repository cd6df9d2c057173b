//! A device is ended for ever: its live session with the commit, every later login by what was committed.

use std::collections::BTreeSet;

use iris_types::planted::{Bug, is_planted};
use iris_types::request::{Answer, RevokeDevice, SessionId};
use iris_types::{DeviceId, ErrorCode, Refusal, UserId};
use iris_vnode::{Event, Stamp, revoke_device};

use crate::Output;
use crate::effects::Effect;
use crate::state::Caller;
use crate::worker::Worker;

/// Sessions of revoked devices whose connections are not gone yet: what their edge has passed on meanwhile is
/// refused. One worker knows this only of its own users; elsewhere the end of the connection has to do.
pub(crate) type Ended = BTreeSet<SessionId>;

impl Worker {
    pub(crate) fn revoke_device(&mut self, slot: u32, caller: &Caller, revoke: &RevokeDevice) {
        if let Some(refusal) = self.sheds_change() {
            return self.refuse(caller, refusal, Stamp::default());
        }
        let (now, stamp) = (self.now, self.log.stamp(&self.config.limits));
        let Some(state) = self.users.get_mut(slot) else { return };
        let (vnode, user) = (state.vnode, state.user.clone());
        let Some(inbox) = state.inbox.as_mut() else { return };
        match revoke_device::decide(inbox, &user, &revoke.device, now, stamp) {
            Ok(events) => {
                let after = inbox.devices_touched;
                for event in events.into_iter().flatten() {
                    let is_left_out = matches!(event, Event::RevokedDevices { .. });
                    if !(is_left_out && is_planted(Bug::RevocationNotStored)) {
                        self.commit(vnode, event, None);
                    }
                }
                // Its cursor holds back nothing any more: the next flush looks at what the others have.
                if let Some(hosted) = self.hosted_mut(vnode) {
                    hosted.moved.insert(slot);
                }
                // A device that ends itself is told so before its connection goes.
                self.answer(caller, Answer::Done, after);
                self.after(after, Effect::EndDevice { user, device: revoke.device.clone() });
            }
            Err(ErrorCode::UnknownDevice) => {
                self.refuse_after_proof(caller, Refusal::new(ErrorCode::UnknownDevice));
            }
            Err(code) => {
                let seen = inbox.devices_touched;
                self.refuse(caller, code, seen);
            }
        }
    }

    /// The revocation is committed: nothing more is said to the device.
    pub(crate) fn end_device(&mut self, user: &UserId, device: &DeviceId) {
        let Some(slot) = self.user_slot_mut(user) else { return };
        let is_ended = |session: &crate::state::Session| session.device == *device;
        let Some(place) = slot.sessions.iter().position(is_ended) else { return };
        let before = slot.sessions.len();
        let session = slot.sessions.swap_remove(place).id;
        slot.end_watching(session);
        self.count_sessions(before, before - 1);
        self.noticed(user, before, before - 1);
        self.ended.insert(session);
        self.say(Output::Close { session, code: ErrorCode::DeviceRevoked });
    }

    /// Whether the session was ended by a revocation.
    pub(crate) fn is_ended(&self, session: SessionId) -> bool {
        !self.ended.is_empty() && self.ended.contains(&session)
    }
}
