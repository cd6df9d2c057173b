//! Rows of a conversation: history, duplicates, heads.

use std::ops::Range;

use bytes::{BufMut, Bytes};
use iris_types::{Body, ConversationId, HistoryEntry, Marks, MessageId, Seq, Timestamp, UserId};

use super::{cut, head_key, put_head_key};
use crate::codec::{Malformed, Reader, put_body, put_name};
use crate::conversation::{Author, Direct, Side, SideState, Sides};
use crate::group::{Facts, Group, Member, Sent};

/// What stands where a side would: the author's name follows.
const MEMBER: u8 = 2;

#[must_use]
pub fn history_key(conversation: ConversationId, seq: Seq) -> Bytes {
    cut(24, |bytes| put_history_key(bytes, conversation, seq))
}

pub fn put_history_key(bytes: &mut Vec<u8>, conversation: ConversationId, seq: Seq) {
    bytes.put_slice(&conversation.0);
    bytes.put_u64(seq.0);
}

pub fn put_history_value(
    bytes: &mut Vec<u8>,
    author: &Author,
    id: MessageId,
    sent_at: Timestamp,
    body: &Body,
) {
    put_author(bytes, author);
    bytes.put_slice(&id.to_bytes());
    bytes.put_u64(sent_at.0);
    put_body(bytes, body);
}

/// # Errors
/// [`Malformed`]; `names` are the lower and the higher member of a direct conversation.
pub fn read_history(
    key: &[u8],
    value: Bytes,
    names: Option<[&UserId; 2]>,
) -> Result<HistoryEntry, Malformed> {
    let what = "history row";
    let seq = key.get(16..).and_then(|seq| seq.try_into().ok()).map(u64::from_be_bytes);
    let mut reader = Reader::new(value, what);
    let from = match (reader.u8()?, names) {
        (MEMBER, None) => reader.user()?,
        (side, Some(names)) => Side::from_number(side).ok_or(Malformed(what))?.of(names).clone(),
        _ => return Err(Malformed(what)),
    };
    Ok(HistoryEntry {
        seq: Seq(seq.ok_or(Malformed(what))?),
        from,
        id: reader.message()?,
        sent_at: reader.timestamp()?,
        body: reader.rest_as_body()?,
    })
}

fn put_author(bytes: &mut Vec<u8>, author: &Author) {
    match author {
        Author::Side(side) => bytes.put_u8(side.number()),
        Author::Member(user) => {
            bytes.put_u8(MEMBER);
            put_name(bytes, user.as_bytes());
        }
    }
}

#[must_use]
pub fn dedup_key(id: MessageId, conversation: ConversationId, author: &Author) -> Bytes {
    cut(98, |bytes| put_dedup_key(bytes, id, conversation, author))
}

pub fn put_dedup_key(bytes: &mut Vec<u8>, id: MessageId, conversation: ConversationId, author: &Author) {
    bytes.put_slice(&id.to_bytes());
    bytes.put_slice(&conversation.0);
    put_author(bytes, author);
}

/// The id of a key.
#[must_use]
pub fn split_dedup_key(key: &[u8]) -> Option<MessageId> {
    MessageId::from_bytes(*key.first_chunk::<16>()?).ok()
}

/// What the first send of an id led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    pub seq: Seq,
    pub sent_at: Timestamp,
    /// First 16 bytes of SHA-256 over kind and body.
    pub hash: [u8; 16],
}

#[must_use]
pub fn dedup_value(first: &First) -> Bytes {
    cut(32, |bytes| put_dedup_value(bytes, first))
}

pub fn put_dedup_value(bytes: &mut Vec<u8>, first: &First) {
    bytes.put_u64(first.seq.0);
    bytes.put_u64(first.sent_at.0);
    bytes.put_slice(&first.hash);
}

/// # Errors
/// [`Malformed`]; likewise below.
pub fn read_dedup(value: Bytes) -> Result<First, Malformed> {
    let mut reader = Reader::new(value, "dedup row");
    let first = First { seq: reader.seq()?, sent_at: reader.timestamp()?, hash: reader.array()? };
    reader.end()?;
    Ok(first)
}

#[must_use]
pub fn conversation_key(conversation: ConversationId) -> Bytes {
    head_key(b'c', &conversation.0)
}

pub fn put_conversation_key(bytes: &mut Vec<u8>, conversation: ConversationId) {
    put_head_key(bytes, b'c', &conversation.0);
}

#[must_use]
pub fn conversation_value(last: Seq, lower: &UserId, higher: &UserId) -> Bytes {
    cut(10 + lower.as_bytes().len() + higher.as_bytes().len(), |bytes| {
        put_conversation_value(bytes, last, lower, higher)
    })
}

pub fn put_conversation_value(bytes: &mut Vec<u8>, last: Seq, lower: &UserId, higher: &UserId) {
    bytes.put_u64(last.0);
    put_name(bytes, lower.as_bytes());
    put_name(bytes, higher.as_bytes());
}

