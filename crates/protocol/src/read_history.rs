//! ReadHistory, HistoryEntry, HistoryBatch, HistoryEnd: a page of a conversation.

use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use iris_types::request::{HistoryFrom, HistoryPage, ReadHistory, RequestId};
use iris_types::{ConversationId, ErrorCode, HistoryEntry, Seq};

use crate::frame::{opcode, put_frame, refused};
use crate::wire::{
    DecodeError, Reader, body_len, name_len, put_body, put_name, put_target, put_u16, put_u32, put_u64,
};

/// Asks for a page of a conversation.
///
/// ```text
/// 0    4  request
/// 4    t  target: length of the other member's name (1), other member; or a byte 0, group (16)
/// 4+t  1  0: the newest, 1: the newest before a seq, 2: the oldest after a seq
/// 5+t  8  that seq; 0 for the newest
/// 13+t 2  entries wanted, at least 1; the server may give fewer
///         tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub request: RequestId,
    pub read: ReadHistory,
}

/// One entry of a page. The fields after the request are an item of HistoryBatch, too.
///
/// ```text
/// 0    4  request
/// 4    8  seq
/// 12   16 message id
/// 28   1  length of the sender's name, f
/// 29   f  sender
/// 29+f 8  time of the commit, Unix milliseconds
/// 37+f 1  kind of the body
/// 38+f 2  length of the body, b
/// 40+f b  body
///         tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryItem {
    pub request: RequestId,
    pub entry: HistoryEntry,
}

/// Several entries of a page. Version 2.
///
/// ```text
/// 0  4  request
/// 4  2  number of entries, at least 1
/// 6     the entries, each as in HistoryEntry from seq on
///       tagged fields
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryBatch {
    pub request: RequestId,
    pub entries: Vec<HistoryEntry>,
}

/// The page is complete; its entries came before, ascending by seq.
///
/// ```text
/// 0   4  request
/// 4   16 conversation
/// 20  1  1 when there are more entries in the direction asked for
/// 21     tagged fields
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryEnd {
    pub request: RequestId,
    pub conversation: ConversationId,
    pub more: bool,
}

const ENTRY_BYTES_MIN: usize = 36;

/// Appends a ReadHistory frame.
pub(crate) fn encode(request: RequestId, read: &ReadHistory, out: &mut Vec<u8>) {
    let (from, seq) = match read.from {
        HistoryFrom::Latest => (0, Seq::ZERO),
        HistoryFrom::Before(seq) => (1, seq),
        HistoryFrom::After(seq) => (2, seq),
    };
    put_frame(out, opcode::READ_HISTORY, |out| {
        put_u32(out, request.0);
        put_target(out, &read.with);
        out.push(from);
        put_u64(out, seq.0);
        put_u16(out, read.limit);
    });
}

/// Appends a page: HistoryEntry frames in version 1, HistoryBatch frames in version 2, then HistoryEnd.
pub(crate) fn encode_page(version: u8, request: RequestId, page: &HistoryPage, out: &mut Vec<u8>) {
    if version == 1 {
        page.entries.iter().for_each(|entry| {
            put_frame(out, opcode::HISTORY_ENTRY, |out| {
                put_u32(out, request.0);
                put_entry(out, entry);
            });
        });
    } else {
        let mut entries = page.entries.as_slice();
        while let Some((fitting, rest)) = split_fitting(entries) {
            encode_batch(request, fitting, out);
            entries = rest;
        }
    }
    HistoryEnd { request, conversation: page.conversation, more: page.more }.encode(out);
}

/// The entries that fit one frame (always at least one), and the others.
fn split_fitting(entries: &[HistoryEntry]) -> Option<(&[HistoryEntry], &[HistoryEntry])> {
    let mut bytes = 6;
    let count = entries
        .iter()
        .take_while(|entry| {
            bytes += entry_len(entry);
            bytes <= FRAME_PAYLOAD_BYTES_MAX
        })
        .count();
    if count == 0 { None } else { entries.split_at_checked(count) }
}

fn encode_batch(request: RequestId, entries: &[HistoryEntry], out: &mut Vec<u8>) {
    put_frame(out, opcode::HISTORY_BATCH, |out| {
        put_u32(out, request.0);
        put_u16(out, entries.len() as u16);
        entries.iter().for_each(|entry| put_entry(out, entry));
    });
}

fn entry_len(entry: &HistoryEntry) -> usize {
    32 + name_len(entry.from.as_bytes()) + body_len(&entry.body)
}

fn put_entry(out: &mut Vec<u8>, entry: &HistoryEntry) {
    put_u64(out, entry.seq.0);
    out.extend_from_slice(&entry.id.to_bytes());
    put_name(out, entry.from.as_bytes());
    put_u64(out, entry.sent_at.0);
    put_body(out, &entry.body);
}

fn read_entry(reader: &mut Reader<'_>) -> Result<HistoryEntry, DecodeError> {
    Ok(HistoryEntry {
        seq: reader.seq()?,
        id: reader.message_id()?,
        from: reader.user()?,
        sent_at: reader.timestamp()?,
        body: reader.checked_body()?,
    })
}

impl Read {
    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let (request, with) = (reader.request()?, reader.target()?);
        let (from, seq, limit) = (reader.u8()?, reader.seq()?, reader.u16()?);
        reader.finish()?;
        let from = match from {
            0 => HistoryFrom::Latest,
            1 => HistoryFrom::Before(seq),
            2 => HistoryFrom::After(seq),
            _ => return Err(refused(request, ErrorCode::BadFrame)),
        };
        if limit == 0 {
            return Err(refused(request, ErrorCode::BadFrame));
        }
        let with = with.check().map_err(|code| refused(request, code))?;
        Ok(Self { request, read: ReadHistory { with, from, limit } })
    }
}

impl HistoryItem {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::HISTORY_ENTRY, |out| {
            put_u32(out, self.request.0);
            put_entry(out, &self.entry);
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let item = Self { request: reader.request()?, entry: read_entry(&mut reader)? };
        reader.finish()?;
        Ok(item)
    }
}

impl HistoryBatch {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode_batch(self.request, &self.entries, out);
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let batch = Self { request: reader.request()?, entries: reader.batch(ENTRY_BYTES_MIN, read_entry)? };
        reader.finish()?;
        Ok(batch)
    }
}

impl HistoryEnd {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        put_frame(out, opcode::HISTORY_END, |out| {
            put_u32(out, self.request.0);
            out.extend_from_slice(&self.conversation.0);
            out.push(u8::from(self.more));
        });
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let end =
            Self { request: reader.request()?, conversation: reader.conversation()?, more: reader.flag()? };
        reader.finish()?;
        Ok(end)
    }
}
