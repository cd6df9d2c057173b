//! Which vnode holds a user or a conversation.
//!
//! The functions here are persisted facts: a deployment's data lies where they said, so their golden vectors
//! must never change.

use crate::{ConversationId, Target, UserId, VnodeId};

/// Jump consistent hash (Lamping and Veach, 2014): a bucket in `0..buckets` for a key; growing from n to n+1
/// buckets moves about 1/(n+1) of the keys.
#[must_use]
pub fn jump_hash(mut key: u64, buckets: u32) -> u32 {
    let (mut bucket, mut next) = (0_i64, 0_i64);
    while next < i64::from(buckets) {
        bucket = next;
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        // As in the paper: 31 bits of the key as a fraction. Both operands are exact in f64.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        {
            next = ((bucket + 1) as f64 * ((1_u64 << 31) as f64 / ((key >> 33) + 1) as f64)) as i64;
        }
    }
    u32::try_from(bucket).unwrap_or(0)
}

/// FNV-1a over the bytes, then the finaliser of SplitMix64, so that short names spread over all bits.
#[must_use]
pub fn name_hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut mixed = fnv;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// How many vnodes a deployment has, fixed when it is created: 1 to 65,536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VnodeCount(u32);

impl VnodeCount {
    /// `None` outside 1 to 65,536.
    #[must_use]
    pub const fn new(count: u32) -> Option<Self> {
        if count >= 1 && count <= 65_536 { Some(Self(count)) } else { None }
    }

    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    pub fn all(self) -> impl Iterator<Item = VnodeId> {
        (0..self.0).filter_map(|index| u16::try_from(index).ok().map(VnodeId))
    }

    /// The vnode that holds a user.
    #[must_use]
    pub fn of_user(self, user: &UserId) -> VnodeId {
        let bucket = jump_hash(name_hash(user.as_bytes()), self.0);
        VnodeId(u16::try_from(bucket).unwrap_or(0))
    }

    /// The vnode that holds a direct conversation: that of the lower of the two names.
    #[must_use]
    pub fn of_direct(self, one: &UserId, other: &UserId) -> VnodeId {
        self.of_user(if one <= other { one } else { other })
    }

    /// The vnode that holds a group.
    #[must_use]
    pub fn of_group(self, group: ConversationId) -> VnodeId {
        let bucket = jump_hash(name_hash(&group.0), self.0);
        VnodeId(u16::try_from(bucket).unwrap_or(0))
    }

    /// The vnode that holds a conversation, as `user` names it.
    #[must_use]
    pub fn of_target(self, user: &UserId, target: &Target) -> VnodeId {
        match target {
            Target::User(other) => self.of_direct(user, other),
            Target::Group(group) => self.of_group(*group),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jump_hash_keeps_its_golden_vectors() {
        // The first two columns are the reference implementation's published values.
        let vectors =
            [(1, 1, 0), (42, 57, 43), (0xDEAD_10CC, 1, 0), (0xDEAD_10CC, 666, 361), (256, 1024, 520)];
        for (key, buckets, expected) in vectors {
            assert_eq!(jump_hash(key, buckets), expected, "key {key}, {buckets} buckets");
        }
    }

    #[test]
    fn a_new_bucket_takes_its_share_and_nothing_else_moves() {
        let (mut moved, keys) = (0, 20_000_u64);
        for key in 0..keys {
            let hash = name_hash(&key.to_be_bytes());
            let (before, after) = (jump_hash(hash, 10), jump_hash(hash, 11));
            if before != after {
                assert_eq!(after, 10);
                moved += 1;
            }
        }
        assert!((1_600..2_050).contains(&moved), "{moved} of {keys} moved");
    }
}
