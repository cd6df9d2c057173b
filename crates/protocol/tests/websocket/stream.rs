//! Time, memory, what the server sends, and garbage.

use iris_protocol::websocket::{CloseCode, End, WebSocket};
use iris_types::limits::{PARTIAL_FRAME_MS_MAX, WEBSOCKET_MESSAGE_BYTES_MAX, WEBSOCKET_PONG_BYTES_MAX};

use super::{BINARY, CLOSE, FIRST, LAST, MORE, NOW, PING, PONG, frame, iris, told};

/// What a WebSocket may have on the heap.
const HELD_BYTES_MAX: usize = 2 * WEBSOCKET_PONG_BYTES_MAX + 125;

fn receive(socket: &mut WebSocket, bytes: &[u8]) -> Vec<u8> {
    socket.receive(&mut bytes.to_vec(), NOW).to_vec()
}

fn transmitted(socket: &mut WebSocket, frames: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut out = Vec::new();
    socket.transmit(frames, &mut out);
    told(&out)
}

#[test]
fn what_is_half_received_has_a_deadline_and_nothing_else_has() {
    let carried = iris(12);
    let wholes: &[Vec<u8>] = &[
        frame(BINARY, &carried),
        frame(PING, b"ping"),
        [frame(FIRST, &carried[..5]), frame(PING, b"ping"), frame(MORE, b""), frame(LAST, &carried[5..])]
            .concat(),
    ];
    for whole in wholes {
        let mut socket = WebSocket::new();
        assert_eq!(socket.deadline(), None);
        let due = NOW.plus_millis(100 + PARTIAL_FRAME_MS_MAX);
        for (step, byte) in whole.iter().enumerate() {
            socket.receive(&mut [*byte], NOW.plus_millis(100 + step as u64 * 50));
            let is_whole = step + 1 == whole.len();
            assert_eq!(socket.deadline(), (!is_whole).then_some(due), "it does not move, after {step} bytes");
        }
        // The next one has a time of its own, also when it begins in the same piece.
        let later = NOW.plus_millis(70_000);
        socket.receive(&mut [whole.as_slice(), &[BINARY]].concat(), later);
        assert_eq!(socket.deadline(), Some(later.plus_millis(PARTIAL_FRAME_MS_MAX)));
        socket.close();
        assert_eq!(socket.deadline(), None);
    }
}

#[test]
fn an_idle_websocket_is_small() {
    let mut socket = WebSocket::new();
    let sent = [frame(BINARY, &iris(70_000)), frame(PING, &[1; 125]), frame(PONG, &[1; 125])].concat();
    for piece in sent.chunks(1_000) {
        receive(&mut socket, piece);
    }
    assert_eq!(socket.pending_output_bytes(), 127);
    transmitted(&mut socket, &iris(70_000));
    assert_eq!((socket.heap_bytes(), socket.pending_output_bytes()), (0, 0));
    let inline = size_of::<WebSocket>();
    assert!(inline <= 128, "{inline} bytes");
}

#[test]
fn a_message_that_is_not_whole_is_not_held() {
    let mut socket = WebSocket::new();
    let sent = frame(BINARY, &iris(100_000));
    receive(&mut socket, &sent[..90_000]);
    assert_eq!(socket.heap_bytes(), 0);
}

#[test]
fn a_flood_of_pings_is_answered_within_bounds() {
    let mut socket = WebSocket::new();
    for number in 0..10_000_u32 {
        receive(&mut socket, &frame(PING, &number.to_be_bytes().repeat(1 + number as usize % 31)));
        assert!(
            socket.heap_bytes() <= HELD_BYTES_MAX
                && socket.pending_output_bytes() <= WEBSOCKET_PONG_BYTES_MAX
        );
    }
    let answered: Vec<u32> = transmitted(&mut socket, &[])
        .iter()
        .map(|(kind, payload)| {
            assert_eq!(*kind, PONG);
            u32::from_be_bytes(payload[..4].try_into().unwrap())
        })
        .collect();
    let oldest = 10_000 - answered.len() as u32;
    assert!(!answered.is_empty() && answered.iter().copied().eq(oldest..10_000), "the latest, in order");
}

#[test]
fn a_turn_is_as_few_messages_as_hold_it() {
    for length in [3, 125, 126, 65_535, 65_536, WEBSOCKET_MESSAGE_BYTES_MAX] {
        let frames = iris(length);
        assert_eq!(transmitted(&mut WebSocket::new(), &frames), [(BINARY, frames)], "{length}");
    }
    let mut socket = WebSocket::new();
    assert_eq!(transmitted(&mut socket, &[]), []);
    splits_between_frames(&iris(3).repeat(100_000));
    splits_between_frames(&(0..60).flat_map(|number| iris(3 + number % 40 * 911)).collect::<Vec<_>>());
}

