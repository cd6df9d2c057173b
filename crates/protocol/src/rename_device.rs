//! RenameDevice: a device gets a label. Answered with Done.

use iris_types::request::{RenameDevice, RequestId};
use iris_types::{DeviceId, DeviceLabel, ErrorCode};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_name, put_u32};

/// Names the device and the label that people shall see.
///
/// ```text
/// 0    4  request
/// 4    1  length of the device's name, d
/// 5    d  device
/// 5+d  1  length of the label, l
/// 6+d  l  label: 1 to 64 bytes of UTF-8 without control characters
///         tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    pub request: RequestId,
    pub rename: RenameDevice,
}

impl Rename {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = reader.request()?;
        let (device, label) = (reader.name()?, reader.name()?);
        reader.finish()?;
        let invalid = || refused(request, ErrorCode::InvalidName);
        let device = DeviceId::from_bytes(device).map_err(|_| invalid())?;
        let label = DeviceLabel::from_bytes(label).map_err(|_| invalid())?;
        Ok(Self { request, rename: RenameDevice { device, label } })
    }
}

/// Appends a RenameDevice frame.
pub(crate) fn encode(request: RequestId, rename: &RenameDevice, out: &mut Vec<u8>) {
    put_frame(out, opcode::RENAME_DEVICE, |out| {
        put_u32(out, request.0);
        put_name(out, rename.device.as_bytes());
        put_name(out, rename.label.as_bytes());
    });
}
