//! A page of a group's members and invitations.

use iris_types::Target;
use iris_types::request::{Answer, ReadRoster};
use iris_vnode::{Stamp, read_roster};

use crate::state::{Caller, ConversationCommand};
use crate::worker::Worker;

impl Worker {
    pub(crate) fn read_roster(&mut self, caller: Caller, read: ReadRoster) {
        let target = Target::Group(read.group);
        self.conversation_command(caller, &target, ConversationCommand::ReadRoster(read));
    }

    pub(crate) fn run_read_roster(&mut self, slot: u32, caller: &Caller, read: &ReadRoster) {
        let Some(conversation) = self.conversations.get(slot).and_then(|state| state.conversation.as_ref())
        else {
            return self.refuse(caller, iris_types::ErrorCode::Unavailable, Stamp::default());
        };
        let seen = conversation.touched;
        match read_roster::page(conversation, &caller.user, read) {
            Ok(page) => self.answer(caller, Answer::Roster(page), seen),
            Err(code) => self.refuse_proven(caller, code, seen),
        }
    }
}
