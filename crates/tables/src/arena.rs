//! Bytes one behind the other, in blocks that never move.

/// Bytes of the first block; each further one is twice as large.
const FIRST_BLOCK_BYTES: usize = 1_024; // layout
/// Bytes of the largest block, unless a single piece needs more.
const LAST_BLOCK_BYTES: usize = 64 * 1_024; // layout

/// Pieces of bytes, kept until all of them go.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    blocks: Vec<Vec<u8>>,
}

/// Where a piece begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    block: u32,
    start: u32,
}

impl Arena {
    /// Keeps the parts as one piece.
    pub(crate) fn push(&mut self, parts: [&[u8]; 2]) -> Place {
        let length = parts.iter().map(|part| part.len()).sum();
        let has_room = |block: &Vec<u8>| block.capacity() - block.len() >= length;
        if !self.blocks.last().is_some_and(has_room) {
            let doubled = FIRST_BLOCK_BYTES << self.blocks.len().min(16);
            self.blocks.push(Vec::with_capacity(doubled.min(LAST_BLOCK_BYTES).max(length)));
        }
        let number = self.blocks.len() - 1;
        let Some(block) = self.blocks.last_mut() else { return Place { block: 0, start: 0 } };
        let start = block.len();
        for part in parts {
            block.extend_from_slice(part);
        }
        // A block is no longer than the largest row, and the rows of a table count in 32 bits.
        let fits = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place { block: fits(number), start: fits(start) }
    }

    /// `length` bytes of a piece, from `skip` bytes behind its begin on.
    pub(crate) fn get(&self, place: Place, skip: usize, length: usize) -> &[u8] {
        let start = place.start as usize + skip;
        let block = self.blocks.get(place.block as usize);
        block.and_then(|block| block.get(start..start + length)).unwrap_or_default()
    }

    /// As [`Self::get`], to be overwritten.
    pub(crate) fn get_mut(&mut self, place: Place, skip: usize, length: usize) -> &mut [u8] {
        let start = place.start as usize + skip;
        let block = self.blocks.get_mut(place.block as usize);
        block.and_then(|block| block.get_mut(start..start + length)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stay_as_they_were() {
        let mut arena = Arena::default();
        let piece = |number: usize| vec![number as u8; number * number % 5_000];
        let mut places: Vec<Place> = (0..1_000).map(|number| arena.push([&[7; 3], &piece(number)])).collect();
        places.push(arena.push([&[7; 3], &[9; 3 * LAST_BLOCK_BYTES]]));
        arena.get_mut(places[5], 3, 2).fill(1);
        for (number, place) in places.iter().enumerate().take(1_000) {
            let length = piece(number).len();
            assert_eq!(arena.get(*place, 0, 3), [7; 3]);
            let expected = if number == 5 { [&[1, 1][..], &[5; 23]].concat() } else { piece(number) };
            assert_eq!(arena.get(*place, 3, length), expected);
        }
        assert_eq!(arena.get(places[1_000], 3, 3 * LAST_BLOCK_BYTES), [9; 3 * LAST_BLOCK_BYTES]);
    }

    #[test]
    fn what_was_never_kept_is_empty() {
        let mut arena = Arena::default();
        assert!(arena.get(Place { block: 0, start: 0 }, 0, 1).is_empty());
        assert!(arena.get_mut(Place { block: 0, start: 0 }, 0, 1).is_empty());
    }
}
