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

/// A page that is being made: what is set on conversations without a message has rows and is no item, so that one
/// read is not always enough.
#[derive(Debug)]
pub struct Gathering {
    limit: usize,
    items: Vec<ConversationSummary>,
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

impl Gathering {
    #[must_use]
    pub fn new(request: &ListConversations) -> Self {
        let limit = usize::from(request.limit).clamp(1, LIST_ITEMS_MAX);
        Self { limit, items: Vec::new() }
    }

    /// Rows to read next: those of one item more say whether there are more.
    #[must_use]
    pub fn rows(&self) -> usize {
        (self.limit + 1).saturating_sub(self.items.len()).max(1) * ROWS_PER_ITEM
    }

    /// Takes the rows found, ascending, of which `asked` were asked for. The key to go on from, if that is not enough.
    ///
    /// # Errors
    /// [`ErrorCode::DataCorrupt`] for a row that cannot be read.
    pub fn take(&mut self, mut found: Vec<Row>, asked: usize) -> Result<Option<Bytes>, ErrorCode> {
        // What lies beyond may have holes: memory and runs were each read so far only.
        found.truncate(asked);
        let is_cut = found.len() == asked;
        let last = found.last().map(|(key, _)| key.clone());
        for (key, value) in found {
            self.take_row(&key, value).map_err(|_| ErrorCode::DataCorrupt)?;
        }
        let Some(last) = last.filter(|_| is_cut && self.items.len() <= self.limit) else { return Ok(None) };
        let (_, _, part) = rows::split_list_key(&last).ok_or(ErrorCode::DataCorrupt)?;
        if part == ListPart::Listed {
            // Its other row comes next; both are read again.
            self.items.pop();
            return Ok(Some(last));
        }
        Ok(Some(Bytes::from([&last[..], &[0]].concat())))
    }

    #[must_use]
    pub fn finish(mut self) -> ConversationPage {
        let more = self.items.len() > self.limit;
        self.items.truncate(self.limit);
        ConversationPage { items: self.items, more }
    }

    fn take_row(&mut self, key: &[u8], value: Bytes) -> Result<(), Malformed> {
        let (_, conversation, part) = rows::split_list_key(key).ok_or(Malformed("conversation list key"))?;
        match part {
            ListPart::Listed => {
                let Listed { with, standing, last: last_seq, preview: last } = Listed::decode(value)?;
                let ((read, flags), unread) = (<_>::default(), last_seq.0);
                let item =
                    ConversationSummary { conversation, with, standing, last_seq, read, unread, flags, last };
                self.items.push(item);
            }
            ListPart::Line => {
                let line = Line::decode(value)?;
                // What is set on a conversation without a message is shown with its first.
                if let Some(item) = self.items.last_mut().filter(|item| item.conversation == conversation) {
                    (item.read, item.unread, item.flags) =
                        (line.read, line.unread(item.last_seq), line.flags);
                }
            }
        }
        Ok(())
    }
}
