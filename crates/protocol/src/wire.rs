//! Fields of a payload, read and written: big-endian numbers, names, bodies, trailing tagged fields.

use bytes::Bytes;
use iris_types::request::RequestId;
use iris_types::{
    Body, BodyKind, ConversationId, ErrorCode, GroupTitle, MessageId, Offset, Peer, Seq, Target, Timestamp,
    UserId,
};

/// Why a frame cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the payload ends inside a field")]
    Truncated,
    #[error("what follows the last field is not a list of tagged fields")]
    Tail,
    #[error("a field holds a value that it never has")]
    Value,
    #[error("opcode {0:#04x} is unknown")]
    UnknownOpcode(u8),
    /// The layout is whole but a value breaks a rule: this request is refused, the connection lives.
    #[error("request {} is refused: {}", .0.request.0, .0.code)]
    Refused(RefusedRequest),
}

/// A request that is refused before anybody looks at what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedRequest {
    pub request: RequestId,
    pub code: ErrorCode,
}

/// A conversation as a client names it, whole but not checked.
#[derive(Clone, Copy)]
pub(crate) enum RawTarget<'a> {
    User(&'a [u8]),
    Group(ConversationId),
}

impl RawTarget<'_> {
    pub(crate) fn check(self) -> Result<Target, ErrorCode> {
        match self {
            Self::User(name) => user(name).map(Target::User),
            Self::Group(group) => Ok(Target::Group(group)),
        }
    }
}

/// A client's name of a user, checked.
pub(crate) fn user(name: &[u8]) -> Result<UserId, ErrorCode> {
    UserId::from_bytes(name).map_err(|_| ErrorCode::InvalidName)
}

/// The same where nothing may stand in its place.
pub(crate) fn optional_user(name: &[u8]) -> Result<Option<UserId>, ErrorCode> {
    if name.is_empty() { Ok(None) } else { user(name).map(Some) }
}

/// A client's message id, checked.
pub(crate) fn message_id(bytes: [u8; 16]) -> Result<MessageId, ErrorCode> {
    MessageId::from_bytes(bytes).map_err(|_| ErrorCode::InvalidId)
}

