//! Frames of RFC 6455 section 5.2.
//!
//! ```text
//! 0  1  last of its message (1 bit) · reserved, 0 (3 bits) · opcode (4 bits)
//! 1  1  masked (1 bit) · length (7 bits); 126: the length is in 2 more bytes, 127: in 8 more; the shortest form
//!    4  mask: in every frame of a client, in none of a server
//!       payload; of a client each byte is xored with the mask's byte of its turn
//! ```

use iris_types::Monotonic;
use iris_types::limits::{FRAME_PAYLOAD_BYTES_MAX, WEBSOCKET_MESSAGE_BYTES_MAX};

use super::CloseCode;
use crate::frame::{HEADER_BYTES, split};

pub(super) const HEADER_BYTES_MIN: usize = 2;
/// Two bytes, the longest length, the mask.
const HEADER_BYTES_MAX: usize = 14; // layout
const MASK_BYTES: usize = 4;
/// Lengths up to here need no more bytes; control frames have no longer ones.
const SHORT_LENGTH_MAX: u8 = 125; // layout

const LAST: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;

/// What a frame is. Text has none: nothing here reads or writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Opcode {
    Continuation = 0,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// A control frame of the client.
pub(super) enum Control {
    Ping(Vec<u8>),
    Pong,
    Close(Vec<u8>),
}

/// Bytes that arrived. What messages carry moves to the front, over headers that are done with.
pub(super) struct Turn<'a> {
    bytes: &'a mut [u8],
    at: usize,
    plain: usize,
}

/// Reads the client's frames; holds what a frame's beginning says about its rest.
#[derive(Default)]
pub(super) struct Reader {
    stage: Stage,
    header: HeaderBytes,
    /// Payload of the control frame that is arriving.
    control: Vec<u8>,
    /// Length of the message whose last frame has not arrived, as far as announced.
    message_bytes: Option<u32>,
    boundary: Boundary,
    /// When the first byte of the oldest thing that is not whole came.
    begun_at: Option<Monotonic>,
}

/// What comes next.
#[derive(Clone, Copy, Default)]
enum Stage {
    #[default]
    Header,
    Data {
        left: u32,
        mask: [u8; MASK_BYTES],
        is_last: bool,
    },
    Control {
        opcode: Opcode,
        left: u8,
        mask: [u8; MASK_BYTES],
    },
}

/// The beginning of a header.
#[derive(Clone, Copy, Default)]
struct HeaderBytes {
    bytes: [u8; HEADER_BYTES_MAX],
    length: u8,
}

enum Parsed {
    /// The header has so many bytes, at least.
    Needs(usize),
    Whole(Header),
}

#[derive(Clone, Copy)]
struct Header {
    opcode: Opcode,
    is_last: bool,
    length: u64,
    mask: [u8; MASK_BYTES],
}

/// Follows the Iris frames inside messages: where the current one ends.
#[derive(Clone, Copy, Default)]
struct Boundary {
    /// Bytes of the current frame's header that came.
    header_bytes: u8,
    /// Bytes of its payload that are to come, as far as the header tells.
    payload_left: u16,
}

impl Reader {
    pub(super) fn begun_at(&self) -> Option<Monotonic> {
        self.begun_at
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.control.capacity()
    }

    /// Reads on to the next control frame; `None` when everything is read. What messages carry stays in `turn`.
    ///
    /// # Errors
    /// The code that the WebSocket has to be closed with.
    pub(super) fn next(&mut self, turn: &mut Turn<'_>, now: Monotonic) -> Result<Option<Control>, CloseCode> {
        loop {
            match self.stage {
                Stage::Header if turn.is_over() => return Ok(None),
                Stage::Header => {
                    self.begun_at.get_or_insert(now);
                    let Some(header) = self.header.complete(turn)? else { return Ok(None) };
                    self.stage = self.begin(header)?;
                }
                Stage::Data { left, mask, is_last } => {
                    self.stage = self.data(turn, left, mask, is_last)?;
                    if matches!(self.stage, Stage::Data { .. }) {
                        return Ok(None);
                    }
                }
                Stage::Control { opcode, left, mask } => {
                    self.stage = self.control(turn, opcode, left, mask);
                    if matches!(self.stage, Stage::Header) {
                        return Ok(Some(self.finish_control(opcode)));
                    }
                    return Ok(None);
                }
            }
        }
    }

