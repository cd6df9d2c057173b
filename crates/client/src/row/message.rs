//! Messages of conversations, received and own, and how conversations are named.

use iris_client_core::OwnMessage;
use iris_types::{BodyKind, ConversationId, DeviceId, InboxMessage, Seq, Target};

use super::fields::{Reader, put_optional, put_peer, put_target, put_text};

const RECEIVED: u8 = 1;
const OWN: u8 = 2;

pub(crate) fn encode_message(message: &InboxMessage) -> Vec<u8> {
    let mut row = Vec::with_capacity(64 + message.body.bytes().len());
    row.push(RECEIVED);
    row.extend(message.id.to_bytes());
    put_text(&mut row, message.from.as_bytes());
    put_peer(&mut row, &message.with);
    put_optional(&mut row, message.origin.as_ref(), |row, origin| put_text(row, origin.as_bytes()));
    row.extend(message.sent_at.0.to_be_bytes());
    row.push(message.body.kind().0);
    row.extend_from_slice(message.body.bytes());
    row
}

pub(crate) fn decode_message(conversation: ConversationId, seq: Seq, row: &[u8]) -> Option<InboxMessage> {
    let mut row = Reader(row);
    if row.byte()? != RECEIVED {
        return None;
    }
    let id = row.id()?;
    let (from, with) = (row.user()?, row.peer()?);
    let origin = row.optional(|row| DeviceId::from_bytes(row.text()?).ok())?;
    let sent_at = row.time()?;
    let kind = BodyKind(row.byte()?);
    Some(InboxMessage { conversation, seq, id, from, with, origin, sent_at, body: row.body(kind)? })
}

pub(crate) fn encode_own(message: &OwnMessage) -> Vec<u8> {
    let mut row = Vec::with_capacity(64 + message.body.bytes().len());
    row.push(OWN);
    row.extend(message.id.to_bytes());
    put_target(&mut row, &message.to);
    row.extend(message.sent_at.0.to_be_bytes());
    row.push(message.body.kind().0);
    row.extend_from_slice(message.body.bytes());
    row
}

pub(crate) fn encode_target(target: &Target) -> Vec<u8> {
    let mut row = Vec::new();
    put_target(&mut row, target);
    row
}

pub(crate) fn decode_target(row: &[u8]) -> Option<Target> {
    let mut row = Reader(row);
    let target = row.target()?;
    row.end(target)
}
