//! A WebSocket as the server sees it: frames in any cuts, garbage between them, sending and closing in any order.
//!
//! An input is a script: each step is a byte that says what happens, then what it needs. The same stream goes to two
//! machines, to one of them in small pieces: nothing may tell them apart.

use iris_protocol::frame;
use iris_protocol::websocket::{End, WebSocket};
use iris_types::Monotonic;
use iris_types::limits::{FRAME_PAYLOAD_BYTES_MAX, WEBSOCKET_PONG_BYTES_MAX};

use super::Script;
use crate::behaviour;

/// A control frame that is not whole, and pongs in a vector that has grown.
const HELD_BYTES_MAX: usize = 125 + 2 * WEBSOCKET_PONG_BYTES_MAX;
const NOW: Monotonic = Monotonic(1_000);
const RAW: u8 = 0;
const FRAME: u8 = 1;
const TRANSMIT: u8 = 2;
const CLOSE: u8 = 3;
/// Steps that a byte can name.
const STEPS: u8 = 4;

#[derive(Default)]
struct World {
    whole: WebSocket,
    cut: WebSocket,
    /// What the messages carried.
    plain: Vec<u8>,
    is_closed: bool,
    seen: Vec<u64>,
}

pub(crate) fn run(input: &[u8]) -> u64 {
    let mut world = World::default();
    let mut script = Script::new(input);
    while !script.is_over() {
        world.step(&mut script);
        world.check();
    }
    behaviour(&[behaviour(&world.seen), world.whole.end().map_or(0, kind)])
}

impl World {
    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % STEPS {
            RAW => {
                let (count, piece) = (script.number() as usize, script.byte());
                self.receive(script.bytes(count), piece);
            }
            FRAME => {
                let (first, count, piece) = (script.byte(), script.number() as usize, script.byte());
                self.receive(&masked(first, script.bytes(count)), piece);
            }
            TRANSMIT => self.transmit(script.byte()),
            CLOSE => {
                self.whole.close();
                self.cut.close();
            }
            _ => unreachable!("a remainder of four"),
        }
    }

    fn receive(&mut self, bytes: &[u8], piece: u8) {
        let was_over = self.whole.end().is_some();
        let mut buffer = bytes.to_vec();
        let plain = self.whole.receive(&mut buffer, NOW);
        assert!(!was_over || plain.is_empty(), "something is heard behind the end");
        let mut pieces = Vec::new();
        for piece in bytes.chunks(usize::from(piece % 16) + 1) {
            pieces.extend_from_slice(self.cut.receive(&mut piece.to_vec(), NOW));
            assert!(self.cut.heap_bytes() <= HELD_BYTES_MAX, "{} bytes held", self.cut.heap_bytes());
        }
        assert_eq!(plain, pieces, "a cut changes what is carried");
        self.note(plain.is_empty().into());
        self.plain.extend_from_slice(plain);
    }

    fn transmit(&mut self, length: u8) {
        let frames = [&[0x8d, 0, length][..], &vec![7; usize::from(length)]].concat();
        let (mut out, mut other) = (Vec::new(), Vec::new());
        let said = self.whole.transmit(&frames, &mut out);
        self.cut.transmit(&frames, &mut other);
        assert_eq!(out, other, "a cut changes what is said");
        assert_eq!(said, !out.is_empty(), "transmit says whether there was anything");
        assert!(!(self.is_closed && said), "something is said behind the close frame");
        self.is_closed = self.whole.end().is_some();
        self.note(1_000 + told(&out) % 1_000);
        assert_eq!(self.whole.pending_output_bytes(), 0, "something waits behind a turn");
    }

    fn check(&self) {
        assert_eq!(self.whole.end(), self.cut.end(), "a cut changes the end");
        assert_eq!(self.whole.deadline(), self.cut.deadline(), "a cut changes the deadline");
        assert!(self.whole.heap_bytes() <= HELD_BYTES_MAX, "{} bytes held", self.whole.heap_bytes());
        if self.whole.end().is_none() && self.whole.deadline().is_none() {
            assert!(are_whole(&self.plain), "a message ended within a frame");
        }
    }

    fn note(&mut self, what: u64) {
        if self.seen.len() < 5 {
            self.seen.push(what);
        }
    }
}

