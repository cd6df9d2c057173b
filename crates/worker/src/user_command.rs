//! Commands at a user's vnode: who takes which, once the user is loaded.

use iris_types::ErrorCode;
use iris_types::request::Request;
use iris_vnode::Stamp;

use crate::state::{Caller, UserCommand};
use crate::worker::Worker;
use crate::{AdminAnswer, Output};

impl Worker {
    pub(crate) fn run_user_command(&mut self, slot: u32, command: UserCommand) {
        match command {
            UserCommand::Attach { session, login } => self.run_attach(slot, session, login),
            UserCommand::Admin { id, command } => self.run_admin(slot, id, command),
            UserCommand::Request { caller, request } => self.run_user_request(slot, caller, request),
            UserCommand::Interest(interest) => self.interest(slot, interest),
            UserCommand::Watched(watch) => self.watched(slot, watch),
            UserCommand::Permits { back } => self.grant_permits(slot, back),
        }
    }

    fn run_user_request(&mut self, slot: u32, caller: Caller, request: Request) {
        let Some(inbox) = self.users.get(slot).and_then(|user| user.inbox.as_ref()) else { return };
        if let Err(code) = inbox.check_device(&caller.device) {
            let seen = inbox.devices_touched;
            if !matches!(request, Request::Typing { .. }) {
                self.refuse(&caller, code, seen);
            }
            return;
        }
        match request {
            Request::ReadInbox { after } => self.read_inbox(slot, caller, after),
            Request::Acknowledge { up_to } => self.acknowledge(slot, &caller, up_to),
            Request::ListConversations(list) => self.list_conversations(slot, caller, &list),
            Request::ListDevices => self.list_devices(slot, &caller),
            Request::RenameDevice(rename) => self.rename_device(slot, &caller, &rename),
            Request::RevokeDevice(revoke) => self.revoke_device(slot, &caller, &revoke),
            Request::MarkRead(mark) => self.mark_read(slot, caller, mark),
            Request::ReadReceipts(read) => self.read_receipts(slot, caller, read),
            Request::SetFlags(set) => self.set_flags(slot, caller, set),
            Request::ReadSettings => self.read_settings(slot, &caller),
            Request::ChangeSettings(change) => self.change_settings(slot, &caller, change),
            Request::Watch(watched) => self.watch(slot, caller, watched),
            Request::ReadPresence(watched) => self.read_presence(slot, caller, watched),
            Request::Typing { target, on } => self.typing(slot, &caller, target, on),
            // What goes to the conversation's vnode does so before it comes here.
            Request::SendMessage(_)
            | Request::ReadHistory(_)
            | Request::CreateGroup(_)
            | Request::ChangeGroup(_)
            | Request::ReadGroup { .. }
            | Request::ReadRoster(_)
            | Request::BlockUser(_) => {
                self.refuse(&caller, ErrorCode::WrongState, Stamp::default());
            }
        }
    }

    pub(crate) fn refuse_user_command(&mut self, command: UserCommand, code: ErrorCode) {
        match command {
            UserCommand::Attach { session, .. } => self.refuse_attach(session, code, Stamp::default()),
            // Typing has no request id: there is nothing that an answer could be to.
            UserCommand::Request { request: Request::Typing { .. }, .. } => {}
            UserCommand::Request { caller, .. } => self.refuse(&caller, code, Stamp::default()),
            UserCommand::Admin { id, .. } => {
                self.say(Output::Admin { id, answer: AdminAnswer::Refused(code.into()) });
            }
            // Asked again with the next renewal; a question that waits runs out.
            UserCommand::Interest(_) | UserCommand::Watched(_) | UserCommand::Permits { .. } => {}
        }
    }
}
