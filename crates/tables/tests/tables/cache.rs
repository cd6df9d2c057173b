//! The block cache.

use std::collections::BTreeMap;

use bytes::Bytes;
use fastrand::Rng;
use iris_tables::BlockCache;
use iris_types::RunName;

use crate::store::seed;

const RUN: RunName = RunName([3; 16]);

fn block(bytes: usize) -> Bytes {
    Bytes::from(vec![7; bytes])
}

#[test]
fn it_never_holds_more_than_it_may_nor_gives_back_another_block() {
    let mut random = Rng::with_seed(seed());
    for capacity in [0, 100, 5_000, 50_000] {
        let mut cache = BlockCache::new(capacity);
        let mut put = BTreeMap::new();
        for _ in 0..20_000 {
            let number = random.u32(0..100);
            if random.bool() {
                let bytes = put.entry(number).or_insert_with(|| block(random.usize(0..6_000)));
                cache.insert(RUN, number, bytes.clone());
            } else if let Some(found) = cache.lookup(RUN, number) {
                assert_eq!(Some(&found), put.get(&number));
            }
            assert!(cache.bytes() <= capacity);
        }
        assert_eq!(cache.bytes() == 0, capacity < 200);
        assert_eq!(cache.lookup(RunName([4; 16]), 1), None);
    }
}

#[test]
fn what_is_asked_for_stays_and_what_is_new_stays_a_while() {
    let mut cache = BlockCache::new(20 * 1_000);
    cache.insert(RUN, 0, block(800));
    for number in 1..1_000 {
        cache.insert(RUN, number, block(800));
        assert!(cache.lookup(RUN, 0).is_some(), "{number}");
        if number % 10 == 9 {
            assert!(cache.lookup(RUN, number - 5).is_some(), "{number}");
        }
    }
    assert_eq!(cache.lookup(RUN, 1), None);
}

#[test]
fn a_block_put_twice_counts_once() {
    let mut cache = BlockCache::new(5_000);
    cache.insert(RUN, 0, block(800));
    let bytes = cache.bytes();
    cache.insert(RUN, 0, block(800));
    assert_eq!(cache.bytes(), bytes);
}
