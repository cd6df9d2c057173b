//! How a WebSocket ends: codes, the client's close frame, ours.
//!
//! ```text
//! payload of a close frame: empty, or
//! 0  2  code
//! 2     reason, UTF-8, at most 123 bytes
//! ```

use super::frame::{self, Opcode};

/// What the server ends a WebSocket with (section 7.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum CloseCode {
    Normal = 1_000,
    ProtocolError = 1_002,
    UnsupportedData = 1_003,
    InvalidPayload = 1_007,
    MessageTooBig = 1_009,
}

impl CloseCode {
    pub const ALL: [Self; 5] =
        [Self::Normal, Self::ProtocolError, Self::UnsupportedData, Self::InvalidPayload, Self::MessageTooBig];

    /// For people who look at their browser's console.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "",
            Self::ProtocolError => "not a frame as RFC 6455 wants it",
            Self::UnsupportedData => "text: send binary messages",
            Self::InvalidPayload => "not whole frames, or a reason that is not UTF-8",
            Self::MessageTooBig => "the message is too long",
        }
    }
}

/// Why a WebSocket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// [`super::WebSocket::close`]: the server has said in a frame of its own why.
    Server,
    /// The client closed, with a code or without; it gets the same back.
    Client(Option<u16>),
    /// The client broke a rule.
    Refused(CloseCode),
}

/// What follows from the payload of the client's close frame.
pub(super) fn end_of(payload: &[u8]) -> End {
    match payload.split_first_chunk::<2>() {
        None if payload.is_empty() => End::Client(None),
        None => End::Refused(CloseCode::ProtocolError),
        Some((code, reason)) => match u16::from_be_bytes(*code) {
            code if !may_be_sent(code) => End::Refused(CloseCode::ProtocolError),
            _ if std::str::from_utf8(reason).is_err() => End::Refused(CloseCode::InvalidPayload),
            code => End::Client(Some(code)),
        },
    }
}

/// Codes of the registry that a peer may send, and those of libraries and applications. The others stand for ends
/// without a close frame (1005, 1006, 1015) or are not assigned.
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1_000..=1_003 | 1_007..=1_014 | 3_000..=4_999)
}

/// Appends the close frame.
pub(super) fn put_close(end: End, out: &mut Vec<u8>) {
    let (code, reason) = match end {
        End::Client(None) => return frame::put(Opcode::Close, &[], out),
        End::Client(Some(code)) => (code, ""),
        End::Server => (CloseCode::Normal as u16, CloseCode::Normal.reason()),
        End::Refused(code) => (code as u16, code.reason()),
    };
    frame::put(Opcode::Close, &[&code.to_be_bytes(), reason.as_bytes()].concat(), out);
}
