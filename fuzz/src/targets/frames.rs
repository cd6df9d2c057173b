//! A stream of frames in either direction: total, and what is read is written back to the same meaning.

use bytes::Bytes;
use iris_protocol::send_message::Send;
use iris_protocol::{ClientFrame, DecodeError, ServerFrame, frame, opcode};
use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use iris_types::request::{RequestId, SendMessage};
use iris_types::{Body, BodyKind, MessageId, Timestamp, UserId};

use super::vectors::{self, From};
use crate::{behaviour, behaviour_of_text};

pub(crate) fn run_client(input: &[u8]) -> u64 {
    run(input, ClientFrame::decode, |frame, out| frame.encode(out).is_ok(), is_lossless)
}

pub(crate) fn run_server(input: &[u8]) -> u64 {
    run(input, ServerFrame::decode, |frame, out| frame.encode(out).is_ok(), |_| true)
}

/// A batch with refused items has no bytes for them.
fn is_lossless(frame: &ClientFrame) -> bool {
    !matches!(frame, ClientFrame::SendBatch(items) if items.iter().any(Result::is_err))
}

fn run<F: PartialEq + std::fmt::Debug>(
    input: &[u8],
    decode: fn(u8, &[u8]) -> Result<F, DecodeError>,
    encode: fn(&F, &mut Vec<u8>) -> bool,
    is_lossless: fn(&F) -> bool,
) -> u64 {
    let mut seen = Vec::new();
    let mut rest = input;
    while let Ok(Some(envelope)) = frame::split(rest, FRAME_PAYLOAD_BYTES_MAX) {
        let outcome = decode(envelope.opcode, envelope.payload);
        if let Ok(frame) = &outcome {
            let mut again = Vec::new();
            if is_lossless(frame) && encode(frame, &mut again) {
                let parts = frame::split(&again, FRAME_PAYLOAD_BYTES_MAX);
                let parts = parts.ok().flatten().map(|parts| decode(parts.opcode, parts.payload));
                assert_eq!(parts, Some(Ok(read_again(decode, &envelope))), "written and read again");
            }
        }
        if seen.len() < 4 {
            seen.push(u64::from(envelope.opcode) << 32 | kind(&outcome));
        }
        rest = envelope.rest;
    }
    behaviour(&seen)
}

fn read_again<F: std::fmt::Debug>(
    decode: fn(u8, &[u8]) -> Result<F, DecodeError>,
    envelope: &frame::Envelope<'_>,
) -> F {
    let again = decode(envelope.opcode, envelope.payload);
    again.unwrap_or_else(|error| panic!("the same bytes are read once and then not: {error}"))
}

fn kind<F: std::fmt::Debug>(outcome: &Result<F, DecodeError>) -> u64 {
    match outcome {
        Ok(_) => 0,
        Err(error) => behaviour_of_text(&error.to_string()) >> 32,
    }
}

pub(crate) fn client_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vectors::frames(From::Client);
    let batch: Vec<_> =
        [send(BodyKind::TEXT, b"one"), send(BodyKind(9), &[1, 2, 3])].into_iter().flatten().map(Ok).collect();
    seeds.push(encoded(&ClientFrame::SendBatch(batch)));
    seeds.push(seeds.concat());
    seeds.extend(all_opcodes());
    seeds
}

pub(crate) fn server_seeds() -> Vec<Vec<u8>> {
    let mut seeds = vectors::frames(From::Server);
    seeds.push(seeds.concat());
    seeds.extend(all_opcodes());
    seeds
}

/// One frame of every opcode with a payload of zeros, and one with a payload of counting bytes.
fn all_opcodes() -> Vec<Vec<u8>> {
    let opcodes = (0..=opcode::SEND_BATCH).chain(opcode::SERVER_HELLO..=*opcode::LATER_ENTRIES.end());
    opcodes
        .flat_map(|opcode| {
            let zeros = [&[opcode, 0, 96][..], &[0; 96]].concat();
            let counting = [vec![opcode, 0, 96], (1..=96).collect()].concat();
            [zeros, counting]
        })
        .collect()
}

pub(crate) fn encoded(frame: &ClientFrame) -> Vec<u8> {
    let mut out = Vec::new();
    let _ = frame.encode(&mut out);
    out
}

pub(crate) fn send(kind: BodyKind, body: &[u8]) -> Option<Send> {
    Some(Send {
        request: RequestId(5),
        message: SendMessage {
            id: MessageId::from_parts(Timestamp(1_700_000_000_000), [1; 10]),
            to: UserId::new("bob").ok()?.into(),
            previous: None,
            body: Body::new(kind, Bytes::copy_from_slice(body)).ok()?,
        },
    })
}
