//! What a client asks.

use iris_types::request::{
    BlockUser, ListConversations, MarkRead, ReadHistory, ReadReceipts, ReadRoster, RenameDevice, RequestId,
    RevokeDevice, SendMessage, SetFlags,
};
use iris_types::{ChangeGroup, ConversationId, CreateGroup, SettingsChange, Target, Watched};

use super::{Asked, ClientConnection, Stage};
use crate::frame::{FrameTooLong, check_length, opcode};
use crate::list_conversations::List;
use crate::list_devices::ListDevices;
use crate::read_group::AskGroup;
use crate::send_message::{self, put_send, send_len};
use crate::settings::{AdjustSettings, AskSettings};
use crate::{
    block_user, change_group, create_group, mark_read, presence, read_history, read_receipts, read_roster,
    rename_device, revoke_device, set_flags, typing,
};

/// Requests. Like [`ClientConnection::send`], none does anything unless the connection is ready.
impl ClientConnection {
    /// Queues a send. `request` is unique among the unanswered ones and neither 0 nor `u32::MAX`. In version 2
    /// the sends of one turn share frames. Like all requests, it does nothing unless the connection is ready.
    pub fn send(&mut self, request: RequestId, message: &SendMessage) {
        if self.stage != Stage::Ready {
            return;
        }
        self.sends_unanswered += 1;
        if self.version == 1 {
            send_message::encode(request, message, self.output.frames());
        } else {
            put_send(self.output.item(opcode::SEND_BATCH, send_len(message)), request, message);
        }
    }

    /// Asks for a page of history.
    pub fn read_history(&mut self, request: RequestId, read: &ReadHistory) {
        if self.stage == Stage::Ready {
            self.histories.insert(request, Vec::new());
            read_history::encode(request, read, self.output.frames());
        }
    }

    /// Asks for a page of the list of conversations.
    pub fn list_conversations(&mut self, request: RequestId, list: &ListConversations) {
        if self.stage == Stage::Ready {
            self.asked.insert(request, Asked::Conversations);
            List { request, list: *list }.encode(self.output.frames());
        }
    }

    /// Asks for the user's devices.
    pub fn list_devices(&mut self, request: RequestId) {
        if self.stage == Stage::Ready {
            self.asked.insert(request, Asked::Devices);
            ListDevices { request }.encode(self.output.frames());
        }
    }

    /// Gives a device of the user a label.
    pub fn rename_device(&mut self, request: RequestId, rename: &RenameDevice) {
        if self.stage == Stage::Ready {
            self.asked.insert(request, Asked::Change);
            rename_device::encode(request, rename, self.output.frames());
        }
    }

    /// Ends a device of the user for ever.
    pub fn revoke_device(&mut self, request: RequestId, revoke: &RevokeDevice) {
        if self.stage == Stage::Ready {
            self.asked.insert(request, Asked::Change);
            revoke_device::encode(request, revoke, self.output.frames());
        }
    }

    /// Makes a group.
    ///
    /// # Errors
    /// [`FrameTooLong`] for more members than fit a frame; nothing is sent then.
    pub fn create_group(&mut self, request: RequestId, create: &CreateGroup) -> Result<(), FrameTooLong> {
        self.ask_if_it_fits(request, Asked::GroupChange, |out| create_group::encode(request, create, out))
    }

    /// Changes a group. Answered with `Sent`, or with `Done` when there was nothing to change.
    pub fn change_group(&mut self, request: RequestId, change: &ChangeGroup) {
        self.ask(request, Asked::GroupChange, |out| change_group::encode(request, change, out));
    }

    /// Asks what a group is.
    pub fn read_group(&mut self, request: RequestId, group: ConversationId) {
        self.ask(request, Asked::Group, |out| AskGroup { request, group }.encode(out));
    }

    /// Asks for a page of who is in a group.
    pub fn read_roster(&mut self, request: RequestId, read: &ReadRoster) {
        self.ask(request, Asked::Roster, |out| read_roster::encode(request, read, out));
    }

    /// Tells that the user has read a conversation up to a message.
    pub fn mark_read(&mut self, request: RequestId, mark: &MarkRead) {
        self.ask(request, Asked::Change, |out| mark_read::encode(request, mark, out));
    }

    /// Asks for a page of who has a message.
    pub fn read_receipts(&mut self, request: RequestId, read: &ReadReceipts) {
        self.ask(request, Asked::Receipts, |out| read_receipts::encode(request, read, out));
    }

    /// Mutes, pins, archives a conversation, or no longer.
    pub fn set_flags(&mut self, request: RequestId, set: &SetFlags) {
        self.ask(request, Asked::Change, |out| set_flags::encode(request, set, out));
    }

    /// Takes no more messages of a user, or does so again.
    pub fn block_user(&mut self, request: RequestId, block: &BlockUser) {
        self.ask(request, Asked::Change, |out| block_user::encode(request, block, out));
    }

    /// Asks for the user's settings.
    pub fn read_settings(&mut self, request: RequestId) {
        self.ask(request, Asked::Settings, |out| AskSettings { request }.encode(out));
    }

    /// Changes some of the user's settings.
    pub fn change_settings(&mut self, request: RequestId, change: SettingsChange) {
        self.ask(request, Asked::Change, |out| AdjustSettings { request, change }.encode(out));
    }

    /// Replaces what this connection watches; nothing is watched on a new one.
    ///
    /// # Errors
    /// [`FrameTooLong`] for more users than fit a frame; the server takes
    /// [`iris_types::limits::WATCHED_MAX`].
    pub fn watch(&mut self, request: RequestId, watched: &[Watched]) -> Result<(), FrameTooLong> {
        self.ask_if_it_fits(request, Asked::Change, |out| presence::encode_watch(request, watched, out))
    }

    /// Asks once who is there: at least one user, at most as many as [`Self::watch`] takes.
    ///
    /// # Errors
    /// [`FrameTooLong`] as in [`Self::watch`].
    pub fn read_presence(&mut self, request: RequestId, watched: &[Watched]) -> Result<(), FrameTooLong> {
        self.ask_if_it_fits(request, Asked::Presences, |out| presence::encode_read(request, watched, out))
    }

    /// Tells that the user writes, or stopped. Never answered.
    pub fn say_typing(&mut self, target: &Target, on: bool) {
        if self.stage == Stage::Ready {
            typing::encode(target, on, self.output.frames());
        }
    }

    fn ask(&mut self, request: RequestId, asked: Asked, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.stage == Stage::Ready {
            self.asked.insert(request, asked);
            encode(self.output.frames());
        }
    }

    fn ask_if_it_fits(
        &mut self,
        request: RequestId,
        asked: Asked,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), FrameTooLong> {
        if self.stage != Stage::Ready {
            return Ok(());
        }
        let out = self.output.frames();
        let start = out.len();
        encode(out);
        check_length(out, start)?;
        self.asked.insert(request, asked);
        Ok(())
    }
}
