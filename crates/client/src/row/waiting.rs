//! Entries that the application has yet to take.

use iris_types::{
    Audience, ConversationId, ConversationState, Flags, GroupReceipt, InboxItem, Marks, Offset, Receipt, Seq,
    Settings, Timestamp,
};

use super::fields::{Reader, put_text};

/// What an entry that waits for the application is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WaitingRow {
    /// In the table of messages.
    Message {
        conversation: ConversationId,
        seq: Seq,
    },
    Gap {
        first: Offset,
    },
    /// Anything but a message.
    Item(InboxItem),
}

impl WaitingRow {
    /// What to keep of an entry; a message is kept elsewhere.
    pub(crate) fn of(item: &InboxItem) -> Self {
        match item {
            InboxItem::Message(message) => {
                Self::Message { conversation: message.conversation, seq: message.seq }
            }
            item => Self::Item(item.clone()),
        }
    }
}

pub(crate) fn encode_waiting(waiting: &WaitingRow) -> Vec<u8> {
    let mut row = Vec::with_capacity(64);
    match waiting {
        WaitingRow::Message { conversation, seq } => {
            row.push(1);
            row.extend(conversation.0);
            row.extend(seq.0.to_be_bytes());
        }
        WaitingRow::Gap { first } => {
            row.push(2);
            row.extend(first.0.to_be_bytes());
        }
        WaitingRow::Item(item) => put_item(&mut row, item),
    }
    row
}

pub(crate) fn decode_waiting(row: &[u8]) -> Option<WaitingRow> {
    let mut row = Reader(row);
    let waiting = match row.byte()? {
        1 => WaitingRow::Message { conversation: row.conversation()?, seq: row.seq()? },
        2 => WaitingRow::Gap { first: Offset(row.u64()?) },
        kind => WaitingRow::Item(item(kind, &mut row)?),
    };
    row.end(waiting)
}

fn put_item(row: &mut Vec<u8>, item: &InboxItem) {
    match item {
        // Kept in the table of messages.
        InboxItem::Message(_) => {}
        InboxItem::Receipt(receipt) => {
            row.push(3);
            row.extend(receipt.conversation.0);
            put_text(row, receipt.user.as_bytes());
            put_marks(row, receipt.marks);
            row.extend(receipt.at.0.to_be_bytes());
        }
        InboxItem::GroupReceipt(receipt) => {
            row.push(4);
            row.extend(receipt.group.0);
            row.extend(receipt.seq.0.to_be_bytes());
            for count in [receipt.delivered, receipt.read, receipt.members] {
                row.extend(count.to_be_bytes());
            }
            put_marks(row, receipt.everybody);
            row.extend(receipt.at.0.to_be_bytes());
        }
        InboxItem::State(state) => {
            row.push(5);
            row.extend(state.conversation.0);
            row.extend(state.read.0.to_be_bytes());
            row.extend(state.unread.to_be_bytes());
            row.push(state.flags.bits());
            row.extend(state.at.0.to_be_bytes());
        }
        InboxItem::Settings(settings, at) => {
            row.push(6);
            row.push(u8::from(settings.read_receipts));
            row.push(settings.last_seen.number());
            row.push(u8::from(settings.typing));
            row.extend(at.0.to_be_bytes());
        }
    }
}

fn put_marks(row: &mut Vec<u8>, marks: Marks) {
    row.extend(marks.delivered.0.to_be_bytes());
    row.extend(marks.read.0.to_be_bytes());
}

fn item(kind: u8, row: &mut Reader<'_>) -> Option<InboxItem> {
    Some(match kind {
        3 => InboxItem::Receipt(Receipt {
            conversation: row.conversation()?,
            user: row.user()?,
            marks: marks(row)?,
            at: row.time()?,
        }),
        4 => InboxItem::GroupReceipt(GroupReceipt {
            group: row.conversation()?,
            seq: row.seq()?,
            delivered: row.u32()?,
            read: row.u32()?,
            members: row.u32()?,
            everybody: marks(row)?,
            at: row.time()?,
        }),
        5 => InboxItem::State(ConversationState {
            conversation: row.conversation()?,
            read: row.seq()?,
            unread: row.u64()?,
            flags: Flags::from_bits(row.byte()?)?,
            at: row.time()?,
        }),
        6 => {
            let settings = Settings {
                read_receipts: row.flag()?,
                last_seen: Audience::from_number(row.byte()?)?,
                typing: row.flag()?,
            };
            InboxItem::Settings(settings, Timestamp(row.u64()?))
        }
        _ => return None,
    })
}

fn marks(row: &mut Reader<'_>) -> Option<Marks> {
    Some(Marks { delivered: row.seq()?, read: row.seq()? })
}
