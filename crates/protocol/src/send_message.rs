//! SendMessage, SendBatch and Sent: a message on its way to the server.

use bytes::Bytes;
use iris_types::request::{RequestId, SendMessage, Sent};
use iris_types::{Body, BodyKind, ErrorCode, Offset};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{
    DecodeError, RawTarget, Reader, RefusedRequest, body_len, message_id, put_body, put_target, put_u16,
    put_u32, put_u64, target_len,
};

/// One message to send. The same layout, without tagged fields, is an item of SendBatch.
///
/// ```text
/// 0      4  request
/// 4      16 message id: a UUID version 7
/// 20     1  1 when a predecessor follows, else 0
/// 21     16 the predecessor's message id, p = 16 or 0 bytes
/// 21+p   t  target: length of the recipient's name (1), recipient; or a byte 0, group (16)
/// 21+p+t 1  kind of the body; 1 is text, 0 is the server's
/// 22+p+t 2  length of the body, b
/// 24+p+t b  body
///           tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    pub request: RequestId,
    pub message: SendMessage,
}

/// The message is durable. The same layout, without tagged fields, is an item of Batch.
///
/// ```text
/// 0   4  request
/// 4   16 message id
/// 20  16 conversation
/// 36  8  seq: the message's place in the conversation
/// 44  8  time of the commit, Unix milliseconds
/// 52  8  offset of the message in the sender's own inbox; 0 when the entry comes by itself
/// 60     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendResult {
    pub request: RequestId,
    pub sent: Sent,
}

/// Bytes of an item of Batch that holds a result.
pub(crate) const RESULT_BYTES: usize = 60;

const SEND_BYTES_MIN: usize = 25;

/// Appends a SendMessage frame.
pub(crate) fn encode(request: RequestId, message: &SendMessage, out: &mut Vec<u8>) {
    put_frame(out, opcode::SEND_MESSAGE, |out| put_send(out, request, message));
}

/// Appends a SendBatch frame, whether it fits or not: items (2 bytes), then the items.
pub(crate) fn encode_batch(items: &[Result<Send, RefusedRequest>], out: &mut Vec<u8>) {
    put_frame(out, opcode::SEND_BATCH, |out| {
        put_u16(out, items.iter().flatten().count() as u16);
        items.iter().flatten().for_each(|send| put_send(out, send.request, &send.message));
    });
}

/// Reads a SendBatch frame. A broken layout fails it as a whole, a broken rule only the item.
pub(crate) fn decode_batch(payload: &[u8]) -> Result<Vec<Result<Send, RefusedRequest>>, DecodeError> {
    let mut reader = Reader::new(payload);
    let items = reader.batch(SEND_BYTES_MIN, |reader| match Send::read(reader) {
        Ok(send) => Ok(Ok(send)),
        Err(DecodeError::Refused(refused)) => Ok(Err(refused)),
        Err(error) => Err(error),
    })?;
    reader.finish()?;
    Ok(items)
}

/// Bytes that [`put_send`] takes.
pub(crate) fn send_len(message: &SendMessage) -> usize {
    let previous = if message.previous.is_some() { 16 } else { 0 };
    21 + previous + target_len(&message.to) + body_len(&message.body)
}

pub(crate) fn put_send(out: &mut Vec<u8>, request: RequestId, message: &SendMessage) {
    put_u32(out, request.0);
    out.extend_from_slice(&message.id.to_bytes());
    match message.previous {
        Some(previous) => {
            out.push(1);
            out.extend_from_slice(&previous.to_bytes());
        }
        None => out.push(0),
    }
    put_target(out, &message.to);
    put_body(out, &message.body);
}

pub(crate) fn put_result(out: &mut Vec<u8>, result: &SendResult) {
    let sent = &result.sent;
    put_u32(out, result.request.0);
    out.extend_from_slice(&sent.id.to_bytes());
    out.extend_from_slice(&sent.conversation.0);
    put_u64(out, sent.seq.0);
    put_u64(out, sent.sent_at.0);
    put_u64(out, sent.offset.unwrap_or(Offset::ZERO).0);
}

