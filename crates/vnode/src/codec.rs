//! Reading and writing of hand-laid bytes: big-endian, names behind a length byte.

use bytes::{BufMut, Bytes};
use iris_types::{
    Body, BodyKind, ConversationId, DeviceId, DeviceLabel, Epoch, GroupTitle, MessageId, Offset, Peer,
    Position, Seq, Timestamp, UserId, VnodeId,
};

/// Stored bytes break their layout. Says where in the layout, never what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// Takes fields off the front of bytes; bodies are slices of the same memory.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
    what: &'static str,
}

impl Reader {
    /// `what` names the layout in errors.
    #[must_use]
    pub const fn new(bytes: Bytes, what: &'static str) -> Self {
        Self { bytes, what }
    }

    #[must_use]
    pub const fn malformed(&self) -> Malformed {
        Malformed(self.what)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// # Errors
    /// [`Malformed`] when bytes are left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }

    /// # Errors
    /// [`Malformed`] when there are not so many.
    pub fn bytes(&mut self, count: usize) -> Result<Bytes, Malformed> {
        if count > self.bytes.len() {
            return Err(self.malformed());
        }
        Ok(self.bytes.split_to(count))
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.bytes)
    }

    /// # Errors
    /// [`Malformed`] when the bytes run out; likewise below.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let array = self.bytes.first_chunk::<N>().copied().ok_or(Malformed(self.what))?;
        self.bytes = self.bytes.slice(N..);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn vnode(&mut self) -> Result<VnodeId, Malformed> {
        self.u16().map(VnodeId)
    }

    pub fn epoch(&mut self) -> Result<Epoch, Malformed> {
        self.u64().map(Epoch)
    }

    pub fn seq(&mut self) -> Result<Seq, Malformed> {
        self.u64().map(Seq)
    }

    pub fn offset(&mut self) -> Result<Offset, Malformed> {
        self.u64().map(Offset)
    }

    pub fn position(&mut self) -> Result<Position, Malformed> {
        self.u64().map(Position)
    }

    pub fn timestamp(&mut self) -> Result<Timestamp, Malformed> {
        self.u64().map(Timestamp)
    }

    pub fn conversation(&mut self) -> Result<ConversationId, Malformed> {
        self.array().map(ConversationId)
    }

    pub fn message(&mut self) -> Result<MessageId, Malformed> {
        MessageId::from_bytes(self.array()?).map_err(|_| self.malformed())
    }

    fn name(&mut self) -> Result<Bytes, Malformed> {
        let length = self.u8()?;
        self.bytes(usize::from(length))
    }

    pub fn user(&mut self) -> Result<UserId, Malformed> {
        UserId::from_bytes(&self.name()?).map_err(|_| self.malformed())
    }

    pub fn device(&mut self) -> Result<DeviceId, Malformed> {
        DeviceId::from_bytes(&self.name()?).map_err(|_| self.malformed())
    }

    /// `None` is a length of zero.
    pub fn optional_user(&mut self) -> Result<Option<UserId>, Malformed> {
        let name = self.name()?;
        if name.is_empty() {
            return Ok(None);
        }
        UserId::from_bytes(&name).map(Some).map_err(|_| self.malformed())
    }

    /// `None` is a length of zero.
    pub fn optional_device(&mut self) -> Result<Option<DeviceId>, Malformed> {
        let name = self.name()?;
        if name.is_empty() {
            return Ok(None);
        }
        DeviceId::from_bytes(&name).map(Some).map_err(|_| self.malformed())
    }

    /// `None` is a length of zero.
    pub fn optional_label(&mut self) -> Result<Option<DeviceLabel>, Malformed> {
        let label = self.name()?;
        if label.is_empty() {
            return Ok(None);
        }
        DeviceLabel::from_bytes(&label).map(Some).map_err(|_| self.malformed())
    }

    pub fn title(&mut self) -> Result<GroupTitle, Malformed> {
        GroupTitle::from_bytes(&self.name()?).map_err(|_| self.malformed())
    }

    /// A name, or a zero byte and a title.
    pub fn peer(&mut self) -> Result<Peer, Malformed> {
        let name = self.name()?;
        if name.is_empty() {
            return self.title().map(Peer::Group);
        }
        UserId::from_bytes(&name).map(Peer::User).map_err(|_| self.malformed())
    }

    /// A byte, 0 or 1.
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed()),
        }
    }

    /// Seven bits a byte, the lowest first, the highest bit of a byte says that there are more (LEB128).
    pub fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.malformed())
    }

    /// Kind and all the bytes that are left.
    pub fn rest_as_body(&mut self) -> Result<Body, Malformed> {
        let kind = BodyKind(self.u8()?);
        let bytes = self.rest();
        Body::new(kind, bytes).map_err(|_| self.malformed())
    }
}

/// A length byte and the name; names and labels have at most 64 bytes, titles 100.
pub fn put_name(into: &mut impl BufMut, name: &[u8]) {
    into.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
    into.put_slice(name);
}

/// A name, or a zero byte and a title.
pub fn put_peer(into: &mut impl BufMut, peer: &Peer) {
    match peer {
        Peer::User(user) => put_name(into, user.as_bytes()),
        Peer::Group(title) => {
            into.put_u8(0);
            put_name(into, title.as_bytes());
        }
    }
}

/// Seven bits a byte, the lowest first.
pub fn put_varint(into: &mut impl BufMut, mut value: u64) {
    while value >= 0x80 {
        into.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.put_u8(value as u8);
}

/// Kind and bytes, to the end.
pub fn put_body(into: &mut impl BufMut, body: &Body) {
    into.put_u8(body.kind().0);
    into.put_slice(body.bytes());
}
