//! Rules of runs.

use bytes::Bytes;
use iris_store::{Engine, NewRun, Runs, StoreError};
use iris_types::{RunName, VnodeId};

use super::Rule;

pub(super) const RULES: &[Rule] = &[
    ("blocks are read as they were written", read_as_written),
    ("a block that a run does not have is an error", missing_block),
    ("a name is used once, and a refused put writes nothing", written_once),
    ("every run is listed with its vnode and its blocks", listed),
    ("dropped runs are gone, the others stay", dropped),
    ("unknown names are dropped without complaint", unknown_dropped),
    ("compaction keeps what lives", compacted),
    ("a run without blocks, and a put without runs, are fine", empty),
];

fn name(number: u8) -> RunName {
    RunName([number; 16])
}

fn block(run: u8, number: u32) -> Bytes {
    let length = usize::from(run) * 700 + number as usize * 13;
    Bytes::from(vec![run ^ number as u8; length])
}

fn run(number: u8, blocks: u32) -> NewRun {
    let blocks = (0..blocks).map(|block_number| block(number, block_number)).collect();
    NewRun { vnode: VnodeId(number.into()), name: name(number), blocks }
}

fn expect(runs: &dyn Runs, number: u8, blocks: u32) {
    for block_number in 0..blocks {
        assert_eq!(runs.get(name(number), block_number), Ok(block(number, block_number)));
    }
}

fn names(runs: &dyn Runs) -> Vec<RunName> {
    let mut names: Vec<_> = runs.list().unwrap().iter().map(|info| info.name).collect();
    names.sort_unstable();
    names
}

fn read_as_written(engine: &Engine) {
    engine.runs.put(&[run(1, 3), run(2, 1)]).unwrap();
    engine.runs.put(&[run(3, 90)]).unwrap();
    for (number, blocks) in [(1, 3), (2, 1), (3, 90)] {
        expect(&*engine.runs, number, blocks);
    }
}

fn missing_block(engine: &Engine) {
    engine.runs.put(&[run(1, 3)]).unwrap();
    assert!(matches!(engine.runs.get(name(1), 3), Err(StoreError::Corrupt { .. })));
    assert!(matches!(engine.runs.get(name(1), u32::MAX), Err(StoreError::Corrupt { .. })));
    assert_eq!(engine.runs.get(name(2), 0), Err(StoreError::NoSuchRun(name(2))));
}

fn written_once(engine: &Engine) {
    engine.runs.put(&[run(1, 2)]).unwrap();
    let taken = Err(StoreError::RunExists(name(1)));
    assert_eq!(engine.runs.put(&[run(2, 1), run(1, 9)]), taken);
    assert_eq!(engine.runs.put(&[run(3, 1), run(3, 1)]), Err(StoreError::RunExists(name(3))));
    assert_eq!(names(&*engine.runs), [name(1)]);
    expect(&*engine.runs, 1, 2);
}

fn listed(engine: &Engine) {
    engine.runs.put(&[run(1, 2), run(2, 5)]).unwrap();
    let mut found: Vec<_> =
        engine.runs.list().unwrap().iter().map(|info| (info.name, info.vnode, info.blocks)).collect();
    found.sort_unstable();
    assert_eq!(found, [(name(1), VnodeId(1), 2), (name(2), VnodeId(2), 5)]);
}

fn dropped(engine: &Engine) {
    engine.runs.put(&[run(1, 2), run(2, 2), run(3, 2)]).unwrap();
    engine.runs.drop_runs(&[name(1), name(3)]).unwrap();
    assert_eq!(engine.runs.get(name(1), 0), Err(StoreError::NoSuchRun(name(1))));
    assert_eq!(names(&*engine.runs), [name(2)]);
    expect(&*engine.runs, 2, 2);
    engine.runs.drop_runs(&[name(2)]).unwrap();
    engine.runs.drop_runs(&[name(2)]).unwrap();
    assert_eq!(names(&*engine.runs), []);
    engine.runs.put(&[run(4, 1)]).unwrap();
    expect(&*engine.runs, 4, 1);
}

fn unknown_dropped(engine: &Engine) {
    engine.runs.put(&[run(1, 1)]).unwrap();
    engine.runs.drop_runs(&[name(9), name(8)]).unwrap();
    engine.runs.drop_runs(&[]).unwrap();
    expect(&*engine.runs, 1, 1);
}

fn compacted(engine: &Engine) {
    for first in [1, 11, 21] {
        let runs: Vec<_> = (first..first + 10).map(|number| run(number, 2)).collect();
        engine.runs.put(&runs).unwrap();
    }
    let dead: Vec<_> = (1..=30).filter(|number| number % 10 != 5).map(name).collect();
    engine.runs.drop_runs(&dead).unwrap();
    for _ in 0..2 {
        engine.runs.compact().unwrap();
        assert_eq!(names(&*engine.runs), [name(5), name(15), name(25)]);
        [5, 15, 25].iter().for_each(|number| expect(&*engine.runs, *number, 2));
    }
    engine.runs.drop_runs(&[name(15)]).unwrap();
    assert_eq!(names(&*engine.runs), [name(5), name(25)]);
}

fn empty(engine: &Engine) {
    engine.runs.put(&[]).unwrap();
    engine.runs.put(&[run(1, 0)]).unwrap();
    assert_eq!(names(&*engine.runs), [name(1)]);
    assert!(engine.runs.get(name(1), 0).is_err());
    engine.runs.compact().unwrap();
    assert_eq!(names(&*engine.runs), [name(1)]);
}
