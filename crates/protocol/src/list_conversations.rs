//! ListConversations and Conversations: a page of the user's conversations.

use iris_types::request::{ConversationPage, ListConversations, RequestId};
use iris_types::{ConversationSummary, ErrorCode};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_name, put_u16, put_u32, put_u64};

/// Asks for a page of the list, ascending by conversation.
///
/// ```text
/// 0    4  request
/// 4    1  1 when a conversation follows, 0: from the start
/// 5    16 conversation after which the page starts, a = 16 or 0 bytes
/// 5+a  2  items wanted, at least 1; the server may give fewer
///         tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    pub request: RequestId,
    pub list: ListConversations,
}

/// A page of the list.
///
/// ```text
/// 0  4  request
/// 4  1  1 when there are more
/// 5  2  number of items
/// 7     the items: conversation (16), length of the other member's name (1), other member,
///       last seq (8)
///       tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversations {
    pub request: RequestId,
    pub page: ConversationPage,
}

const ITEM_BYTES_MIN: usize = 26;

impl List {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::LIST_CONVERSATIONS, |out| {
            put_u32(out, self.request.0);
            out.push(u8::from(self.list.after.is_some()));
            if let Some(after) = self.list.after {
                out.extend_from_slice(&after.0);
            }
            put_u16(out, self.list.limit);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = reader.request()?;
        let after = if reader.flag()? { Some(reader.conversation()?) } else { None };
        let limit = reader.u16()?;
        reader.finish()?;
        if limit == 0 {
            return Err(refused(request, ErrorCode::BadFrame));
        }
        Ok(Self { request, list: ListConversations { after, limit } })
    }
}

impl Conversations {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode_page(self.request, &self.page, out);
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, more) = (reader.request()?, reader.flag()?);
        let items = reader.list(ITEM_BYTES_MIN, |reader| {
            Ok(ConversationSummary {
                conversation: reader.conversation()?,
                with: reader.user()?,
                last_seq: reader.seq()?,
            })
        })?;
        reader.finish()?;
        Ok(Self { request, page: ConversationPage { items, more } })
    }
}

/// Appends a Conversations frame. A page has at most 256 items of at most 89 bytes, so it fits.
pub(crate) fn encode_page(request: RequestId, page: &ConversationPage, out: &mut Vec<u8>) {
    put_frame(out, opcode::CONVERSATIONS, |out| {
        put_u32(out, request.0);
        out.push(u8::from(page.more));
        put_u16(out, page.items.len() as u16);
        for item in &page.items {
            out.extend_from_slice(&item.conversation.0);
            put_name(out, item.with.as_bytes());
            put_u64(out, item.last_seq.0);
        }
    });
}
