//! Reading a segment: which frames it holds, and what stands behind the last one.
//!
//! One frame of a log is in flight at a time. So behind the last whole frame there can be, honestly, only blocks of
//! an earlier life and some blocks of the one frame that was being written: a **torn tail**. A block that is
//! neither own nor old has rotted, and an own block with a later position proves that the frame in front of it had
//! been durable once: both are **damage**, never cut.

use iris_types::ChunkId;
use iris_types::planted::{Bug, is_planted};

use crate::block::{self, BLOCK_BYTES, Class, Owner};
use crate::frame::{self, HEADER_BYTES, Header, Kind, Unreadable};
use crate::segment::{self, SegmentHeader};
use crate::{Finding, Reason};

/// A walk over the frames of one segment.
pub(crate) struct Scan<'a> {
    name: &'a str,
    bytes: &'a [u8],
    owner: Owner,
    store: [u8; 16],
    blocks: u32,
    /// The first block behind the frames read so far.
    pub(crate) tail: u32,
    /// Position of the last chunk read so far; before the first, one less than the segment's first.
    pub(crate) last: u64,
    pub(crate) last_chunk: Option<ChunkId>,
    /// What the next frame has in `chain`.
    pub(crate) chain: u64,
    /// The highest register journal position that a frame or the segment's header names.
    pub(crate) registers: u64,
    /// Body of the frame read last.
    pub(crate) body: Vec<u8>,
}

/// What comes next in a segment.
pub(crate) enum Step {
    /// A frame; its body is in [`Scan::body`].
    Frame(Header),
    /// The segment is full; the log goes on in the next one.
    Close,
    /// No frame comes any more. `torn`: parts of one are there.
    Tail { torn: bool },
}

impl<'a> Scan<'a> {
    /// Starts behind the header.
    pub(crate) fn new(name: &'a str, bytes: &'a [u8], header: &SegmentHeader) -> Self {
        Self {
            name,
            bytes,
            owner: header.owner,
            store: header.store,
            blocks: header.blocks,
            tail: 1,
            last: header.first.wrapping_sub(1),
            last_chunk: None,
            chain: header.chain,
            registers: header.registers,
            body: Vec::new(),
        }
    }

    /// The next step. After damage the walk stays in front of it.
    pub(crate) fn step(&mut self) -> Result<Step, Finding> {
        if self.tail >= self.blocks {
            return Ok(Step::Tail { torn: false });
        }
        let bytes = self.bytes;
        match block::classify(block::at(bytes, self.tail), self.tail, self.owner) {
            Class::Bad => Err(self.rot(self.tail)),
            Class::Old => self.rest(),
            Class::Own(first) => self.frame(first.position, first.payload),
        }
    }

    /// Checks that no block from the tail to the end has rotted.
    pub(crate) fn check_rest(&self) -> Result<(), Finding> {
        let bad = |number: &u32| {
            matches!(block::classify(block::at(self.bytes, *number), *number, self.owner), Class::Bad)
        };
        (self.tail..self.blocks).find(bad).map_or(Ok(()), |number| Err(self.rot(number)))
    }

    fn frame(&mut self, position: u64, payload: &[u8]) -> Result<Step, Finding> {
        let found = frame::read(payload).map_err(|error| match error {
            Unreadable::TooNew(version) => self.finding(Reason::TooNew, format!("format version {version}")),
            Unreadable::Malformed(what) => self.finding(Reason::CorruptFrame, what),
        })?;
        let header = found.header;
        let closes = header.kind == Kind::Close;
        self.check_header(&header, position)?;
        let count = frame::blocks(found.length as usize);
        if self.blocks - self.tail < count {
            return Err(self.finding(Reason::CorruptFrame, "the frame is longer than its segment"));
        }
        if !self.gather(count, found.length as usize, header.position)? {
            if !is_planted(Bug::TornTailKept) {
                return self.rest();
            }
        } else if crc32c::crc32c(&self.body) != found.body_checksum {
            return Err(self.finding(Reason::CorruptFrame, "the body's checksum does not match"));
        }
        if closes && self.body != self.owner.segment.wrapping_add(1).to_be_bytes() {
            return Err(self.finding(Reason::CorruptFrame, "the segment names another one than the next"));
        }
        self.tail += count;
        self.registers = self.registers.max(header.registers);
        if closes {
            return Ok(Step::Close);
        }
        // A close is not part of the chain: the next segment follows the last chunk.
        self.chain = found.link;
        self.last = header.position;
        self.last_chunk = Some(header.chunk);
        Ok(Step::Frame(header))
    }

