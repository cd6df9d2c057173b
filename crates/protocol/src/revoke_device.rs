//! RevokeDevice: a device is ended for ever. Answered with Done.

use iris_types::request::{RequestId, RevokeDevice};
use iris_types::{DeviceId, ErrorCode};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_name, put_u32};

/// Names the device; it may be the one that asks.
///
/// ```text
/// 0    4  request
/// 4    1  length of the device's name, d
/// 5    d  device
///         tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    pub request: RequestId,
    pub revoke: RevokeDevice,
}

impl Revoke {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, device) = (reader.request()?, reader.name()?);
        reader.finish()?;
        let device = DeviceId::from_bytes(device).map_err(|_| refused(request, ErrorCode::InvalidName))?;
        Ok(Self { request, revoke: RevokeDevice { device } })
    }
}

/// Appends a RevokeDevice frame.
pub(crate) fn encode(request: RequestId, revoke: &RevokeDevice, out: &mut Vec<u8>) {
    put_frame(out, opcode::REVOKE_DEVICE, |out| {
        put_u32(out, request.0);
        put_name(out, revoke.device.as_bytes());
    });
}
