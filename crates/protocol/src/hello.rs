//! Hello: versions and capabilities, both ways.

use crate::frame::{opcode, put_frame};
use crate::wire::{DecodeError, Reader, put_u32};
use crate::{Capabilities, Versions};

/// The client's first frame.
///
/// ```text
/// 0  4  versions it speaks: bit 0 for version 1, bit 1 for version 2
/// 4  4  capabilities
/// 8     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello {
    pub versions: Versions,
    pub capabilities: Capabilities,
}

/// The server's answer.
///
/// ```text
/// 0  1  version that both speak from now on
/// 1  4  capabilities that both have
/// 5     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHello {
    pub version: u8,
    pub capabilities: Capabilities,
}

impl ClientHello {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::CLIENT_HELLO, |out| {
            put_u32(out, self.versions.0);
            put_u32(out, self.capabilities.0);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let hello = Self { versions: Versions(reader.u32()?), capabilities: Capabilities(reader.u32()?) };
        reader.finish()?;
        Ok(hello)
    }
}

impl ServerHello {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::SERVER_HELLO, |out| {
            out.push(self.version);
            put_u32(out, self.capabilities.0);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let hello = Self { version: reader.u8()?, capabilities: Capabilities(reader.u32()?) };
        reader.finish()?;
        Ok(hello)
    }
}
