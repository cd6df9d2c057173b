//! ReadRoster and Roster: a page of who is in a group.

use iris_types::request::{ReadRoster, RequestId};
use iris_types::{ErrorCode, RosterItem, RosterPage, UserId};

use crate::frame::{opcode, put_frame, refused};
use crate::read_group::{put_role, read_role};
use crate::wire::{DecodeError, Reader, optional_user, put_name, put_u16, put_u32, put_u64};

/// Asks for a page, ascending by name.
///
/// ```text
/// 0    4  request
/// 4    16 group
/// 20   1  length of the name after which the page starts, n; 0: from the start
/// 21   n  that name
/// 21+n 2  items wanted, at least 1; the server may give fewer
///         tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskRoster {
    pub request: RequestId,
    pub read: ReadRoster,
}

/// A page of a roster.
///
/// ```text
/// 0  4  request
/// 4  1  1 when there are more
/// 5  2  number of items
/// 7     the items: length of the name (1), user, role as in Group (1), seq of the change that made it so (8)
///       tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    pub request: RequestId,
    pub page: RosterPage,
}

const ITEM_BYTES_MIN: usize = 11;

impl AskRoster {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, group) = (reader.request()?, reader.conversation()?);
        let (after, limit) = (reader.name()?, reader.u16()?);
        reader.finish()?;
        if limit == 0 {
            return Err(refused(request, ErrorCode::BadFrame));
        }
        let after = optional_user(after).map_err(|code| refused(request, code))?;
        Ok(Self { request, read: ReadRoster { group, after, limit } })
    }
}

/// Appends a ReadRoster frame.
pub(crate) fn encode(request: RequestId, read: &ReadRoster, out: &mut Vec<u8>) {
    put_frame(out, opcode::READ_ROSTER, |out| {
        put_u32(out, request.0);
        out.extend_from_slice(&read.group.0);
        put_name(out, read.after.as_ref().map_or(&[], UserId::as_bytes));
        put_u16(out, read.limit);
    });
}

impl Roster {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode_page(self.request, &self.page, out);
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, more) = (reader.request()?, reader.flag()?);
        let items = reader.list(ITEM_BYTES_MIN, |reader| {
            Ok(RosterItem { user: reader.user()?, role: read_role(reader)?, since: reader.seq()? })
        })?;
        reader.finish()?;
        Ok(Self { request, page: RosterPage { items, more } })
    }
}

/// Appends a Roster frame. A page has at most 256 items of at most 74 bytes, so it fits.
pub(crate) fn encode_page(request: RequestId, page: &RosterPage, out: &mut Vec<u8>) {
    put_frame(out, opcode::ROSTER, |out| {
        put_u32(out, request.0);
        out.push(u8::from(page.more));
        put_u16(out, page.items.len() as u16);
        for item in &page.items {
            put_name(out, item.user.as_bytes());
            put_role(out, item.role);
            put_u64(out, item.since.0);
        }
    });
}
