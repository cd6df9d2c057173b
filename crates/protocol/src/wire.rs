//! Fields of a payload, read and written: big-endian numbers, names, bodies, trailing tagged fields.

use bytes::Bytes;
use iris_types::request::RequestId;
use iris_types::{Body, BodyKind, ConversationId, ErrorCode, MessageId, Offset, Seq, Timestamp, UserId};

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

    /// Kind byte, two length bytes and as many bytes, unchecked.
    pub(crate) fn body(&mut self) -> Result<(BodyKind, &'a [u8]), DecodeError> {
        let (kind, length) = (self.u8()?, self.u16()?);
        Ok((BodyKind(kind), self.bytes(usize::from(length))?))
    }

    /// A name from the server, which has checked it.
    pub(crate) fn user(&mut self) -> Result<UserId, DecodeError> {
        UserId::from_bytes(self.name()?).map_err(|_| DecodeError::Value)
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
