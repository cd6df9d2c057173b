//! A process without descriptors, on a real disk. Alone in its process, because the limit is the process's.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::sync::Arc;

use iris_store::{Appended, Doubt, StoreError};
use iris_store_local::{Config, LocalEngine, RealDisk};
use iris_types::{ChunkId, LogId, Position};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const LOG: LogId = LogId([1; 16]);

#[test]
fn appends_go_on_when_descriptors_are_back() {
    let directory = tempfile::tempdir().unwrap();
    let disk = RealDisk::open(&directory.path().join("data")).unwrap();
    let engine = LocalEngine::open(Arc::new(disk), Config::small([7; 16])).unwrap().engine();
    engine.logs.create(LOG).unwrap();
    let body = [7; 3_000];
    let append = |at: u64| {
        let mut chunk = [0; 16];
        chunk[8..].copy_from_slice(&at.to_be_bytes());
        engine.logs.append(LOG, Position(at), ChunkId(chunk), &body)
    };
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum }).unwrap();
    let taken: Vec<File> = (0..64).map_while(|_| File::open("/dev/null").ok()).collect();
    let committed = (1..100).take_while(|at| append(*at) == Appended::Committed).count() as u64;
    assert!((1..99).contains(&committed), "{committed} chunks");
    assert_eq!(append(committed + 1), Appended::InDoubt(Doubt::NoSpace));
    assert!(matches!(engine.logs.create(LogId([2; 16])), Err(StoreError::Io(_))));
    drop(taken);
    for at in committed + 1..committed + 10 {
        assert_eq!(append(at), Appended::Committed);
    }
    engine.logs.create(LogId([2; 16])).unwrap();
}
