//! Faults of the disk: nothing that was acknowledged is lost in silence.
//!
//! A script runs on a simulated disk while a model keeps what was acknowledged. After every kind of fault the store
//! is opened again: it holds everything acknowledged, or it refuses loudly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod script;

use std::sync::Arc;

use iris_store_local::{Config, Disk as _, DiskError, LocalEngine, OpenError, SimDisk};
use iris_testkit::seed::seed;
use script::{Model, STORE, run_script};

fn config() -> Config {
    Config { segment_bytes: 4 * 1_024, journal_bytes: 4 * 1_024, ..Config::small(STORE) }
}

fn open(disk: &SimDisk) -> Result<LocalEngine, OpenError> {
    LocalEngine::open(Arc::new(disk.clone()), config())
}

/// Opens what is left and checks it against the model; crashes once more behind it, because what a start reads may
/// be in the page cache only.
fn check_reopened(disk: &SimDisk, model: &Model, case: &str) {
    for round in 0..2 {
        let engine = open(disk).unwrap_or_else(|error| panic!("{case}, start {round}: {error}"));
        model.check(&engine.engine(), &format!("{case}, start {round}"));
        drop(engine);
        disk.crash();
    }
}

#[test]
fn power_cut_after_every_call() {
    let total = changes_of_script();
    let base = seed(11);
    for cut in 0..=total {
        for variant in 0..3 {
            let case = format!("TEST_SEED={base}, cut after change {cut}, variant {variant}");
            let disk = SimDisk::new(base ^ (cut * 31 + variant));
            disk.cut_power_after(cut);
            let mut model = Model::default();
            if let Ok(engine) = open(&disk) {
                run_script(&engine, &mut model);
            }
            disk.crash();
            check_reopened(&disk, &model, &case);
        }
    }
}

#[test]
fn a_process_killed_after_every_call_and_the_power_cut_later() {
    let total = changes_of_script();
    let base = seed(12);
    for cut in 0..=total {
        let case = format!("TEST_SEED={base}, killed after change {cut}");
        let disk = SimDisk::new(base ^ cut);
        disk.cut_power_after(cut);
        let mut model = Model::default();
        if let Ok(engine) = open(&disk) {
            run_script(&engine, &mut model);
        }
        disk.kill();
        check_reopened(&disk, &model, &case);
    }
}

#[test]
fn an_error_at_every_call() {
    let total = changes_of_script();
    let base = seed(13);
    for error in [DiskError::Io("injected".to_owned()), DiskError::NoSpace] {
        for number in 1..=total {
            for power_cut in [false, true] {
                let case = format!("TEST_SEED={base}, {error:?} at change {number}, power cut {power_cut}");
                let disk = SimDisk::new(base ^ number);
                disk.fail_change(number, error.clone());
                let mut model = Model::default();
                if let Ok(engine) = open(&disk) {
                    run_script(&engine, &mut model);
                }
                if power_cut {
                    disk.crash()
                } else {
                    disk.kill()
                }
                check_reopened(&disk, &model, &case);
            }
        }
    }
}

#[test]
fn a_crash_in_every_call_of_a_start() {
    let base = seed(14);
    let torn = store_with_a_torn_tail(base);
    let total = {
        let disk = torn.copy();
        let before = disk.counters().changes;
        open(&disk).unwrap();
        disk.counters().changes - before
    };
    for cut in 0..=total {
        let disk = torn.copy();
        let mut model = Model::default();
        script::model_of_torn_tail(&mut model);
        disk.cut_power_after(disk.counters().changes + cut);
        let opened = open(&disk);
        assert_eq!(opened.is_ok(), cut >= total, "cut {cut} of {total}");
        drop(opened);
        disk.crash();
        check_reopened(&disk, &model, &format!("TEST_SEED={base}, start cut after change {cut}"));
    }
}

#[test]
fn a_torn_tail_is_kept_in_quarantine() {
    let disk = store_with_a_torn_tail(seed(14));
    open(&disk).unwrap();
    let kept = disk.list("quarantine").unwrap();
    assert_eq!(kept.len(), 1, "{kept:?}");
}

#[test]
fn no_space_at_a_roll_is_waited_for() {
    let disk = SimDisk::new(1);
    let engine = open(&disk).unwrap();
    script::fill_until_no_space(&disk, &engine);
    drop(engine);
}

#[test]
fn a_start_below_the_reserve_gets_a_log_and_nothing_else_does() {
    let disk = SimDisk::new(1);
    let open = || {
        let config = Config { reserve_bytes: 32 * 1_024, ..config() };
        LocalEngine::open(Arc::new(disk.clone()), config).unwrap()
    };
    drop(open());
    disk.kill();
    let local = open();
    let used: u64 = disk.files().iter().map(|(_, length)| length).sum();
    disk.set_capacity(Some(1 << 20));
    let filling = disk.create("filling").unwrap();
    filling.write_at((1 << 20) - used - 24 * 1_024, &[0]).unwrap();
    assert!(local.room().unwrap().low);
    assert_eq!(local.prepare_segment(), Err(iris_store::StoreError::NoSpace));
    script::one_segment_of_the_reserve(&local);
}

#[test]
fn without_descriptors_everything_is_tried_again() {
    let disk = SimDisk::new(1);
    script::without_descriptors(&disk, &open(&disk).unwrap());
}

#[test]
fn after_a_failed_flush_nothing_is_acknowledged() {
    let disk = SimDisk::new(seed(15));
    let engine = open(&disk).unwrap();
    script::poison(&disk, &engine);
}

fn changes_of_script() -> u64 {
    let disk = SimDisk::new(0);
    let mut model = Model::default();
    run_script(&open(&disk).unwrap(), &mut model);
    assert!(model.finished, "the script has to reach its end when nothing fails");
    disk.counters().changes
}

/// A store whose log ends in a torn frame; found by trying power cuts in the middle of an append.
fn store_with_a_torn_tail(base: u64) -> SimDisk {
    for attempt in 0..200 {
        let disk = SimDisk::new(base.wrapping_add(attempt));
        let engine = open(&disk).unwrap();
        script::start_of_torn_tail(&disk, &engine);
        disk.crash();
        let probe = disk.copy();
        open(&probe).unwrap();
        if !probe.list("quarantine").unwrap().is_empty() {
            return disk;
        }
    }
    panic!("TEST_SEED={base}: no attempt tore the tail");
}
