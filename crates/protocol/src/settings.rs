//! ReadSettings, ChangeSettings and Settings: what a user tells about themselves. SettingsEntry: the entry that tells
//! the own devices.

use iris_types::request::RequestId;
use iris_types::{Audience, ErrorCode, Offset, Settings, SettingsChange, Timestamp};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_u32, put_u64};

/// Asks for the user's settings.
///
/// ```text
/// 0  4  request
/// 4     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskSettings {
    pub request: RequestId,
}

/// Changes some of them. Answered with Done.
///
/// ```text
/// 0  4  request
/// 4  1  mask, the settings to change: 1 read receipts, 2 last seen, 4 typing; the others' fields are 0
/// 5  1  1: read receipts are given and seen
/// 6  1  who sees when the user is online and was last seen: 0 everybody, 1 contacts, 2 nobody
/// 7  1  1: typing is told and seen
/// 8     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdjustSettings {
    pub request: RequestId,
    pub change: SettingsChange,
}

/// The user's settings.
///
/// ```text
/// 0  4  request
/// 4  3  read receipts, last seen, typing, as in ChangeSettings
/// 7     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingsAnswer {
    pub request: RequestId,
    pub settings: Settings,
}

const READ_RECEIPTS: u8 = 1;
const LAST_SEEN: u8 = 2;
const TYPING: u8 = 4;

impl AskSettings {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::READ_SETTINGS, |out| put_u32(out, self.request.0));
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = reader.request()?;
        reader.finish()?;
        Ok(Self { request })
    }
}

impl AdjustSettings {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let SettingsChange { read_receipts, last_seen, typing } = self.change;
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        let mask = bit(read_receipts.is_some(), READ_RECEIPTS)
            | bit(last_seen.is_some(), LAST_SEEN)
            | bit(typing.is_some(), TYPING);
        put_frame(out, opcode::CHANGE_SETTINGS, |out| {
            put_u32(out, self.request.0);
            out.extend_from_slice(&[
                mask,
                u8::from(read_receipts.unwrap_or_default()),
                last_seen.map_or(0, Audience::number),
                u8::from(typing.unwrap_or_default()),
            ]);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, mask) = (reader.request()?, reader.u8()?);
        let (read_receipts, last_seen, typing) = (reader.flag()?, reader.u8()?, reader.flag()?);
        reader.finish()?;
        match check(mask, read_receipts, last_seen, typing) {
            Some(change) => Ok(Self { request, change }),
            None => Err(refused(request, ErrorCode::BadFrame)),
        }
    }
}

fn check(mask: u8, read_receipts: bool, last_seen: u8, typing: bool) -> Option<SettingsChange> {
    let last_seen = Audience::from_number(last_seen)?;
    let change = SettingsChange {
        read_receipts: (mask & READ_RECEIPTS != 0).then_some(read_receipts),
        last_seen: (mask & LAST_SEEN != 0).then_some(last_seen),
        typing: (mask & TYPING != 0).then_some(typing),
    };
    let is_clean = mask & !(READ_RECEIPTS | LAST_SEEN | TYPING) == 0
        && (change.read_receipts.is_some() || !read_receipts)
        && (change.last_seen.is_some() || last_seen.number() == 0)
        && (change.typing.is_some() || !typing);
    is_clean.then_some(change)
}

impl SettingsAnswer {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::SETTINGS, |out| {
            put_u32(out, self.request.0);
            put_settings(out, self.settings);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let answer = Self { request: reader.request()?, settings: read_settings(&mut reader)? };
        reader.finish()?;
        Ok(answer)
    }
}

/// Fields of a SettingsEntry, an entry.
///
/// ```text
/// 0   8  offset
/// 8   3  read receipts, last seen, typing, as in ChangeSettings
/// 11  8  time, Unix milliseconds
/// ```
pub(crate) fn put_settings_entry(out: &mut Vec<u8>, offset: Offset, settings: Settings, at: Timestamp) {
    put_u64(out, offset.0);
    put_settings(out, settings);
    put_u64(out, at.0);
}

/// Bytes that [`put_settings_entry`] takes.
pub(crate) const SETTINGS_ENTRY_BYTES: usize = 19;

fn put_settings(out: &mut Vec<u8>, settings: Settings) {
    let Settings { read_receipts, last_seen, typing } = settings;
    out.extend_from_slice(&[u8::from(read_receipts), last_seen.number(), u8::from(typing)]);
}

pub(crate) fn read_settings(reader: &mut Reader<'_>) -> Result<Settings, DecodeError> {
    Ok(Settings {
        read_receipts: reader.flag()?,
        last_seen: Audience::from_number(reader.u8()?).ok_or(DecodeError::Value)?,
        typing: reader.flag()?,
    })
}
