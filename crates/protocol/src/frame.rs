//! The envelope of every frame, and the frames of each direction as one type.

use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use iris_types::request::RequestId;
use iris_types::{Presence, Typing};

use crate::acknowledge::Acknowledge;
use crate::authenticate::{Authenticate, Ready};
use crate::batch::{self, BatchItem};
use crate::block_user::{self, Block};
use crate::change_group::{self, Change};
use crate::create_group::{self, Create};
use crate::done::Done;
use crate::drain::{Closed, Drain};
use crate::entry::Entry;
use crate::hello::{ClientHello, ServerHello};
use crate::list_conversations::{Conversations, List};
use crate::list_devices::{Devices, ListDevices};
use crate::mark_read::{self, Mark};
use crate::ping::{Ping, Pong};
use crate::presence::{self, AskPresence, Presences, Watch};
use crate::read_group::{AskGroup, Group};
use crate::read_history::{self, HistoryBatch, HistoryEnd, HistoryItem, Read};
use crate::read_inbox::{Gap, PageEnd, Sync, SyncNeeded};
use crate::read_receipts::{self, AskReceipts, Receipts};
use crate::read_roster::{self, AskRoster, Roster};
use crate::refusal::Refused;
use crate::rename_device::{self, Rename};
use crate::revoke_device::{self, Revoke};
use crate::send_message::{self, Send, SendResult};
use crate::set_flags::{self, Set};
use crate::settings::{AdjustSettings, AskSettings, SettingsAnswer};
use crate::typing::{self, SayTyping};
use crate::wire::{DecodeError, RefusedRequest};

/// Opcode (1 byte) and payload length (2 bytes, big-endian).
pub const HEADER_BYTES: usize = 3;

/// The first byte of every frame. Below 0x80: from the client; from 0x80 on: from the server. The numbers never
/// change their meaning.
pub mod opcode {
    pub const CLIENT_HELLO: u8 = 0x01;
    pub const AUTHENTICATE: u8 = 0x02;
    pub const SYNC: u8 = 0x03;
    pub const ACKNOWLEDGE: u8 = 0x04;
    pub const SEND_MESSAGE: u8 = 0x05;
    pub const READ_HISTORY: u8 = 0x06;
    pub const LIST_CONVERSATIONS: u8 = 0x07;
    pub const PING: u8 = 0x08;
    pub const LIST_DEVICES: u8 = 0x09;
    pub const RENAME_DEVICE: u8 = 0x0a;
    pub const REVOKE_DEVICE: u8 = 0x0b;
    pub const CREATE_GROUP: u8 = 0x0c;
    pub const CHANGE_GROUP: u8 = 0x0d;
    pub const READ_GROUP: u8 = 0x0e;
    pub const READ_ROSTER: u8 = 0x0f;
    pub const MARK_READ: u8 = 0x10;
    pub const READ_RECEIPTS: u8 = 0x11;
    pub const SET_FLAGS: u8 = 0x12;
    pub const BLOCK_USER: u8 = 0x13;
    pub const READ_SETTINGS: u8 = 0x14;
    pub const CHANGE_SETTINGS: u8 = 0x15;
    pub const WATCH: u8 = 0x16;
    pub const READ_PRESENCE: u8 = 0x17;
    pub const TYPING: u8 = 0x18;
    /// Version 2.
    pub const SEND_BATCH: u8 = 0x20;

    pub const SERVER_HELLO: u8 = 0x81;
    pub const READY: u8 = 0x82;
    pub const REFUSED: u8 = 0x83;
    pub const SENT: u8 = 0x84;
    pub const DELIVERY: u8 = 0x85;
    pub const OWN_SENT: u8 = 0x86;
    pub const GAP: u8 = 0x87;
    pub const PAGE_END: u8 = 0x88;
    pub const SYNC_NEEDED: u8 = 0x89;
    pub const HISTORY_ENTRY: u8 = 0x8a;
    pub const HISTORY_END: u8 = 0x8b;
    pub const CONVERSATIONS: u8 = 0x8c;
    pub const PONG: u8 = 0x8d;
    pub const DRAIN: u8 = 0x8e;
    pub const CLOSED: u8 = 0x8f;
    pub const DEVICES: u8 = 0x90;
    pub const DONE: u8 = 0x91;
    pub const GROUP_DELIVERY: u8 = 0x92;
    pub const RECEIPT: u8 = 0x93;
    pub const GROUP_RECEIPT: u8 = 0x94;
    pub const CONVERSATION_STATE: u8 = 0x95;
    pub const SETTINGS_ENTRY: u8 = 0x96;
    pub const GROUP: u8 = 0x97;
    pub const ROSTER: u8 = 0x98;
    pub const RECEIPTS: u8 = 0x99;
    pub const SETTINGS: u8 = 0x9a;
    pub const PRESENCES: u8 = 0x9b;
    pub const PRESENCE: u8 = 0x9c;
    pub const TYPING_NOTICE: u8 = 0x9d;
    /// Version 2.
    pub const BATCH: u8 = 0xa0;
    /// Version 2.
    pub const HISTORY_BATCH: u8 = 0xa1;
    /// Kept for entries of later versions: each begins with its offset, so that who does not know it can count it.
    pub const LATER_ENTRIES: std::ops::RangeInclusive<u8> = 0xb0..=0xbf;

