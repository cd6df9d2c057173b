//! The server's side of a WebSocket, from outside: what a client sends, in any cuts, and what comes of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod cases;
mod client;
#[path = "../scripted/mod.rs"]
mod scripted;
mod stream;
mod upgrade;

use iris_protocol::websocket::{CloseCode, End, WebSocket};
use iris_types::Monotonic;

pub(crate) const NOW: Monotonic = Monotonic(1_000);
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// First bytes of frames: the last of its message, of each kind.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;
/// Not the last of its message.
pub(crate) const FIRST: u8 = 0x02;
pub(crate) const MORE: u8 = 0x00;
pub(crate) const LAST: u8 = 0x80;

/// A client's frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let header = match payload.len() {
        length @ 0..=125 => vec![first, 0x80 | length as u8],
        length @ 126..=0xffff => [&[first, 0x80 | 126][..], &(length as u16).to_be_bytes()].concat(),
        length => [&[first, 0x80 | 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    let masked: Vec<u8> = payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    [header, MASK.to_vec(), masked].concat()
}

/// Whole Iris frames of so many bytes together, at least 3.
pub(crate) fn iris(bytes: usize) -> Vec<u8> {
    let mut frames = Vec::new();
    while frames.len() < bytes {
        let left = bytes - frames.len();
        // What remains has to be a frame, too.
        let payload = if left > 65_538 { (left - 6).min(65_535) } else { left - 3 };
        frames.push(8);
        frames.extend_from_slice(&(payload as u16).to_be_bytes());
        frames.extend((0..payload).map(|at| at as u8));
    }
    frames
}

/// What comes of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What the messages carried.
    pub(crate) plain: Vec<u8>,
    /// The server's frames.
    pub(crate) told: Vec<(u8, Vec<u8>)>,
    pub(crate) end: Option<End>,
}

impl Outcome {
    pub(crate) fn plain(plain: &[u8]) -> Self {
        Self { plain: plain.to_vec(), ..Self::default() }
    }

    pub(crate) fn pong(mut self, payload: &[u8]) -> Self {
        self.told.push((PONG, payload.to_vec()));
        self
    }

    pub(crate) fn refused(mut self, code: CloseCode) -> Self {
        self.told.push((CLOSE, [&(code as u16).to_be_bytes(), code.reason().as_bytes()].concat()));
        self.end = Some(End::Refused(code));
        self
    }

    pub(crate) fn closed(mut self, code: Option<u16>) -> Self {
        let payload = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
        self.told.push((CLOSE, payload));
        self.end = Some(End::Client(code));
        self
    }
}

/// Plays a stream whole, in pieces of every size up to its own, and in two pieces cut anywhere; long ones at some.
pub(crate) fn check(name: &str, sent: &[u8], expected: &Outcome) {
    let is_long = sent.len() > 600;
    assert!(played(sent.chunks(sent.len().max(1))) == *expected, "{name}: {:?}", shown(sent, expected));
    let sizes = if is_long { vec![1, 7, 997, 16_384] } else { (1..sent.len()).collect() };
    for size in sizes {
        assert!(played(sent.chunks(size)) == *expected, "{name}, in pieces of {size}");
    }
    for at in (0..=sent.len()).step_by(if is_long { sent.len() / 7 } else { 1 }) {
        let (one, other) = sent.split_at(at);
        assert!(played([one, other].into_iter()) == *expected, "{name}, cut at {at}");
    }
}

/// What came instead, in a length for people.
fn shown(sent: &[u8], expected: &Outcome) -> String {
    let outcome = played(sent.chunks(sent.len().max(1)));
    let short = |outcome: &Outcome| {
        format!("{} bytes, {:02x?}, {:?}", outcome.plain.len(), outcome.told, outcome.end)
    };
    format!("{} instead of {}", short(&outcome), short(expected))
}

fn played<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut socket = WebSocket::new();
    let mut plain = Vec::new();
    for piece in pieces {
        plain.extend_from_slice(socket.receive(&mut piece.to_vec(), NOW));
    }
    let mut out = Vec::new();
    let said = socket.transmit(&[], &mut out);
    assert_eq!(said, !out.is_empty());
    assert!(!socket.transmit(&[], &mut out), "everything is said once");
    Outcome { plain, told: told(&out), end: socket.end() }
}

/// The server's frames: unmasked, whole, the shortest form of the length.
pub(crate) fn told(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (length, header) = match bytes[1] {
            short @ 0..=125 => (usize::from(short), 2),
            126 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            127 => (u64::from_be_bytes(bytes[2..10].try_into().unwrap()) as usize, 10),
            _ => panic!("a masked frame"),
        };
        assert!(length >= [0, 0, 0, 0, 126, 0, 0, 0, 0, 0, 0x1_0000][header], "not the shortest form");
        frames.push((bytes[0], bytes[header..header + length].to_vec()));
        bytes = &bytes[header + length..];
    }
    frames
}
