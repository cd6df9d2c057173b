//! The entries of the inbox as frames and as items of Batch: which kinds there are and what each begins with.
//!
//! Layouts: messages and OwnSent in [`crate::read_inbox`], receipts in [`crate::read_receipts`], the state of a
//! conversation in [`crate::set_flags`], settings in [`crate::settings`].

use bytes::Bytes;
use iris_types::{BodyKind, DeviceId, InboxEntry, InboxItem, InboxMessage, Offset, Peer};

use crate::frame::{opcode, put_frame};
use crate::read_inbox::{OWN_BYTES, OwnSent, message_len, put_message, put_own, read_message};
use crate::read_receipts::{
    GROUP_RECEIPT_BYTES, put_group_receipt, put_receipt, read_group_receipt, read_receipt, receipt_len,
};
use crate::set_flags::{STATE_BYTES, put_state, read_state};
use crate::settings::{SETTINGS_ENTRY_BYTES, put_settings_entry, read_settings};
use crate::wire::{DecodeError, Reader, put_u64};

/// A kind of entry: its frame's opcode, and its number in a Batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Delivery,
    OwnSent,
    GroupDelivery,
    Receipt,
    GroupReceipt,
    ConversationState,
    Settings,
}

impl EntryKind {
    /// `None`: an opcode of something else.
    pub(crate) const fn of_opcode(opcode: u8) -> Option<Self> {
        Some(match opcode {
            opcode::DELIVERY => Self::Delivery,
            opcode::OWN_SENT => Self::OwnSent,
            opcode::GROUP_DELIVERY => Self::GroupDelivery,
            opcode::RECEIPT => Self::Receipt,
            opcode::GROUP_RECEIPT => Self::GroupReceipt,
            opcode::CONVERSATION_STATE => Self::ConversationState,
            opcode::SETTINGS_ENTRY => Self::Settings,
            _ => return None,
        })
    }

    pub(crate) const fn opcode(self) -> u8 {
        match self {
            Self::Delivery => opcode::DELIVERY,
            Self::OwnSent => opcode::OWN_SENT,
            Self::GroupDelivery => opcode::GROUP_DELIVERY,
            Self::Receipt => opcode::RECEIPT,
            Self::GroupReceipt => opcode::GROUP_RECEIPT,
            Self::ConversationState => opcode::CONVERSATION_STATE,
            Self::Settings => opcode::SETTINGS_ENTRY,
        }
    }

    /// In a Batch; 3 is Sent, which is no entry by itself.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Delivery => 1,
            Self::OwnSent => 2,
            Self::GroupDelivery => 16,
            Self::Receipt => 17,
            Self::GroupReceipt => 18,
            Self::ConversationState => 19,
            Self::Settings => 20,
        }
    }

    pub(crate) const fn of_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Delivery,
            2 => Self::OwnSent,
            16 => Self::GroupDelivery,
            17 => Self::Receipt,
            18 => Self::GroupReceipt,
            19 => Self::ConversationState,
            20 => Self::Settings,
            _ => return None,
        })
    }

    fn of_item(item: &InboxItem) -> Self {
        match item {
            InboxItem::Message(InboxMessage { with: Peer::User(_), .. }) => Self::Delivery,
            InboxItem::Message(InboxMessage { with: Peer::Group(_), .. }) => Self::GroupDelivery,
            InboxItem::Receipt(_) => Self::Receipt,
            InboxItem::GroupReceipt(_) => Self::GroupReceipt,
            InboxItem::State(_) => Self::ConversationState,
            InboxItem::Settings(..) => Self::Settings,
        }
    }
}

/// An entry as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// With everything in it. The `origin` of a message does not travel.
    Whole(InboxEntry),
    /// A message that this device sent, without its body.
    OwnSent(OwnSent),
    /// Of a kind that this version does not know; it takes its place all the same.
    Later(LaterEntry),
}

/// An entry of a later version: it begins with its offset, and nobody here knows the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterEntry {
    pub form: LaterForm,
    pub offset: Offset,
    pub rest: Bytes,
}

/// How an unknown entry came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaterForm {
    /// As a frame with this opcode, one of [`opcode::LATER_ENTRIES`].
    Frame(u8),
    /// As an item of Batch of this kind.
    Item(u8),
}

impl Entry {
    #[must_use]
    pub const fn offset(&self) -> Offset {
        match self {
            Self::Whole(entry) => entry.offset,
            Self::OwnSent(own) => own.offset,
            Self::Later(later) => later.offset,
        }
    }

    /// Reads the frame of an entry; `None` for an opcode of something else.
    pub(crate) fn decode(opcode: u8, payload: &[u8]) -> Option<Result<Self, DecodeError>> {
        if opcode::LATER_ENTRIES.contains(&opcode) {
            return Some(LaterEntry::read(LaterForm::Frame(opcode), Reader::new(payload)).map(Self::Later));
        }
        EntryKind::of_opcode(opcode).map(|kind| Self::whole(kind, Reader::new(payload)))
    }