    /// Whether frames of this opcode exist in a version.
    #[must_use]
    pub const fn is_in_version(opcode: u8, version: u8) -> bool {
        version >= 2 || !matches!(opcode, SEND_BATCH | BATCH | HISTORY_BATCH)
    }
}

/// A frame from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    Hello(ClientHello),
    Authenticate(Authenticate),
    Sync(Sync),
    Acknowledge(Acknowledge),
    SendMessage(Send),
    ReadHistory(Read),
    ListConversations(List),
    Ping(Ping),
    ListDevices(ListDevices),
    RenameDevice(Rename),
    RevokeDevice(Revoke),
    CreateGroup(Create),
    ChangeGroup(Change),
    ReadGroup(AskGroup),
    ReadRoster(AskRoster),
    MarkRead(Mark),
    ReadReceipts(AskReceipts),
    SetFlags(Set),
    BlockUser(Block),
    ReadSettings(AskSettings),
    ChangeSettings(AdjustSettings),
    Watch(Watch),
    ReadPresence(AskPresence),
    Typing(SayTyping),
    /// Sends in order; those that break a rule are refused one by one.
    SendBatch(Vec<Result<Send, RefusedRequest>>),
}

/// A frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFrame {
    Hello(ServerHello),
    Ready(Ready),
    Refused(Refused),
    Sent(SendResult),
    /// Delivery, OwnSent, GroupDelivery, Receipt, GroupReceipt, ConversationState, SettingsEntry, and entries of later
    /// versions.
    Entry(Entry),
    Gap(Gap),
    PageEnd(PageEnd),
    SyncNeeded(SyncNeeded),
    HistoryEntry(HistoryItem),
    HistoryEnd(HistoryEnd),
    Conversations(Conversations),
    Pong(Pong),
    Drain(Drain),
    Closed(Closed),
    Devices(Devices),
    Done(Done),
    Group(Group),
    Roster(Roster),
    Receipts(Receipts),
    Settings(SettingsAnswer),
    Presences(Presences),
    Presence(Presence),
    TypingNotice(Typing),
    Batch(Vec<BatchItem>),
    HistoryBatch(HistoryBatch),
}

/// The payload would not fit one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame's payload has at most {FRAME_PAYLOAD_BYTES_MAX} bytes")]
pub struct FrameTooLong;

impl ClientFrame {
    /// # Errors
    /// [`DecodeError`] for every payload that is not exactly one frame of this opcode.
    pub fn decode(opcode: u8, payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(match opcode {
            opcode::CLIENT_HELLO => Self::Hello(ClientHello::decode(payload)?),
            opcode::AUTHENTICATE => Self::Authenticate(Authenticate::decode(payload)?),
            opcode::SYNC => Self::Sync(Sync::decode(payload)?),
            opcode::ACKNOWLEDGE => Self::Acknowledge(Acknowledge::decode(payload)?),
            opcode::SEND_MESSAGE => Self::SendMessage(Send::decode(payload)?),
            opcode::READ_HISTORY => Self::ReadHistory(Read::decode(payload)?),
            opcode::LIST_CONVERSATIONS => Self::ListConversations(List::decode(payload)?),
            opcode::PING => Self::Ping(Ping::decode(payload)?),
            opcode::LIST_DEVICES => Self::ListDevices(ListDevices::decode(payload)?),
            opcode::RENAME_DEVICE => Self::RenameDevice(Rename::decode(payload)?),
            opcode::REVOKE_DEVICE => Self::RevokeDevice(Revoke::decode(payload)?),
            opcode::CREATE_GROUP => Self::CreateGroup(Create::decode(payload)?),
            opcode::CHANGE_GROUP => Self::ChangeGroup(Change::decode(payload)?),
            opcode::READ_GROUP => Self::ReadGroup(AskGroup::decode(payload)?),
            opcode::READ_ROSTER => Self::ReadRoster(AskRoster::decode(payload)?),
            opcode::MARK_READ => Self::MarkRead(Mark::decode(payload)?),
            opcode::READ_RECEIPTS => Self::ReadReceipts(AskReceipts::decode(payload)?),
            opcode::SET_FLAGS => Self::SetFlags(Set::decode(payload)?),
            opcode::BLOCK_USER => Self::BlockUser(Block::decode(payload)?),
            opcode::READ_SETTINGS => Self::ReadSettings(AskSettings::decode(payload)?),
            opcode::CHANGE_SETTINGS => Self::ChangeSettings(AdjustSettings::decode(payload)?),
            opcode::WATCH => Self::Watch(Watch::decode(payload)?),
            opcode::READ_PRESENCE => Self::ReadPresence(AskPresence::decode(payload)?),
            opcode::TYPING => Self::Typing(SayTyping::decode(payload)?),
            opcode::SEND_BATCH => Self::SendBatch(send_message::decode_batch(payload)?),
            unknown => return Err(DecodeError::UnknownOpcode(unknown)),
        })
    }

