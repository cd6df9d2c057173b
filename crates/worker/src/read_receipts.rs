//! Who has a message: asked at the user's vnode, which knows what the user lets others know, answered by the
//! conversation's.

use iris_types::request::{Answer, ReadReceipts};
use iris_vnode::{Stamp, read_receipts};

use crate::state::{Caller, ConversationCommand};
use crate::whisper::Whisper;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn read_receipts(&mut self, slot: u32, caller: Caller, read: ReadReceipts) {
        let Some(inbox) = self.users.get(slot).and_then(|user| user.inbox.as_ref()) else { return };
        let shows_reads = inbox.settings.read_receipts;
        let home = self.config.vnodes.of_target(&caller.user, &read.target);
        self.whisper_to(home, Whisper::Receipts { asker: caller.into(), read, shows_reads });
    }

    /// At the conversation.
    pub(crate) fn ask_receipts(&mut self, caller: Caller, read: ReadReceipts, shows_reads: bool) {
        let target = read.target.clone();
        self.conversation_command(caller, &target, ConversationCommand::ReadReceipts(read, shows_reads));
    }

    pub(crate) fn run_read_receipts(
        &mut self,
        slot: u32,
        caller: &Caller,
        read: &ReadReceipts,
        shows_reads: bool,
    ) {
        let Some(conversation) = self.conversations.get(slot).and_then(|state| state.conversation.as_ref())
        else {
            return self.refuse(caller, iris_types::ErrorCode::Unavailable, Stamp::default());
        };
        let seen = conversation.touched;
        match read_receipts::page(conversation, &caller.user, read, shows_reads) {
            Ok(page) => self.answer(caller, Answer::Receipts(page), seen),
            Err(code) => self.refuse_proven(caller, code, seen),
        }
    }
}