    /// Reads everything that is left: the fields of this kind and tagged fields.
    pub(crate) fn whole(kind: EntryKind, mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let entry = Self::read(kind, &mut reader)?;
        reader.finish()?;
        Ok(entry)
    }

    /// Reads the fields of this kind.
    pub(crate) fn read(kind: EntryKind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if kind == EntryKind::OwnSent {
            return OwnSent::read(reader).map(Self::OwnSent);
        }
        let offset = reader.offset()?;
        let item = match kind {
            EntryKind::Delivery | EntryKind::OwnSent => InboxItem::Message(read_message(reader, false)?),
            EntryKind::GroupDelivery => InboxItem::Message(read_message(reader, true)?),
            EntryKind::Receipt => InboxItem::Receipt(read_receipt(reader)?),
            EntryKind::GroupReceipt => InboxItem::GroupReceipt(read_group_receipt(reader)?),
            EntryKind::ConversationState => InboxItem::State(read_state(reader)?),
            EntryKind::Settings => InboxItem::Settings(read_settings(reader)?, reader.timestamp()?),
        };
        Ok(Self::Whole(InboxEntry { offset, item }))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Whole(entry) => Outgoing::Whole(entry).encode(out),
            Self::OwnSent(own) => Outgoing::Own(*own).encode(out),
            Self::Later(later) => later.encode(out),
        }
    }
}

impl LaterEntry {
    pub(crate) fn read(form: LaterForm, mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let offset = reader.offset()?;
        Ok(Self { form, offset, rest: Bytes::copy_from_slice(reader.take_rest()) })
    }

    /// Writes it as it came.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self.form {
            LaterForm::Frame(opcode) => put_frame(out, opcode, |out| self.put(out)),
            LaterForm::Item(kind) => put_item(out, kind, |out| self.put(out)),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_u64(out, self.offset.0);
        out.extend_from_slice(&self.rest);
    }
}

/// What goes out for an entry.
#[derive(Clone, Copy)]
pub(crate) enum Outgoing<'a> {
    Whole(&'a InboxEntry),
    Own(OwnSent),
}

impl<'a> Outgoing<'a> {
    /// A device has the body of what it sent itself. A change of a group has none that a device knows before.
    pub(crate) fn of(entry: &'a InboxEntry, device: Option<&DeviceId>) -> Self {
        match &entry.item {
            InboxItem::Message(message)
                if message.origin.is_some()
                    && message.origin.as_ref() == device
                    && message.body.kind() != BodyKind::CHANGE =>
            {
                Self::Own(OwnSent {
                    offset: entry.offset,
                    conversation: message.conversation,
                    seq: message.seq,
                    id: message.id,
                    sent_at: message.sent_at,
                })
            }
            _ => Self::Whole(entry),
        }
    }

    fn kind(&self) -> EntryKind {
        match self {
            Self::Whole(entry) => EntryKind::of_item(&entry.item),
            Self::Own(_) => EntryKind::OwnSent,
        }
    }

    /// Bytes of the fields.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Own(_) => OWN_BYTES,
            Self::Whole(entry) => match &entry.item {
                InboxItem::Message(message) => message_len(message),
                InboxItem::Receipt(receipt) => receipt_len(receipt),
                InboxItem::GroupReceipt(_) => GROUP_RECEIPT_BYTES,
                InboxItem::State(_) => STATE_BYTES,
                InboxItem::Settings(..) => SETTINGS_ENTRY_BYTES,
            },
        }
    }

    /// Bytes of the item of a Batch.
    pub(crate) fn item_len(&self) -> usize {
        let head = if has_length(self.kind().number()) { 3 } else { 1 };
        head + self.len()
    }

    /// Appends the frame.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, self.kind().opcode(), |out| self.put(out));
    }

    /// Appends the item of a Batch.
    pub(crate) fn put_item(&self, out: &mut Vec<u8>) {
        put_item(out, self.kind().number(), |out| self.put(out));
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Own(own) => put_own(out, own),
            Self::Whole(InboxEntry { offset, item }) => match item {
                InboxItem::Message(message) => put_message(out, *offset, message),
                InboxItem::Receipt(receipt) => put_receipt(out, *offset, receipt),
                InboxItem::GroupReceipt(receipt) => put_group_receipt(out, *offset, receipt),
                InboxItem::State(state) => put_state(out, *offset, state),
                InboxItem::Settings(settings, at) => put_settings_entry(out, *offset, *settings, *at),
            },
        }
    }
}

/// Whether items of this kind say how long they are, so that who does not know the kind can skip them.
pub(crate) const fn has_length(number: u8) -> bool {
    number >= 16
}

/// Appends kind, length if the kind has one, and what `write` appends: less than 64 KiB, as it fits a frame.
fn put_item(out: &mut Vec<u8>, number: u8, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(number);
    if !has_length(number) {
        return write(out);
    }
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    write(out);
    let length = u16::try_from(out.len() - start - 2).unwrap_or(u16::MAX).to_be_bytes();
    if let Some(field) = out.get_mut(start..start + 2) {
        field.copy_from_slice(&length);
    }
}
