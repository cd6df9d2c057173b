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
    entries: Vec<Entry>,
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
        Self { capacity, bytes: 0, places: HashMap::default(), entries: Vec::new(), hand: 0 }
    }

    #[must_use]
    pub fn lookup(&mut self, run: RunName, block: u32) -> Option<Bytes> {
        let place = *self.places.get(&(run, block))?;
        let entry = self.entries.get_mut(place)?;
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
            self.evict_one();
        }
        self.places.insert(id, self.entries.len());
        self.entries.push(Entry { id, block: bytes, was_asked_for: false });
        self.bytes += size;
    }

    /// Bytes in use.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn evict_one(&mut self) {
        loop {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            match self.entries.get_mut(self.hand) {
                Some(entry) if entry.was_asked_for => {
                    entry.was_asked_for = false;
                    self.hand += 1;
                }
                Some(_) => return self.remove(self.hand),
                None => {
                    self.bytes = 0;
                    return;
                }
            }
        }
    }

    /// The last entry takes the place of the removed one.
    fn remove(&mut self, place: usize) {
        let entry = self.entries.swap_remove(place);
        self.places.remove(&entry.id);
        self.bytes -= entry.block.len() + ENTRY_OVERHEAD_BYTES;
        if let Some(moved) = self.entries.get(place) {
            self.places.insert(moved.id, place);
        }
    }
}
