//! Layouts that are stored: fixtures of their bytes, and manifests.

use bytes::Bytes;
use iris_tables::{Manifest, ManifestError, RunMeta, Table};
use iris_types::RunName;

use crate::store::{meta, row, run_of};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_run_has_these_bytes() {
    let run = run_of(&[row("alice", "1"), row("bob", "22")], Table::Inbox, RunName([1; 16]));
    let blocks: Vec<String> = run.blocks.iter().map(|block| hex(block)).collect();
    assert_eq!(
        blocks,
        [
            "19c57bd801010000000200000005616c6963653100000003626f6232320000000a00000014",
            "c1dda56c010200000001020000000700000000000000020000000100000005616c69636500000003626f6200000000"
        ]
    );
}

#[test]
fn a_filtered_run_has_these_bytes() {
    let run = run_of(&[row("alice", "1")], Table::Head, RunName([2; 16]));
    let blocks: Vec<String> = run.blocks.iter().map(|block| hex(block)).collect();
    assert_eq!(
        blocks,
        [
            "6954e3ad01010000000100000005616c696365310000000a",
            "692573ee010200000001040000000000000000000000010000000100000005616c69636500000005616c6963650000000000000000800000000000000000000100000000000000000000000000000000000400000000000080000000000000000000100004000008000000000000000000"
        ]
    );
}

#[test]
fn a_manifest_has_these_bytes() {
    let manifest = Manifest::default().change(&[], [meta(1, Table::Head, 0, 2, 3, 4)]);
    assert_eq!(
        hex(&manifest.encode()),
        "c0381fa401000000010101010101010101010101010101010104020000000000000000000000030000000200000000000000040000000000000001"
    );
    assert_eq!(hex(&Manifest::default().encode()), "7d6319990100000000");
}

fn manifest() -> Manifest {
    let runs = [
        meta(1, Table::Head, 0, 1, 9, 1 << 40),
        meta(2, Table::Inbox, 20_778, 0, 11, 5),
        meta(3, Table::Inbox, 20_777, 0, 12, 5),
        meta(4, Table::Inbox, 20_778, 0, 10, 5),
    ];
    Manifest::default().change(&[], runs)
}

#[test]
fn manifests_round_trip_and_are_ordered() {
    let manifest = manifest();
    assert_eq!(Manifest::decode(&manifest.encode()), Ok(manifest.clone()));
    let names: Vec<u8> = manifest.runs().iter().map(|run| run.name.0[0]).collect();
    assert_eq!(names, [3, 4, 2, 1]);
    assert_eq!(manifest.next_age(), 13);
    assert_eq!(manifest.bytes(), (1 << 40) + 15);
    assert_eq!(Manifest::decode(&Manifest::default().encode()), Ok(Manifest::default()));
}

#[test]
fn every_flip_and_cut_of_a_manifest_is_noticed() {
    let bytes = manifest().encode();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << bit;
            assert_eq!(Manifest::decode(&flipped), Err(ManifestError::Checksum), "{place} {bit}");
        }
        assert!(Manifest::decode(&bytes[..place]).is_err(), "{place}");
    }
    assert!(Manifest::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
}

/// Bytes with a right checksum and a wrong content.
fn check_refused(change: &dyn Fn(&mut Vec<u8>), expected: ManifestError) {
    let mut bytes = manifest().encode();
    change(&mut bytes);
    let sum = crc32c::crc32c(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(Manifest::decode(&bytes), Err(expected));
}

#[test]
fn nonsense_under_a_right_checksum_is_refused() {
    check_refused(&|bytes| bytes[4] = 2, ManifestError::Version(2));
    check_refused(&|bytes| bytes[5] = 255, ManifestError::Length(209));
    check_refused(&|bytes| bytes.push(0), ManifestError::Length(210));
    check_refused(&|bytes| bytes.truncate(6), ManifestError::Length(6));
    check_refused(&|bytes| bytes[9 + 16] = 6, ManifestError::Table(6));
    check_refused(&|bytes| bytes[9 + 16] = 0, ManifestError::Table(0));
    check_refused(&|bytes| bytes[9 + 16] = 5, ManifestError::Order);
    check_refused(&|bytes| bytes.copy_within(9..25, 59), ManifestError::Order);
}

#[test]
fn a_change_drops_adds_and_replaces() {
    let manifest = manifest();
    let newer = RunMeta { age: 20, ..meta(2, Table::Head, 0, 0, 0, 1) };
    let changed = manifest.change(&[RunName([1; 16]), RunName([99; 16])], [newer, newer]);
    let names: Vec<u8> = changed.runs().iter().map(|run| run.name.0[0]).collect();
    assert_eq!(names, [3, 4, 2]);
    assert_eq!(changed.run(newer.name), Some(&newer));
    assert_eq!(Manifest::decode(&changed.encode()), Ok(changed));
}

#[test]
fn a_manifest_names_no_key() {
    let run = run_of(&[(Bytes::from_static(b"alice"), Bytes::new())], Table::Head, RunName([2; 16]));
    let bytes = Manifest::default().change(&[], [run.meta]).encode();
    assert!(!bytes.windows(5).any(|part| part == b"alice"));
}
