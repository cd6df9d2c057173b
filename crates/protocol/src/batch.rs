//! Batch: results and inbox entries in one frame, in the order in which they happened. Version 2.

use crate::entry::{Entry, EntryKind, LaterEntry, LaterForm, Outgoing, has_length};
use crate::frame::{opcode, put_frame};
use crate::read_inbox::OWN_BYTES;
use crate::send_message::{RESULT_BYTES, SendResult, put_result};
use crate::settings::SETTINGS_ENTRY_BYTES;
use crate::wire::{DecodeError, Reader, put_u16};

/// One item.
///
/// ```text
/// 0  1  1: Delivery, 2: OwnSent, 3: Sent
/// 1     that frame's fields
/// ```
///
/// From kind 16 on, so that who does not know a kind can skip it:
///
/// ```text
/// 0  1  16: GroupDelivery, 17: Receipt, 18: GroupReceipt, 19: ConversationState, 20: SettingsEntry
/// 1  2  length of the rest
/// 3     that frame's fields, beginning with the offset of an entry; tagged fields
/// ```
///
/// The frame: number of items (2 bytes, at least 1), the items, tagged fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchItem {
    Entry(Entry),
    Sent(SendResult),
}

pub(crate) const KIND_SENT: u8 = 3;

/// The shortest items there are.
const ITEM_BYTES_MIN: usize = 3 + SETTINGS_ENTRY_BYTES;
const _: () = assert!(ITEM_BYTES_MIN <= 1 + OWN_BYTES && ITEM_BYTES_MIN <= 1 + RESULT_BYTES);

/// Appends a Batch frame, whether it fits or not.
pub(crate) fn encode(items: &[BatchItem], out: &mut Vec<u8>) {
    put_frame(out, opcode::BATCH, |out| {
        put_u16(out, items.len() as u16);
        items.iter().for_each(|item| item.put(out));
    });
}

pub(crate) fn decode(payload: &[u8]) -> Result<Vec<BatchItem>, DecodeError> {
    let mut reader = Reader::new(payload);
    let items = reader.batch(ITEM_BYTES_MIN, BatchItem::read)?;
    reader.finish()?;
    Ok(items)
}

impl BatchItem {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Entry(Entry::Whole(entry)) => Outgoing::Whole(entry).put_item(out),
            Self::Entry(Entry::OwnSent(own)) => Outgoing::Own(*own).put_item(out),
            Self::Entry(Entry::Later(later)) => later.encode(out),
            Self::Sent(result) => {
                out.push(KIND_SENT);
                put_result(out, result);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = reader.u8()?;
        if number == KIND_SENT {
            return SendResult::read(reader).map(Self::Sent);
        }
        let kind = EntryKind::of_number(number);
        let entry = if has_length(number) {
            let fields = Reader::new(reader.long()?);
            match kind {
                Some(kind) => Entry::whole(kind, fields)?,
                None => Entry::Later(LaterEntry::read(LaterForm::Item(number), fields)?),
            }
        } else {
            Entry::read(kind.ok_or(DecodeError::Value)?, reader)?
        };
        Ok(Self::Entry(entry))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use iris_types::{InboxEntry, InboxItem, Offset, Settings, Timestamp};

    use super::*;

    fn settings(offset: u64) -> BatchItem {
        let item = InboxItem::Settings(Settings::default(), Timestamp(9));
        BatchItem::Entry(Entry::Whole(InboxEntry { offset: Offset(offset), item }))
    }

    #[test]
    fn an_item_with_a_length_may_have_tagged_fields_and_must_end_with_it() {
        let mut out = Vec::new();
        encode(&[settings(1), settings(2)], &mut out);
        let payload = out.get(3..).unwrap();
        assert_eq!(decode(payload), Ok(vec![settings(1), settings(2)]));
        // The first item gets three bytes more: a tagged field without bytes, which is skipped.
        let with_more = |more: &[u8], length: u8| {
            let (first, second) = payload.split_at(2 + ITEM_BYTES_MIN);
            let mut longer = [first, more, second].concat();
            *longer.get_mut(4).unwrap() = length;
            decode(&longer)
        };
        assert_eq!(with_more(&[9, 0, 0], 22), Ok(vec![settings(1), settings(2)]));
        assert_eq!(with_more(&[9, 0], 21), Err(DecodeError::Tail));
        assert_eq!(with_more(&[], 18), Err(DecodeError::Truncated));
        assert_eq!(decode(payload.get(..payload.len() - 1).unwrap()), Err(DecodeError::Truncated));
    }
}
