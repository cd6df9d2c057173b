//! The closed list of tables.

use iris_types::Timestamp;
use iris_types::limits::{POINT_BLOCK_BYTES, RARE_BLOCK_BYTES, SCAN_BLOCK_BYTES};

const DAY_MS: u64 = 24 * 3_600_000; // layout

/// A kind of rows. The numbers are stored and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Messages by conversation and seq; kept for ever.
    History = 1,
    /// Entries by user and offset; expire with their window.
    Inbox = 2,
    /// Message ids already used; expire with their window.
    Dedup = 3,
    /// Users', conversations' and vnodes' own values, rewritten often.
    Head = 4,
    /// Forwards to other vnodes that are not confirmed.
    Stream = 5,
}

/// Days since 1970 of rows that expire together; 0 in tables that do not expire. A key belongs to one window
/// for ever: newer-wins is right only among runs of the same window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(pub u32);

impl Table {
    /// Every table there is, ascending.
    pub const ALL: [Self; 5] = [Self::History, Self::Inbox, Self::Dedup, Self::Head, Self::Stream];

    /// `None` for a number this version does not know.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::History),
            2 => Some(Self::Inbox),
            3 => Some(Self::Dedup),
            4 => Some(Self::Head),
            5 => Some(Self::Stream),
            _ => None,
        }
    }

    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether rows expire with their window. Others all have [`Window`] 0, whatever they are put with.
    #[must_use]
    pub const fn is_windowed(self) -> bool {
        matches!(self, Self::Inbox | Self::Dedup)
    }

    /// Whether runs have a filter: tables in which absent keys are asked for.
    #[must_use]
    pub const fn has_filter(self) -> bool {
        matches!(self, Self::Dedup | Self::Head)
    }

    /// Bytes at which a block is closed; a larger row gets a block of its own.
    pub(crate) const fn block_bytes(self) -> usize {
        match self {
            Self::Head => POINT_BLOCK_BYTES,
            Self::Dedup => RARE_BLOCK_BYTES,
            Self::History | Self::Inbox | Self::Stream => SCAN_BLOCK_BYTES,
        }
    }

    /// Place in arrays with one item per table.
    pub(crate) const fn place(self) -> usize {
        self as usize - 1
    }

    pub(crate) const fn window(self, asked: Window) -> Window {
        if self.is_windowed() { asked } else { Window(0) }
    }
}

impl Window {
    /// The day of `at`.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        let day = at.0 / DAY_MS;
        Self(if day > u32::MAX as u64 { u32::MAX } else { day as u32 })
    }

    /// The first millisecond of the day.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0 as u64 * DAY_MS)
    }
}
