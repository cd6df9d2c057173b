//! Batch: results and inbox entries in one frame, in the order in which they happened. Version 2.

use crate::frame::{opcode, put_frame};
use crate::read_inbox::{Delivery, OWN_BYTES, OwnSent, put_message, put_own};
use crate::send_message::{RESULT_BYTES, SendResult, put_result};
use crate::wire::{DecodeError, Reader, put_u16};

/// One item.
///
/// ```text
/// 0  1  1: Delivery, 2: OwnSent, 3: Sent
/// 1     that frame's fields
/// ```
///
/// The frame: number of items (2 bytes, at least 1), the items, tagged fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchItem {
    Delivery(Delivery),
    OwnSent(OwnSent),
    Sent(SendResult),
}

pub(crate) const KIND_DELIVERY: u8 = 1;
pub(crate) const KIND_OWN_SENT: u8 = 2;
pub(crate) const KIND_SENT: u8 = 3;

/// The shortest item there is.
const ITEM_BYTES_MIN: usize = 1 + if OWN_BYTES < RESULT_BYTES { OWN_BYTES } else { RESULT_BYTES };

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
            Self::Delivery(delivery) => {
                out.push(KIND_DELIVERY);
                put_message(out, delivery.offset, &delivery.message);
            }
            Self::OwnSent(own) => {
                out.push(KIND_OWN_SENT);
                put_own(out, own);
            }
            Self::Sent(result) => {
                out.push(KIND_SENT);
                put_result(out, result);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            KIND_DELIVERY => Delivery::read(reader).map(Self::Delivery),
            KIND_OWN_SENT => OwnSent::read(reader).map(Self::OwnSent),
            KIND_SENT => SendResult::read(reader).map(Self::Sent),
            _ => Err(DecodeError::Value),
        }
    }
}
