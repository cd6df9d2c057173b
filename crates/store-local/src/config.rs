//! What an operator, a test or the simulator may choose.

use iris_types::limits;

/// Configuration of the engine on files.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names the store when it is created; random, never reused. A store that exists keeps its own.
    pub store_id: [u8; 16],
    /// Bytes of a log segment. A chunk that does not fit gets a segment of its own size.
    pub segment_bytes: u64,
    /// Bytes of the register journal; it grows when its snapshot needs more.
    pub journal_bytes: u64,
    /// Free bytes below which no new segment is taken and [`Room::low`](crate::Room) is set: this or 5 % of the
    /// disk, whichever is less.
    pub reserve_bytes: u64,
    /// Empty segments kept for the next rolls; more are removed.
    pub spares_max: usize,
}

impl Config {
    /// What a server uses.
    #[must_use]
    pub fn new(store_id: [u8; 16]) -> Self {
        Self {
            store_id,
            segment_bytes: limits::SEGMENT_BYTES,
            journal_bytes: 8 * 1_024 * 1_024,
            reserve_bytes: limits::DISK_RESERVE_BYTES,
            spares_max: 4,
        }
    }

    /// Small files, for tests and the simulator: rolls, trims and new journals happen all the time.
    #[must_use]
    pub fn small(store_id: [u8; 16]) -> Self {
        Self {
            store_id,
            segment_bytes: 16 * 1_024,
            journal_bytes: 16 * 1_024,
            reserve_bytes: 0,
            spares_max: 2,
        }
    }
}
