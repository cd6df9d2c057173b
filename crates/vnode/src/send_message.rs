//! A send: the conversation's vnode gives it a seq, once.

use iris_types::limits::{DEDUP_WINDOW_MS, ID_AHEAD_MS_MAX};
use iris_types::planted::{Bug, is_planted};
use iris_types::request::{SendMessage, Sent};
use iris_types::{Body, ErrorCode, MessageId, Timestamp};
use sha2::{Digest, Sha256};

use crate::Stamp;
use crate::conversation::{Author, Conversation, Recent};
use crate::events::{MessageEvent, Written};
use crate::rows::First;

/// What is known of the ids that a send names, from committed rows. Uncommitted sends the conversation knows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lookups {
    /// Dedup row of the send's own id.
    pub first: Option<First>,
    /// Whether there is a dedup row of the predecessor's id. Looked at only where [`needs_previous`] says so.
    pub previous: bool,
    /// Ids dated before this may have been used, and nobody knows any more.
    pub forgotten: Timestamp,
    /// The sending device was revoked meanwhile: a retry is answered, nothing new is taken.
    pub is_ended: bool,
}

/// What becomes of a send.
#[derive(Debug)]
pub enum Decision {
    /// Commit the event; then the answer may leave.
    New { event: MessageEvent, sent: Sent },
    /// The first answer again, once the chunk `after` is committed.
    Duplicate { sent: Sent, after: Stamp },
    /// Nothing changes; the refusal may leave once the chunk `after` is committed.
    Refused { code: ErrorCode, after: Stamp },
}

/// Whether the predecessor has to be looked up in committed rows: memory does not know it.
#[must_use]
pub fn needs_previous(conversation: &Conversation, author: &Author, previous: MessageId) -> bool {
    conversation.last_id(author) != Some(previous) && conversation.recent_of(previous, author).is_none()
}

/// Decides a send; `stamp` is that of the chunk now gathered.
pub fn decide(
    conversation: &mut Conversation,
    author: &Author,
    send: &SendMessage,
    lookups: Lookups,
    now: Timestamp,
    stamp: Stamp,
) -> Decision {
    let hash = body_hash(&send.body);
    // Before any other rule: a retry gets the first answer whatever has changed since.
    if let Some((first, after)) = first_of(conversation, author, send.id, lookups.first) {
        return match repeat(conversation, send.id, first, hash) {
            Ok(sent) => Decision::Duplicate { sent, after: waits_for(after) },
            Err(code) => Decision::Refused { code, after: waits_for(after) },
        };
    }
    let checked = check_id(send.id, now, lookups)
        .and_then(|()| check_device(lookups))
        .and_then(|()| conversation.may_write(author))
        .and_then(|written| check_previous(conversation, author, send, lookups).map(|()| written))
        .and_then(|written| Ok((written, conversation.last.next().ok_or(ErrorCode::Unavailable)?)));
    match checked {
        Ok((written, seq)) => {
            let first = First { seq, sent_at: now, hash };
            let (event, sent) = append(conversation, written, send.id, &send.body, first, stamp);
            Decision::New { event, sent }
        }
        Err(code) => Decision::Refused { code, after: conversation.touched },
    }
}

/// First 16 bytes of SHA-256 over kind and bytes: enough to tell another body under the same id.
#[must_use]
pub fn body_hash(body: &Body) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update([body.kind().0]);
    hash.update(body.bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

pub(crate) fn first_of(
    conversation: &Conversation,
    author: &Author,
    id: MessageId,
    stored: Option<First>,
) -> Option<(First, Stamp)> {
    let recent = conversation.recent_of(id, author).map(|recent| (recent.first, recent.stamp));
    recent.or(stored.map(|first| (first, Stamp::default())))
}

pub(crate) fn waits_for(after: Stamp) -> Stamp {
    if is_planted(Bug::DuplicateAckBeforeCommit) { Stamp::default() } else { after }
}

/// The first answer again.
pub(crate) fn repeat(
    conversation: &Conversation,
    id: MessageId,
    first: First,
    hash: [u8; 16],
) -> Result<Sent, ErrorCode> {
    if first.hash != hash {
        return Err(ErrorCode::IdConflict);
    }
    let (seq, sent_at) = (first.seq, first.sent_at);
    Ok(Sent { id, conversation: conversation.id, seq, sent_at, offset: None })
}

pub(crate) fn check_id(id: MessageId, now: Timestamp, lookups: Lookups) -> Result<(), ErrorCode> {
    let is_old = now.millis_since(id.timestamp()) > DEDUP_WINDOW_MS;
    if is_old || id.timestamp() < lookups.forgotten {
        Err(ErrorCode::IdTooOld)
    } else if id.timestamp().millis_since(now) > ID_AHEAD_MS_MAX {
        Err(ErrorCode::IdInFuture)
    } else {
        Ok(())
    }
}

/// Behind the window of ids: of an older one nobody knows whether it was taken before.
pub(crate) const fn check_device(lookups: Lookups) -> Result<(), ErrorCode> {
    if lookups.is_ended { Err(ErrorCode::DeviceRevoked) } else { Ok(()) }
}

fn check_previous(
    conversation: &Conversation,
    author: &Author,
    send: &SendMessage,
    lookups: Lookups,
) -> Result<(), ErrorCode> {
    let Some(previous) = send.previous else { return Ok(()) };
    // Decided is enough: chunks commit in order, so this one never without that one.
    let is_settled = lookups.previous || !needs_previous(conversation, author, previous);
    if is_settled || is_planted(Bug::PredecessorIgnored) { Ok(()) } else { Err(ErrorCode::OutOfOrder) }
}

/// Gives a message its seq.
pub(crate) fn append(
    conversation: &mut Conversation,
    written: Written,
    id: MessageId,
    body: &Body,
    first: First,
    stamp: Stamp,
) -> (MessageEvent, Sent) {
    let author = written.author();
    conversation.last = first.seq;
    conversation.touched = stamp;
    conversation.set_last_id(&author, id);
    conversation.recent.push_back(Recent { id, author, first, stamp });
    let First { seq, sent_at, hash } = first;
    let sent = Sent { id, conversation: conversation.id, seq, sent_at, offset: None };
    let body = body.clone();
    (MessageEvent { conversation: conversation.id, written, seq, id, sent_at, hash, body }, sent)
}
