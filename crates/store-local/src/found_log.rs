//! A log as a start finds it.

use std::collections::BTreeSet;

use iris_store::LogEnd;
use iris_types::{LogId, Position};

use crate::block::Owner;
use crate::catalog::LogEntry;
use crate::frame::Kind;
use crate::log::Segment;
use crate::scan::{Scan, Step};
use crate::segment::{self, SegmentHeader};
use crate::{Disk, DiskError, Finding, Reason};

/// A log of the catalog with its kept segments, all of them read and checked.
pub(crate) struct FoundLog {
    pub(crate) log: LogId,
    pub(crate) sealed: Option<LogEnd>,
    pub(crate) end: LogEnd,
    pub(crate) segments: Vec<Segment>,
    /// The highest register journal position that the log names.
    pub(crate) registers: u64,
    /// The last segment of an open log: its content up to the tail, and what is torn behind it.
    pub(crate) last: Option<LastSegment>,
    /// Files of this log that are not part of it any more, or not yet.
    pub(crate) leftovers: Vec<String>,
}

/// What a start has to write again: a process that failed to flush may have left it in the page cache only.
pub(crate) struct LastSegment {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// The first block behind the frames.
    pub(crate) tail: u32,
    pub(crate) torn: bool,
}

/// Where a walk over the segments is.
struct Walk<'a> {
    disk: &'a dyn Disk,
    store: [u8; 16],
    entry: LogEntry,
    numbers: &'a BTreeSet<u32>,
    found: FoundLog,
    number: u32,
    next: u64,
    chain: Option<u64>,
}

enum Goes {
    On,
    End,
}

impl FoundLog {
    /// Reads the log's kept segments, named by their `numbers`.
    pub(crate) fn inspect(
        disk: &dyn Disk,
        store: [u8; 16],
        log: LogId,
        entry: LogEntry,
        numbers: &BTreeSet<u32>,
    ) -> Result<Result<Self, Finding>, DiskError> {
        let end = entry.sealed.unwrap_or(LogEnd { last: Position(entry.first.0 - 1), chunk: None });
        let found = Self {
            log,
            sealed: entry.sealed,
            end,
            segments: Vec::new(),
            registers: 0,
            last: None,
            leftovers: Vec::new(),
        };
        let number = entry.first_segment;
        let mut walk = Walk { disk, store, entry, numbers, found, number, next: entry.first.0, chain: None };
        if entry.sealed.is_none_or(|end| end.last >= entry.first) {
            loop {
                match walk.segment()? {
                    Ok(Goes::On) => {}
                    Ok(Goes::End) => break,
                    Err(finding) => return Ok(Err(finding)),
                }
            }
        }
        walk.finish()
    }
}

