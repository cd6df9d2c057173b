//! Rot: every byte flipped, every file cut at every length, removed, or put back from an older copy. The start is
//! refused, or a read says "corrupt", or everything reads back equal. The last acknowledged chunk is no exception.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod script;

use std::collections::BTreeSet;
use std::sync::Arc;

use iris_store_local::{
    Config, Disk as _, LocalEngine, OpenError, QuarantineError, Reason, SimDisk, quarantine, verify,
};
use iris_types::LogId;
use iris_types::limits::LOGS_MAX;
use script::{FIRST, Model, SECOND, STORE};

fn config() -> Config {
    Config { segment_bytes: 2 * 1_024, journal_bytes: 2 * 1_024, ..Config::small(STORE) }
}

fn open(disk: &SimDisk) -> Result<LocalEngine, OpenError> {
    LocalEngine::open(Arc::new(disk.clone()), config())
}

/// A small store with an open log of several segments, a sealed one, registers and runs. Its process was killed right
/// behind the last acknowledgement, or stopped in good order, which writes the mark.
fn store(stopped_well: bool) -> (SimDisk, Model) {
    let disk = SimDisk::new(5);
    let mut model = Model::default();
    let engine = open(&disk).unwrap();
    script::small_store(&engine, &mut model);
    if stopped_well {
        engine.write_mark().unwrap();
    }
    drop(engine);
    disk.kill();
    (disk, model)
}

/// Opens a damaged copy: refused without touching anything, or all that can be read is right.
fn check(disk: &SimDisk, model: &Model, case: &str) -> bool {
    let before = disk.counters().changes;
    match open(disk) {
        Err(OpenError::Refused(_)) => {
            assert_eq!(disk.counters().changes, before, "{case}: a refused start changed something");
            true
        }
        Err(other) => panic!("{case}: {other}"),
        Ok(engine) => model.check_readable(&engine.engine(), case),
    }
}

fn check_flips(stopped_well: bool) {
    let (disk, model) = store(stopped_well);
    let mut noticed = 0;
    let mut damaged = disk.copy();
    for (name, length) in disk.files() {
        for offset in 0..length {
            let mask = [0x01, 0x80, 0xff][(offset % 3) as usize];
            let before = damaged.counters().changes;
            assert!(damaged.flip(&name, offset, mask));
            let case = format!("{name}, byte {offset} ^ {mask:#x}, stopped well: {stopped_well}");
            let seen = check(&damaged, &model, &case);
            // Spare segments hold nothing; every other byte is noticed by somebody.
            assert!(seen || name.contains("spare"), "{case}: nobody noticed");
            noticed += u64::from(seen);
            if damaged.counters().changes == before {
                damaged.flip(&name, offset, mask);
                damaged.kill();
            } else {
                damaged = disk.copy();
            }
        }
    }
    assert!(noticed > 10_000, "only {noticed} flips were noticed");
}

#[test]
fn every_byte_flipped_after_a_clean_stop() {
    check_flips(true);
}

#[test]
fn every_byte_flipped_after_a_kill() {
    check_flips(false);
}

#[test]
fn every_truncation() {
    let (disk, model) = store(false);
    for (name, length) in disk.files() {
        for kept in (0..length).step_by(7).chain([length - 1]) {
            let damaged = disk.copy();
            damaged.truncate(&name, kept);
            let noticed = check(&damaged, &model, &format!("{name} cut to {kept}"));
            assert!(noticed || name.contains("spare"), "{name} cut to {kept}: nobody noticed");
        }
    }
}

#[test]
fn a_missing_file_is_noticed() {
    let (disk, model) = store(true);
    for (name, _) in disk.files() {
        let damaged = disk.copy();
        damaged.remove(&name).unwrap();
        let noticed = check(&damaged, &model, &format!("{name} removed"));
        assert!(noticed || name.contains("spare"), "{name} removed: nobody noticed");
    }
}

/// Copies a file of one disk over the same file of another.
fn put_back(from: &SimDisk, to: &SimDisk, name: &str) {
    drop(to.remove(name));
    to.create(name).unwrap().write_at(0, &read(from, name)).unwrap();
}