fn splits_between_frames(frames: &[u8]) {
    let messages = transmitted(&mut WebSocket::new(), frames);
    assert_eq!(messages.iter().flat_map(|(_, message)| message).copied().collect::<Vec<_>>(), frames);
    // No message leaves room that its successor's first frame, of at most 36 KiB, would have filled.
    let fullest = WEBSOCKET_MESSAGE_BYTES_MAX - 36 * 1_024;
    assert!(messages.len() > 1 && messages.len() <= frames.len().div_ceil(fullest));
    for (kind, message) in &messages {
        assert!(*kind == BINARY && message.len() <= WEBSOCKET_MESSAGE_BYTES_MAX);
        // Read as a client's, it carries whole frames.
        let mut reader = WebSocket::new();
        assert_eq!(receive(&mut reader, &frame(BINARY, message)), *message);
        assert_eq!(reader.end(), None);
    }
}

#[test]
fn the_close_frame_is_the_last() {
    let mut socket = WebSocket::new();
    receive(&mut socket, &frame(PING, b"before"));
    socket.close();
    assert_eq!(receive(&mut socket, &frame(BINARY, &iris(9))), [], "nothing is heard any more");
    let last = iris(8);
    assert_eq!(
        transmitted(&mut socket, &last),
        [(PONG, b"before".to_vec()), (BINARY, last.clone()), (CLOSE, vec![3, 0xe8])]
    );
    assert_eq!(transmitted(&mut socket, &last), [], "nor said");
    assert_eq!(socket.end(), Some(End::Server));
    // Whoever is first.
    let mut socket = WebSocket::new();
    receive(&mut socket, &frame(CLOSE, &[0x0f, 0xa0]));
    socket.close();
    assert_eq!(transmitted(&mut socket, &last), [(BINARY, last), (CLOSE, vec![0x0f, 0xa0])]);
    assert_eq!(socket.end(), Some(End::Client(Some(4_000))));
}

#[test]
fn reasons_fit_their_frame() {
    for code in CloseCode::ALL {
        assert!(code.reason().len() <= 123, "{code:?}");
    }
}

/// Well-formed frames of all kinds, one behind the other.
fn traffic(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(1..12) {
        let carried = iris(3 + random.usize(..200));
        let cut = random.usize(..=carried.len());
        bytes.extend(match random.u8(..5) {
            0 => frame(PING, &vec![random.u8(..); random.usize(..126)]),
            1 => frame(PONG, b"?"),
            2 => [frame(FIRST, &carried[..cut]), frame(PING, b"!"), frame(LAST, &carried[cut..])].concat(),
            _ => frame(BINARY, &carried),
        });
    }
    bytes
}

#[test]
fn garbage_is_survived_and_cuts_do_not_matter() {
    let first = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x1215_u64);
    for seed in first..first + 3_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = traffic(&mut random);
        if random.u8(..4) == 0 {
            bytes = std::iter::repeat_with(|| random.u8(..)).take(400).collect();
        } else {
            for _ in 0..random.usize(..4) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
        }
        let mut whole = WebSocket::new();
        let plain = receive(&mut whole, &bytes);
        assert!(plain.len() <= bytes.len(), "repeat with TEST_SEED={seed}");
        let (mut cut, mut pieces, mut rest) = (WebSocket::new(), Vec::new(), bytes.as_slice());
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(random.usize(1..=rest.len().min(60)));
            pieces.extend(receive(&mut cut, piece));
            assert!(cut.heap_bytes() <= HELD_BYTES_MAX, "repeat with TEST_SEED={seed}");
            rest = behind;
        }
        assert_eq!(
            (plain, whole.end(), whole.deadline()),
            (pieces, cut.end(), cut.deadline()),
            "TEST_SEED={seed}"
        );
        assert_eq!(transmitted(&mut whole, &[]), transmitted(&mut cut, &[]), "repeat with TEST_SEED={seed}");
    }
}

#[test]
fn nothing_shows_what_was_said() {
    let mut socket = WebSocket::new();
    receive(&mut socket, &frame(PING, b"secret")[..9]);
    receive(&mut socket, &frame(PING, b"secret")[9..]);
    assert_eq!(format!("{socket:?}"), "WebSocket { end: None, is_said: false, pending_output_bytes: 8, .. }");
}
