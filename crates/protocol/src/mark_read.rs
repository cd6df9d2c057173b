//! MarkRead: the user has read a conversation up to a message. Answered with Done.

use iris_types::request::{MarkRead, RequestId};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_target, put_u32, put_u64};

/// Names the conversation and the message.
///
/// ```text
/// 0    4  request
/// 4    t  target: length of the other member's name (1), other member; or a byte 0, group (16)
/// 4+t  8  seq
///         tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub request: RequestId,
    pub mark: MarkRead,
}

impl Mark {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, target, up_to) = (reader.request()?, reader.target()?, reader.seq()?);
        reader.finish()?;
        let target = target.check().map_err(|code| refused(request, code))?;
        Ok(Self { request, mark: MarkRead { target, up_to } })
    }
}

/// Appends a MarkRead frame.
pub(crate) fn encode(request: RequestId, mark: &MarkRead, out: &mut Vec<u8>) {
    put_frame(out, opcode::MARK_READ, |out| {
        put_u32(out, request.0);
        put_target(out, &mark.target);
        put_u64(out, mark.up_to.0);
    });
}