#[test]
fn an_older_copy_of_any_file_is_noticed() {
    let disk = SimDisk::new(5);
    let mut model = Model::default();
    let engine = open(&disk).unwrap();
    script::small_store(&engine, &mut model);
    engine.write_mark().unwrap();
    let old = disk.copy();
    script::go_on(&engine, &mut model);
    engine.write_mark().unwrap();
    disk.kill();
    let mut noticed = BTreeSet::new();
    for (name, _) in old.files().into_iter().filter(|(name, _)| !name.contains("spare")) {
        let mixed = disk.copy();
        put_back(&old, &mixed, &name);
        if check(&mixed, &model, &format!("{name} put back")) {
            noticed.insert(name);
        }
    }
    assert!(noticed.contains("registers"), "{noticed:?}");
    assert!(noticed.iter().any(|name| name.contains(&SECOND.to_string())), "{noticed:?}");
}

#[test]
fn a_file_of_another_store_is_noticed() {
    let (disk, model) = store(true);
    let other = SimDisk::new(6);
    let engine =
        LocalEngine::open(Arc::new(other.clone()), Config { store_id: [0x99; 16], ..config() }).unwrap();
    script::small_store(&engine, &mut Model::default());
    engine.write_mark().unwrap();
    for (name, _) in other.files().into_iter().filter(|(name, _)| !name.contains("spare")) {
        let mixed = disk.copy();
        put_back(&other, &mixed, &name);
        assert!(check(&mixed, &model, &format!("{name} of another store")), "{name}: nobody noticed");
    }
}

#[test]
fn verification_finds_what_a_start_or_a_read_would() {
    let (disk, _) = store(false);
    let report = verify(&disk.copy()).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.files, disk.files().len() as u64);
    for (name, length) in disk.files().into_iter().filter(|(name, _)| !name.contains("spare")) {
        for offset in (0..length).step_by(97) {
            let damaged = disk.copy();
            damaged.flip(&name, offset, 4);
            let report = verify(&damaged).unwrap();
            assert!(report.findings.iter().any(|finding| finding.file == name), "{name}, byte {offset}");
        }
    }
}

#[test]
fn quarantine_lets_a_start_proceed_and_says_what_is_lost() {
    let (disk, model) = store(true);
    for (name, length) in disk.files().into_iter().filter(|(name, _)| !name.contains("spare")) {
        let untouched = disk.copy();
        let refused = quarantine(&untouched, &config(), &name);
        assert!(
            matches!(refused, Err(QuarantineError::NotDamaged(_) | QuarantineError::Registers)),
            "{name}"
        );
        for offset in [3, length / 2, length - 1] {
            let damaged = disk.copy();
            damaged.flip(&name, offset, 4);
            let case = format!("{name}, byte {offset}");
            damaged.kill();
            let done = quarantine(&damaged, &config(), &name);
            if name == "registers" {
                assert_eq!(done, Err(QuarantineError::Registers));
                continue;
            }
            let loss = done.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert!(!loss.lost.is_empty() && !loss.kept.is_empty(), "{case}: {loss:?}");
            damaged.kill();
            let engine = open(&damaged).unwrap_or_else(|error| panic!("{case}: {error}"));
            model.check_prefix(&engine.engine(), FIRST, &case);
            model.check_prefix(&engine.engine(), SECOND, &case);
            drop(engine);
            damaged.kill();
            assert_eq!(verify(&damaged).unwrap().findings, [], "{case}");
        }
    }
}

/// Damages a byte of a file and quarantines it; gives what was there.
fn damage_and_quarantine(disk: &SimDisk, name: &str) -> Vec<u8> {
    let length = disk.open(name).unwrap().length().unwrap();
    disk.flip(name, length - 1, 4);
    let bytes = read(disk, name);
    disk.kill();
    quarantine(disk, &config(), name).unwrap();
    disk.kill();
    bytes
}

