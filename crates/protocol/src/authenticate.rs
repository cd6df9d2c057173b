//! Authenticate and Ready: the login.

use std::fmt;

use bytes::Bytes;
use iris_types::limits::{NONCE_BYTES, TOKEN_BYTES_MAX};
use iris_types::request::{Attached, RequestId};
use iris_types::{DeviceId, ErrorCode, Timestamp};

use crate::ServerLimits;
use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_name, put_u16, put_u32, put_u64};

/// The client's second frame; may follow Hello at once.
///
/// ```text
/// 0     2  length of the token, t
/// 2     t  token: a JWT in its compact form
/// 2+t   1  length of the device's name, d
/// 3+t   d  device
/// 3+t+d 16 nonce
/// 19+t+d 8 the device's clock, Unix milliseconds
///          tagged fields
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    pub token: Bytes,
    pub device: DeviceId,
    pub nonce: [u8; NONCE_BYTES],
    pub at: Timestamp,
}

/// The login was accepted.
///
/// ```text
/// 0   8  cursor: the last offset this device has acknowledged, 0 for none
/// 8   8  offset of the last entry of the inbox log
/// 16  8  the server's clock, Unix milliseconds
/// 24  4  bytes of a body, at most
/// 28  2  items of a batch, at most
/// 30  2  requests in flight, at most
/// 32  4  entries pushed and not acknowledged, at most
/// 36  4  bytes pushed and not acknowledged, at most
/// 40  4  milliseconds of silence after which the server closes
/// 44     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    pub attached: Attached,
    pub limits: ServerLimits,
}

impl Authenticate {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        // One byte more than allowed is enough to be refused, and always fits the frame.
        let token = self.token.get(..TOKEN_BYTES_MAX + 1).unwrap_or(&self.token);
        put_frame(out, opcode::AUTHENTICATE, |out| {
            put_u16(out, token.len() as u16);
            out.extend_from_slice(token);
            put_name(out, self.device.as_bytes());
            out.extend_from_slice(&self.nonce);
            put_u64(out, self.at.0);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let token_length = usize::from(reader.u16()?);
        let token = reader.bytes(token_length)?;
        let (device, nonce, at) = (reader.name()?, reader.array()?, reader.timestamp()?);
        reader.finish()?;
        if token_length > TOKEN_BYTES_MAX {
            return Err(refused(RequestId(0), ErrorCode::BadToken));
        }
        let device =
            DeviceId::from_bytes(device).map_err(|_| refused(RequestId(0), ErrorCode::InvalidName))?;
        Ok(Self { token: Bytes::copy_from_slice(token), device, nonce, at })
    }
}

/// Never shows the token.
impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authenticate({} token bytes, {:?}, at {:?})", self.token.len(), self.device, self.at)
    }
}

impl Ready {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let (attached, limits) = (&self.attached, &self.limits);
        put_frame(out, opcode::READY, |out| {
            put_u64(out, attached.cursor.0);
            put_u64(out, attached.last.0);
            put_u64(out, attached.server_time.0);
            put_u32(out, limits.body_bytes_max);
            put_u16(out, limits.batch_items_max);
            put_u16(out, limits.requests_in_flight_max);
            put_u32(out, limits.window_entries_max);
            put_u32(out, limits.window_bytes_max);
            put_u32(out, limits.idle_ms_max);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let attached =
            Attached { cursor: reader.offset()?, last: reader.offset()?, server_time: reader.timestamp()? };
        let limits = ServerLimits {
            body_bytes_max: reader.u32()?,
            batch_items_max: reader.u16()?,
            requests_in_flight_max: reader.u16()?,
            window_entries_max: reader.u32()?,
            window_bytes_max: reader.u32()?,
            idle_ms_max: reader.u32()?,
        };
        reader.finish()?;
        Ok(Self { attached, limits })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn login(token: &[u8]) -> Authenticate {
        Authenticate {
            token: Bytes::copy_from_slice(token),
            device: DeviceId::new("phone").unwrap(),
            nonce: [7; NONCE_BYTES],
            at: Timestamp(1),
        }
    }

    #[test]
    fn debug_hides_the_token() {
        let shown = format!("{:?}", login(b"very secret"));
        assert!(!shown.contains("secret") && shown.contains("11 token bytes"), "{shown}");
    }

    #[test]
    fn a_token_that_is_too_long_is_refused_not_malformed() {
        let mut out = Vec::new();
        login(&vec![b'x'; 70_000]).encode(&mut out);
        let error = Authenticate::decode(&out[3..]);
        assert_eq!(error, Err(refused(RequestId(0), ErrorCode::BadToken)));
    }
}
