//! Pages of dense rows: what memory holds over what runs hold, without holes.

use bytes::Bytes;
use iris_types::limits::{PAGE_BYTES_MAX, PAGE_ITEMS_MAX};

/// A key and its value.
pub type Row = (Bytes, Bytes);

/// Bytes that an item takes in an answer besides its row, at most.
const ITEM_OVERHEAD_BYTES: usize = 32;

/// The number that a key of history or inbox ends with.
#[must_use]
pub fn number_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// Takes rows from the front as long as their numbers follow each other, beginning with `first`, within the
/// limits of a page (at least one row, if there is one).
#[must_use]
pub fn take_dense(rows: Vec<Row>, first: u64, is_ascending: bool, limit: usize) -> Vec<Row> {
    let (mut expected, mut bytes, mut page) = (first, 0, Vec::new());
    for (key, value) in rows {
        bytes += key.len() + value.len() + ITEM_OVERHEAD_BYTES;
        let is_full = page.len() >= limit.min(PAGE_ITEMS_MAX) || (!page.is_empty() && bytes > PAGE_BYTES_MAX);
        if is_full || number_of(&key) != Some(expected) {
            break;
        }
        page.push((key, value));
        expected = if is_ascending { expected.saturating_add(1) } else { expected.saturating_sub(1) };
    }
    page
}
