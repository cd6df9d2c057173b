//! Message ids and bodies.

use std::fmt;

use bytes::Bytes;

use crate::Timestamp;
use crate::limits::{BODY_BYTES_MAX, PREVIEW_BYTES_MAX};

/// The sender's name for a message: a UUID version 7 (RFC 9562 section 5.7), minted at the first attempt and
/// kept for every retry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 16]);

/// The 16 bytes are not a UUID version 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message id is a UUID version 7")]
pub struct InvalidMessageId;

impl MessageId {
    /// # Errors
    /// [`InvalidMessageId`] unless version and variant bits say UUID version 7.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidMessageId> {
        if bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10 { Ok(Self(bytes)) } else { Err(InvalidMessageId) }
    }

    /// Builds an id from a time and 10 bytes of randomness, of which 74 bits are used.
    #[must_use]
    pub fn from_parts(at: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&at.0.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The time the sender's device minted it at.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.0[..6]);
        Timestamp(u64::from_be_bytes(millis))
    }

    /// Reads the usual text form with hyphens.
    ///
    /// # Errors
    /// [`InvalidMessageId`] when it is no UUID or not version 7.
    pub fn parse(text: &str) -> Result<Self, InvalidMessageId> {
        let uuid = uuid::Uuid::try_parse(text).map_err(|_| InvalidMessageId)?;
        Self::from_bytes(uuid.into_bytes())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).fmt(f)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({self})")
    }
}

/// What a body holds. Text is checked by the server; every other kind is opaque to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyKind(pub u8);

impl BodyKind {
    /// A [`crate::Change`] of a group: only the server writes it.
    pub const CHANGE: Self = Self(0);
    /// UTF-8 text.
    pub const TEXT: Self = Self(1);
}

/// Kind and bytes of a message: 1 to 32,768 bytes, valid UTF-8 when the kind is text.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    kind: BodyKind,
    bytes: Bytes,
}

/// Why bytes are not a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBody {
    #[error("a message is empty")]
    Empty,
    #[error("a message has at most {BODY_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    #[error("text is not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
}

impl Body {
    /// # Errors
    /// [`InvalidBody`] when empty, too long, or text that is not UTF-8.
    pub fn new(kind: BodyKind, bytes: Bytes) -> Result<Self, InvalidBody> {
        if bytes.is_empty() {
            return Err(InvalidBody::Empty);
        }
        if bytes.len() > BODY_BYTES_MAX {
            return Err(InvalidBody::TooLong(bytes.len()));
        }
        if kind == BodyKind::TEXT
            && let Err(error) = std::str::from_utf8(&bytes)
        {
            return Err(InvalidBody::NotUtf8 { at: error.valid_up_to() });
        }
        Ok(Self { kind, bytes })
    }

    /// The encoded form of a [`crate::Change`].
    pub(crate) const fn of_change(bytes: Bytes) -> Self {
        Self { kind: BodyKind::CHANGE, bytes }
    }

    #[must_use]
    pub const fn kind(&self) -> BodyKind {
        self.kind
    }

    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What a list shows of it: see [`crate::Preview`].
    #[must_use]
    pub fn preview(&self) -> Bytes {
        match self.kind {
            BodyKind::CHANGE if self.bytes.len() <= PREVIEW_BYTES_MAX => self.bytes.clone(),
            BodyKind::TEXT => {
                let text = self.as_text().unwrap_or_default();
                self.bytes.slice(..text.floor_char_boundary(PREVIEW_BYTES_MAX))
            }
            _ => Bytes::new(),
        }
    }

    /// The text, when it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if self.kind == BodyKind::TEXT { std::str::from_utf8(&self.bytes).ok() } else { None }
    }
}

/// Shows kind and length, never the content.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body(kind {}, {} bytes)", self.kind.0, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_carries_its_time_and_its_version() {
        let id = MessageId::from_parts(Timestamp(0x0192_3456_789a), [0xff; 10]);
        assert_eq!(id.to_string(), "01923456-789a-7fff-bfff-ffffffffffff");
        assert_eq!(id.timestamp(), Timestamp(0x0192_3456_789a));
        assert_eq!(MessageId::parse("01923456-789a-7fff-bfff-ffffffffffff"), Ok(id));
        assert_eq!(MessageId::from_bytes(id.to_bytes()), Ok(id));
        assert_eq!(MessageId::parse("01923456-789a-4fff-bfff-ffffffffffff"), Err(InvalidMessageId));
        assert_eq!(MessageId::parse("01923456-789a-7fff-3fff-ffffffffffff"), Err(InvalidMessageId));
    }

    #[test]
    fn a_body_has_bounds_and_text_is_utf8() {
        let body = |kind, bytes: &[u8]| Body::new(BodyKind(kind), Bytes::copy_from_slice(bytes));
        assert_eq!(body(1, b""), Err(InvalidBody::Empty));
        assert!(body(1, &[b'a'; BODY_BYTES_MAX]).is_ok());
        assert_eq!(body(9, &[0; BODY_BYTES_MAX + 1]), Err(InvalidBody::TooLong(BODY_BYTES_MAX + 1)));
        assert_eq!(body(1, b"ab\xff"), Err(InvalidBody::NotUtf8 { at: 2 }));
        assert!(body(2, b"ab\xff").is_ok());
    }

    #[test]
    fn debug_of_a_body_hides_its_text() {
        let body = Body::new(BodyKind::TEXT, Bytes::from_static(b"secret"));
        assert_eq!(body.map(|body| format!("{body:?}")), Ok("Body(kind 1, 6 bytes)".to_owned()));
    }
}
