//! Everything that leaves: it waits for the commit of all that its decision could see.

use std::sync::Arc;

use iris_types::planted::{Bug, is_planted};
use iris_types::request::{Answer, Attached, RequestId, SessionId, TokenFacts};
use iris_types::{DeviceId, ErrorCode, InboxEntry, Offset, Position, Refusal, UserId, VnodeId};
use iris_vnode::{Stamp, revoke};

use crate::state::{Caller, Session};
use crate::worker::Worker;
use crate::{AdminAnswer, AdminId, Confirm, Output};

#[derive(Debug)]
pub(crate) enum Effect {
    Answer {
        session: SessionId,
        id: RequestId,
        answer: Answer,
    },
    /// A session is registered and told so.
    Attach {
        user: UserId,
        session: SessionId,
        device: DeviceId,
        token: TokenFacts,
        cursor: Offset,
    },
    /// An entry goes to the user's live sessions but one.
    Deliver {
        slot: u32,
        entry: Arc<InboxEntry>,
        except: Option<SessionId>,
    },
    /// Who may know that a user is there is judged anew: for all, or for one.
    Judge {
        slot: u32,
        about: Option<UserId>,
    },
    /// Sessions whose token is revoked end.
    Revoke {
        user: UserId,
    },
    /// The session of a revoked device ends.
    EndDevice {
        user: UserId,
        device: DeviceId,
    },
    Admin {
        id: AdminId,
        answer: AdminAnswer,
    },
    /// A queued forward is committed at its source.
    Forwarded {
        source: VnodeId,
        destination: VnodeId,
        position: Position,
    },
    /// A watermark is committed at the destination.
    Confirm(Confirm),
}

impl Worker {
    /// Lets an effect leave once `stamp` is committed: at once, if it is.
    pub(crate) fn after(&mut self, stamp: Stamp, effect: Effect) {
        match self.log.effects_after(stamp) {
            Some(effects) => effects.push(effect),
            None => self.release(effect),
        }
    }

    pub(crate) fn refuse(&mut self, caller: &Caller, refusal: impl Into<Refusal>, stamp: Stamp) {
        self.refuse_session(caller.session, caller.id, refusal.into(), stamp);
    }

    pub(crate) fn refuse_session(
        &mut self,
        session: SessionId,
        id: RequestId,
        refusal: Refusal,
        stamp: Stamp,
    ) {
        self.statistics.refusals += 1;
        let answer = Answer::Refused { refusal, server_time: self.now };
        self.after(stamp, Effect::Answer { session, id, answer });
    }

    pub(crate) fn answer(&mut self, caller: &Caller, answer: Answer, stamp: Stamp) {
        let (session, id) = (caller.session, caller.id);
        self.after(stamp, Effect::Answer { session, id, answer });
    }

    pub(crate) fn release(&mut self, effect: Effect) {
        match effect {
            Effect::Answer { session, id, answer } => self.say(Output::Answer { session, id, answer }),
            Effect::Attach { user, session, device, token, cursor } => {
                self.register(&user, Session { id: session, device, token }, cursor);
            }
            Effect::Deliver { slot, entry, except } => self.deliver(slot, &entry, except),
            Effect::Judge { slot, about } => self.judge_watchers(slot, about.as_ref()),
            Effect::Revoke { user } => self.close_revoked(&user),
            Effect::EndDevice { user, device } => self.end_device(&user, &device),
            Effect::Admin { id, answer } => self.say(Output::Admin { id, answer }),
            Effect::Forwarded { source, destination, position } => {
                self.forward_committed(source, destination, position);
            }
            Effect::Confirm(confirm) => self.confirm(confirm),
        }
    }

    fn register(&mut self, user: &UserId, session: Session, cursor: Offset) {
        // Its connection went while the login was decided.
        if self.attaching.remove(&session.id) != Some(true) {
            return;
        }
        let server_time = self.now;
        let Some(slot) = self.user_slot_mut(user) else { return };
        let last = slot.inbox.as_ref().map_or(Offset::ZERO, |inbox| inbox.committed);
        let before = slot.sessions.len();
        let replaced = slot.sessions.iter().position(|other| other.device == session.device);
        let replaced = replaced.map(|place| slot.sessions.swap_remove(place).id);
        if let Some(replaced) = replaced {
            slot.end_watching(replaced);
        }
        let id = session.id;
        slot.sessions.push(session);
        let after = slot.sessions.len();
        self.count_sessions(before, after);
        self.noticed(user, before, after);
        if let Some(session) = replaced.filter(|replaced| *replaced != id) {
            self.say(Output::Close { session, code: ErrorCode::Replaced });
        }
        let answer = Answer::Attached(Attached { cursor, last, server_time });
        self.say(Output::Answer { session: id, id: RequestId(0), answer });
    }

    fn deliver(&mut self, slot: u32, entry: &Arc<InboxEntry>, except: Option<SessionId>) {
        let Some(user) = self.users.get(slot) else { return };
        let sessions = user.sessions.iter().filter(|session| Some(session.id) != except);
        self.outputs
            .extend(sessions.map(|session| Output::Push { session: session.id, entry: Arc::clone(entry) }));
        if is_planted(Bug::CursorMovedAtPush) {
            self.note_pushed(slot, entry.offset);
        }
    }

    fn close_revoked(&mut self, user: &UserId) {
        let Some(slot) = self.user_slot_mut(user) else { return };
        let Some(inbox) = slot.inbox.as_ref() else { return };
        let before = slot.sessions.len();
        let (gone, kept) = std::mem::take(&mut slot.sessions)
            .into_iter()
            .partition(|one| revoke::is_revoked(inbox, &one.token));
        slot.sessions = kept;
        let gone: Vec<Session> = gone;
        self.count_sessions(before, before - gone.len());
        self.noticed(user, before, before - gone.len());
        for session in gone {
            self.say(Output::Close { session: session.id, code: ErrorCode::TokenRevoked });
        }
    }
}