impl Send {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let send = Self::read(&mut reader);
        if matches!(send, Ok(_) | Err(DecodeError::Refused(_))) {
            reader.finish()?;
        }
        send
    }

    /// Takes the whole layout before it looks at any rule, so that a refusal leaves the reader behind the item.
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (request, id) = (reader.request()?, reader.array()?);
        let previous = if reader.flag()? { Some(reader.array()?) } else { None };
        let (to, (kind, body)) = (reader.target()?, reader.body()?);
        match check(id, previous, to, kind, body) {
            Ok(message) => Ok(Self { request, message }),
            Err(code) => Err(refused(request, code)),
        }
    }
}

fn check(
    id: [u8; 16],
    previous: Option<[u8; 16]>,
    to: RawTarget<'_>,
    kind: BodyKind,
    body: &[u8],
) -> Result<SendMessage, ErrorCode> {
    let (id, previous) = (message_id(id)?, previous.map(message_id).transpose()?);
    let to = to.check()?;
    if kind == BodyKind::CHANGE {
        return Err(ErrorCode::InvalidBody);
    }
    Ok(SendMessage {
        id,
        previous,
        to,
        body: Body::new(kind, Bytes::copy_from_slice(body)).map_err(|_| ErrorCode::InvalidBody)?,
    })
}

impl SendResult {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::SENT, |out| put_result(out, self));
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let result = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(result)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let request = reader.request()?;
        let sent = Sent {
            id: reader.message_id()?,
            conversation: reader.conversation()?,
            seq: reader.seq()?,
            sent_at: reader.timestamp()?,
            offset: Some(reader.offset()?).filter(|offset| *offset != Offset::ZERO),
        };
        Ok(Self { request, sent })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use iris_types::{ConversationId, MessageId, Target, Timestamp};

    use super::*;
    use crate::wire::put_name;

    fn payload(id: u8, to: &[u8], kind: u8, body: &[u8]) -> Vec<u8> {
        let mut id_bytes = MessageId::from_parts(Timestamp(5), [1; 10]).to_bytes();
        id_bytes[6] = id;
        let mut out = vec![0, 0, 0, 9];
        out.extend_from_slice(&id_bytes);
        out.push(0);
        put_name(&mut out, to);
        out.push(kind);
        put_u16(&mut out, body.len() as u16);
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn a_broken_rule_refuses_the_request_and_nothing_else() {
        let check = |payload: &[u8], code| {
            assert_eq!(Send::decode(payload), Err(refused(RequestId(9), code)));
        };
        check(&payload(0x41, b"bob", 1, b"hi"), ErrorCode::InvalidId);
        check(&payload(0x71, b"b b", 1, b"hi"), ErrorCode::InvalidName);
        check(&payload(0x71, &[b'b'; 65], 1, b"hi"), ErrorCode::InvalidName);
        check(&payload(0x71, b"bob", 1, b""), ErrorCode::InvalidBody);
        check(&payload(0x71, b"bob", 1, b"h\xff"), ErrorCode::InvalidBody);
        check(&payload(0x71, b"bob", 2, &[0; 32_769]), ErrorCode::InvalidBody);
        check(&payload(0x71, b"bob", 0, &[4]), ErrorCode::InvalidBody);
        assert!(Send::decode(&payload(0x71, b"bob", 2, b"h\xff")).is_ok());
    }

    #[test]
    fn a_batch_refuses_items_one_by_one_and_layouts_as_a_whole() {
        let (good, bad) = (payload(0x71, b"bob", 1, b"hi"), payload(0x71, b"bob", 1, b"\xff"));
        let batch = [&[0, 3][..], &good, &bad, &good].concat();
        let items = decode_batch(&batch).unwrap();
        assert_eq!(items.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(decode_batch(&batch[..batch.len() - 1]), Err(DecodeError::Truncated));
    }

    #[test]
    fn the_length_of_a_send_is_known_beforehand() {
        let Send { request, message } = Send::decode(&payload(0x71, b"bob", 1, b"hi")).unwrap();
        for previous in [None, Some(MessageId::from_parts(Timestamp(1), [3; 10]))] {
            for to in [message.to.clone(), Target::Group(ConversationId([7; 16]))] {
                let message = SendMessage { previous, to, ..message.clone() };
                let mut out = Vec::new();
                put_send(&mut out, request, &message);
                assert_eq!(out.len(), send_len(&message));
                assert_eq!(Send::decode(&out), Ok(Send { request, message }));
            }
        }
    }
}