fn read(disk: &SimDisk, name: &str) -> Vec<u8> {
    let file = disk.open(name).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_second_damage_never_replaces_what_the_quarantine_keeps() {
    let (disk, model) = store(true);
    let mut kept = Vec::new();
    let last_runs = |disk: &SimDisk| format!("runs/{}", disk.list("runs").unwrap().pop().unwrap());
    for round in 0..3 {
        kept.push(damage_and_quarantine(&disk, &last_runs(&disk)));
        let engine = open(&disk).unwrap();
        assert!(model.check_readable(&engine.engine(), "moved runs"));
        script::put_run(&engine, 100 + round);
        drop(engine);
        disk.kill();
    }
    let quarantined: Vec<_> = disk
        .list("quarantine")
        .unwrap()
        .iter()
        .map(|short| read(&disk, &format!("quarantine/{short}")))
        .collect();
    assert!(kept.iter().all(|bytes| quarantined.contains(bytes)), "{} files", quarantined.len());
    let engine = open(&disk).unwrap().engine();
    assert_eq!(engine.runs.quarantined().unwrap().names.len(), 4, "two of the first file, then one each");
}

/// Files that hold these bytes, in the quarantine or where they belong.
fn holds(disk: &SimDisk, bytes: &[u8]) -> bool {
    disk.files().iter().any(|(name, _)| read(disk, name) == bytes)
}

/// Does what an operator does until a start goes through.
fn quarantine_all(disk: &SimDisk, case: &str) {
    for _ in 0..10 {
        disk.kill();
        let findings = verify(disk).unwrap().findings;
        disk.kill();
        let Some(finding) = findings.first() else { return };
        match quarantine(disk, &config(), &finding.file) {
            Ok(_) => {}
            Err(QuarantineError::Elsewhere(first)) => {
                disk.kill();
                quarantine(disk, &config(), &first.file).map(drop).unwrap();
            }
            Err(error) => panic!("{case}: {finding}: {error}"),
        }
    }
    panic!("{case}: damage without an end");
}

#[test]
fn a_quarantine_may_be_cut_off_anywhere() {
    for (offset, stopped_well) in [(3, true), (1_030, true), (1_030, false)] {
        let (disk, model) = store_of_many_segments(stopped_well);
        let segments: Vec<String> = disk
            .files()
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| name.contains(&SECOND.to_string()))
            .collect();
        assert!(segments.len() > 3, "{segments:?}");
        for (index, name) in segments.iter().enumerate() {
            let damaged = disk.copy();
            damaged.flip(name, offset, 4);
            let kept: Vec<Vec<u8>> = segments[index..].iter().map(|name| read(&damaged, name)).collect();
            let total = {
                let probe = damaged.copy();
                let before = probe.counters().changes;
                quarantine(&probe, &config(), name).unwrap();
                probe.counters().changes - before
            };
            for cut in 0..=total {
                let case = format!("{name}, byte {offset}, cut off after change {cut} of {total}");
                let disk = damaged.copy();
                disk.cut_power_after(disk.counters().changes + cut);
                let _ = quarantine(&disk, &config(), name);
                disk.crash();
                drop(open(&disk));
                disk.crash();
                quarantine_all(&disk, &case);
                let engine = open(&disk).unwrap_or_else(|error| panic!("{case}: {error}"));
                model.check_prefix(&engine.engine(), SECOND, &case);
                for (bytes, name) in kept.iter().zip(&segments[index..]) {
                    assert!(holds(&disk, bytes), "{case}: {name} is gone");
                }
            }
        }
    }
}

/// As [`store`], with an open log that goes on for some more segments.
fn store_of_many_segments(stopped_well: bool) -> (SimDisk, Model) {
    let (disk, mut model) = (SimDisk::new(5), Model::default());
    let engine = open(&disk).unwrap();
    script::small_store(&engine, &mut model);
    script::go_on(&engine, &mut model);
    if stopped_well {
        engine.write_mark().unwrap();
    }
    drop(engine);
    disk.kill();
    (disk, model)
}

