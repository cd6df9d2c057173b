//! What the generator writes into a message, so that whoever gets it can tell where it belongs.

use bytes::Bytes;
use iris_types::{Body, BodyKind};

/// Opaque to the server.
const KIND: BodyKind = BodyKind(2);

/// The first bytes of a body; the rest is filling.
///
/// ```text
/// 0  8 intended time of the send, microseconds of the generator's clock, big-endian
/// 8  4 number of the sender
/// 12 4 number of the message among those from this sender to this recipient: 0, 1, 2, ...
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) intended_us: u64,
    pub(crate) sender: u32,
    pub(crate) number: u32,
}

impl Mark {
    pub(crate) const BYTES: usize = 16;

    /// A body that begins with the mark; `filling` has at least [`Self::BYTES`] bytes and gives the rest.
    pub(crate) fn body(self, filling: &[u8]) -> Option<Body> {
        let mut bytes = filling.to_vec();
        bytes.get_mut(..8)?.copy_from_slice(&self.intended_us.to_be_bytes());
        bytes.get_mut(8..12)?.copy_from_slice(&self.sender.to_be_bytes());
        bytes.get_mut(12..16)?.copy_from_slice(&self.number.to_be_bytes());
        Body::new(KIND, Bytes::from(bytes)).ok()
    }

    pub(crate) fn read(body: &Body) -> Option<Self> {
        let bytes = body.bytes();
        Some(Self {
            intended_us: u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?),
            sender: u32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?),
            number: u32::from_be_bytes(bytes.get(12..16)?.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_a_short_body_has_none() {
        let mark = Mark { intended_us: 0x0102_0304_0506_0708, sender: 9, number: 10 };
        assert_eq!(mark.body(&[7; 20]).as_ref().and_then(Mark::read), Some(mark));
        assert_eq!(mark.body(&[7; 15]), None);
        assert_eq!(Body::new(KIND, Bytes::from_static(b"short")).ok().as_ref().and_then(Mark::read), None);
    }
}