    /// Checks the header against what came before it.
    fn begin(&mut self, header: Header) -> Result<Stage, CloseCode> {
        let Header { opcode, is_last, length, mask } = header;
        let before = match (opcode, self.message_bytes) {
            (Opcode::Binary, None) => 0,
            (Opcode::Continuation, Some(before)) => before,
            (Opcode::Binary, Some(_)) | (Opcode::Continuation, None) => return Err(CloseCode::ProtocolError),
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => {
                self.control = Vec::with_capacity(length as usize);
                return Ok(Stage::Control { opcode, left: length as u8, mask });
            }
        };
        let bytes = u64::from(before).saturating_add(length);
        if bytes > WEBSOCKET_MESSAGE_BYTES_MAX as u64 {
            return Err(CloseCode::MessageTooBig);
        }
        self.message_bytes = Some(bytes as u32);
        Ok(Stage::Data { left: length as u32, mask, is_last })
    }

    fn data(
        &mut self,
        turn: &mut Turn<'_>,
        left: u32,
        mut mask: [u8; MASK_BYTES],
        is_last: bool,
    ) -> Result<Stage, CloseCode> {
        let piece = turn.keep(left as usize);
        unmask(piece, &mut mask);
        self.boundary.advance(piece);
        let left = left - piece.len() as u32;
        if left > 0 {
            return Ok(Stage::Data { left, mask, is_last });
        }
        if is_last {
            self.begun_at = None;
            // A message carries at least one frame, and whole ones.
            if self.message_bytes.take() == Some(0) || !self.boundary.is_between_frames() {
                return Err(CloseCode::InvalidPayload);
            }
        }
        Ok(Stage::Header)
    }

    fn control(
        &mut self,
        turn: &mut Turn<'_>,
        opcode: Opcode,
        left: u8,
        mut mask: [u8; MASK_BYTES],
    ) -> Stage {
        let piece = turn.take(usize::from(left));
        unmask(piece, &mut mask);
        self.control.extend_from_slice(piece);
        match left - piece.len() as u8 {
            0 => Stage::Header,
            left => Stage::Control { opcode, left, mask },
        }
    }

    fn finish_control(&mut self, opcode: Opcode) -> Control {
        if self.message_bytes.is_none() {
            self.begun_at = None;
        }
        let payload = std::mem::take(&mut self.control);
        match opcode {
            Opcode::Ping => Control::Ping(payload),
            Opcode::Close => Control::Close(payload),
            // Data is never in this stage.
            Opcode::Pong | Opcode::Binary | Opcode::Continuation => Control::Pong,
        }
    }
}

