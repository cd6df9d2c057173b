//! SetFlags: mute, pin, archive. Answered with Done. ConversationState: the entry that tells the own devices.

use iris_types::request::{RequestId, SetFlags};
use iris_types::{ConversationState, ErrorCode, Flags, Offset};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_target, put_u32, put_u64};

/// Names the conversation and the bits.
///
/// ```text
/// 0    4  request
/// 4    t  target: length of the other member's name (1), other member; or a byte 0, group (16)
/// 4+t  1  mask, the bits to change: 1 muted, 2 pinned, 4 archived
/// 5+t  1  their values
///         tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    pub request: RequestId,
    pub set: SetFlags,
}

impl Set {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, target) = (reader.request()?, reader.target()?);
        let (mask, values) = (reader.u8()?, reader.u8()?);
        reader.finish()?;
        let target = target.check().map_err(|code| refused(request, code))?;
        let settable = |bits| {
            let flags = Flags::from_bits(bits).filter(|flags| Flags::SETTABLE.has(*flags));
            flags.ok_or(refused(request, ErrorCode::BadFrame))
        };
        let (mask, values) = (settable(mask)?, settable(values)?);
        Ok(Self { request, set: SetFlags { target, mask, values } })
    }
}

/// Appends a SetFlags frame.
pub(crate) fn encode(request: RequestId, set: &SetFlags, out: &mut Vec<u8>) {
    put_frame(out, opcode::SET_FLAGS, |out| {
        put_u32(out, request.0);
        put_target(out, &set.target);
        out.extend_from_slice(&[set.mask.bits(), set.values.bits()]);
    });
}

/// Fields of a ConversationState, an entry.
///
/// ```text
/// 0   8  offset
/// 8   16 conversation
/// 24  8  read up to this seq
/// 32  8  unread messages
/// 40  1  flags: 1 muted, 2 pinned, 4 archived, 8 blocked
/// 41  8  time, Unix milliseconds
/// ```
pub(crate) fn put_state(out: &mut Vec<u8>, offset: Offset, state: &ConversationState) {
    put_u64(out, offset.0);
    out.extend_from_slice(&state.conversation.0);
    put_u64(out, state.read.0);
    put_u64(out, state.unread);
    out.push(state.flags.bits());
    put_u64(out, state.at.0);
}

/// Bytes that [`put_state`] takes.
pub(crate) const STATE_BYTES: usize = 49;

pub(crate) fn read_state(reader: &mut Reader<'_>) -> Result<ConversationState, DecodeError> {
    Ok(ConversationState {
        conversation: reader.conversation()?,
        read: reader.seq()?,
        unread: reader.u64()?,
        flags: read_flags(reader)?,
        at: reader.timestamp()?,
    })
}

/// A newer server may have more bits: they are left out.
pub(crate) fn read_flags(reader: &mut Reader<'_>) -> Result<Flags, DecodeError> {
    let known = Flags::SETTABLE.bits() | Flags::BLOCKED.bits();
    Flags::from_bits(reader.u8()? & known).ok_or(DecodeError::Value)
}
