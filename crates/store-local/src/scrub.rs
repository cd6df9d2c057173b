//! Reading live runs in the background, slowly, to find rot before somebody needs what has rotted.
//!
//! A machine: the clock is an argument, and whoever drives it calls [`Scrub::turn`] again when it says so. Logs are
//! not read: each start reads them whole, and what they hold moves to runs within minutes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use iris_store::StoreError;
use iris_types::{Monotonic, RunName, limits};

use crate::DiskError;
use crate::engine::{LocalEngine, Shared};
use crate::run_file;
use crate::runs::read_block;

/// What scrubs have seen since the engine was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    pub blocks_read: u64,
    /// Live runs that are known to be damaged.
    pub runs_damaged: u64,
}

/// The same, shared by threads.
#[derive(Default)]
pub(crate) struct Figures {
    blocks_read: AtomicU64,
    runs_damaged: AtomicU64,
}

/// A run that cannot be read as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Name of the file in the data directory.
    pub file: String,
    pub run: RunName,
    pub block: u32,
    pub detail: String,
}

/// What one turn did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When the next one is due.
    pub next: Monotonic,
    /// Found by this turn and by none before.
    pub found: Vec<Damage>,
}

/// A walk over all live runs, round after round, that can be left and gone on with at any block.
pub struct Scrub {
    engine: LocalEngine,
    /// Where each round begins and ends. Different for each process, so that one that never lives as long as a round
    /// takes does not read the same part again and again.
    start: RunName,
    next: Monotonic,
    round: Option<Round>,
    /// Runs reported as damaged.
    damaged: BTreeSet<RunName>,
}

/// Where a round is.
#[derive(Clone, Copy)]
struct Round {
    began: Monotonic,
    run: RunName,
    block: u32,
    /// The end was reached; what is left is in front of the start.
    has_wrapped: bool,
}

enum Read {
    Bytes(u64),
    Damaged(Damage),
    /// The run was dropped meanwhile.
    Gone,
    /// Not possible at the moment.
    Later,
}

impl Scrub {
    /// A scrub whose rounds begin at `start`, which should be random.
    #[must_use]
    pub fn new(engine: LocalEngine, start: RunName) -> Self {
        Self { engine, start, next: Monotonic::ZERO, round: None, damaged: BTreeSet::new() }
    }

    /// Reads what is due; a small part of a round, so that nobody waits for its end. Before its time it does nothing.
    pub fn turn(&mut self, now: Monotonic) -> Turn {
        let mut found = Vec::new();
        if now >= self.next {
            self.next = self.read(now, &mut found);
        }
        Turn { next: self.next, found }
    }

    fn read(&mut self, now: Monotonic, found: &mut Vec<Damage>) -> Monotonic {
        let mut round =
            self.round.unwrap_or(Round { began: now, run: self.start, block: 0, has_wrapped: false });
        let mut bytes = 0;
        while bytes < limits::SCRUB_TURN_BYTES {
            let Some((run, block)) = self.next_block(&mut round) else { return self.finish(round, now) };
            (round.run, round.block) = (run, block + 1);
            match self.engine.shared.scrub_block(run, block) {
                Read::Bytes(read) => bytes += read,
                Read::Gone => {}
                Read::Later => {
                    self.round = Some(Round { block, ..round });
                    return now.plus_millis(limits::ACCEPT_PAUSE_MS);
                }
                Read::Damaged(damage) => {
                    if self.damaged.insert(run) {
                        found.push(damage);
                    }
                    // The rest of the run is lost with it; the next run is more worth knowing about.
                    round.block = u32::MAX;
                }
            }
        }
        self.round = Some(round);
        self.engine.shared.scrubbed.runs_damaged.store(self.damaged.len() as u64, Ordering::Relaxed);
        now.plus_millis(bytes * 1_000 / limits::SCRUB_BYTES_PER_S + 1)
    }

    /// The next block of the round; `None` at its end.
    fn next_block(&self, round: &mut Round) -> Option<(RunName, u32)> {
        let shared = &self.engine.shared;
        if !round.has_wrapped {
            if let Some(found) = shared.block_from(round.run, round.block) {
                return Some(found);
            }
            *round = Round { run: RunName([0; 16]), block: 0, has_wrapped: true, ..*round };
        }
        shared.block_from(round.run, round.block).filter(|(run, _)| *run < self.start)
    }

    /// Forgets damage that is gone, and rests until the next round.
    fn finish(&mut self, round: Round, now: Monotonic) -> Monotonic {
        self.round = None;
        self.damaged.retain(|run| self.engine.shared.is_live(*run));
        self.engine.shared.scrubbed.runs_damaged.store(self.damaged.len() as u64, Ordering::Relaxed);
        round.began.plus_millis(limits::SCRUB_ROUND_MS_MIN).max(now.plus_millis(1))
    }
}

impl LocalEngine {
    /// What the scrubs of this engine have seen.
    #[must_use]
    pub fn scrubbed(&self) -> Scrubbed {
        let Figures { blocks_read, runs_damaged } = &self.shared.scrubbed;
        let read = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        Scrubbed { blocks_read: read(blocks_read), runs_damaged: read(runs_damaged) }
    }
}

impl Shared {
    fn scrub_block(&self, run: RunName, block: u32) -> Read {
        let damaged =
            |file, detail: String| Read::Damaged(Damage { file: run_file::name(file), run, block, detail });
        let Ok((number, place, file)) = self.locate(run, block) else { return Read::Gone };
        let file = match file {
            Ok(file) => file,
            Err(DiskError::TooManyFiles) => return Read::Later,
            Err(error) => return damaged(number, error.to_string()),
        };
        match read_block(&*file, place) {
            Ok(_) => {
                self.scrubbed.blocks_read.fetch_add(1, Ordering::Relaxed);
                Read::Bytes(place.length.into())
            }
            Err(StoreError::Corrupt { what } | StoreError::Io(what)) => damaged(number, what),
            Err(error) => damaged(number, error.to_string()),
        }
    }
}
