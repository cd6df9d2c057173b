//! Drain and Closed: how a connection ends.

use iris_types::Refusal;

use crate::DrainHint;
use crate::frame::{opcode, put_frame};
use crate::refusal::{put_code, read_code};
use crate::wire::{DecodeError, Reader, put_u32};

/// The server is about to stop.
///
/// ```text
/// 0  4  milliseconds to wait before reconnecting
/// 4  4  milliseconds of which a random part is added
/// 8     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    pub hint: DrainHint,
}

/// The server's last frame.
///
/// ```text
/// 0  2  error code
/// 2  1  1 when reconnecting may help
/// 3  4  milliseconds to wait first, 0: the client chooses
/// 7     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    pub refusal: Refusal,
}

impl Drain {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::DRAIN, |out| {
            put_u32(out, self.hint.reconnect_after_ms);
            put_u32(out, self.hint.jitter_ms);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let hint = DrainHint { reconnect_after_ms: reader.u32()?, jitter_ms: reader.u32()? };
        reader.finish()?;
        Ok(Self { hint })
    }
}

impl Closed {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::CLOSED, |out| {
            put_code(out, self.refusal.code);
            put_u32(out, self.refusal.retry_after_ms);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let code = read_code(&mut reader)?;
        let refusal = Refusal { code, retry_after_ms: reader.u32()? };
        reader.finish()?;
        Ok(Self { refusal })
    }
}
