//! Typing and TypingNotice: somebody writes. Never stored, never answered, dropped under load.

use iris_types::request::RequestId;
use iris_types::{Target, Typing};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{DecodeError, Reader, put_name, put_target};

/// The user writes in a conversation, or stopped.
///
/// ```text
/// 0  t  target: length of the other member's name (1), other member; or a byte 0, group (16)
/// t  1  1: writes, 0: stopped
///       tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SayTyping {
    pub target: Target,
    pub on: bool,
}

impl SayTyping {
    /// There is no request to refuse: a broken rule is refused under request 0.
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (target, on) = (reader.target()?, reader.flag()?);
        reader.finish()?;
        let target = target.check().map_err(|code| refused(RequestId(0), code))?;
        Ok(Self { target, on })
    }
}

/// Appends a Typing frame.
pub(crate) fn encode(target: &Target, on: bool, out: &mut Vec<u8>) {
    put_frame(out, opcode::TYPING, |out| {
        put_target(out, target);
        out.push(u8::from(on));
    });
}

/// Appends a TypingNotice frame, a push that is no entry: somebody else writes, or stopped.
///
/// ```text
/// 0     16 conversation
/// 16    1  length of the name, n
/// 17    n  user
/// 17+n  1  1: writes, 0: stopped
///          tagged fields
/// ```
pub(crate) fn encode_notice(typing: &Typing, out: &mut Vec<u8>) {
    put_frame(out, opcode::TYPING_NOTICE, |out| {
        out.extend_from_slice(&typing.conversation.0);
        put_name(out, typing.user.as_bytes());
        out.push(u8::from(typing.on));
    });
}

pub(crate) fn decode_notice(payload: &[u8]) -> Result<Typing, DecodeError> {
    let mut reader = Reader::new(payload);
    let typing = Typing { conversation: reader.conversation()?, user: reader.user()?, on: reader.flag()? };
    reader.finish()?;
    Ok(typing)
}
