//! Records of the register journal: what a frame of changes or a snapshot is made of.
//!
//! # Layout, big-endian: a tag byte, then
//!
//! | tag | record | fields |
//! |---|---|---|
//! | 1 | register set | key length 2, key, version 8, value length 4, value |
//! | 2 | log created | log 16 |
//! | 3 | log sealed | log 16, last position 8, 1 if it has a chunk 1, chunk id 16 |
//! | 4 | log trimmed | log 16, first segment kept 4, first position kept 8 |
//! | 5 | run dropped | name 16 |

use bytes::Bytes;
use iris_store::{LogEnd, Value, Version};
use iris_types::{ChunkId, LogId, Position, RunName};

/// One change of what the journal keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Set { key: String, value: Value },
    LogCreated(LogId),
    LogSealed { log: LogId, end: LogEnd },
    LogTrimmed { log: LogId, first_segment: u32, first: Position },
    RunDropped(RunName),
}

impl Record {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Set { key, value } => {
                out.push(1);
                out.extend_from_slice(&(key.len() as u16).to_be_bytes());
                out.extend_from_slice(key.as_bytes());
                out.extend_from_slice(&value.version.0.to_be_bytes());
                out.extend_from_slice(&(value.bytes.len() as u32).to_be_bytes());
                out.extend_from_slice(&value.bytes);
            }
            Self::LogCreated(log) => {
                out.push(2);
                out.extend_from_slice(&log.0);
            }
            Self::LogSealed { log, end } => {
                out.push(3);
                out.extend_from_slice(&log.0);
                out.extend_from_slice(&end.last.0.to_be_bytes());
                out.push(u8::from(end.chunk.is_some()));
                out.extend_from_slice(&end.chunk.map_or([0; 16], |chunk| chunk.0));
            }
            Self::LogTrimmed { log, first_segment, first } => {
                out.push(4);
                out.extend_from_slice(&log.0);
                out.extend_from_slice(&first_segment.to_be_bytes());
                out.extend_from_slice(&first.0.to_be_bytes());
            }
            Self::RunDropped(name) => {
                out.push(5);
                out.extend_from_slice(&name.0);
            }
        }
    }

    /// Reads one record off the front. `None` when the bytes are none.
    pub(crate) fn decode(from: &mut &[u8]) -> Option<Self> {
        match u8::from_be_bytes(take(from)?) {
            1 => {
                let length = u16::from_be_bytes(take(from)?).into();
                let key = String::from_utf8(take_slice(from, length)?.to_vec()).ok()?;
                let version = Version(u64::from_be_bytes(take(from)?));
                let length = u32::from_be_bytes(take(from)?) as usize;
                let bytes = Bytes::copy_from_slice(take_slice(from, length)?);
                Some(Self::Set { key, value: Value { version, bytes } })
            }
            2 => Some(Self::LogCreated(LogId(take(from)?))),
            3 => {
                let log = LogId(take(from)?);
                let last = Position(u64::from_be_bytes(take(from)?));
                let has_chunk = u8::from_be_bytes(take(from)?);
                let chunk = ChunkId(take(from)?);
                Some(Self::LogSealed { log, end: LogEnd { last, chunk: (has_chunk == 1).then_some(chunk) } })
            }
            4 => Some(Self::LogTrimmed {
                log: LogId(take(from)?),
                first_segment: u32::from_be_bytes(take(from)?),
                first: Position(u64::from_be_bytes(take(from)?)),
            }),
            5 => Some(Self::RunDropped(RunName(take(from)?))),
            _ => None,
        }
    }

    /// Reads all records of a body.
    pub(crate) fn decode_all(mut body: &[u8]) -> Option<Vec<Self>> {
        let mut records = Vec::new();
        while !body.is_empty() {
            records.push(Self::decode(&mut body)?);
        }
        Some(records)
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*head)
}

fn take_slice<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back_and_cut_ones_do_not() {
        let value = Value { version: Version(4), bytes: Bytes::from_static(b"value") };
        let end = LogEnd { last: Position(9), chunk: Some(ChunkId([1; 16])) };
        let log = LogId([2; 16]);
        let records = vec![
            Record::Set { key: "vnode/1".to_owned(), value },
            Record::LogCreated(log),
            Record::LogSealed { log, end },
            Record::LogSealed { log, end: LogEnd { last: Position(0), chunk: None } },
            Record::LogTrimmed { log, first_segment: 7, first: Position(12) },
            Record::RunDropped(RunName([3; 16])),
        ];
        let mut body = Vec::new();
        let mut starts = vec![0];
        for record in &records {
            record.encode(&mut body);
            starts.push(body.len());
        }
        for length in 0..=body.len() {
            let expected = starts.iter().position(|start| *start == length);
            let read = Record::decode_all(&body[..length]);
            assert_eq!(read.as_deref(), expected.map(|count| &records[..count]), "length {length}");
        }
    }
}
