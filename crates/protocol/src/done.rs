//! Done: the answer to a request that asked for a change and nothing else.

use iris_types::request::RequestId;

use crate::frame::{opcode, put_frame};
use crate::wire::{DecodeError, Reader, put_u32};

/// The change is durable.
///
/// ```text
/// 0  4  request
/// 4     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    pub request: RequestId,
}

impl Done {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::DONE, |out| put_u32(out, self.request.0));
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = reader.request()?;
        reader.finish()?;
        Ok(Self { request })
    }
}
