//! Refused: the answer to what the server will not or cannot do.

use iris_types::request::RequestId;
use iris_types::{ErrorCode, Refusal, Timestamp};

use crate::frame::{opcode, put_frame};
use crate::wire::{DecodeError, Reader, put_u16, put_u32, put_u64};

/// Tag of the opcode that was not known.
const TAG_OPCODE: u8 = 1;

/// A request, a login or an acknowledgement was refused.
///
/// ```text
/// 0   4  request; 0 for a login, an acknowledgement or an unknown opcode
/// 4   2  error code
/// 6   1  1 when trying again may help
/// 7   4  milliseconds to wait first, 0: the client chooses
/// 11  8  the server's clock, Unix milliseconds; 0 when the code does not need it
/// 19     tagged fields: 1 = the unknown opcode (1 byte)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub request: RequestId,
    pub refusal: Refusal,
    pub server_time: Timestamp,
    pub opcode: Option<u8>,
}

impl Refused {
    /// A refusal that needs neither the time nor a wait.
    pub(crate) fn of(request: RequestId, refusal: impl Into<Refusal>) -> Self {
        Self { request, refusal: refusal.into(), server_time: Timestamp(0), opcode: None }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::REFUSED, |out| {
            put_u32(out, self.request.0);
            put_code(out, self.refusal.code);
            put_u32(out, self.refusal.retry_after_ms);
            put_u64(out, self.server_time.0);
            if let Some(opcode) = self.opcode {
                out.extend_from_slice(&[TAG_OPCODE, 0, 1, opcode]);
            }
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let request = RequestId(reader.u32()?);
        let code = read_code(&mut reader)?;
        let refusal = Refusal { code, retry_after_ms: reader.u32()? };
        let server_time = reader.timestamp()?;
        let mut opcode = None;
        reader.finish_with(|tag, bytes| match (tag, bytes) {
            (TAG_OPCODE, [byte]) => {
                opcode = Some(*byte);
                Ok(())
            }
            (TAG_OPCODE, _) => Err(DecodeError::Value),
            _ => Ok(()),
        })?;
        Ok(Self { request, refusal, server_time, opcode })
    }
}

/// Code and retryable flag.
pub(crate) fn put_code(out: &mut Vec<u8>, code: ErrorCode) {
    put_u16(out, code as u16);
    out.push(u8::from(code.is_retryable()));
}

/// A code that this version does not know, from a newer server, is taken for one that it knows and that agrees
/// about trying again.
pub(crate) fn read_code(reader: &mut Reader<'_>) -> Result<ErrorCode, DecodeError> {
    let (number, is_retryable) = (reader.u16()?, reader.flag()?);
    let stand_in = if is_retryable { ErrorCode::Unavailable } else { ErrorCode::BadFrame };
    Ok(ErrorCode::from_number(number).unwrap_or(stand_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_from_the_future_keeps_its_retryable_flag() {
        for (flag, expected) in [(0, ErrorCode::BadFrame), (1, ErrorCode::Unavailable)] {
            assert_eq!(read_code(&mut Reader::new(&[0xff, 0xfe, flag])), Ok(expected));
        }
        assert_eq!(read_code(&mut Reader::new(&[1, 0xf4, 2])), Err(DecodeError::Value));
    }
}
