//! Blocks that are not what was written: an error for what they hold, or the same answer; never another one.

use bytes::Bytes;
use iris_tables::{BlockError, Blocks, BuiltRun, Direction, Manifest, RunSet, Table, TableError};
use iris_types::RunName;

use crate::store::{ALL, Row, Store, run_of, seed};

const NAME: RunName = RunName([9; 16]);

/// A run whose tables have a filter, with several blocks and a tail.
fn rows() -> Vec<Row> {
    let row = |n: u32| (Bytes::from(format!("key-{n:04}")), Bytes::from(vec![n as u8; 50]));
    (0..130).map(row).collect()
}

fn store_of(run: &BuiltRun) -> (Store, RunSet) {
    let mut store = Store::default();
    store.put(std::slice::from_ref(run));
    (store, RunSet::open(Manifest::default().change(&[], [run.meta])))
}

/// Reads everything in every way there is, from a fresh snapshot; every answer is an error or right.
fn check(rows: &[Row], set: &RunSet, store: &Store) -> Result<(), TableError> {
    let mut outcome = Ok(());
    let mut note = |error| outcome = Err(error);
    let run = *set.manifest().runs().first().unwrap();
    let fresh = || RunSet::open(set.manifest().clone());
    match fresh().scan(run.table, b"", b"z", Direction::Forward, ALL, store) {
        Ok(found) => assert!(found == rows),
        Err(error) => note(error),
    }
    match fresh().scan(run.table, b"", b"z", Direction::Backward, ALL, store) {
        Ok(found) => assert!(found.iter().rev().eq(rows)),
        Err(error) => note(error),
    }
    let shared = fresh();
    for (key, value) in rows.iter().step_by(29) {
        match shared.get(run.table, key, store) {
            Ok(found) => assert_eq!(found.as_ref(), Some(value)),
            Err(error) => note(error),
        }
    }
    match fresh().scrub(run.name, store) {
        Ok(count) => assert_eq!(count, rows.len() as u64),
        Err(error) => note(error),
    }
    outcome
}

#[test]
fn every_flipped_byte_is_noticed_and_named() {
    let rows = rows();
    for table in [Table::Head, Table::History] {
        let run = run_of(&rows, table, NAME);
        let (mut store, set) = store_of(&run);
        assert_eq!(check(&rows, &set, &store), Ok(()));
        assert!(table == Table::History || run.blocks.len() > 2, "several blocks of rows");
        for (number, block) in run.blocks.iter().enumerate() {
            for place in 0..block.len() {
                let mut flipped = block.to_vec();
                flipped[place] ^= 1 << (place % 8);
                store.runs.get_mut(&NAME).unwrap()[number] = Bytes::from(flipped);
                let found = check(&rows, &set, &store);
                let named = matches!(found, Err(TableError::Corrupt { run: NAME, block, .. }) if block == number as u32);
                assert!(named, "{table:?} block {number} byte {place}: {found:?}");
            }
            store.runs.get_mut(&NAME).unwrap()[number] = block.clone();
        }
    }
}

#[test]
fn every_truncated_block_is_noticed() {
    let rows = rows();
    let run = run_of(&rows, Table::Head, NAME);
    let (mut store, set) = store_of(&run);
    for (number, block) in run.blocks.iter().enumerate() {
        for length in 0..block.len() {
            store.runs.get_mut(&NAME).unwrap()[number] = block.slice(..length);
            assert!(
                matches!(check(&rows, &set, &store), Err(TableError::Corrupt { .. })),
                "{number} {length}"
            );
        }
        store.runs.get_mut(&NAME).unwrap()[number] = block.clone();
    }
}

#[test]
fn a_block_in_the_place_of_another_is_noticed() {
    let rows = rows();
    let run = run_of(&rows, Table::Head, NAME);
    let other = run_of(&rows, Table::Head, RunName([8; 16]));
    let (mut store, set) = store_of(&run);
    for one in 0..run.blocks.len() {
        for two in 0..run.blocks.len() {
            store.runs.get_mut(&NAME).unwrap()[one] = run.blocks[two].clone();
            assert_eq!(check(&rows, &set, &store).is_ok(), one == two);
        }
        store.runs.get_mut(&NAME).unwrap()[one] = other.blocks[one].clone();
        assert!(check(&rows, &set, &store).is_err(), "the same rows, but another run's");
        store.runs.get_mut(&NAME).unwrap()[one] = run.blocks[one].clone();
    }
}

