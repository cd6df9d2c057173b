//! Sends: those on their way, and how others ended.

use bytes::Bytes;
use iris_client_core::{Outcome, SendNumber, Settled, Unsent};
use iris_types::{BodyKind, ErrorCode, Refusal};

use super::fields::{Reader, put_optional, put_target, put_text};

pub(crate) fn encode_unsent(unsent: &Unsent) -> Vec<u8> {
    let mut row = Vec::new();
    put_target(&mut row, &unsent.to);
    row.push(unsent.body.kind().0);
    put_optional(&mut row, unsent.id, |row, id| row.extend(id.to_bytes()));
    row.push(u8::from(unsent.id_given));
    put_optional(&mut row, unsent.reference.as_ref(), |row, reference| put_text(row, reference));
    row.extend_from_slice(unsent.body.bytes());
    row
}

pub(crate) fn decode_unsent(number: SendNumber, row: &[u8]) -> Option<Unsent> {
    let mut row = Reader(row);
    let to = row.target()?;
    let kind = BodyKind(row.byte()?);
    let id = row.optional(Reader::id)?;
    let id_given = row.flag()?;
    let reference = row.optional(|row| row.text().map(Bytes::copy_from_slice))?;
    Some(Unsent { number, to, id, id_given, reference, body: row.body(kind)? })
}

pub(crate) fn encode_settled(settled: &Settled) -> Vec<u8> {
    let mut row = Vec::new();
    put_target(&mut row, &settled.to);
    put_optional(&mut row, settled.id, |row, id| row.extend(id.to_bytes()));
    put_optional(&mut row, settled.reference.as_ref(), |row, reference| put_text(row, reference));
    match settled.outcome {
        Outcome::Sent { conversation, seq, sent_at } => {
            row.push(1);
            row.extend(conversation.0);
            row.extend(seq.0.to_be_bytes());
            row.extend(sent_at.0.to_be_bytes());
        }
        Outcome::Failed(refusal) => {
            row.push(2);
            row.extend((refusal.code as u16).to_be_bytes());
            row.extend(refusal.retry_after_ms.to_be_bytes());
        }
    }
    row
}

pub(crate) fn decode_settled(number: SendNumber, row: &[u8]) -> Option<Settled> {
    let mut row = Reader(row);
    let to = row.target()?;
    let id = row.optional(Reader::id)?;
    let reference = row.optional(|row| row.text().map(Bytes::copy_from_slice))?;
    let outcome = match row.byte()? {
        1 => Outcome::Sent { conversation: row.conversation()?, seq: row.seq()?, sent_at: row.time()? },
        2 => {
            Outcome::Failed(Refusal { code: ErrorCode::from_number(row.u16()?)?, retry_after_ms: row.u32()? })
        }
        _ => return None,
    };
    row.end(Settled { number, to, id, reference, outcome })
}
