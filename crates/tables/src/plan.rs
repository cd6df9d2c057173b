//! Which runs to merge, and which to forget.
//!
//! Tiers: runs of one table and window that are neighbours in age and of one level become one run of the next
//! level, so that a row is rewritten once per level, and a level has few runs. A run beyond half of
//! [`RUN_BYTES_MAX`] is full and stays as it is. Days that are over are merged further, for they make up most
//! runs: there a run is merged with the newer ones once these weigh something beside it.

use iris_types::RunName;
use iris_types::limits::{MERGE_RUNS_MAX, MERGE_RUNS_MIN, RUN_BYTES_MAX};

use crate::{Manifest, RunMeta, Table, Window};

/// How much heavier than all newer runs together a run of a day that is over may be and still be rewritten.
const CLOSED_WEIGHT_MAX: u64 = iris_types::limits::CLOSED_WEIGHT_MAX;

/// A merge worth doing: runs of one table and window, neighbours in age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergePlan {
    pub inputs: Vec<RunName>,
    pub table: Table,
    pub window: Window,
    /// Level of the result.
    pub level: u8,
    /// Bytes of the inputs.
    pub bytes: u64,
}

/// The merges to do next, the smallest first, at most one of a table and window: none depends on another.
#[must_use]
pub fn plan_merges(manifest: &Manifest) -> Vec<MergePlan> {
    let groups =
        manifest.runs().chunk_by(|one, other| (one.table, one.window) == (other.table, other.window));
    let plans = groups.filter_map(|runs| {
        let is_closed = runs.first().is_some_and(|run| is_closed(manifest, run));
        let parts = runs.split(is_full);
        parts.filter_map(|part| plan_tier(part).or_else(|| plan_closed(part, is_closed))).next()
    });
    let mut plans: Vec<MergePlan> = plans.filter_map(plan).collect();
    plans.sort_by_key(|plan| plan.bytes);
    plans
}

/// Runs of a table whose windows lie before `before`.
#[must_use]
pub fn expired(manifest: &Manifest, table: Table, before: Window) -> Vec<RunName> {
    let runs = manifest.runs().iter().filter(|run| run.table == table && table.is_windowed());
    runs.filter(|run| run.window < before).map(|run| run.name).collect()
}

fn is_full(run: &RunMeta) -> bool {
    run.bytes > RUN_BYTES_MAX / 2
}

/// Whether the run's day is over, a day of grace included: few rows will come to it.
fn is_closed(manifest: &Manifest, run: &RunMeta) -> bool {
    let newest =
        manifest.runs().iter().filter(|other| other.table == run.table).map(|other| other.window).max();
    run.table.is_windowed() && newest.is_some_and(|newest| run.window.0.saturating_add(1) < newest.0)
}

/// Neighbours of one level, if they are enough; the lowest level first. `runs` ascend by age.
fn plan_tier(runs: &[RunMeta]) -> Option<&[RunMeta]> {
    let tiers = runs.chunk_by(|one, other| one.level == other.level);
    let enough = tiers.filter(|tier| tier.len() >= MERGE_RUNS_MIN);
    enough.min_by_key(|tier| tier.first().map(|run| run.level)).map(within_bounds)
}

/// The oldest run that is not too heavy for the newer ones, and these.
fn plan_closed(runs: &[RunMeta], is_closed: bool) -> Option<&[RunMeta]> {
    if !is_closed {
        return None;
    }
    let tails = (0..runs.len().saturating_sub(1)).filter_map(|first| runs.get(first..));
    let mut worth = tails.filter(|tail| {
        let newer: u64 = tail.iter().skip(1).map(|run| run.bytes).sum();
        tail.first().is_some_and(|oldest| oldest.bytes <= newer.saturating_mul(CLOSED_WEIGHT_MAX))
    });
    worth.next().map(within_bounds)
}

/// As many of the oldest as one merge may read; at least two, for none is full.
fn within_bounds(runs: &[RunMeta]) -> &[RunMeta] {
    let mut bytes = 0_u64;
    let fitting = runs.iter().take(MERGE_RUNS_MAX).take_while(|run| {
        bytes = bytes.saturating_add(run.bytes);
        bytes <= RUN_BYTES_MAX
    });
    let count = fitting.count();
    runs.get(..count).unwrap_or(runs)
}

fn plan(inputs: &[RunMeta]) -> Option<MergePlan> {
    let first = inputs.first().filter(|_| inputs.len() > 1)?;
    let level = inputs.iter().map(|run| run.level).max().unwrap_or(0).saturating_add(1);
    let names = inputs.iter().map(|run| run.name).collect();
    let bytes = inputs.iter().map(|run| run.bytes).sum();
    Some(MergePlan { inputs: names, table: first.table, window: first.window, level, bytes })
}
