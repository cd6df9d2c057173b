//! What is said to the server at the end of a turn.

use iris_protocol::FrameTooLong;
use iris_protocol::client::ClientConnection;
use iris_types::ErrorCode;
use iris_types::request::{Request, RequestId};

use crate::core::mint;
use crate::outbox::Attempt;
use crate::request::Asked;
use crate::{ClientCore, Now};

impl ClientCore {
    /// Says to the server what there is to say.
    pub(crate) fn pump(&mut self, now: Now) {
        if !self.link.is_draining() {
            self.pump_queries(now);
            self.pump_standing(now);
            self.pump_sends(now);
        }
        let is_draining = self.link.is_draining();
        let Some(connection) = self.link.ready() else { return };
        let goes = is_draining || connection.pending_output_bytes() > 0;
        if let Some(up_to) = self.inbox.acknowledgement(now.monotonic, goes) {
            connection.acknowledge(up_to);
        }
        if let Some(after) = self.inbox.sync_due(now.monotonic) {
            let request = self.requests.fresh();
            connection.sync(request, after);
            self.inbox.sync_asked(request);
        }
    }

    fn pump_queries(&mut self, now: Now) {
        if self.queries.is_empty() {
            return;
        }
        let Some(connection) = self.link.ready() else { return };
        let id = || mint(&self.clock, &mut self.random, now);
        for (number, question) in self.queries.due(now.monotonic, id) {
            let request = self.requests.ask(Asked::Query(number), now.monotonic);
            if ask(connection, request, question).is_err() {
                // Looked at when it was taken: a question that comes here is one that no server could be asked.
                self.requests.answered(request);
                self.queries.refused(number, ErrorCode::BadFrame.into(), &mut self.draft);
            }
        }
    }

    /// What the server is to know at each connection: how far the user has read, and whom the device watches.
    fn pump_standing(&mut self, now: Now) {
        let Some(connection) = self.link.ready() else { return };
        for mark in self.read_marks.due(now.monotonic) {
            let request = self.requests.ask(Asked::ReadMark(mark.target.clone()), now.monotonic);
            connection.mark_read(request, &mark);
        }
        if let Some((number, items)) = self.watch.due(now.monotonic) {
            let request = self.requests.ask(Asked::Watch(number), now.monotonic);
            if connection.watch(request, &items).is_err() {
                self.requests.answered(request);
                self.watch.refused(number, ErrorCode::BadFrame.into(), &mut self.draft);
            }
        }
    }

    fn pump_sends(&mut self, now: Now) {
        let Some(connection) = self.link.ready() else { return };
        while self.outbox.busy() < self.window {
            let Some(number) = self.outbox.pop() else { return };
            let id = || mint(&self.clock, &mut self.random, now);
            if let Attempt::Transmit(message) = self.outbox.attempt(number, id, &mut self.draft) {
                let request = self.requests.ask(Asked::Send(number), now.monotonic);
                connection.send(request, &message);
            }
        }
    }
}

fn ask(connection: &mut ClientConnection, request: RequestId, question: Request) -> Result<(), FrameTooLong> {
    match question {
        Request::ReadHistory(read) => connection.read_history(request, &read),
        Request::ListConversations(list) => connection.list_conversations(request, &list),
        Request::ListDevices => connection.list_devices(request),
        Request::RenameDevice(rename) => connection.rename_device(request, &rename),
        Request::RevokeDevice(revoke) => connection.revoke_device(request, &revoke),
        Request::CreateGroup(create) => return connection.create_group(request, &create),
        Request::ChangeGroup(change) => connection.change_group(request, &change),
        Request::ReadGroup { group } => connection.read_group(request, group),
        Request::ReadRoster(read) => connection.read_roster(request, &read),
        Request::MarkRead(mark) => connection.mark_read(request, &mark),
        Request::ReadReceipts(read) => connection.read_receipts(request, &read),
        Request::SetFlags(set) => connection.set_flags(request, &set),
        Request::BlockUser(block) => connection.block_user(request, &block),
        Request::ReadSettings => connection.read_settings(request),
        Request::ChangeSettings(change) => connection.change_settings(request, change),
        Request::Watch(items) => return connection.watch(request, &items),
        Request::ReadPresence(items) => return connection.read_presence(request, &items),
        // Not questions: the outbox, the inbox and the writers say these themselves.
        Request::SendMessage(_)
        | Request::ReadInbox { .. }
        | Request::Acknowledge { .. }
        | Request::Typing { .. } => {}
    }
    Ok(())
}
