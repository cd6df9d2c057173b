//! What a group is.

use iris_types::ConversationId;
use iris_types::Target;
use iris_types::request::Answer;
use iris_vnode::{Stamp, read_group};

use crate::state::{Caller, ConversationCommand};
use crate::worker::Worker;

impl Worker {
    pub(crate) fn read_group(&mut self, caller: Caller, group: ConversationId) {
        self.conversation_command(caller, &Target::Group(group), ConversationCommand::ReadGroup);
    }

    pub(crate) fn run_read_group(&mut self, slot: u32, caller: &Caller) {
        let Some(conversation) = self.conversations.get(slot).and_then(|state| state.conversation.as_ref())
        else {
            return self.refuse(caller, iris_types::ErrorCode::Unavailable, Stamp::default());
        };
        let seen = conversation.touched;
        match read_group::summary(conversation, &caller.user) {
            Ok(summary) => self.answer(caller, Answer::Group(summary), seen),
            Err(code) => self.refuse_proven(caller, code, seen),
        }
    }
}
