//! ReadReceipts and Receipts: who has a message. Receipt and GroupReceipt: the entries that tell how many.

use iris_types::request::{ReadReceipts, RequestId};
use iris_types::{ErrorCode, GroupReceipt, Marks, Offset, Receipt, ReceiptPage, UserId};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{
    DecodeError, Reader, name_len, optional_user, put_name, put_target, put_u16, put_u32, put_u64,
};

/// Asks for a page of those who have a message, ascending by name.
///
/// ```text
/// 0      4  request
/// 4      t  target: length of the other member's name (1), other member; or a byte 0, group (16)
/// 4+t    8  seq
/// 12+t   1  length of the name after which the page starts, n; 0: from the start
/// 13+t   n  that name
/// 13+t+n 2  items wanted, at least 1; the server may give fewer
///           tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskReceipts {
    pub request: RequestId,
    pub read: ReadReceipts,
}

/// Who has the message. The counts leave its author out.
///
/// ```text
/// 0   4  request
/// 4   4  members who have it
/// 8   4  members who have read it
/// 12  4  members who should have it
/// 16  1  1 when there are more items
/// 17  2  number of items
/// 19     the items: length of the name (1), user, delivered up to this seq (8), read up to this seq (8)
///        tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipts {
    pub request: RequestId,
    pub page: ReceiptPage,
}

const ITEM_BYTES_MIN: usize = 18;

impl AskReceipts {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, target, seq) = (reader.request()?, reader.target()?, reader.seq()?);
        let (after, limit) = (reader.name()?, reader.u16()?);
        reader.finish()?;
        if limit == 0 {
            return Err(refused(request, ErrorCode::BadFrame));
        }
        let target = target.check().map_err(|code| refused(request, code))?;
        let after = optional_user(after).map_err(|code| refused(request, code))?;
        Ok(Self { request, read: ReadReceipts { target, seq, after, limit } })
    }
}

/// Appends a ReadReceipts frame.
pub(crate) fn encode(request: RequestId, read: &ReadReceipts, out: &mut Vec<u8>) {
    put_frame(out, opcode::READ_RECEIPTS, |out| {
        put_u32(out, request.0);
        put_target(out, &read.target);
        put_u64(out, read.seq.0);
        put_name(out, read.after.as_ref().map_or(&[], UserId::as_bytes));
        put_u16(out, read.limit);
    });
}

impl Receipts {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode_page(self.request, &self.page, out);
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = reader.request()?;
        let (delivered, read, members) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let more = reader.flag()?;
        let by = reader.list(ITEM_BYTES_MIN, |reader| Ok((reader.user()?, read_marks(reader)?)))?;
        reader.finish()?;
        Ok(Self { request, page: ReceiptPage { delivered, read, members, by, more } })
    }
}

/// Appends a Receipts frame. A page has at most 256 items of at most 81 bytes, so it fits.
pub(crate) fn encode_page(request: RequestId, page: &ReceiptPage, out: &mut Vec<u8>) {
    put_frame(out, opcode::RECEIPTS, |out| {
        put_u32(out, request.0);
        put_u32(out, page.delivered);
        put_u32(out, page.read);
        put_u32(out, page.members);
        out.push(u8::from(page.more));
        put_u16(out, page.by.len() as u16);
        for (user, marks) in &page.by {
            put_name(out, user.as_bytes());
            put_marks(out, *marks);
        }
    });
}

/// Fields of a Receipt, an entry: the other member of a direct conversation is so far.
///
/// ```text
/// 0    8  offset
/// 8    16 conversation
/// 24   1  length of the name, n
/// 25   n  user
/// 25+n 8  delivered up to this seq
/// 33+n 8  read up to this seq
/// 41+n 8  time, Unix milliseconds
/// ```
pub(crate) fn put_receipt(out: &mut Vec<u8>, offset: Offset, receipt: &Receipt) {
    put_u64(out, offset.0);
    out.extend_from_slice(&receipt.conversation.0);
    put_name(out, receipt.user.as_bytes());
    put_marks(out, receipt.marks);
    put_u64(out, receipt.at.0);
}

/// Bytes that [`put_receipt`] takes.
pub(crate) fn receipt_len(receipt: &Receipt) -> usize {
    48 + name_len(receipt.user.as_bytes())
}

pub(crate) fn read_receipt(reader: &mut Reader<'_>) -> Result<Receipt, DecodeError> {
    Ok(Receipt {
        conversation: reader.conversation()?,
        user: reader.user()?,
        marks: read_marks(reader)?,
        at: reader.timestamp()?,
    })
}

/// Fields of a GroupReceipt, an entry: how far a group has the user's newest message.
///
/// ```text
/// 0   8  offset
/// 8   16 group
/// 24  8  seq of that message
/// 32  4  members who have it
/// 36  4  members who have read it
/// 40  4  members who should have it
/// 44  8  delivered to everybody up to this seq
/// 52  8  read by everybody up to this seq
/// 60  8  time, Unix milliseconds
/// ```
pub(crate) fn put_group_receipt(out: &mut Vec<u8>, offset: Offset, receipt: &GroupReceipt) {
    put_u64(out, offset.0);
    out.extend_from_slice(&receipt.group.0);
    put_u64(out, receipt.seq.0);
    put_u32(out, receipt.delivered);
    put_u32(out, receipt.read);
    put_u32(out, receipt.members);
    put_marks(out, receipt.everybody);
    put_u64(out, receipt.at.0);
}

/// Bytes that [`put_group_receipt`] takes.
pub(crate) const GROUP_RECEIPT_BYTES: usize = 68;

pub(crate) fn read_group_receipt(reader: &mut Reader<'_>) -> Result<GroupReceipt, DecodeError> {
    Ok(GroupReceipt {
        group: reader.conversation()?,
        seq: reader.seq()?,
        delivered: reader.u32()?,
        read: reader.u32()?,
        members: reader.u32()?,
        everybody: read_marks(reader)?,
        at: reader.timestamp()?,
    })
}

fn put_marks(out: &mut Vec<u8>, marks: Marks) {
    put_u64(out, marks.delivered.0);
    put_u64(out, marks.read.0);
}

fn read_marks(reader: &mut Reader<'_>) -> Result<Marks, DecodeError> {
    Ok(Marks { delivered: reader.seq()?, read: reader.seq()? })
}
