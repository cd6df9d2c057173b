//! A user mutes, pins or archives a conversation.

use iris_types::ErrorCode;
use iris_types::request::{Answer, Request, SetFlags};
use iris_vnode::Stamp;

use crate::state::{Caller, UserCommand};
use crate::worker::Worker;

impl Worker {
    pub(crate) fn set_flags(&mut self, slot: u32, caller: Caller, set: SetFlags) {
        if let Some(refusal) = self.sheds_change() {
            return self.refuse(&caller, refusal, Stamp::default());
        }
        let conversation = set.target.conversation(&caller.user);
        if !self.ensure_line(slot, conversation) {
            let request = Request::SetFlags(set);
            return self.wait_with(slot, UserCommand::Request { caller, request });
        }
        let stamp = self.log.stamp(&self.config.limits);
        let Some(user) = self.users.get(slot) else { return };
        let is_listed = user
            .lines
            .get(&conversation)
            .is_some_and(|known| known.as_ref().is_some_and(|known| known.listed.is_some()));
        if !is_listed {
            return self.refuse_proven(&caller, ErrorCode::UnknownConversation, Stamp::default());
        }
        let mut is_news = false;
        self.change_line(slot, conversation, stamp, |line| {
            let flags = line.flags.changed(set.mask, set.values);
            is_news = flags != line.flags;
            line.flags = flags;
            is_news
        });
        if is_news {
            self.show_state(slot, conversation, stamp);
        }
        let seen = self.users.get(slot).and_then(|user| user.inbox.as_ref()).map(|inbox| inbox.touched);
        self.answer(&caller, Answer::Done, seen.unwrap_or(stamp));
    }
}