/// A group has no two names in its head.
#[must_use]
pub fn group_head_value(last: Seq) -> Bytes {
    cut(9, |bytes| put_group_head_value(bytes, last))
}

pub fn put_group_head_value(bytes: &mut Vec<u8>, last: Seq) {
    bytes.put_u64(last.0);
    bytes.put_u8(0);
}

/// The last seq, and whose conversation it is: `None` for a group.
///
/// # Errors
/// [`Malformed`]; likewise below.
pub fn read_conversation(value: Bytes) -> Result<(Seq, Option<[UserId; 2]>), Malformed> {
    let mut reader = Reader::new(value, "conversation head");
    let last = reader.seq()?;
    let names = match reader.optional_user()? {
        Some(lower) => Some([lower, reader.user()?]),
        None => None,
    };
    reader.end()?;
    Ok((last, names))
}

#[must_use]
pub fn sides_key(conversation: ConversationId) -> Bytes {
    head_key(b'k', &conversation.0)
}

#[must_use]
pub fn sides_value(direct: &Direct) -> Bytes {
    cut(34, |bytes| {
        for side in &direct.sides {
            bytes.put_u64(side.marks.delivered.0);
            bytes.put_u64(side.marks.read.0);
            bytes.put_u8(u8::from(side.blocks));
        }
    })
}

pub fn read_sides(value: Bytes) -> Result<Sides, Malformed> {
    let mut reader = Reader::new(value, "sides row");
    let mut side = || {
        let marks = Marks { delivered: reader.seq()?, read: reader.seq()? };
        Ok(SideState { marks, blocks: reader.flag()? })
    };
    let sides = [side()?, side()?];
    reader.end()?;
    Ok(sides)
}

/// What of a group a key names: all of it is one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupPart {
    Facts = 0,
    Member = 1,
    LastSent = 2,
}

/// Keys of everything that is kept of a group but its history.
#[must_use]
pub fn roster_keys(group: ConversationId) -> Range<Bytes> {
    let end = cut(18, |bytes| {
        put_head_key(bytes, b'g', &group.0);
        bytes.put_u8(u8::MAX);
    });
    head_key(b'g', &group.0)..end
}

#[must_use]
pub fn group_key(group: ConversationId) -> Bytes {
    of_group(group, GroupPart::Facts, &[])
}

#[must_use]
pub fn member_key(group: ConversationId, user: &[u8]) -> Bytes {
    of_group(group, GroupPart::Member, user)
}

#[must_use]
pub fn last_sent_key(group: ConversationId, user: &[u8]) -> Bytes {
    of_group(group, GroupPart::LastSent, user)
}

/// A group of all its rows, ascending by key; `None` when there are none.
pub fn read_roster(found: Vec<(Bytes, Bytes)>) -> Result<Option<Group>, Malformed> {
    let mut rows = found.into_iter();
    let Some((key, value)) = rows.next() else { return Ok(None) };
    if split_group_key(&key) != Some((GroupPart::Facts, &[])) {
        return Err(Malformed("rows of a group"));
    }
    let mut group = Group::new(Facts::decode(value)?);
    for (key, value) in rows {
        let (part, user) = split_group_key(&key).ok_or(Malformed("group key"))?;
        let user = UserId::from_bytes(user).map_err(|_| Malformed("group key"))?;
        match part {
            GroupPart::Facts => return Err(Malformed("rows of a group")),
            GroupPart::Member => group.put(user, Member::decode(value)?),
            GroupPart::LastSent => {
                let sent = read_last_sent(value)?;
                if let Some(member) = group.roster.get_mut(&user) {
                    member.sent = sent;
                }
            }
        }
    }
    Ok(Some(group))
}

fn split_group_key(key: &[u8]) -> Option<(GroupPart, &[u8])> {
    let (part, user) = key.get(17..)?.split_first()?;
    let part = match part {
        0 => GroupPart::Facts,
        1 => GroupPart::Member,
        2 => GroupPart::LastSent,
        _ => return None,
    };
    Some((part, user))
}

#[must_use]
pub fn last_sent_value(sent: Sent) -> Bytes {
    cut(16, |bytes| {
        bytes.put_u64(sent.seq.0);
        bytes.put_u32(sent.delivered);
        bytes.put_u32(sent.read);
    })
}

pub fn read_last_sent(value: Bytes) -> Result<Sent, Malformed> {
    let mut reader = Reader::new(value, "last sent row");
    let sent = Sent { seq: reader.seq()?, delivered: reader.u32()?, read: reader.u32()? };
    reader.end()?;
    Ok(sent)
}

fn of_group(group: ConversationId, part: GroupPart, user: &[u8]) -> Bytes {
    cut(18 + user.len(), |bytes| {
        put_head_key(bytes, b'g', &group.0);
        bytes.put_u8(part as u8);
        bytes.put_slice(user);
    })
}
