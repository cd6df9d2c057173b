//! Runs whose blocks were changed: an error, or exactly what was written; never a panic, never something else.
//!
//! An input says which bytes of which block change. With its first bit set the checksum is put right afterwards,
//! as nobody but an attacker with the keys could: then anything may be read, but nothing may panic.

use std::sync::OnceLock;

use bytes::Bytes;
use iris_tables::{
    BlockError, Blocks, BuiltRun, Direction, Limit, Manifest, MemTable, RunSet, Table, Window,
};
use iris_types::RunName;

use super::Script;
use crate::{behaviour, behaviour_of_text};

/// Changes of one input.
const CHANGES_MAX: usize = 8;
const EVERYTHING: Limit = Limit { rows: 10_000, bytes: 1 << 20 };

struct Changed<'a> {
    runs: &'a [BuiltRun],
    run: RunName,
    number: u32,
    block: Bytes,
}

impl Blocks for Changed<'_> {
    fn block(&self, run: RunName, number: u32) -> Result<Bytes, BlockError> {
        if (run, number) == (self.run, self.number) {
            return Ok(self.block.clone());
        }
        let run = self.runs.iter().find(|built| built.meta.name == run).ok_or(BlockError::Missing)?;
        run.blocks.get(number as usize).cloned().ok_or(BlockError::Missing)
    }
}

pub(crate) fn run(input: &[u8]) -> u64 {
    static RUNS: OnceLock<Vec<BuiltRun>> = OnceLock::new();
    let runs = RUNS.get_or_init(some_runs);
    let mut script = Script::new(input);
    let is_forged = script.byte() & 1 == 1;
    let changed = change(runs, &mut script, is_forged);
    let set = RunSet::open(Manifest::default().change(&[], runs.iter().map(|run| run.meta)));
    let mut seen = vec![u64::from(is_forged)];
    seen.push(set.check(&changed).map_or_else(|error| behaviour_of_text(&error.to_string()), |()| 1));
    for table in Table::ALL {
        let read = set.scan(table, b"", &[0xff; 40], Direction::Forward, EVERYTHING, &changed);
        if let (Ok(rows), false) = (&read, is_forged) {
            assert_eq!(rows.len() as u64, rows_of(runs, table), "rows vanished without an error");
            assert!(rows.iter().all(|(_, value)| value.iter().all(|byte| *byte == 0x5a)), "a value changed");
        }
        let value = set.get(table, &key(7), &changed);
        seen.push(read.map_or_else(|error| behaviour_of_text(&error.to_string()), |rows| rows.len() as u64));
        seen.push(value.map_or(2, |value| u64::from(value.is_some())));
    }
    behaviour(&seen)
}

fn change<'a>(runs: &'a [BuiltRun], script: &mut Script<'_>, is_forged: bool) -> Changed<'a> {
    let run = &runs[usize::from(script.byte()) % runs.len()];
    let number = usize::from(script.byte()) % run.blocks.len();
    let mut block = run.blocks[number].to_vec();
    for _ in 0..CHANGES_MAX {
        if script.is_over() {
            break;
        }
        let (at, what) = (script.number() as usize % (block.len() + 1), script.byte());
        match block.get_mut(at) {
            Some(byte) => *byte ^= what,
            None => block.truncate(usize::from(what)),
        }
    }
    if is_forged {
        seal(&mut block, run.meta.name, number as u32);
    }
    let block = Bytes::from(block);
    Changed { runs, run: run.meta.name, number: number as u32, block }
}

/// Puts the checksum of a block right: over the run's name, the block's number and what follows the checksum.
fn seal(block: &mut [u8], run: RunName, number: u32) {
    if let Some((checksum, rest)) = block.split_first_chunk_mut::<4>() {
        let known = crc32c::crc32c_append(crc32c::crc32c(&run.0), &number.to_be_bytes());
        *checksum = crc32c::crc32c_append(known, rest).to_be_bytes();
    }
}

fn rows_of(runs: &[BuiltRun], table: Table) -> u64 {
    runs.iter().filter(|run| run.meta.table == table).map(|run| run.meta.rows).sum()
}

/// A run of each table, with rows enough for a few blocks; every byte of every value is the same.
pub(crate) fn some_runs() -> Vec<BuiltRun> {
    let mut rows = MemTable::new();
    for table in Table::ALL {
        for number in 0..40 {
            rows.put(table, Window(0), &key(number), &vec![0x5a; 30 * usize::from(number)]);
        }
    }
    let mut names = 0;
    rows.build_runs(
        &mut || {
            names += 1;
            RunName([names; 16])
        },
        1,
    )
}

fn key(number: u8) -> Bytes {
    Bytes::from(vec![b'k', number, number])
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let first_and_last =
        (0..5).flat_map(|run| [vec![0, run, 0], vec![0, run, 0xff], vec![1, run, 0, 0, 9, 1]]);
    first_and_last.collect()
}
