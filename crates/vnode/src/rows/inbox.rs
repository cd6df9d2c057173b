//! Rows of a user: the inbox and the list of conversations.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use iris_types::{
    BodyKind, ConversationId, InboxEntry, InboxMessage, Offset, Peer, Preview, Seq, Standing, UserId,
};

use super::cut;
use crate::codec::{Malformed, Reader, put_name, put_peer};
use crate::item;

#[must_use]
pub fn inbox_key(user: &UserId, offset: Offset) -> Bytes {
    cut(user.as_bytes().len() + 9, |bytes| put_inbox_key(bytes, user, offset))
}

pub fn put_inbox_key(bytes: &mut Vec<u8>, user: &UserId, offset: Offset) {
    bytes.put_slice(user.as_bytes());
    bytes.put_u8(0);
    bytes.put_u64(offset.0);
}

/// User name and offset of a key.
#[must_use]
pub fn split_inbox_key(key: &[u8]) -> Option<(&[u8], Offset)> {
    let (front, offset) = key.split_last_chunk::<8>()?;
    let (zero, user) = front.split_last()?;
    (*zero == 0).then_some((user, Offset(u64::from_be_bytes(*offset))))
}

/// The value is an item: [`crate::item`].
///
/// # Errors
/// [`Malformed`]; `owner` is whose inbox it is.
pub fn read_inbox(key: &[u8], value: Bytes, owner: &UserId) -> Result<Arc<InboxEntry>, Malformed> {
    let (_, offset) = split_inbox_key(key).ok_or(Malformed("inbox row"))?;
    Ok(Arc::new(InboxEntry { offset, item: item::decode(value, owner)? }))
}

/// A line of a user's list of conversations, as a message writes it: blindly, for the rest is in the row behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub with: Peer,
    pub standing: Standing,
    pub last: Seq,
    pub preview: Preview,
}

impl Listed {
    #[must_use]
    pub fn of(message: &InboxMessage, standing: Standing) -> Self {
        let preview = Preview::of(message.from.clone(), message.sent_at, &message.body);
        Self { with: message.with.clone(), standing, last: message.seq, preview }
    }

    pub fn put(&self, bytes: &mut Vec<u8>) {
        bytes.put_u64(self.last.0);
        bytes.put_u8(self.standing.number());
        put_peer(bytes, &self.with);
        put_name(bytes, self.preview.from.as_bytes());
        bytes.put_u64(self.preview.sent_at.0);
        bytes.put_u8(self.preview.kind.0);
        bytes.put_slice(&self.preview.text);
    }

    #[must_use]
    pub fn encode(&self) -> Bytes {
        cut(256, |bytes| self.put(bytes))
    }

    /// # Errors
    /// [`Malformed`].
    pub fn decode(value: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value, "conversation list row");
        let last = reader.seq()?;
        let standing = Standing::from_number(reader.u8()?).ok_or(reader.malformed())?;
        let (with, from, sent_at) = (reader.peer()?, reader.user()?, reader.timestamp()?);
        let preview = Preview { from, sent_at, kind: BodyKind(reader.u8()?), text: reader.rest() };
        Ok(Self { with, standing, last, preview })
    }
}

/// What of a conversation's two rows in a list a key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListPart {
    /// [`Listed`].
    Listed = 0,
    /// [`crate::Line`].
    Line = 1,
}

#[must_use]
pub fn list_key(user: &UserId, conversation: ConversationId, part: ListPart) -> Bytes {
    cut(user.as_bytes().len() + 19, |bytes| put_list_key(bytes, user, conversation, part))
}

pub fn put_list_key(bytes: &mut Vec<u8>, user: &UserId, conversation: ConversationId, part: ListPart) {
    bytes.put_u8(b'x');
    bytes.put_slice(user.as_bytes());
    bytes.put_u8(0);
    bytes.put_slice(&conversation.0);
    bytes.put_u8(part as u8);
}

/// User name, conversation and part of a key.
#[must_use]
pub fn split_list_key(key: &[u8]) -> Option<(&[u8], ConversationId, ListPart)> {
    let (part, front) = key.split_last()?;
    let (front, conversation) = front.split_last_chunk::<16>()?;
    let (zero, user) = front.strip_prefix(b"x")?.split_last()?;
    let part = match part {
        0 => ListPart::Listed,
        1 => ListPart::Line,
        _ => return None,
    };
    (*zero == 0).then_some((user, ConversationId(*conversation), part))
}