#[test]
fn a_run_that_does_not_fit_its_manifest_is_noticed() {
    let run = run_of(&rows(), Table::Head, NAME);
    let (store, set) = store_of(&run);
    assert_eq!(set.check(&store), Ok(()));
    let check = |change: &dyn Fn(&mut iris_tables::RunMeta)| {
        let mut meta = run.meta;
        change(&mut meta);
        let set = RunSet::open(Manifest::default().change(&[], [meta]));
        assert!(set.check(&store).is_err(), "{meta:?}");
    };
    check(&|meta| meta.rows += 1);
    check(&|meta| meta.rows = 0);
    check(&|meta| meta.blocks -= 1);
    check(&|meta| meta.blocks += 1);
    check(&|meta| meta.blocks = 0);
    check(&|meta| meta.table = Table::Stream);
    check(&|meta| meta.window.0 += 1);
    check(&|meta| meta.name = RunName([7; 16]));
}

#[test]
fn a_bad_block_costs_only_what_it_holds() {
    let rows = rows();
    let run = run_of(&rows, Table::Head, NAME);
    let (mut store, set) = store_of(&run);
    store.runs.get_mut(&NAME).unwrap()[0] = Bytes::from_static(b"rot");
    assert_eq!(set.check(&store), Ok(()), "a start reads indexes, not rows");
    let first = set.get(Table::Head, &rows[0].0, &store);
    assert!(matches!(first, Err(TableError::Corrupt { run: NAME, block: 0, .. })), "{first:?}");
    assert_eq!(set.get(Table::Head, &rows[129].0, &store), Ok(Some(rows[129].1.clone())));
}

/// Gives bytes the checksum that a block of this run and number has.
fn sealed(mut bytes: Vec<u8>, number: usize) -> Bytes {
    if bytes.len() >= 4 {
        let place = crc32c::crc32c(&[NAME.0.as_slice(), &(number as u32).to_be_bytes()].concat());
        let sum = crc32c::crc32c_append(place, &bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_be_bytes());
    }
    Bytes::from(bytes)
}

/// Whoever can forge checksums may get wrong rows, but no panic and no endless loop.
#[test]
fn nonsense_under_a_right_checksum_does_no_harm() {
    let rows = rows();
    let mut random = fastrand::Rng::with_seed(seed());
    let mut refused = 0;
    for table in [Table::Head, Table::Inbox] {
        let run = run_of(&rows, table, NAME);
        assert_eq!(sealed(run.blocks[0].to_vec(), 0), run.blocks[0]);
        let (mut store, set) = store_of(&run);
        for _ in 0..3_000 {
            let number = random.usize(0..run.blocks.len());
            let mut bytes = run.blocks[number].to_vec();
            match random.u32(0..8) {
                0 => bytes.truncate(random.usize(0..bytes.len())),
                1 => bytes.extend_from_slice(&[random.u8(..); 5]),
                2..5 => {
                    let end = bytes.len().min(60);
                    bytes[random.usize(4..end)] = *random.choice(&[0, 1, 2, 127, 255]).unwrap();
                }
                _ => bytes[random.usize(4..run.blocks[number].len())] = random.u8(..),
            }
            store.runs.get_mut(&NAME).unwrap()[number] = sealed(bytes, number);
            let set = RunSet::open(set.manifest().clone());
            for direction in [Direction::Forward, Direction::Backward] {
                let found = set.scan(table, b"key-0003", b"key-0100", direction, ALL, &store);
                assert!(found.is_err() || found.is_ok_and(|found| found.len() <= 100_000));
            }
            for (key, _) in rows.iter().step_by(43) {
                let _ = set.get(table, key, &store);
            }
            refused += u32::from(set.scrub(NAME, &store).is_err());
            store.runs.get_mut(&NAME).unwrap()[number] = run.blocks[number].clone();
        }
    }
    assert!(refused > 600, "a scrub notices most of it: {refused}");
}

/// A store that answers every question alike.
struct Broken(BlockError);

impl Blocks for Broken {
    fn block(&self, _: RunName, _: u32) -> Result<Bytes, BlockError> {
        Err(self.0.clone())
    }
}

#[test]
fn what_the_store_says_is_passed_on() {
    let run = run_of(&rows(), Table::Head, NAME);
    let set = RunSet::open(Manifest::default().change(&[], [run.meta]));
    let block = run.meta.blocks - 1;
    let what = || "why".to_owned();
    for (error, expected) in [
        (BlockError::Missing, TableError::Missing { run: NAME, block }),
        (BlockError::Corrupt(what()), TableError::Corrupt { run: NAME, block, what: what() }),
        (BlockError::Io(what()), TableError::Io { run: NAME, block, what: what() }),
    ] {
        let broken = Broken(error);
        assert_eq!(set.get(Table::Head, b"key-0000", &broken), Err(expected.clone()));
        let scanned = set.scan(Table::Head, b"", b"z", Direction::Forward, ALL, &broken);
        assert_eq!(scanned, Err(expected));
    }
}
