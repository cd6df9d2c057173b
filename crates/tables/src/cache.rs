//! Blocks read lately.

use std::collections::HashMap;

use bytes::Bytes;
use foldhash::fast::FixedState;
use iris_types::RunName;

/// Memory of a block besides its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 128;

type BlockId = (RunName, u32);

/// Blocks up to a number of bytes. When it is full, a hand goes round and takes out the first block that was
/// not asked for since the hand last came by (the clock algorithm). Not shared: its owner locks it.
///
/// Blocks of dropped runs need no care: names are never used again, and nobody asks for them.
#[derive(Debug)]
pub struct BlockCache {
    capacity: usize,
    bytes: usize,
    places: HashMap<BlockId, usize, FixedState>,
    entries: Vec<Option<Entry>>,
    /// Places without an entry.
    free: Vec<usize>,
    hand: usize,
}

#[derive(Debug)]
struct Entry {
    id: BlockId,
    block: Bytes,
    was_asked_for: bool,
}

impl BlockCache {
    /// `capacity` in bytes; 0 keeps nothing.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            bytes: 0,
            places: HashMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
            hand: 0,
        }
    }

    #[must_use]
    pub fn lookup(&mut self, run: RunName, block: u32) -> Option<Bytes> {
        let place = *self.places.get(&(run, block))?;
        let entry = self.entries.get_mut(place)?.as_mut()?;
        entry.was_asked_for = true;
        Some(entry.block.clone())
    }

    /// Keeps a block, if it is not larger than the whole cache.
    pub fn insert(&mut self, run: RunName, block: u32, bytes: Bytes) {
        let size = bytes.len() + ENTRY_OVERHEAD_BYTES;
        let id = (run, block);
        if size > self.capacity || self.places.contains_key(&id) {
            return;
        }
        while self.bytes + size > self.capacity {
            self.turn_hand();
        }
        // A place just emptied lies behind the hand: the new block stays for a whole round.
        let place = self.free.pop().unwrap_or(self.entries.len());
        let entry = Some(Entry { id, block: bytes, was_asked_for: false });
        match self.entries.get_mut(place) {
            Some(free) => *free = entry,
            None => self.entries.push(entry),
        }
        self.places.insert(id, place);
        self.bytes += size;
    }

    /// Bytes in use.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes out the block at the hand, unless it was asked for, and goes on by one.
    fn turn_hand(&mut self) {
        let place = self.hand;
        self.hand = if place + 1 < self.entries.len() { place + 1 } else { 0 };
        let Some(slot) = self.entries.get_mut(place) else { return };
        if let Some(entry) = slot.take_if(|entry| !std::mem::take(&mut entry.was_asked_for)) {
            self.bytes -= entry.block.len() + ENTRY_OVERHEAD_BYTES;
            self.places.remove(&entry.id);
            self.free.push(place);
        }
    }
}
