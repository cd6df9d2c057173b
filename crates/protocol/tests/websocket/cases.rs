//! The families of the Autobahn test suite, as far as they concern a server that takes no text, and what is special
//! here: messages carry whole Iris frames.

use iris_protocol::websocket::CloseCode::{InvalidPayload, MessageTooBig, ProtocolError, UnsupportedData};
use iris_types::limits::WEBSOCKET_MESSAGE_BYTES_MAX;

use super::{BINARY, CLOSE, FIRST, LAST, MORE, Outcome, PING, PONG, TEXT, check, frame, iris};

fn nothing() -> Outcome {
    Outcome::default()
}

/// A close frame's payload.
fn with_code(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes(), reason].concat()
}

#[test]
fn family_1_messages_of_every_form_of_length() {
    for length in [3, 4, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_538, 65_541] {
        let carried = iris(length);
        assert_eq!(carried.len(), length);
        check(&format!("1.2: {length} bytes"), &frame(BINARY, &carried), &Outcome::plain(&carried));
    }
    check("1.2.1: nothing is no frame", &frame(BINARY, &[]), &nothing().refused(InvalidPayload));
    for text in [&b""[..], b"hi", &[b'*'; 65_536]] {
        check("1.1: text", &frame(TEXT, text), &nothing().refused(UnsupportedData));
    }
    let many: Vec<u8> = (3..40).flat_map(|length| frame(BINARY, &iris(length))).collect();
    let carried: Vec<u8> = (3..40).flat_map(iris).collect();
    check("messages behind one another", &many, &Outcome::plain(&carried));
}

#[test]
fn family_2_pings_and_pongs() {
    let cases: &[(&str, Vec<u8>, Outcome)] = &[
        ("2.1: no payload", frame(PING, b""), nothing().pong(b"")),
        ("2.2: a payload", frame(PING, b"Hello, world!"), nothing().pong(b"Hello, world!")),
        ("2.3: not text", frame(PING, &[0, 0xff, 0xfe]), nothing().pong(&[0, 0xff, 0xfe])),
        ("2.4: 125 bytes", frame(PING, &[0xfe; 125]), nothing().pong(&[0xfe; 125])),
        ("2.5: 126 bytes", frame(PING, &[0xfe; 126]), nothing().refused(ProtocolError)),
        ("2.7: a pong nobody asked for", frame(PONG, b""), nothing()),
        ("2.8: with a payload", frame(PONG, b"unsolicited"), nothing()),
        (
            "2.9: and then a ping",
            [frame(PONG, b"unsolicited"), frame(PING, b"ping")].concat(),
            nothing().pong(b"ping"),
        ),
        (
            "2.10: ten in a row",
            (0..10).flat_map(|number| frame(PING, &[number; 9])).collect(),
            (0..10).fold(nothing(), |outcome, number| outcome.pong(&[number; 9])),
        ),
    ];
    cases.iter().for_each(|(name, sent, expected)| check(name, sent, expected));
}

#[test]
fn family_3_reserved_bits() {
    let carried = iris(9);
    for bits in 1..8 {
        for kind in [BINARY, FIRST, TEXT, PING, PONG, CLOSE] {
            let first = kind | bits << 4;
            check(&format!("3: {first:02x}"), &frame(first, b""), &nothing().refused(ProtocolError));
            let behind = [frame(BINARY, &carried), frame(first, b"x"), frame(PING, b"")].concat();
            check("3: behind a message", &behind, &Outcome::plain(&carried).refused(ProtocolError));
        }
    }
}

#[test]
fn family_4_reserved_opcodes() {
    for opcode in (3..8).chain(11..16) {
        for first in [opcode, 0x80 | opcode] {
            for payload in [&b""[..], b"reserved"] {
                let sent = [frame(PING, b"a"), frame(first, payload), frame(PING, b"b")].concat();
                check(&format!("4: {first:02x}"), &sent, &nothing().pong(b"a").refused(ProtocolError));
            }
        }
    }
}

