//! A page of a user's conversations.

use std::ops::Range;

use bytes::{BufMut, Bytes};
use iris_types::limits::PAGE_ITEMS_MAX;
use iris_types::request::{ConversationPage, ListConversations};
use iris_types::{ConversationId, ConversationSummary, ErrorCode, UserId};

use crate::page::Row;
use crate::rows;

/// Items of the page.
#[must_use]
pub fn limit(request: &ListConversations) -> usize {
    usize::from(request.limit).clamp(1, PAGE_ITEMS_MAX)
}

/// Keys of the rows to read.
#[must_use]
pub fn range(user: &UserId, request: &ListConversations) -> Range<Bytes> {
    let start = match request.after {
        Some(after) => rows::listed_key(user, after).to_vec(),
        None => rows::listed_key(user, ConversationId([0; 16])).to_vec(),
    };
    let mut start = start;
    if request.after.is_some() {
        // The first key behind that of `after`.
        start.put_u8(0);
    }
    let mut end = Vec::with_capacity(user.as_bytes().len() + 2);
    end.put_u8(b'x');
    end.put_slice(user.as_bytes());
    end.put_u8(1);
    Bytes::from(start)..Bytes::from(end)
}

/// Makes the page of the rows found, ascending; one more than the limit says that there are more.
///
/// # Errors
/// [`ErrorCode::DataCorrupt`] for a row that cannot be read.
pub fn page(found: Vec<Row>, limit: usize) -> Result<ConversationPage, ErrorCode> {
    let more = found.len() > limit;
    let items = found.into_iter().take(limit).map(summary).collect::<Option<Vec<_>>>();
    Ok(ConversationPage { items: items.ok_or(ErrorCode::DataCorrupt)?, more })
}

fn summary((key, value): Row) -> Option<ConversationSummary> {
    let conversation = ConversationId(*key.last_chunk::<16>()?);
    let (last_seq, with) = rows::read_listed(value).ok()?;
    Some(ConversationSummary { conversation, with, last_seq })
}