/// Reads fields off the front of a payload.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (field, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(field)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*field)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// One byte, 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Value),
        }
    }

    /// A request id of a client: neither of the two reserved ones.
    pub(crate) fn request(&mut self) -> Result<RequestId, DecodeError> {
        match self.u32()? {
            0 | u32::MAX => Err(DecodeError::Value),
            id => Ok(RequestId(id)),
        }
    }

    pub(crate) fn offset(&mut self) -> Result<Offset, DecodeError> {
        self.u64().map(Offset)
    }

    pub(crate) fn seq(&mut self) -> Result<Seq, DecodeError> {
        self.u64().map(Seq)
    }

    pub(crate) fn timestamp(&mut self) -> Result<Timestamp, DecodeError> {
        self.u64().map(Timestamp)
    }

    pub(crate) fn conversation(&mut self) -> Result<ConversationId, DecodeError> {
        self.array().map(ConversationId)
    }

    /// One length byte and as many bytes, unchecked.
    pub(crate) fn name(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u8()?;
        self.bytes(usize::from(length))
    }

    /// Two length bytes and as many bytes, unchecked.
    pub(crate) fn long(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    /// A name, unchecked, or a byte 0 and a group.
    pub(crate) fn target(&mut self) -> Result<RawTarget<'a>, DecodeError> {
        match self.name()? {
            [] => self.conversation().map(RawTarget::Group),
            name => Ok(RawTarget::User(name)),
        }
    }

    /// Everything there is.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Kind byte, two length bytes and as many bytes, unchecked.
    pub(crate) fn body(&mut self) -> Result<(BodyKind, &'a [u8]), DecodeError> {
        let (kind, length) = (self.u8()?, self.u16()?);
        Ok((BodyKind(kind), self.bytes(usize::from(length))?))
    }

    /// A name from the server, which has checked it.
    pub(crate) fn user(&mut self) -> Result<UserId, DecodeError> {
        UserId::from_bytes(self.name()?).map_err(|_| DecodeError::Value)
    }

    /// A name, or a byte 0 and a title, from the server, which has checked them.
    pub(crate) fn peer(&mut self) -> Result<Peer, DecodeError> {
        match self.name()? {
            [] => self.title().map(Peer::Group),
            name => UserId::from_bytes(name).map(Peer::User).map_err(|_| DecodeError::Value),
        }
    }

    /// A title from the server, which has checked it.
    pub(crate) fn title(&mut self) -> Result<GroupTitle, DecodeError> {
        GroupTitle::from_bytes(self.name()?).map_err(|_| DecodeError::Value)
    }

    /// An id from the server, which has checked it.
    pub(crate) fn message_id(&mut self) -> Result<MessageId, DecodeError> {
        MessageId::from_bytes(self.array()?).map_err(|_| DecodeError::Value)
    }

    /// A body from the server, which has checked it.
    pub(crate) fn checked_body(&mut self) -> Result<Body, DecodeError> {
        let (kind, bytes) = self.body()?;
        Body::new(kind, Bytes::copy_from_slice(bytes)).map_err(|_| DecodeError::Value)
    }

    /// As many items as the next two bytes say. Memory follows the bytes that are there, not the number.
    pub(crate) fn list<T>(
        &mut self,
        item_bytes_min: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = usize::from(self.u16()?);
        let mut items = Vec::with_capacity(count.min(self.rest.len() / item_bytes_min.max(1)));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A list that is never empty.
    pub(crate) fn batch<T>(
        &mut self,
        item_bytes_min: usize,
        item: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let items = self.list(item_bytes_min, item)?;
        if items.is_empty() { Err(DecodeError::Value) } else { Ok(items) }
    }

    /// Everything else must be tagged fields; all are skipped.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        self.finish_with(|_, _| Ok(()))
    }

    /// Everything else must be tagged fields: tag (1 byte), length (2), bytes.
    pub(crate) fn finish_with(
        mut self,
        mut field: impl FnMut(u8, &[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        while !self.rest.is_empty() {
            let (tag, bytes) = self.tagged().map_err(|_| DecodeError::Tail)?;
            field(tag, bytes)?;
        }
        Ok(())
    }

    fn tagged(&mut self) -> Result<(u8, &'a [u8]), DecodeError> {
        let (tag, length) = (self.u8()?, self.u16()?);
        Ok((tag, self.bytes(usize::from(length))?))
    }
}

pub(crate) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

/// Names have at most 64 bytes, so that one length byte is enough.
pub(crate) fn put_name(out: &mut Vec<u8>, name: &[u8]) {
    out.push(name.len() as u8);
    out.extend_from_slice(name);
}

/// For bytes that have at most 65,535.
pub(crate) fn put_long(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u16(out, bytes.len() as u16);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_target(out: &mut Vec<u8>, target: &Target) {
    match target {
        Target::User(user) => put_name(out, user.as_bytes()),
        Target::Group(group) => {
            out.push(0);
            out.extend_from_slice(&group.0);
        }
    }
}

pub(crate) fn put_peer(out: &mut Vec<u8>, peer: &Peer) {
    match peer {
        Peer::User(user) => put_name(out, user.as_bytes()),
        Peer::Group(title) => {
            out.push(0);
            put_name(out, title.as_bytes());
        }
    }
}

/// Bodies have at most 32,768 bytes, so that two length bytes are enough.
pub(crate) fn put_body(out: &mut Vec<u8>, body: &Body) {
    out.push(body.kind().0);
    put_u16(out, body.bytes().len() as u16);
    out.extend_from_slice(body.bytes());
}

/// Bytes that [`put_name`] takes.
pub(crate) fn name_len(name: &[u8]) -> usize {
    1 + name.len()
}

/// Bytes that [`put_target`] takes.
pub(crate) fn target_len(target: &Target) -> usize {
    match target {
        Target::User(user) => name_len(user.as_bytes()),
        Target::Group(_) => 17,
    }
}

/// Bytes that [`put_peer`] takes.
pub(crate) fn peer_len(peer: &Peer) -> usize {
    match peer {
        Peer::User(user) => name_len(user.as_bytes()),
        Peer::Group(title) => 1 + name_len(title.as_bytes()),
    }
}

/// Bytes that [`put_body`] takes.
pub(crate) fn body_len(body: &Body) -> usize {
    3 + body.bytes().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tagged_fields_are_skipped_or_malformed() {
        let check = |bytes: &[u8]| Reader::new(bytes).finish();
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[9, 0, 0]), Ok(()));
        assert_eq!(check(&[9, 0, 2, 1, 1, 200, 0, 0]), Ok(()));
        for bad in [&[9][..], &[9, 0], &[9, 0, 1], &[9, 0, 1, 5, 3]] {
            assert_eq!(check(bad), Err(DecodeError::Tail), "{bad:?}");
        }
    }

    #[test]
    fn a_list_takes_memory_for_what_is_there() {
        let mut reader = Reader::new(&[0xff, 0xff, 1, 2, 3]);
        assert_eq!(reader.list(1, Reader::u8), Err(DecodeError::Truncated));
        let mut reader = Reader::new(&[0, 2, 1, 2]);
        assert_eq!(reader.list(1, Reader::u8), Ok(vec![1, 2]));
    }
}