#[test]
fn family_5_fragments() {
    let carried = iris(20);
    let (one, two, three) = (&carried[..2], &carried[2..11], &carried[11..]);
    let whole = || Outcome::plain(&carried);
    let broken = || nothing().refused(ProtocolError);
    let cases: &[(&str, Vec<Vec<u8>>, Outcome)] = &[
        ("5.1: a ping in fragments", vec![frame(PING & !LAST, b"a"), frame(LAST, b"b")], broken()),
        ("5.2: a pong in fragments", vec![frame(PONG & !LAST, b"a"), frame(LAST, b"b")], broken()),
        ("a close in fragments", vec![frame(CLOSE & !LAST, b""), frame(LAST, b"")], broken()),
        ("5.3: two", vec![frame(FIRST, one), frame(LAST, &carried[2..])], whole()),
        (
            "5.6: a ping in between",
            vec![frame(FIRST, one), frame(PING, b"p"), frame(LAST, &carried[2..])],
            whole().pong(b"p"),
        ),
        ("5.9: the end of nothing", vec![frame(LAST, &carried)], broken()),
        ("5.12: a part of nothing", vec![frame(MORE, &carried)], broken()),
        (
            "5.15: fragments, then the end of nothing",
            vec![frame(FIRST, one), frame(LAST, &carried[2..]), frame(MORE, one)],
            whole().refused(ProtocolError),
        ),
        (
            "5.18: a message within a message",
            vec![frame(FIRST, one), frame(BINARY, two)],
            Outcome::plain(one).refused(ProtocolError),
        ),
        (
            "5.19: pings between all of them",
            vec![
                frame(FIRST, one),
                frame(PING, b"1"),
                frame(MORE, two),
                frame(PING, b"2"),
                frame(PONG, b"?"),
                frame(LAST, three),
            ],
            whole().pong(b"1").pong(b"2"),
        ),
        (
            "empty ones",
            vec![frame(FIRST, b""), frame(MORE, &carried), frame(MORE, b""), frame(LAST, b"")],
            whole(),
        ),
        ("text in fragments", vec![frame(TEXT & !LAST, b"a")], nothing().refused(UnsupportedData)),
        (
            "text within a message",
            vec![frame(FIRST, one), frame(TEXT, b"a")],
            Outcome::plain(one).refused(UnsupportedData),
        ),
    ];
    cases.iter().for_each(|(name, sent, expected)| check(name, &sent.concat(), expected));
}

#[test]
fn family_6_reasons_are_utf_8() {
    let valid: &[&[u8]] = &[
        "Hello-µ@ßöäüàá-UTF-8!!".as_bytes(),
        "κόσμε".as_bytes(),
        &[0],
        &[0xc2, 0x80],
        &[0xe0, 0xa0, 0x80],
        &[0xf0, 0x90, 0x80, 0x80],
        &[0x7f],
        &[0xdf, 0xbf],
        &[0xef, 0xbf, 0xbf],
        &[0xf4, 0x8f, 0xbf, 0xbf],
        &[0xed, 0x9f, 0xbf],
        &[0xee, 0x80, 0x80],
    ];
    let invalid: &[&[u8]] = &[
        &[0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xce, 0xbc, 0xce, 0xb5, 0xed, 0xa0, 0x80, 0x65, 0x64],
        &[0xf4, 0x90, 0x80, 0x80],
        &[0xf8, 0x88, 0x80, 0x80, 0x80],
        &[0xf7, 0xbf, 0xbf, 0xbf],
        &[0x80],
        &[0xbf],
        &[0xc0, 0x20],
        &[0xe0, 0x80],
        &[0xce],
        &[0xff],
        &[0xc0, 0xaf],
        &[0xe0, 0x80, 0xaf],
        &[0xf0, 0x80, 0x80, 0xaf],
        &[0xc1, 0xbf],
        &[0xed, 0xa0, 0x80],
        &[0xed, 0xaf, 0xbf, 0xed, 0xb0, 0x80],
    ];
    for reason in valid {
        let sent = frame(CLOSE, &with_code(1_000, reason));
        check(&format!("6: {reason:02x?}"), &sent, &nothing().closed(Some(1_000)));
    }
    for reason in invalid {
        let sent = frame(CLOSE, &with_code(1_000, reason));
        check(&format!("6: {reason:02x?}"), &sent, &nothing().refused(InvalidPayload));
        check("6: as text", &frame(TEXT, reason), &nothing().refused(UnsupportedData));
    }
}

#[test]
fn family_7_closing() {
    let carried = iris(7);
    let normal = || frame(CLOSE, &with_code(1_000, b""));
    let cases: &[(&str, Vec<Vec<u8>>, Outcome)] = &[
        (
            "7.1.1: behind a message",
            vec![frame(BINARY, &carried), normal()],
            Outcome::plain(&carried).closed(Some(1_000)),
        ),
        ("7.1.2: twice", vec![normal(), normal()], nothing().closed(Some(1_000))),
        ("7.1.3: before a ping", vec![normal(), frame(PING, b"")], nothing().closed(Some(1_000))),
        ("7.1.4: before a message", vec![normal(), frame(BINARY, &carried)], nothing().closed(Some(1_000))),
        (
            "7.1.5: within a message",
            vec![frame(FIRST, &carried), normal(), frame(LAST, &carried)],
            Outcome::plain(&carried).closed(Some(1_000)),
        ),
        ("7.3.1: nothing in it", vec![frame(CLOSE, b"")], nothing().closed(None)),
        ("7.3.2: half a code", vec![frame(CLOSE, b"a")], nothing().refused(ProtocolError)),
        ("7.3.4: a reason", vec![frame(CLOSE, &with_code(1_000, b"bye"))], nothing().closed(Some(1_000))),
        (
            "7.3.5: 123 bytes of reason",
            vec![frame(CLOSE, &with_code(1_000, &[b'*'; 123]))],
            nothing().closed(Some(1_000)),
        ),
        (
            "7.3.6: 124 bytes of reason",
            vec![frame(CLOSE, &with_code(1_000, &[b'*'; 124]))],
            nothing().refused(ProtocolError),
        ),
    ];
    cases.iter().for_each(|(name, sent, expected)| check(name, &sent.concat(), expected));
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        let sent = frame(CLOSE, &with_code(code, b""));
        check(&format!("7.7: {code}"), &sent, &nothing().closed(Some(code)));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let sent = frame(CLOSE, &with_code(code, b""));
        check(&format!("7.9, 7.13: {code}"), &sent, &nothing().refused(ProtocolError));
    }
}

