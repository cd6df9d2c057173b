//! Admin commands: tokens taken back.

use iris_types::{ErrorCode, Refusal};
use iris_vnode::revoke;

use crate::effects::Effect;
use crate::state::UserCommand;
use crate::worker::{Phase, Worker};
use crate::{AdminAnswer, AdminCommand, AdminId, Output};

impl Worker {
    pub(crate) fn admin(&mut self, id: AdminId, command: AdminCommand) {
        if !matches!(self.phase, Phase::Serving) {
            let answer = AdminAnswer::Refused(Refusal::new(ErrorCode::Unavailable));
            return self.say(Output::Admin { id, answer });
        }
        let (AdminCommand::RevokeUser { user } | AdminCommand::RevokeToken { user, .. }) = &command;
        let user = user.clone();
        self.user_command(&user, UserCommand::Admin { id, command });
    }

    pub(crate) fn run_admin(&mut self, slot: u32, id: AdminId, command: AdminCommand) {
        let (now, stamp) = (self.now, self.log.stamp(&self.config.limits));
        let Some(state) = self.users.get_mut(slot) else { return };
        let vnode = state.vnode;
        let Some(inbox) = state.inbox.as_mut() else { return };
        let (user, event) = match command {
            AdminCommand::RevokeUser { user } => {
                let event = revoke::revoke_user(inbox, &user, now, stamp);
                (user, event)
            }
            AdminCommand::RevokeToken { user, token, expires_at } => {
                let event = revoke::revoke_token(inbox, &user, (token, expires_at), now, stamp);
                (user, event)
            }
        };
        self.commit(vnode, event, None);
        self.after(stamp, Effect::Revoke { user });
        self.after(stamp, Effect::Admin { id, answer: AdminAnswer::Done });
    }
}
