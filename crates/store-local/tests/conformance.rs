//! The engine on files against the suite of all engines: simulated, real, sealed, and opened again in between.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use iris_store::Engine;
use iris_store::keys::{DataKey, KeyEpoch};
use iris_store::sealed::sealed;
use iris_store_local::{Config, LocalEngine, OpenError, RealDisk, SimDisk};
use iris_testkit::conformance;

const STORE: [u8; 16] = [0x51; 16];

fn simulated() -> Engine {
    let disk = Arc::new(SimDisk::new(1));
    LocalEngine::open(disk, Config::small(STORE)).unwrap().engine()
}

#[test]
fn files_on_a_simulated_disk_conform() {
    conformance::check(simulated);
}

#[test]
fn sealed_files_conform() {
    let key = DataKey::new([9; 32], KeyEpoch(1));
    conformance::check(|| sealed(simulated(), &key, Arc::new(|bytes| bytes.fill(5))).unwrap());
}

#[test]
fn files_on_a_real_disk_conform() {
    let mut directories = Vec::new();
    conformance::check(|| {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::open(&directory.path().join("data")).unwrap());
        directories.push(directory);
        LocalEngine::open(disk, Config::small(STORE)).unwrap().engine()
    });
}

#[test]
fn a_directory_is_opened_by_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let open =
        || LocalEngine::open(Arc::new(RealDisk::open(directory.path()).unwrap()), Config::small(STORE));
    let engine = open().unwrap();
    assert_eq!(open().err(), Some(OpenError::Locked));
    drop(engine);
    assert!(open().is_ok());
}

#[test]
fn the_engine_is_shared_between_threads() {
    fn check<T: Send + Sync + Clone>() {}
    check::<LocalEngine>();
    check::<Engine>();
}
