//! A message on its way to a member's inbox on another vnode.
//!
//! Layout: whose inbox (1 + n), then the value of an inbox row ([`crate::rows`]).

use bytes::{BufMut, Bytes};
use iris_types::{InboxItem, InboxMessage, Offset, UserId};

use crate::codec::{Malformed, Reader, put_name};
use crate::rows;

/// Becomes one entry of `to`'s inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    pub to: UserId,
    pub message: InboxMessage,
}

impl Forward {
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let value = rows::inbox_value(&self.message);
        let mut bytes = Vec::with_capacity(1 + self.to.as_bytes().len() + value.len());
        put_name(&mut bytes, self.to.as_bytes());
        bytes.put_slice(&value);
        Bytes::from(bytes)
    }

    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "forward");
        let to = reader.user()?;
        let key = rows::inbox_key(&to, Offset::ZERO);
        let entry = rows::read_inbox(&key, reader.rest(), &to)?;
        let InboxItem::Message(message) = entry.item.clone();
        Ok(Self { to, message })
    }
}