fn are_whole(mut frames: &[u8]) -> bool {
    while let Ok(Some(frame)) = frame::split(frames, FRAME_PAYLOAD_BYTES_MAX) {
        frames = frame.rest;
    }
    frames.is_empty()
}

/// Reads what the server says; a number for the kinds of its frames.
fn told(mut bytes: &[u8]) -> u64 {
    let mut kinds = 0;
    while let Some((&[first, short], rest)) = bytes.split_first_chunk::<2>() {
        assert!(matches!(first, 0x82 | 0x88 | 0x8a), "the server says {first:02x}");
        let (length, rest) = match (short, rest.split_first_chunk::<2>()) {
            (0..=125, _) => (usize::from(short), rest),
            (126, Some((long, rest))) => (usize::from(u16::from_be_bytes(*long)), rest),
            _ => panic!("the server masks, or says more than it was given"),
        };
        assert!(first == 0x82 || length <= 125, "a long control frame");
        let (_, behind) = rest.split_at_checked(length).unwrap_or_else(|| panic!("a frame is cut"));
        kinds = kinds * 4 + u64::from(first & 3) + 1;
        bytes = behind;
    }
    assert!(bytes.is_empty(), "a header is cut");
    kinds
}

fn kind(end: End) -> u64 {
    match end {
        End::Server => 1,
        End::Client(code) => 10 + u64::from(code.unwrap_or_default()) / 1_000,
        End::Refused(code) => code as u64,
    }
}

/// A client's frame.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let length = payload.len();
    let mut frame = match length {
        0..=125 => vec![first, 0x80 | length as u8],
        126..=0xffff => [&[first, 0xfe][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, 0xff][..], &(length as u64).to_be_bytes()].concat(),
    };
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Messages whole and in fragments, control frames in between, and each way to end.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    const IRIS: &[u8] = &[8, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1];
    let step = |first: u8, payload: &[u8]| {
        let [high, low] = (payload.len() as u16).to_be_bytes();
        [&[FRAME, first, high, low, 2][..], payload].concat()
    };
    let message = step(0x82, IRIS);
    let (begin, end) = IRIS.split_at(5);
    let fragments = [step(0x02, begin), step(0x89, b"ping"), step(0x00, &[]), step(0x80, end)].concat();
    let mut seeds = vec![
        [message.clone(), message.clone(), vec![TRANSMIT, 9]].concat(),
        [fragments.clone(), vec![TRANSMIT, 200]].concat(),
        [message.clone(), vec![CLOSE, TRANSMIT, 4, TRANSMIT, 4]].concat(),
        step(0x82, &[IRIS, &[2, 0, 200], &[1; 200]].concat()),
    ];
    let ends: &[(u8, &[u8])] = &[
        (0x88, &[]),
        (0x88, &[3]),
        (0x88, b"\x03\xe8bye"),
        (0x88, &[3, 0xe8, 0xff]),
        (0x88, &[3, 0xed]),
        (0x81, b"text"),
        (0x82, begin),
        (0x82, &[]),
        (0x80, IRIS),
        (0x09, b"x"),
        (0xc2, IRIS),
        (0x83, IRIS),
        (0x8a, b"pong"),
    ];
    for (first, payload) in ends {
        seeds.push([message.clone(), step(*first, payload), vec![TRANSMIT, 3]].concat());
        seeds.push([step(0x02, begin), step(*first, payload), vec![TRANSMIT, 3]].concat());
    }
    let raw: &[&[u8]] = &[
        &[0x82, 3, 8, 0, 0],
        &[0x82, 0x83, 0, 0, 0, 0, 8, 0, 0],
        &[0x82, 0xfe, 0, 3, 0, 0, 0, 0, 8, 0, 0],
        &[0x82, 0xff, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0],
        &[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    for bytes in raw {
        seeds.push([&[RAW, 0, bytes.len() as u8, 0][..], bytes, &[TRANSMIT, 3]].concat());
    }
    seeds
}