#[test]
fn a_log_that_lost_what_nobody_can_keep_is_known_to_be_cut() {
    let (disk, _) = store_of_many_segments(true);
    let cut = |disk: &SimDisk| open(disk).unwrap().engine().logs.cut().unwrap();
    let segment = |number: u32| format!("logs/{SECOND}-{number:08x}.seg");
    let check = |disk: &SimDisk, file: &str, case: &str| {
        disk.kill();
        let found = verify(disk).unwrap().findings;
        assert_eq!(found.iter().map(|finding| finding.file.as_str()).collect::<Vec<_>>(), [file], "{case}");
        disk.kill();
        assert!(!quarantine(disk, &config(), file).unwrap().kept.is_empty(), "{case}");
        disk.kill();
        assert_eq!(cut(disk), [SECOND].into(), "{case}");
    };
    let missing = disk.copy();
    missing.remove(&segment(2)).unwrap();
    check(&missing, &segment(2), "a segment is missing");

    // Whole chunks vanish from the end: an older copy of the last segment.
    let disk = SimDisk::new(5);
    let engine = open(&disk).unwrap();
    engine.engine().logs.create(SECOND).unwrap();
    script::append_small(&engine, SECOND, 1);
    let old = disk.copy();
    script::append_small(&engine, SECOND, 2);
    engine.write_mark().unwrap();
    drop(engine);
    put_back(&old, &disk, &segment(1));
    check(&disk, "mark", "chunks have vanished");
}

#[test]
fn a_file_that_cannot_be_read_is_named_and_moved_aside() {
    let (disk, model) = store_of_many_segments(true);
    for (name, _) in disk.files().into_iter().filter(|(name, _)| !name.contains("spare")) {
        let spoilt = disk.copy();
        spoilt.spoil(&name);
        let refused = open(&spoilt);
        assert!(
            matches!(&refused, Err(OpenError::Refused(found)) if found.file == name && found.reason == Reason::Unreadable),
            "{name}: {refused:?}"
        );
        spoilt.kill();
        let done = quarantine(&spoilt, &config(), &name);
        if name == "registers" {
            assert_eq!(done, Err(QuarantineError::Registers));
            continue;
        }
        let loss = done.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(spoilt.files().iter().any(|(kept, _)| *kept == loss.kept[0]), "{name}: {loss:?}");
        spoilt.kill();
        let engine = open(&spoilt).unwrap_or_else(|error| panic!("{name}: {error}"));
        model.check_prefix(&engine.engine(), FIRST, &name);
        model.check_prefix(&engine.engine(), SECOND, &name);
        let cut = engine.engine().logs.cut().unwrap();
        assert_eq!(cut.len(), usize::from(name.contains("logs/")), "{name}");
    }
}

#[test]
fn a_run_file_that_cannot_be_read_keeps_its_space_and_nobody_elses() {
    let (disk, mut model) = store(true);
    let engine = open(&disk).unwrap();
    script::put_pairs_and_drop_halves(&engine, &mut model);
    let first = format!("runs/{}", disk.list("runs").unwrap()[1]);
    disk.spoil(&first);
    let files = disk.list("runs").unwrap().len();
    engine.engine().runs.compact().unwrap();
    assert_eq!(
        disk.list("runs").unwrap().len(),
        files - 2 + 1,
        "two sparse files became one, the third stays"
    );
    assert!(matches!(
        engine.engine().runs.get(script::run_name(10), 1),
        Err(iris_store::StoreError::Io(what)) if what.contains(&first)
    ));
}

#[test]
fn every_log_that_takes_appends_is_protected_by_the_mark() {
    let disk = SimDisk::new(5);
    let log = |process: u8, number: u8| LogId([process, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    // The first process leaves its logs open, and their ids come first.
    let engine = open(&disk).unwrap();
    let create = |engine: &LocalEngine, process, chunks| {
        for number in 0..LOGS_MAX as u8 {
            engine.engine().logs.create(log(process, number)).unwrap();
            (1..=chunks).for_each(|at| script::append_small(engine, log(process, number), at));
        }
    };
    create(&engine, 1, 2);
    assert!(engine.engine().logs.create(LogId([9; 16])).is_err(), "the mark has no room for another");
    drop(engine);
    disk.kill();
    let engine = open(&disk).unwrap();
    create(&engine, 2, 1);
    let old = disk.copy();
    (0..LOGS_MAX as u8).for_each(|number| script::append_small(&engine, log(2, number), 2));
    engine.write_mark().unwrap();
    drop(engine);
    disk.kill();
    for number in 0..LOGS_MAX as u8 {
        let mixed = disk.copy();
        put_back(&old, &mixed, &format!("logs/{}-00000001.seg", log(2, number)));
        assert!(
            matches!(open(&mixed), Err(OpenError::Refused(found)) if found.reason == Reason::MarkAboveEnd)
        );
    }
}
