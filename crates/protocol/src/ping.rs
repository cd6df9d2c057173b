//! Ping and Pong: signs of life.

use crate::frame::{opcode, put_frame};
use crate::wire::{DecodeError, Reader, put_u64};

/// From the client.
///
/// ```text
/// 0  8  anything
/// 8     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    pub token: u64,
}

/// The server's answer: the same 8 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    pub token: u64,
}

impl Ping {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::PING, |out| put_u64(out, self.token));
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { token: token(payload)? })
    }
}

impl Pong {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::PONG, |out| put_u64(out, self.token));
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { token: token(payload)? })
    }
}

fn token(payload: &[u8]) -> Result<u64, DecodeError> {
    let mut reader = Reader::new(payload);
    let token = reader.u64()?;
    reader.finish()?;
    Ok(token)
}
