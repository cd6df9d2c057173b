//! Filters that say of most absent keys that they are absent. A filter never says that a key is present.
//!
//! Blocked Bloom filter: a key belongs to one line of 512 bits (one cache line) and sets seven bits in it.
//! Lines are chosen by the upper half of the key's hash, bits by seven pieces of nine bits of a second mix.
//! Hash and layout are stored, so they never change without a new block format.

use iris_types::limits::FILTER_BITS_PER_ROW;

const LINE_BYTES: usize = 64;
const BITS_PER_KEY: usize = 7;

/// A key's hash, computed once for all filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(u64);

impl KeyHash {
    /// Eight bytes at a time, each mixed by a multiplication (constants of MurmurHash3's 64-bit finalizer and of
    /// the golden ratio). Not for secrecy: a crafted key costs a block read.
    pub(crate) fn of(key: &[u8]) -> Self {
        let mut state = (key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (words, rest) = key.as_chunks::<8>();
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        for word in words.iter().chain(std::iter::once(&last)) {
            state = (state ^ u64::from_be_bytes(*word)).wrapping_mul(0xff51_afd7_ed55_8ccd);
            state ^= state >> 32;
        }
        Self((state ^ (state >> 29)).wrapping_mul(0xc4ce_b9fe_1a85_ec53))
    }

    fn line(self, lines: usize) -> usize {
        (((self.0 >> 32) * lines as u64) >> 32) as usize
    }

    fn bits(self) -> impl Iterator<Item = usize> {
        let mixed = (self.0 ^ (self.0 >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..BITS_PER_KEY).map(move |piece| ((mixed >> (piece * 9)) & 511) as usize)
    }
}

/// Bytes of the filter of so many keys.
pub(crate) const fn length(keys: u64) -> u64 {
    keys.saturating_mul(FILTER_BITS_PER_ROW as u64).div_ceil(LINE_BYTES as u64 * 8) * LINE_BYTES as u64
}

/// The filter of these keys.
pub(crate) fn build(hashes: &[KeyHash]) -> Vec<u8> {
    let mut filter = vec![0; length(hashes.len() as u64) as usize];
    let lines = filter.len() / LINE_BYTES;
    for hash in hashes {
        let start = hash.line(lines) * LINE_BYTES;
        for bit in hash.bits() {
            if let Some(byte) = filter.get_mut(start + bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }
    filter
}

/// Whether a key may be among those the filter was built of. An empty filter excludes nothing.
pub(crate) fn may_contain(filter: &[u8], hash: KeyHash) -> bool {
    let lines = filter.len() / LINE_BYTES;
    if lines == 0 {
        return true;
    }
    let start = hash.line(lines) * LINE_BYTES;
    hash.bits().all(|bit| filter.get(start + bit / 8).is_none_or(|byte| byte & (1 << (bit % 8)) != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_stored_and_never_changes() {
        let hash = |key: &[u8]| KeyHash::of(key).0;
        assert_eq!(
            [hash(b""), hash(b"alice"), hash(b"12345678"), hash(b"a longer key of 27 bytes...")],
            [0, 0x3f4e_07cd_e3b0_9a29, 0x8800_0260_1dcb_a6ae, 0x2774_53f1_9ed5_ef60]
        );
    }

    #[test]
    fn present_keys_are_never_excluded_and_absent_ones_mostly() {
        let hash = |n: u32| KeyHash::of(format!("user-{n}").as_bytes());
        let filter = build(&(0..10_000).map(hash).collect::<Vec<_>>());
        assert!((0..10_000).all(|n| may_contain(&filter, hash(n))));
        let wrong = (10_000..110_000).filter(|n| may_contain(&filter, hash(*n))).count();
        assert!(wrong < 2_000, "{wrong} of 100,000 absent keys pass");
    }
}
