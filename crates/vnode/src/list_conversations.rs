//! A page of a user's conversations.

use std::ops::Range;

use bytes::{BufMut, Bytes};
use iris_types::limits::LIST_ITEMS_MAX;
use iris_types::request::{ConversationPage, ListConversations};
use iris_types::{ConversationSummary, ErrorCode, UserId};

use crate::Line;
use crate::codec::Malformed;
use crate::page::Row;
use crate::rows::{self, ListPart, Listed};

/// Rows that a conversation has in the list at most.
const ROWS_PER_ITEM: usize = 2; // layout

/// Items of the page.
#[must_use]
pub fn limit(request: &ListConversations) -> usize {
    usize::from(request.limit).clamp(1, LIST_ITEMS_MAX)
}

/// Rows to read: those of one item more say whether there are more.
#[must_use]
pub const fn rows(limit: usize) -> usize {
    (limit + 1) * ROWS_PER_ITEM
}

/// Keys of the rows to read.
#[must_use]
pub fn range(user: &UserId, request: &ListConversations) -> Range<Bytes> {
    let mut start = Vec::with_capacity(user.as_bytes().len() + 20);
    start.put_u8(b'x');
    start.put_slice(user.as_bytes());
    start.put_u8(0);
    if let Some(after) = request.after {
        // The first key behind all of `after`.
        start.put_slice(&after.0);
        start.put_u8(u8::MAX);
    }
    let mut end = Vec::with_capacity(user.as_bytes().len() + 2);
    end.put_u8(b'x');
    end.put_slice(user.as_bytes());
    end.put_u8(1);
    Bytes::from(start)..Bytes::from(end)
}

/// Makes the page of the rows found, ascending.
///
/// # Errors
/// [`ErrorCode::DataCorrupt`] for a row that cannot be read.
pub fn page(found: Vec<Row>, limit: usize) -> Result<ConversationPage, ErrorCode> {
    let mut items = items(found).map_err(|_| ErrorCode::DataCorrupt)?;
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(ConversationPage { items, more })
}

fn items(found: Vec<Row>) -> Result<Vec<ConversationSummary>, Malformed> {
    let mut items: Vec<ConversationSummary> = Vec::new();
    for (key, value) in found {
        let (_, conversation, part) = rows::split_list_key(&key).ok_or(Malformed("conversation list key"))?;
        match part {
            ListPart::Listed => {
                let Listed { with, standing, last: last_seq, preview } = Listed::decode(value)?;
                let (read, flags) = <_>::default();
                let unread = last_seq.0;
                let last = preview;
                items.push(ConversationSummary {
                    conversation,
                    with,
                    standing,
                    last_seq,
                    read,
                    unread,
                    flags,
                    last,
                });
            }
            ListPart::Line => {
                // What is set on a conversation without a message is shown with its first.
                let Some(item) = items.last_mut().filter(|item| item.conversation == conversation) else {
                    continue;
                };
                let line = Line::decode(value)?;
                (item.read, item.unread, item.flags) = (line.read, line.unread(item.last_seq), line.flags);
            }
        }
    }
    Ok(items)
}
