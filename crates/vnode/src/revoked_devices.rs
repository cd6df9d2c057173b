//! Names of devices that a user revoked: refused at every login, for ever.
//!
//! Layout of the row (`v`, user): number of devices 2, each: name (1 + n), revoked-at 8 (ms). It is a row of its
//! own because that of the devices is rewritten whenever a cursor moves.

use bytes::{BufMut, Bytes};
use iris_types::{DeviceId, Timestamp};

use crate::codec::{Malformed, Reader, put_name};

/// One user's revoked devices, in the order of their revocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokedDevices {
    pub list: Vec<(DeviceId, Timestamp)>,
}

impl RevokedDevices {
    #[must_use]
    pub fn contains(&self, device: &DeviceId) -> bool {
        self.list.iter().any(|(name, _)| name == device)
    }

    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(2 + self.list.len() * 24);
        bytes.put_u16(u16::try_from(self.list.len()).unwrap_or(u16::MAX));
        for (name, revoked_at) in self.list.iter().take(usize::from(u16::MAX)) {
            put_name(&mut bytes, name.as_bytes());
            bytes.put_u64(revoked_at.0);
        }
        Bytes::from(bytes)
    }

    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "revoked devices row");
        let mut list = Vec::new();
        for _ in 0..reader.u16()? {
            list.push((reader.device()?, reader.timestamp()?));
        }
        reader.end()?;
        Ok(Self { list })
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.list.len() * 64
    }
}
