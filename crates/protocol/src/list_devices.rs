//! ListDevices and Devices: the user's devices.

use iris_types::request::RequestId;
use iris_types::{DeviceId, DeviceLabel, DeviceSummary};

use crate::frame::{opcode, put_frame};
use crate::wire::{DecodeError, Reader, put_name, put_u16, put_u32, put_u64};

/// Asks for all of the user's devices.
///
/// ```text
/// 0  4  request
/// 4     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListDevices {
    pub request: RequestId,
}

/// All of the user's devices, in the order of their first logins.
///
/// ```text
/// 0  4  request
/// 4  2  number of items
/// 6     the items: length of the device's name (1), device, length of the label (1), label (length 0: none),
///       first login (8) and last login (8), Unix milliseconds, 1 when it is connected (1)
///       tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices {
    pub request: RequestId,
    pub items: Vec<DeviceSummary>,
}

const ITEM_BYTES_MIN: usize = 20;

impl ListDevices {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::LIST_DEVICES, |out| put_u32(out, self.request.0));
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = reader.request()?;
        reader.finish()?;
        Ok(Self { request })
    }
}

impl Devices {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode(self.request, &self.items, out);
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = reader.request()?;
        let items = reader.list(ITEM_BYTES_MIN, item)?;
        reader.finish()?;
        Ok(Self { request, items })
    }
}

/// Appends a Devices frame. A user has at most 10 devices, of at most 147 bytes each, so it fits.
pub(crate) fn encode(request: RequestId, items: &[DeviceSummary], out: &mut Vec<u8>) {
    put_frame(out, opcode::DEVICES, |out| {
        put_u32(out, request.0);
        put_u16(out, items.len() as u16);
        for item in items {
            put_name(out, item.device.as_bytes());
            put_name(out, item.label.as_ref().map_or(&[], DeviceLabel::as_bytes));
            put_u64(out, item.registered_at.0);
            put_u64(out, item.last_login.0);
            out.push(u8::from(item.online));
        }
    });
}

fn item(reader: &mut Reader<'_>) -> Result<DeviceSummary, DecodeError> {
    let device = DeviceId::from_bytes(reader.name()?).map_err(|_| DecodeError::Value)?;
    let label = match reader.name()? {
        [] => None,
        label => Some(DeviceLabel::from_bytes(label).map_err(|_| DecodeError::Value)?),
    };
    let (registered_at, last_login, online) = (reader.timestamp()?, reader.timestamp()?, reader.flag()?);
    Ok(DeviceSummary { device, label, registered_at, last_login, online })
}
