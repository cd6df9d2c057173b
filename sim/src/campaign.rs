//! Many seeds: in parallel threads, each with its own world and its own planted bug.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use iris_types::planted::Bug;

use crate::server::ServerTally;
use crate::{Report, run};

/// Every rule that can be left out.
pub const BUGS: &[Bug] = &[
    Bug::AckBeforeCommit,
    Bug::DuplicateAckBeforeCommit,
    Bug::PushBeforeCommit,
    Bug::FlushInFlight,
    Bug::StartMovedEarly,
    Bug::InDoubtPositionReused,
    Bug::ShortcutWithoutContinuity,
    Bug::WatermarkNotDense,
    Bug::WatermarkOffByOne,
    Bug::ConfirmBeforeCommit,
    Bug::FsyncErrorIgnored,
    Bug::TornTailKept,
    Bug::DirectoryNotSynced,
    Bug::DedupLostAtRestart,
    Bug::CursorMovedAtPush,
    Bug::TrimmedTooFar,
    Bug::TailNotReplayed,
    Bug::HeadElided,
    Bug::PageReadsRunsFirst,
    Bug::GapSilent,
    Bug::PredecessorIgnored,
    Bug::PushNotContiguous,
    Bug::RevocationNotStored,
    Bug::RosterNotFollowed,
    Bug::MemberNotStored,
    Bug::VnodeMemberSkipped,
    Bug::MarkMovesBack,
    Bug::ReceiptSwitchIgnored,
    Bug::MarkDropped,
    Bug::OwnNotCounted,
    Bug::BlockNotStored,
    Bug::LeaseNotRenewed,
    Bug::ClientAcksBeforeStore,
    Bug::ClientRenamesRetry,
    Bug::ClientForgetsShown,
];

/// What many seeds came to.
#[derive(Debug, Default)]
pub struct Summary {
    pub seeds: u64,
    pub events: u64,
    pub simulated_ms: u64,
    pub acked: u64,
    pub tally: ServerTally,
    /// In the order of seeds.
    pub failures: Vec<(u64, String)>,
}

/// The bug of a name as in the source, such as `AckBeforeCommit`.
#[must_use]
pub fn bug_named(name: &str) -> Option<Bug> {
    BUGS.iter().copied().find(|bug| format!("{bug:?}") == name)
}

/// Runs seeds `from..from + count`; with `until_failure` no new one is begun after a failure.
#[must_use]
pub fn seeds(from: u64, count: u64, bug: Option<Bug>, threads: usize, until_failure: bool) -> Summary {
    let summary = Mutex::new(Summary::default());
    let next = AtomicU64::new(from);
    let failed = AtomicBool::new(false);
    in_threads(threads, || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + count || (until_failure && failed.load(Ordering::Relaxed)) {
                return;
            }
            let report = run(seed, bug, 0);
            failed.fetch_or(!report.is_clean(), Ordering::Relaxed);
            summary.lock().unwrap_or_else(PoisonError::into_inner).take(&report);
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.failures.sort();
    summary
}

/// How many seeds a planted bug survives, and what gave it away.
#[must_use]
pub fn catch(bug: Bug, seeds_max: u64, threads: usize) -> Option<(u64, String)> {
    let summary = seeds(1, seeds_max, Some(bug), threads, true);
    summary.failures.into_iter().next()
}

/// Seeds whose second run differs from the first.
#[must_use]
pub fn unrepeatable(from: u64, count: u64) -> Vec<u64> {
    (from..from + count).filter(|seed| run(*seed, None, 0).trace != run(*seed, None, 9).trace).collect()
}

impl Summary {
    fn take(&mut self, report: &Report) {
        self.seeds += 1;
        self.events += report.events;
        self.simulated_ms += report.simulated_ms;
        self.acked += report.acked;
        self.tally.add(&report.tally);
        if let Some(problem) = report.first_problem() {
            self.failures.push((report.seed, problem));
        }
    }
}

#[allow(clippy::disallowed_methods)] // worlds share nothing: a thread each
fn in_threads(threads: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(&work);
        }
    });
}
