//! A user's devices, their cursors, and what was revoked.
//!
//! Layout of the row (`d`, user): revoked-before 8 (ms); given 8; last-seen 8 (ms); number of devices 1, each: name (1 + n), label (1 + n; 0:
//! none), registered-at 8 (ms), last-login 8 (ms), cursor 8; number of revoked tokens 2, each: id 16, expires-at 8
//! (ms); number of nonces 2, each: nonce 16, time 8 (ms). Revoked devices are in [`crate::RevokedDevices`].

use bytes::{BufMut, Bytes};
use iris_types::limits::{LOGIN_SKEW_MS_MAX, NONCE_BYTES};
use iris_types::request::TokenFacts;
use iris_types::{DeviceId, DeviceLabel, Offset, Timestamp};

use crate::codec::{Malformed, Reader, put_name};

/// One user's devices and revocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    pub list: Vec<Device>,
    /// Entries up to here are known to their conversations as delivered: the furthest cursor, a little later.
    pub given: Offset,
    /// When a device of the user was last there, as far as it was written down.
    pub last_seen: Timestamp,
    /// Tokens dated up to here are refused; 0: none.
    pub revoked_before: Timestamp,
    /// Tokens refused one by one, until they would have expired anyway.
    pub revoked: Vec<([u8; 16], Timestamp)>,
    /// Nonces of logins whose device's clock was ahead: they could be replayed after a restart, because their
    /// time does not lie before it.
    pub nonces_ahead: Vec<([u8; NONCE_BYTES], Timestamp)>,
}

/// A registered device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub name: DeviceId,
    pub label: Option<DeviceLabel>,
    /// Its first login.
    pub registered_at: Timestamp,
    /// Its last login that was written down.
    pub last_login: Timestamp,
    /// Last offset that it has acknowledged, as decided.
    pub cursor: Offset,
    /// Acknowledged since, not decided yet; never stored.
    pub acknowledged: Offset,
}

impl Devices {
    #[must_use]
    pub fn device(&self, name: &DeviceId) -> Option<&Device> {
        self.list.iter().find(|device| device.name == *name)
    }

    pub fn device_mut(&mut self, name: &DeviceId) -> Option<&mut Device> {
        self.list.iter_mut().find(|device| device.name == *name)
    }

    /// What at least one device has acknowledged.
    #[must_use]
    pub fn furthest(&self) -> Offset {
        self.list.iter().map(|device| device.cursor).max().unwrap_or_default()
    }

    #[must_use]
    pub fn is_revoked(&self, token: &TokenFacts) -> bool {
        token.issued_at <= self.revoked_before && self.revoked_before > Timestamp(0)
            || self.revoked.iter().any(|(id, _)| *id == token.id)
    }

    /// Forgets what time has made pointless.
    pub fn expire(&mut self, now: Timestamp) {
        self.revoked.retain(|(_, expires_at)| expires_at.plus_millis(LOGIN_SKEW_MS_MAX) >= now);
        self.nonces_ahead.retain(|(_, at)| at.plus_millis(2 * LOGIN_SKEW_MS_MAX) >= now);
    }

    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(16 + self.bytes());
        bytes.put_u64(self.revoked_before.0);
        bytes.put_u64(self.given.0);
        bytes.put_u64(self.last_seen.0);
        bytes.put_u8(u8::try_from(self.list.len()).unwrap_or(u8::MAX));
        for device in &self.list {
            put_name(&mut bytes, device.name.as_bytes());
            put_name(&mut bytes, device.label.as_ref().map_or(&[], DeviceLabel::as_bytes));
            bytes.put_u64(device.registered_at.0);
            bytes.put_u64(device.last_login.0);
            bytes.put_u64(device.cursor.0);
        }
        put_dated(&mut bytes, &self.revoked);
        put_dated(&mut bytes, &self.nonces_ahead);
        Bytes::from(bytes)
    }

    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "devices row");
        let revoked_before = reader.timestamp()?;
        let (given, last_seen) = (reader.offset()?, reader.timestamp()?);
        let mut list = Vec::new();
        for _ in 0..reader.u8()? {
            let (name, label) = (reader.device()?, reader.optional_label()?);
            let (registered_at, last_login) = (reader.timestamp()?, reader.timestamp()?);
            let cursor = reader.offset()?;
            list.push(Device { name, label, registered_at, last_login, cursor, acknowledged: cursor });
        }
        let (revoked, nonces_ahead) = (read_dated(&mut reader)?, read_dated(&mut reader)?);
        reader.end()?;
        Ok(Self { list, given, last_seen, revoked_before, revoked, nonces_ahead })
    }

    /// Bytes of memory, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.list.len() * 128 + (self.revoked.len() + self.nonces_ahead.len()) * 24
    }
}

fn put_dated(bytes: &mut Vec<u8>, items: &[([u8; 16], Timestamp)]) {
    bytes.put_u16(u16::try_from(items.len()).unwrap_or(u16::MAX));
    for (id, at) in items.iter().take(usize::from(u16::MAX)) {
        bytes.put_slice(id);
        bytes.put_u64(at.0);
    }
}

fn read_dated(reader: &mut Reader) -> Result<Vec<([u8; 16], Timestamp)>, Malformed> {
    (0..reader.u16()?).map(|_| Ok((reader.array()?, reader.timestamp()?))).collect()
}