#[test]
fn family_9_limits() {
    let largest = iris(WEBSOCKET_MESSAGE_BYTES_MAX);
    let beyond = WEBSOCKET_MESSAGE_BYTES_MAX + 1;
    check("9: the longest message", &frame(BINARY, &largest), &Outcome::plain(&largest));
    // The header says it, before anything of it comes.
    check("9: one byte more", &frame(BINARY, &iris(beyond))[..14], &nothing().refused(MessageTooBig));
    for length in [1 << 32, 1 << 62, u64::MAX >> 1] {
        let announced = [&[BINARY, 0xff][..], &u64::to_be_bytes(length), &[0; 4]].concat();
        check("9: announced", &announced, &nothing().refused(MessageTooBig));
    }
    let fragments = |bytes: &[u8], size: usize| {
        let count = bytes.chunks(size).count();
        let pieces = bytes.chunks(size).enumerate().map(move |(at, piece)| {
            let last = if at + 1 == count { LAST } else { 0 };
            frame(if at == 0 { FIRST | last } else { last }, piece)
        });
        pieces.collect::<Vec<_>>().concat()
    };
    for size in [64, 4_096, 65_536] {
        check("9: the longest in fragments", &fragments(&largest, size), &Outcome::plain(&largest));
        let taken = WEBSOCKET_MESSAGE_BYTES_MAX / size * size;
        let expected = Outcome::plain(&iris(beyond)[..taken]).refused(MessageTooBig);
        check("9: too long in fragments", &fragments(&iris(beyond), size), &expected);
    }
    check("9: byte by byte", &fragments(&iris(3_000), 1), &Outcome::plain(&iris(3_000)));
}

#[test]
fn masks_and_lengths_are_as_they_must() {
    let refused = || nothing().refused(ProtocolError);
    for first in [BINARY, FIRST, PING, PONG, CLOSE] {
        check("unmasked", &[first, 3, 8, 0, 0], &refused());
    }
    // Text is not read as far as its mask.
    check("unmasked text", &[TEXT, 2, b'h', b'i'], &nothing().refused(UnsupportedData));
    for first in [BINARY, PING] {
        for length in [0, 1, 125] {
            check(
                "2 bytes for a short length",
                &[&[first, 0xfe, 0, length][..], &[0; 4]].concat(),
                &refused(),
            );
        }
        for length in [0, 125, 126, 65_535] {
            let header = [&[first, 0xff][..], &u64::to_be_bytes(length), &[0; 4]].concat();
            check("8 bytes for a short length", &header, &refused());
        }
        let header = [&[first, 0xff][..], &u64::to_be_bytes(1 << 63), &[0; 4]].concat();
        check("the first bit of 8 bytes", &header, &refused());
    }
    // A mask of zeros is a mask.
    check("zeros", &[BINARY, 0x83, 0, 0, 0, 0, 8, 0, 0], &Outcome::plain(&[8, 0, 0]));
}

#[test]
fn messages_carry_whole_frames() {
    let carried = iris(30);
    for end in 1..30 {
        let cut = &carried[..end];
        let sent = [frame(BINARY, cut), frame(BINARY, &carried[end..])].concat();
        check(&format!("a frame cut at {end}"), &sent, &Outcome::plain(cut).refused(InvalidPayload));
        let sent = [frame(FIRST, cut), frame(LAST, &carried[end..])].concat();
        check("but for fragments", &sent, &Outcome::plain(&carried));
    }
    let two = [iris(5), iris(300)].concat();
    check("two in a message", &frame(BINARY, &two), &Outcome::plain(&two));
    let more = [two.clone(), vec![8]].concat();
    check(
        "and the beginning of a third",
        &frame(BINARY, &more),
        &Outcome::plain(&more).refused(InvalidPayload),
    );
    check(
        "fragments of nothing",
        &[frame(FIRST, b""), frame(LAST, b"")].concat(),
        &nothing().refused(InvalidPayload),
    );
}