    /// Appends the frame.
    ///
    /// # Errors
    /// [`FrameTooLong`], with `out` as before, for a batch that does not fit. Refused items of a batch have no
    /// bytes and are left out.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameTooLong> {
        let start = out.len();
        match self {
            Self::Hello(frame) => frame.encode(out),
            Self::Authenticate(frame) => frame.encode(out),
            Self::Sync(frame) => frame.encode(out),
            Self::Acknowledge(frame) => frame.encode(out),
            Self::SendMessage(frame) => send_message::encode(frame.request, &frame.message, out),
            Self::ReadHistory(frame) => read_history::encode(frame.request, &frame.read, out),
            Self::ListConversations(frame) => frame.encode(out),
            Self::Ping(frame) => frame.encode(out),
            Self::ListDevices(frame) => frame.encode(out),
            Self::RenameDevice(frame) => rename_device::encode(frame.request, &frame.rename, out),
            Self::RevokeDevice(frame) => revoke_device::encode(frame.request, &frame.revoke, out),
            Self::CreateGroup(frame) => create_group::encode(frame.request, &frame.create, out),
            Self::ChangeGroup(frame) => change_group::encode(frame.request, &frame.change, out),
            Self::ReadGroup(frame) => frame.encode(out),
            Self::ReadRoster(frame) => read_roster::encode(frame.request, &frame.read, out),
            Self::MarkRead(frame) => mark_read::encode(frame.request, &frame.mark, out),
            Self::ReadReceipts(frame) => read_receipts::encode(frame.request, &frame.read, out),
            Self::SetFlags(frame) => set_flags::encode(frame.request, &frame.set, out),
            Self::BlockUser(frame) => block_user::encode(frame.request, &frame.block, out),
            Self::ReadSettings(frame) => frame.encode(out),
            Self::ChangeSettings(frame) => frame.encode(out),
            Self::Watch(frame) => presence::encode_watch(frame.request, &frame.watched, out),
            Self::ReadPresence(frame) => presence::encode_read(frame.request, &frame.watched, out),
            Self::Typing(frame) => typing::encode(&frame.target, frame.on, out),
            Self::SendBatch(items) => send_message::encode_batch(items, out),
        }
        check_length(out, start)
    }
}

impl ServerFrame {
    /// # Errors
    /// [`DecodeError`] for every payload that is not exactly one frame of this opcode.
    pub fn decode(opcode: u8, payload: &[u8]) -> Result<Self, DecodeError> {
        if let Some(entry) = Entry::decode(opcode, payload) {
            return entry.map(Self::Entry);
        }
        Ok(match opcode {
            opcode::SERVER_HELLO => Self::Hello(ServerHello::decode(payload)?),
            opcode::READY => Self::Ready(Ready::decode(payload)?),
            opcode::REFUSED => Self::Refused(Refused::decode(payload)?),
            opcode::SENT => Self::Sent(SendResult::decode(payload)?),
            opcode::GAP => Self::Gap(Gap::decode(payload)?),
            opcode::PAGE_END => Self::PageEnd(PageEnd::decode(payload)?),
            opcode::SYNC_NEEDED => Self::SyncNeeded(SyncNeeded::decode(payload)?),
            opcode::HISTORY_ENTRY => Self::HistoryEntry(HistoryItem::decode(payload)?),
            opcode::HISTORY_END => Self::HistoryEnd(HistoryEnd::decode(payload)?),
            opcode::CONVERSATIONS => Self::Conversations(Conversations::decode(payload)?),
            opcode::PONG => Self::Pong(Pong::decode(payload)?),
            opcode::DRAIN => Self::Drain(Drain::decode(payload)?),
            opcode::CLOSED => Self::Closed(Closed::decode(payload)?),
            opcode::DEVICES => Self::Devices(Devices::decode(payload)?),
            opcode::DONE => Self::Done(Done::decode(payload)?),
            opcode::GROUP => Self::Group(Group::decode(payload)?),
            opcode::ROSTER => Self::Roster(Roster::decode(payload)?),
            opcode::RECEIPTS => Self::Receipts(Receipts::decode(payload)?),
            opcode::SETTINGS => Self::Settings(SettingsAnswer::decode(payload)?),
            opcode::PRESENCES => Self::Presences(Presences::decode(payload)?),
            opcode::PRESENCE => Self::Presence(presence::decode_push(payload)?),
            opcode::TYPING_NOTICE => Self::TypingNotice(typing::decode_notice(payload)?),
            opcode::BATCH => Self::Batch(batch::decode(payload)?),
            opcode::HISTORY_BATCH => Self::HistoryBatch(HistoryBatch::decode(payload)?),
            unknown => return Err(DecodeError::UnknownOpcode(unknown)),
        })
    }

