//! Acknowledge: the device has stored what it was given.

use iris_types::Offset;

use crate::frame::{opcode, put_frame};
use crate::wire::{DecodeError, Reader, put_u64};

/// Not answered, unless refused (under request 0). Version 1: one for each entry. Version 2: one stands for
/// everything up to it.
///
/// ```text
/// 0  8  offset
/// 8     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledge {
    pub up_to: Offset,
}

impl Acknowledge {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::ACKNOWLEDGE, |out| put_u64(out, self.up_to.0));
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let up_to = reader.offset()?;
        reader.finish()?;
        Ok(Self { up_to })
    }
}
