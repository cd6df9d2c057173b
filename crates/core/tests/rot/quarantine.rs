//! After an operator's quarantine the store starts: what is missing is answered with "data_corrupt", never with an
//! empty page, and goes on to be missing after a restart.

use iris_store_local::{SimDisk, quarantine};

use crate::server::{Server, config};
use crate::{LOOKING, LOOKING_AGAIN, Store, store};

/// Damages a copy at each of some places and moves the file aside.
fn quarantined(store: &Store, directory: &str) -> Vec<(SimDisk, String)> {
    let mut found = Vec::new();
    let files = store.disk.files().into_iter();
    for (file, length) in files.filter(|(file, _)| file.starts_with(directory) && !file.contains("spare")) {
        for offset in [3, 100, length / 2, length - 1] {
            let damaged = store.disk.copy();
            damaged.flip(&file, offset, 4);
            let loss = quarantine(&damaged, &config(), &file).unwrap();
            assert!(!loss.lost.is_empty() && !loss.kept.is_empty(), "{file}");
            damaged.kill();
            found.push((damaged, format!("{file}, byte {offset}")));
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn a_run_file_in_quarantine_is_missed_by_those_who_need_it() {
    for stopped_well in [true, false] {
        let store = store(stopped_well);
        for (disk, case) in quarantined(&store, "runs/") {
            let mut server = Server::start(&disk, LOOKING).unwrap();
            assert!(store.check_look(&mut server, &case), "{case}: nobody misses it");
            server.settle();
            server.stop();
            disk.kill();
            let mut server = Server::start(&disk, LOOKING_AGAIN).unwrap();
            assert!(store.check_look(&mut server, &case), "{case}: nobody misses it any more");
        }
    }
}

#[test]
fn a_log_in_quarantine_that_was_in_runs_is_not_missed() {
    let store = store(true);
    for (disk, case) in quarantined(&store, "logs/") {
        let mut server = Server::start(&disk, LOOKING).unwrap();
        assert!(!store.check_look(&mut server, &case), "{case}");
    }
}

#[test]
fn a_log_in_quarantine_lets_the_start_proceed() {
    let store = store(false);
    for (disk, _) in quarantined(&store, "logs/") {
        Server::start(&disk, LOOKING).unwrap();
    }
}

#[test]
fn a_run_file_that_vanished_without_a_word_refuses_the_start() {
    use iris_store_local::Disk as _;
    let store = store(true);
    for (file, _) in store.disk.files().into_iter().filter(|(file, _)| file.starts_with("runs/")) {
        let damaged = store.disk.copy();
        damaged.remove(&file).unwrap();
        assert!(Server::start(&damaged, LOOKING).is_err(), "{file}");
    }
}