    /// Appends the frame.
    ///
    /// # Errors
    /// [`FrameTooLong`], with `out` as before, for a list that does not fit.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), FrameTooLong> {
        let start = out.len();
        match self {
            Self::Hello(frame) => frame.encode(out),
            Self::Ready(frame) => frame.encode(out),
            Self::Refused(frame) => frame.encode(out),
            Self::Sent(frame) => frame.encode(out),
            Self::Entry(entry) => entry.encode(out),
            Self::Gap(frame) => frame.encode(out),
            Self::PageEnd(frame) => frame.encode(out),
            Self::SyncNeeded(frame) => frame.encode(out),
            Self::HistoryEntry(frame) => frame.encode(out),
            Self::HistoryEnd(frame) => frame.encode(out),
            Self::Conversations(frame) => frame.encode(out),
            Self::Pong(frame) => frame.encode(out),
            Self::Drain(frame) => frame.encode(out),
            Self::Closed(frame) => frame.encode(out),
            Self::Devices(frame) => frame.encode(out),
            Self::Done(frame) => frame.encode(out),
            Self::Group(frame) => frame.encode(out),
            Self::Roster(frame) => frame.encode(out),
            Self::Receipts(frame) => frame.encode(out),
            Self::Settings(frame) => frame.encode(out),
            Self::Presences(frame) => frame.encode(out),
            Self::Presence(presence) => presence::encode_push(presence, out),
            Self::TypingNotice(typing) => typing::encode_notice(typing, out),
            Self::Batch(items) => batch::encode(items, out),
            Self::HistoryBatch(frame) => frame.encode(out),
        }
        check_length(out, start)
    }
}

/// A frame cut off the front of a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    pub opcode: u8,
    pub payload: &'a [u8],
    /// What follows the frame.
    pub rest: &'a [u8],
}

/// Cuts off the first frame; `None` while it is not whole.
///
/// # Errors
/// [`FrameTooLong`] as soon as the header says more than `payload_bytes_max`.
pub fn split(bytes: &[u8], payload_bytes_max: usize) -> Result<Option<Envelope<'_>>, FrameTooLong> {
    let Some((header, behind)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let [opcode, high, low] = *header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > payload_bytes_max {
        return Err(FrameTooLong);
    }
    Ok(behind.split_at_checked(length).map(|(payload, rest)| Envelope { opcode, payload, rest }))
}

/// Appends a frame whose payload `write` appends.
pub(crate) fn put_frame(out: &mut Vec<u8>, opcode: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[opcode, 0, 0]);
    write(out);
    set_length(out, start);
}

/// Writes the payload length of the frame that starts at `start` and ends with `out`.
pub(crate) fn set_length(out: &mut [u8], start: usize) {
    let payload = out.len().saturating_sub(start + HEADER_BYTES);
    let length = u16::try_from(payload).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(field) = out.get_mut(start + 1..start + HEADER_BYTES) {
        field.copy_from_slice(&length);
    }
}

/// Takes a frame back that is too long.
pub(crate) fn check_length(out: &mut Vec<u8>, start: usize) -> Result<(), FrameTooLong> {
    if out.len() - start <= HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX {
        return Ok(());
    }
    out.truncate(start);
    Err(FrameTooLong)
}

/// A refusal of one request for a rule that its layout cannot express.
pub(crate) const fn refused(request: RequestId, code: iris_types::ErrorCode) -> DecodeError {
    DecodeError::Refused(RefusedRequest { request, code })
}