impl HeaderBytes {
    /// Moves bytes from `turn` up to the end of the header; refuses it with the first byte that is wrong.
    fn complete(&mut self, turn: &mut Turn<'_>) -> Result<Option<Header>, CloseCode> {
        loop {
            let length = usize::from(self.length);
            match parse(self.bytes.get(..length).unwrap_or_default())? {
                Parsed::Whole(header) => {
                    self.length = 0;
                    return Ok(Some(header));
                }
                Parsed::Needs(_) if turn.is_over() => return Ok(None),
                Parsed::Needs(total) => {
                    let taken = turn.take(total - length);
                    let room = self.bytes.iter_mut().skip(length);
                    room.zip(taken.iter()).for_each(|(byte, new)| *byte = *new);
                    self.length += taken.len() as u8;
                }
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Parsed, CloseCode> {
    let Some(first) = bytes.first() else { return Ok(Parsed::Needs(HEADER_BYTES_MIN)) };
    let (opcode, is_last) = (opcode(*first)?, first & LAST != 0);
    let Some(second) = bytes.get(1) else { return Ok(Parsed::Needs(HEADER_BYTES_MIN)) };
    let short = second & !MASKED;
    let is_control = opcode as u8 >= Opcode::Close as u8;
    if second & MASKED == 0 || is_control && (short > SHORT_LENGTH_MAX || !is_last) {
        return Err(CloseCode::ProtocolError);
    }
    // The bytes of the length, and what it is at least in so many.
    let (length_bytes, least) = match short {
        126 => (2, 126),
        127 => (8, 0x1_0000),
        _ => (0, 0),
    };
    let total = HEADER_BYTES_MIN + length_bytes + MASK_BYTES;
    let rest = bytes.get(HEADER_BYTES_MIN..total).and_then(|rest| rest.split_last_chunk::<MASK_BYTES>());
    let Some((long, mask)) = rest else { return Ok(Parsed::Needs(total)) };
    let length = match long {
        [] => u64::from(short),
        bytes => bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    if length < least || length > u64::MAX / 2 {
        return Err(CloseCode::ProtocolError);
    }
    Ok(Parsed::Whole(Header { opcode, is_last, length, mask: *mask }))
}

fn opcode(first: u8) -> Result<Opcode, CloseCode> {
    const TEXT: u8 = 1;
    if first & RESERVED != 0 {
        return Err(CloseCode::ProtocolError);
    }
    let all = [Opcode::Continuation, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];
    match (first & OPCODE, all.into_iter().find(|opcode| *opcode as u8 == first & OPCODE)) {
        (_, Some(opcode)) => Ok(opcode),
        (TEXT, None) => Err(CloseCode::UnsupportedData),
        (_, None) => Err(CloseCode::ProtocolError),
    }
}

/// The mask is turned on to the byte behind the piece.
fn unmask(piece: &mut [u8], mask: &mut [u8; MASK_BYTES]) {
    let [a, b, c, d] = *mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let length = piece.len();
    let (words, rest) = piece.as_chunks_mut::<8>();
    words.iter_mut().for_each(|word| *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes());
    rest.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    mask.rotate_left(length % MASK_BYTES);
}

impl Boundary {
    fn is_between_frames(self) -> bool {
        self.header_bytes == 0
    }

    fn advance(&mut self, mut piece: &[u8]) {
        while let Some((first, rest)) = piece.split_first() {
            if usize::from(self.header_bytes) < HEADER_BYTES {
                // Behind the opcode, the length with its high byte first.
                let is_length = self.header_bytes > 0;
                self.payload_left = self.payload_left << 8 | if is_length { u16::from(*first) } else { 0 };
                self.header_bytes += 1;
                piece = rest;
            } else {
                let skipped = piece.len().min(usize::from(self.payload_left));
                self.payload_left -= skipped as u16;
                piece = piece.get(skipped..).unwrap_or_default();
            }
            if usize::from(self.header_bytes) == HEADER_BYTES && self.payload_left == 0 {
                self.header_bytes = 0;
            }
        }
    }
}

impl<'a> Turn<'a> {
    pub(super) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0, plain: 0 }
    }

    fn is_over(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// What the messages carried.
    pub(super) fn into_plain(self) -> &'a [u8] {
        self.bytes.get(..self.plain).unwrap_or_default()
    }

    /// At most `most` bytes.
    fn take(&mut self, most: usize) -> &mut [u8] {
        let start = self.at;
        self.at += most.min(self.bytes.len() - start);
        self.bytes.get_mut(start..self.at).unwrap_or_default()
    }

    /// The same, at the end of what the messages carried.
    fn keep(&mut self, most: usize) -> &mut [u8] {
        let start = self.at;
        self.at += most.min(self.bytes.len() - start);
        let to = self.plain;
        self.bytes.copy_within(start..self.at, to);
        self.plain += self.at - start;
        self.bytes.get_mut(to..self.plain).unwrap_or_default()
    }
}

/// Appends a frame, the only one of its message.
pub(super) fn put(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    out.push(LAST | opcode as u8);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=SHORT_LENGTH_MAX), _) => out.push(length),
        (_, Ok(length)) => {
            out.push(126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        (_, Err(_)) => {
            out.push(127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// Appends whole Iris frames as binary messages, as few as hold them.
pub(super) fn put_messages(mut frames: &[u8], out: &mut Vec<u8>) {
    while !frames.is_empty() {
        let (message, rest) = frames.split_at(message_length(frames));
        put(Opcode::Binary, message, out);
        frames = rest;
    }
}

/// Bytes of the frames that one message holds.
fn message_length(frames: &[u8]) -> usize {
    const { assert!(WEBSOCKET_MESSAGE_BYTES_MAX >= HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX) };
    if frames.len() <= WEBSOCKET_MESSAGE_BYTES_MAX {
        return frames.len();
    }
    let (mut length, mut rest) = (0, frames);
    while let Ok(Some(frame)) = split(rest, FRAME_PAYLOAD_BYTES_MAX) {
        let end = frames.len() - frame.rest.len();
        if end > WEBSOCKET_MESSAGE_BYTES_MAX {
            break;
        }
        (length, rest) = (end, frame.rest);
    }
    // Nothing but a cut frame has no end; that is the caller's mistake, and is not made worse.
    if length == 0 { frames.len() } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_turn_on_with_every_piece() {
        let plain: Vec<u8> = (0..100).collect();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let masked: Vec<u8> = plain.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for cut in 0..plain.len() {
            let (mut bytes, mut mask) = (masked.clone(), key);
            let (one, other) = bytes.split_at_mut(cut);
            unmask(one, &mut mask);
            unmask(other, &mut mask);
            assert_eq!(bytes, plain, "cut at {cut}");
        }
    }

    #[test]
    fn frames_are_followed_over_any_cut() {
        let frames = [&[1, 0, 0][..], &[2, 1, 0], &[7; 256], &[3, 0, 1, 9]].concat();
        let ends = [0, 3, 3 + 3 + 256, frames.len()];
        for at in 0..=frames.len() {
            let mut boundary = Boundary::default();
            frames.get(..at).unwrap_or_default().chunks(5).for_each(|piece| boundary.advance(piece));
            assert_eq!(boundary.is_between_frames(), ends.contains(&at), "after {at} bytes");
        }
    }
}
