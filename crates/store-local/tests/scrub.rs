//! The scrub of a running engine finds rot that nobody has read.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use iris_store::NewRun;
use iris_store_local::{
    Config, Damage, Disk as _, DiskError, LocalEngine, Scrub, Scrubbed, SimDisk, simulated::Call,
};
use iris_types::limits::{SCRUB_BYTES_PER_S, SCRUB_ROUND_MS_MIN};
use iris_types::{Monotonic, RunName, VnodeId};

const BLOCKS: u32 = 40;
const BLOCK_BYTES: u32 = 20_000;

/// An engine with three runs, each in a file of its own.
fn engine(disk: &SimDisk) -> LocalEngine {
    let engine = LocalEngine::open(Arc::new(disk.clone()), Config::small([1; 16])).unwrap();
    for number in 1..=3 {
        let blocks = (0..BLOCKS).map(|block| Bytes::from(vec![block as u8; BLOCK_BYTES as usize])).collect();
        let run = NewRun { vnode: VnodeId(1), name: RunName([number; 16]), blocks };
        engine.engine().runs.put(&[run]).unwrap();
    }
    engine
}

/// Drives a scrub to the end of its round; gives what it found and how long it took.
fn round(scrub: &mut Scrub, now: &mut Monotonic) -> (Vec<Damage>, u64) {
    let (began, mut found) = (*now, Vec::new());
    loop {
        let turn = scrub.turn(*now);
        found.extend(turn.found);
        if turn.next.millis_since(began) >= SCRUB_ROUND_MS_MIN {
            let took = now.millis_since(began);
            *now = turn.next;
            return (found, took);
        }
        assert!(turn.next > *now, "a driver would never rest");
        *now = turn.next;
    }
}

fn scrubbed(blocks_read: u32, runs_damaged: u64) -> Scrubbed {
    Scrubbed { blocks_read: blocks_read.into(), runs_damaged }
}

#[test]
fn a_flipped_byte_is_found_once_and_forgotten_with_its_run() {
    for start in [0, 2, 0xff] {
        let disk = SimDisk::new(1);
        let engine = engine(&disk);
        let (mut scrub, mut now) = (Scrub::new(engine.clone(), RunName([start; 16])), Monotonic(5_000));
        let (found, took) = round(&mut scrub, &mut now);
        assert_eq!((found, engine.scrubbed()), (vec![], scrubbed(3 * BLOCKS, 0)));
        let bytes = u64::from(3 * BLOCKS * BLOCK_BYTES);
        assert!(took >= bytes * 900 / SCRUB_BYTES_PER_S, "{bytes} bytes in {took} ms");

        let file = format!("runs/{}", disk.list("runs").unwrap()[1]);
        let length = disk.files().into_iter().find(|(name, _)| *name == file).unwrap().1;
        disk.flip(&file, length - 2 * u64::from(BLOCK_BYTES), 1);
        let (found, _) = round(&mut scrub, &mut now);
        let at: Vec<_> = found.iter().map(|one| (one.file.as_str(), one.run, one.block)).collect();
        assert_eq!(at, [(file.as_str(), RunName([2; 16]), BLOCKS - 2)]);
        assert_eq!(engine.scrubbed(), scrubbed(6 * BLOCKS - 2, 1));
        assert_eq!(round(&mut scrub, &mut now).0, [], "it is told once");
        assert_eq!(engine.scrubbed().runs_damaged, 1);

        engine.engine().runs.drop_runs(&[RunName([2; 16])]).unwrap();
        assert_eq!(round(&mut scrub, &mut now).0, []);
        assert_eq!(engine.scrubbed().runs_damaged, 0);
    }
}

#[test]
fn a_bad_sector_is_damage_and_no_descriptor_is_not() {
    let disk = SimDisk::new(1);
    drop(engine(&disk));
    disk.kill();
    let engine = LocalEngine::open(Arc::new(disk.clone()), Config::small([1; 16])).unwrap();
    let (mut scrub, mut now) = (Scrub::new(engine.clone(), RunName([0; 16])), Monotonic(5_000));
    disk.fail_next(Call::Read, DiskError::TooManyFiles);
    assert_eq!(round(&mut scrub, &mut now).0, []);
    assert_eq!(engine.scrubbed(), scrubbed(3 * BLOCKS, 0));
    let file = format!("runs/{}", disk.list("runs").unwrap()[0]);
    disk.spoil(&file);
    assert_eq!(round(&mut scrub, &mut now).0.len(), 1);
}
