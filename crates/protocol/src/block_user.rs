//! BlockUser: no more of a user's messages, or again. Answered with Done.

use iris_types::request::{BlockUser, RequestId};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_name, put_u32, user};

/// Names the user.
///
/// ```text
/// 0    4  request
/// 4    1  length of the name, n
/// 5    n  user
/// 5+n  1  1: block, 0: no longer
///         tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub request: RequestId,
    pub block: BlockUser,
}

impl Block {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, name, on) = (reader.request()?, reader.name()?, reader.flag()?);
        reader.finish()?;
        let user = user(name).map_err(|code| refused(request, code))?;
        Ok(Self { request, block: BlockUser { user, on } })
    }
}

/// Appends a BlockUser frame.
pub(crate) fn encode(request: RequestId, block: &BlockUser, out: &mut Vec<u8>) {
    put_frame(out, opcode::BLOCK_USER, |out| {
        put_u32(out, request.0);
        put_name(out, block.user.as_bytes());
        out.push(u8::from(block.on));
    });
}
