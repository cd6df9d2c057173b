//! What a user lets others know.

use bytes::{BufMut, Bytes};
use iris_types::{Audience, Settings};

use crate::codec::{Malformed, Reader};

/// Layout, also of the row (`e`, user): read receipts 1, last seen 1, typing 1.
pub(crate) fn put_settings(bytes: &mut impl BufMut, settings: Settings) {
    bytes.put_u8(u8::from(settings.read_receipts));
    bytes.put_u8(settings.last_seen.number());
    bytes.put_u8(u8::from(settings.typing));
}

pub(crate) fn read_settings(reader: &mut Reader) -> Result<Settings, Malformed> {
    let read_receipts = reader.flag()?;
    let last_seen = Audience::from_number(reader.u8()?).ok_or(reader.malformed())?;
    Ok(Settings { read_receipts, last_seen, typing: reader.flag()? })
}

#[must_use]
pub fn encode(settings: Settings) -> Bytes {
    let mut bytes = Vec::with_capacity(3);
    put_settings(&mut bytes, settings);
    Bytes::from(bytes)
}

/// # Errors
/// [`Malformed`].
pub fn decode(value: Bytes) -> Result<Settings, Malformed> {
    let mut reader = Reader::new(value, "settings row");
    let settings = read_settings(&mut reader)?;
    reader.end()?;
    Ok(settings)
}
