//! Logins and the end of connections.

use iris_types::limits::LAST_SEEN_INTERVAL_MS;
use iris_types::request::{Login, RequestId, SessionId};
use iris_types::{ErrorCode, Refusal, UserId};
use iris_vnode::{Stamp, attach};

use crate::arrivals::Arrivals;
use crate::effects::Effect;
use crate::state::UserCommand;
use crate::worker::{Phase, Worker};

impl Worker {
    pub(crate) fn attach(&mut self, session: SessionId, login: Login) {
        if !matches!(self.phase, Phase::Serving) {
            let code = if self.is_serving() { ErrorCode::Draining } else { ErrorCode::Unavailable };
            return self.refuse_session(session, RequestId(0), Refusal::new(code), Stamp::default());
        }
        if self.log.is_full(&self.config.limits) {
            return self.refuse_session(
                session,
                RequestId(0),
                Refusal::new(ErrorCode::Busy),
                Stamp::default(),
            );
        }
        self.attaching.insert(session, true);
        let user = login.user.clone();
        self.user_command(&user, UserCommand::Attach { session, login });
    }

    pub(crate) fn detach(&mut self, session: SessionId, user: &UserId) {
        if let Some(is_live) = self.attaching.get_mut(&session) {
            *is_live = false;
        }
        self.ended.remove(&session);
        let Some(slot) = self.user_slot_mut(user) else { return };
        let before = slot.sessions.len();
        slot.sessions.retain(|other| other.id != session);
        slot.end_watching(session);
        let after = slot.sessions.len();
        self.count_sessions(before, after);
        self.noticed(user, before, after);
    }

    /// The number of a user's connections has changed: those who watch are told when the user has come or is gone, and
    /// when that was is written down, unless something of the last minute is.
    pub(crate) fn noticed(&mut self, user: &UserId, before: usize, after: usize) {
        if (before == 0) == (after == 0) {
            return;
        }
        let now = self.now;
        let Some(slot) = self.user_index.get(user).copied() else { return };
        if after == 0
            && let Some(state) = self.users.get_mut(slot)
        {
            state.seen = now;
            state.arrivals = Arrivals::default();
            let vnode = state.vnode;
            let stored =
                state.inbox.as_ref().and_then(|inbox| inbox.devices.as_ref()).map(|one| one.last_seen);
            let is_due = stored.is_some_and(|stored| now.millis_since(stored) >= LAST_SEEN_INTERVAL_MS);
            if is_due && !self.is_full && self.is_serving() {
                let stamp = self.log.stamp(&self.config.limits);
                if let Some(inbox) = self.users.get_mut(slot).and_then(|state| state.inbox.as_mut()) {
                    let event = attach::seen(inbox, user, now, stamp);
                    self.commit(vnode, event, None);
                }
            }
        }
        self.tell_watchers(slot);
    }

    pub(crate) fn run_attach(&mut self, slot: u32, session: SessionId, login: Login) {
        self.nonces.expire(self.mono);
        let times = (self.now, self.started_at);
        let stamp = self.log.stamp(&self.config.limits);
        let Some(user) = self.users.get_mut(slot) else { return };
        let Some(inbox) = user.inbox.as_mut() else { return };
        let (vnode, seen) = (user.vnode, inbox.devices_touched);
        if self.is_full
            && let Some(code) = attach::needs_room(inbox, &login, self.now)
        {
            return self.refuse_attach(session, code, seen);
        }
        match attach::decide(inbox, &login, &self.nonces, times, stamp) {
            Ok(accepted) => {
                // An unchanged device waits for what made it what it is.
                let after = if accepted.waits { stamp } else { seen };
                self.nonces.remember(&login.user, login.nonce, self.mono);
                if let Some(event) = accepted.event {
                    self.commit(vnode, event, None);
                }
                let Login { user, device, token, .. } = login;
                let cursor = accepted.cursor;
                self.after(after, Effect::Attach { user, session, device, token, cursor });
            }
            Err(code) => self.refuse_attach(session, code, seen),
        }
    }

    pub(crate) fn refuse_attach(&mut self, session: SessionId, code: ErrorCode, stamp: Stamp) {
        self.attaching.remove(&session);
        self.refuse_session(session, RequestId(0), Refusal::new(code), stamp);
    }
}