impl Walk<'_> {
    fn segment(&mut self) -> Result<Result<Goes, Finding>, DiskError> {
        let name = segment::name(self.found.log, self.number);
        if !self.numbers.contains(&self.number) {
            let detail = format!("position {} of the log should be here", self.next);
            return Ok(Err(Finding::new(Reason::MissingFile, &name, 0, detail)));
        }
        Ok(segment::read(self.disk, &name)?.and_then(|bytes| self.read(name, bytes)))
    }

    fn read(&mut self, name: String, bytes: Vec<u8>) -> Result<Goes, Finding> {
        let header = SegmentHeader::decode(&name, &bytes, bytes.len() as u64)?;
        self.check_header(&name, &header)?;
        let mut scan = Scan::new(&name, &bytes, &header);
        let mut torn = false;
        let goes = loop {
            match scan.step()? {
                Step::Frame(frame) if frame.kind != Kind::Chunk => {
                    let offset = segment::offset(scan.tail);
                    return Err(Finding::new(Reason::CorruptFrame, &name, offset, "the frame is no chunk"));
                }
                Step::Frame(frame) if self.entry.sealed.is_some_and(|end| end.last.0 == frame.position) => {
                    if self.found.end.chunk != Some(frame.chunk) {
                        let detail = "the log was sealed with another chunk at its end";
                        return Err(Finding::new(Reason::CorruptFrame, &name, 0, detail));
                    }
                    scan.check_rest()?;
                    break Goes::End;
                }
                Step::Frame(_) => {}
                Step::Close => {
                    scan.check_rest()?;
                    break Goes::On;
                }
                Step::Tail { torn: found } => {
                    torn = found;
                    self.check_end(&name, scan.last)?;
                    break Goes::End;
                }
            }
        };
        self.found.registers = self.found.registers.max(scan.registers);
        let (number, blocks) = (self.number, header.blocks);
        self.found.segments.push(Segment { number, blocks, first: header.first, last: scan.last });
        if self.entry.sealed.is_none() && scan.last_chunk.is_some() {
            self.found.end.chunk = scan.last_chunk;
        }
        if self.entry.sealed.is_none() {
            self.found.end.last = Position(scan.last);
        }
        (self.next, self.chain) = (scan.last + 1, Some(scan.chain));
        self.number = self.number.saturating_add(1);
        let tail = scan.tail;
        if matches!(goes, Goes::End) && self.entry.sealed.is_none() {
            self.found.last = Some(LastSegment { name, bytes, tail, torn });
        }
        Ok(goes)
    }

    fn check_header(&self, name: &str, header: &SegmentHeader) -> Result<(), Finding> {
        let owner = Owner { log: self.found.log.0, segment: self.number };
        if header.store != self.store || header.owner != owner {
            return Err(Finding::new(Reason::WrongStore, name, 0, "the segment is of another store or log"));
        }
        if header.first != self.next {
            let detail = format!("the segment starts at {}, not at {}", header.first, self.next);
            return Err(Finding::new(Reason::Gap, name, 0, detail));
        }
        if self.chain.is_some_and(|chain| chain != header.chain) {
            return Err(Finding::new(
                Reason::CorruptFrame,
                name,
                0,
                "the segment does not follow the one before",
            ));
        }
        Ok(())
    }

    /// A tail is the end of an open log; of a sealed one, only behind the position it was sealed at.
    fn check_end(&self, name: &str, last: u64) -> Result<(), Finding> {
        match self.entry.sealed {
            Some(end) if last < end.last.0 => {
                let detail = format!("the log ends at {last} and was sealed at {}", end.last);
                Err(Finding::new(Reason::Gap, name, 0, detail))
            }
            _ => Ok(()),
        }
    }

    /// Looks at the files that are not among the kept segments.
    fn finish(mut self) -> Result<Result<FoundLog, Finding>, DiskError> {
        let first = self.entry.first_segment;
        let behind = self.number;
        for number in self.numbers.iter().filter(|number| **number < first || **number >= behind) {
            let name = segment::name(self.found.log, *number);
            // Before the first: trimmed, and maybe already of another owner. Behind a sealed end: never used.
            if *number >= behind && self.found.sealed.is_none() {
                let bytes = match segment::read(self.disk, &name)? {
                    Ok(bytes) => bytes,
                    Err(finding) => return Ok(Err(finding)),
                };
                if !self.is_next(&name, *number, &bytes) {
                    let detail = "the segments before it are not full";
                    return Ok(Err(Finding::new(Reason::Gap, &name, 0, detail)));
                }
            }
            self.found.leftovers.push(name);
        }
        Ok(Ok(self.found))
    }

    /// Whether a file is the next segment, taken and not yet used: a crash in the middle of a roll.
    fn is_next(&self, name: &str, number: u32, bytes: &[u8]) -> bool {
        let torn = self.found.last.as_ref().is_some_and(|last| last.torn);
        number == self.number
            && !torn
            && SegmentHeader::decode(name, bytes, bytes.len() as u64).is_ok_and(|header| {
                self.check_header(name, &header).is_ok() && crate::scan::is_unused(name, bytes, &header)
            })
    }
}
