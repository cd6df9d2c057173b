//! ListConversations and Conversations: a page of the user's conversations.

use bytes::Bytes;
use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use iris_types::request::{ConversationPage, ListConversations, RequestId};
use iris_types::{BodyKind, ConversationSummary, ErrorCode, Preview, Standing};

use crate::frame::{opcode, put_frame, refused};
use crate::set_flags::read_flags;
use crate::wire::{
    DecodeError, Reader, name_len, peer_len, put_long, put_name, put_peer, put_u16, put_u32, put_u64,
};

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
/// 7     the items: conversation (16); length of the other member's name (1), other member, or a byte 0, length
///       of the group's title (1), title; 0 member, 1 invited, 2 gone (1); last seq (8); read up to this seq (8);
///       unread messages (8); flags: 1 muted, 2 pinned, 4 archived, 8 blocked (1); then of the last message:
///       length of the sender's name (1), sender, time of the commit (8), kind of the body (1),
///       length of the preview (2), preview
///       tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversations {
    pub request: RequestId,
    pub page: ConversationPage,
}

const ITEM_BYTES_MIN: usize = 57;
/// Request, flag, number of items.
const HEAD_BYTES: usize = 7;

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
        let items = reader.list(ITEM_BYTES_MIN, read_item)?;
        reader.finish()?;
        Ok(Self { request, page: ConversationPage { items, more } })
    }
}

/// Appends a Conversations frame with as many of the items as fit; `more` says so if those are not all.
pub(crate) fn encode_page(request: RequestId, page: &ConversationPage, out: &mut Vec<u8>) {
    let mut bytes = HEAD_BYTES;
    let fitting = page.items.iter().take_while(|item| {
        bytes += item_len(item);
        bytes <= FRAME_PAYLOAD_BYTES_MAX
    });
    let count = fitting.count();
    put_frame(out, opcode::CONVERSATIONS, |out| {
        put_u32(out, request.0);
        out.push(u8::from(page.more || count < page.items.len()));
        put_u16(out, count as u16);
        page.items.iter().take(count).for_each(|item| put_item(out, item));
    });
}

/// Bytes that [`put_item`] takes.
fn item_len(item: &ConversationSummary) -> usize {
    53 + peer_len(&item.with) + name_len(item.last.from.as_bytes()) + item.last.text.len()
}

fn put_item(out: &mut Vec<u8>, item: &ConversationSummary) {
    out.extend_from_slice(&item.conversation.0);
    put_peer(out, &item.with);
    out.push(item.standing.number());
    put_u64(out, item.last_seq.0);
    put_u64(out, item.read.0);
    put_u64(out, item.unread);
    out.push(item.flags.bits());
    put_name(out, item.last.from.as_bytes());
    put_u64(out, item.last.sent_at.0);
    out.push(item.last.kind.0);
    put_long(out, &item.last.text);
}

fn read_item(reader: &mut Reader<'_>) -> Result<ConversationSummary, DecodeError> {
    Ok(ConversationSummary {
        conversation: reader.conversation()?,
        with: reader.peer()?,
        standing: Standing::from_number(reader.u8()?).ok_or(DecodeError::Value)?,
        last_seq: reader.seq()?,
        read: reader.seq()?,
        unread: reader.u64()?,
        flags: read_flags(reader)?,
        last: read_preview(reader)?,
    })
}

fn read_preview(reader: &mut Reader<'_>) -> Result<Preview, DecodeError> {
    let (from, sent_at) = (reader.user()?, reader.timestamp()?);
    let (kind, text) = (BodyKind(reader.u8()?), reader.long()?);
    if kind == BodyKind::TEXT && std::str::from_utf8(text).is_err() {
        return Err(DecodeError::Value);
    }
    Ok(Preview { from, sent_at, kind, text: Bytes::copy_from_slice(text) })
}