    fn check_header(&self, header: &Header, position: u64) -> Result<(), Finding> {
        let next = if header.kind == Kind::Close { self.last } else { self.last.wrapping_add(1) };
        if header.store != self.store || header.log != self.owner.log {
            return Err(self.finding(Reason::WrongStore, "the frame is of another store or log"));
        }
        if header.position != next || position != next {
            let detail = format!("position {} where {next} belongs", header.position);
            return Err(self.finding(Reason::Gap, detail));
        }
        if header.chain != self.chain {
            return Err(self.finding(Reason::CorruptFrame, "the frame does not follow the one before"));
        }
        if header.durable > header.position {
            return Err(self.finding(Reason::CorruptFrame, "the frame names a later durable one"));
        }
        Ok(())
    }

    /// Collects a frame's body. False when some of its blocks were not written.
    fn gather(&mut self, count: u32, length: usize, position: u64) -> Result<bool, Finding> {
        let bytes = self.bytes;
        let mut whole = true;
        self.body.clear();
        for number in self.tail..self.tail + count {
            let skip = if number == self.tail { HEADER_BYTES } else { 0 };
            match block::classify(block::at(bytes, number), number, self.owner) {
                Class::Bad => return Err(self.rot(number)),
                Class::Own(block) if block.position == position => {
                    let left = length - self.body.len();
                    let payload = block.payload.get(skip..).unwrap_or_default();
                    self.body.extend_from_slice(payload.get(..left.min(payload.len())).unwrap_or_default());
                }
                Class::Own(block) => return Err(self.later(number, block.position)),
                Class::Old => {
                    whole = false;
                    let missing = (block::PAYLOAD_BYTES - skip).min(length - self.body.len());
                    self.body.resize(self.body.len() + missing, 0);
                }
            }
        }
        Ok(whole)
    }

    /// Looks at everything behind the last whole frame.
    fn rest(&self) -> Result<Step, Finding> {
        let mut torn = false;
        for number in self.tail..self.blocks {
            match block::classify(block::at(self.bytes, number), number, self.owner) {
                Class::Bad => return Err(self.rot(number)),
                Class::Own(block) if block.position == self.last.wrapping_add(1) => torn = true,
                Class::Own(block) => return Err(self.later(number, block.position)),
                Class::Old => {}
            }
        }
        Ok(Step::Tail { torn })
    }

    fn rot(&self, number: u32) -> Finding {
        let detail = "the block is neither what was written nor what was there before";
        Finding::new(Reason::CorruptBlock, self.name, segment::offset(number), detail)
    }

    fn later(&self, number: u32, position: u64) -> Finding {
        let detail =
            format!("a block of position {position} stands behind the last whole frame, {}", self.last);
        Finding::new(Reason::Gap, self.name, segment::offset(number), detail)
    }

    fn finding(&self, reason: Reason, detail: impl Into<String>) -> Finding {
        Finding::new(reason, self.name, segment::offset(self.tail), detail)
    }

    /// The bytes from the tail on.
    pub(crate) fn rest_bytes(&self) -> &'a [u8] {
        self.bytes.get(self.tail as usize * BLOCK_BYTES..).unwrap_or_default()
    }
}

/// Whether a segment was taken and never used.
pub(crate) fn is_unused(name: &str, bytes: &[u8], header: &SegmentHeader) -> bool {
    matches!(Scan::new(name, bytes, header).step(), Ok(Step::Tail { torn: false }))
}
