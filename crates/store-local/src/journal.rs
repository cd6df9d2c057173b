//! The register journal: one segment of the log's own frames. A snapshot first, then changes; when it is full, a
//! new one with a new snapshot takes its name. Positions go on through all of them: the position is the number of
//! commits since the store was created, which is what logs, runs and the mark are compared with.

use std::sync::Arc;

use iris_types::ChunkId;

use crate::block::Owner;
use crate::catalog::Catalog;
use crate::durable::{self, Health};
use crate::frame::{self, Header, Kind};
use crate::record::Record;
use crate::scan::{Scan, Step};
use crate::segment::{self, SegmentHeader};
use crate::{Disk, DiskError, DiskFile, Finding, Reason};
use iris_store::StoreError;

/// Name of the journal.
pub(crate) const REGISTERS: &str = "registers";
const NEW: &str = "registers.new";

/// The journal, open for writing.
pub(crate) struct Journal {
    file: Arc<dyn DiskFile>,
    pub(crate) store: [u8; 16],
    generation: u32,
    blocks: u32,
    tail: u32,
    chain: u64,
    /// Position of the last commit.
    pub(crate) position: u64,
    pub(crate) catalog: Catalog,
    bytes: u64,
    buffer: Vec<u8>,
}

/// The journal as it was found.
#[derive(Clone, Default)]
pub(crate) struct FoundJournal {
    pub(crate) store: [u8; 16],
    pub(crate) generation: u32,
    pub(crate) chain: u64,
    pub(crate) position: u64,
    pub(crate) catalog: Catalog,
    /// The bytes from the tail on, when a torn frame is there.
    pub(crate) torn: Option<(u64, Vec<u8>)>,
}

impl FoundJournal {
    /// Reads the journal.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Result<Self, Finding>, DiskError> {
        let bytes = match segment::read(disk, REGISTERS) {
            Err(DiskError::NotFound) => {
                return Ok(Err(Finding::new(
                    Reason::MissingFile,
                    REGISTERS,
                    0,
                    "there is no register journal",
                )));
            }
            bytes => bytes?,
        };
        Ok(bytes.and_then(|bytes| Self::parse(&bytes)))
    }

    fn parse(bytes: &[u8]) -> Result<Self, Finding> {
        let header = SegmentHeader::decode(REGISTERS, bytes, bytes.len() as u64)?;
        if header.owner.log != header.store {
            return Err(Finding::new(Reason::WrongStore, REGISTERS, 0, "the journal is of another store"));
        }
        let mut found = Self { store: header.store, generation: header.owner.segment, ..Self::default() };
        let mut scan = Scan::new(REGISTERS, bytes, &header);
        loop {
            let offset = segment::offset(scan.tail);
            let bad = |detail| Finding::new(Reason::CorruptFrame, REGISTERS, offset, detail);
            match scan.step()? {
                Step::Frame(frame) => {
                    let first = scan.last == header.first;
                    if frame.kind != if first { Kind::Snapshot } else { Kind::Changes } {
                        return Err(bad("the frame is not of the kind that belongs here"));
                    }
                    let records = Record::decode_all(&scan.body).ok_or_else(|| bad("unreadable records"))?;
                    records.iter().for_each(|record| found.catalog.apply(record));
                }
                Step::Close => return Err(bad("a register journal is not closed")),
                Step::Tail { .. } if scan.last < header.first => return Err(bad("the snapshot is missing")),
                Step::Tail { torn } => {
                    found.torn = torn.then(|| (offset, scan.rest_bytes().to_vec()));
                    (found.chain, found.position) = (scan.chain, scan.last);
                    return Ok(found);
                }
            }
        }
    }

    /// Writes what was found as a new journal: in one go compacted, and durable even if what was read was only in
    /// the page cache of a process that failed to flush it.
    pub(crate) fn rewrite(self, disk: &dyn Disk, bytes: u64) -> Result<Journal, DiskError> {
        let generation = self.generation.wrapping_add(1);
        let mut body = Vec::new();
        self.catalog.encode(&mut body);
        let mut journal =
            Journal::write_new(disk, self.store, generation, (self.position, self.chain), &body, bytes)?;
        journal.catalog = self.catalog;
        Ok(journal)
    }
}

impl Journal {
    /// The first journal of a new store.
    pub(crate) fn create(disk: &dyn Disk, store: [u8; 16], bytes: u64) -> Result<Self, DiskError> {
        Self::write_new(disk, store, 1, (0, 0), &[], bytes)
    }

    /// Makes all the changes, durably. `NoSpace`: none was made.
    pub(crate) fn commit(
        &mut self,
        disk: &dyn Disk,
        health: &Health,
        records: &[Record],
    ) -> Result<(), StoreError> {
        health.check()?;
        let mut body = Vec::new();
        records.iter().for_each(|record| record.encode(&mut body));
        if self.tail + frame::blocks(body.len()) <= self.blocks {
            self.append(&body).map_err(|error| health.judge(durable::fatal(error)))?;
        } else {
            self.start_anew(disk, &body).map_err(|error| health.judge(error))?;
        }
        records.iter().for_each(|record| self.catalog.apply(record));
        Ok(())
    }

    fn append(&mut self, body: &[u8]) -> Result<(), DiskError> {
        let header = header(Kind::Changes, self.store, self.position + 1, self.chain);
        let owner = Owner { log: self.store, segment: self.generation };
        let link = frame::write(&mut self.buffer, owner, self.tail, &header, body);
        self.file.write_at(segment::offset(self.tail), &self.buffer)?;
        durable::sync_data(&*self.file)?;
        self.tail += frame::blocks(body.len());
        self.position += 1;
        self.chain = link;
        Ok(())
    }

    fn start_anew(&mut self, disk: &dyn Disk, changes: &[u8]) -> Result<(), DiskError> {
        let mut body = Vec::new();
        self.catalog.encode(&mut body);
        body.extend_from_slice(changes);
        let before = (self.position, self.chain);
        let generation = self.generation.wrapping_add(1);
        let new = Self::write_new(disk, self.store, generation, before, &body, self.bytes)?;
        let catalog = std::mem::take(&mut self.catalog);
        *self = Self { catalog, ..new };
        Ok(())
    }

    /// `before`: position and chain of the last frame of the journal before. `NoSpace` only while nothing has
    /// changed.
    fn write_new(
        disk: &dyn Disk,
        store: [u8; 16],
        generation: u32,
        before: (u64, u64),
        body: &[u8],
        bytes: u64,
    ) -> Result<Self, DiskError> {
        durable::remove(disk, NEW)?;
        let written = Self::write_file(disk, store, generation, before, body, bytes);
        if written.is_err() {
            // Best effort: the next journal, or the next start, removes it too.
            let _ = durable::remove(disk, NEW);
        }
        let journal = written?;
        disk.rename(NEW, REGISTERS)?;
        durable::sync_directory(disk, "")?;
        Ok(journal)
    }

    fn write_file(
        disk: &dyn Disk,
        store: [u8; 16],
        generation: u32,
        (position, chain): (u64, u64),
        body: &[u8],
        bytes: u64,
    ) -> Result<Self, DiskError> {
        let count = frame::blocks(body.len());
        // At least as much room for changes as the snapshot takes.
        let blocks = segment::blocks_of(bytes).max(count.saturating_mul(2).saturating_add(4));
        let owner = Owner { log: store, segment: generation };
        let first = SegmentHeader { store, owner, blocks, first: position + 1, chain, registers: 0 };
        let file = segment::prewrite(disk, NEW, blocks)?;
        let mut buffer = Vec::new();
        let link =
            frame::write(&mut buffer, owner, 1, &header(Kind::Snapshot, store, position + 1, chain), body);
        file.write_at(0, &first.encode())?;
        file.write_at(segment::offset(1), &buffer)?;
        durable::sync_data(&*file)?;
        Ok(Self {
            file,
            store,
            generation,
            blocks,
            tail: 1 + count,
            chain: link,
            position: position + 1,
            catalog: Catalog::default(),
            bytes,
            buffer,
        })
    }
}

fn header(kind: Kind, store: [u8; 16], position: u64, chain: u64) -> Header {
    let chunk = ChunkId([0; 16]);
    Header {
        kind,
        store,
        log: store,
        position,
        chunk,
        chain,
        durable: position.saturating_sub(1),
        registers: 0,
    }
}
