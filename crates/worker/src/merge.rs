//! Runs are merged in the background, one piece of work at a time.

use std::collections::BTreeSet;

use iris_store::StoreError;
use iris_tables::{MergePlan, Table, TableError, Window, plan_merges};
use iris_types::limits::MERGE_BATCH_BYTES;
use iris_types::{Monotonic, Position, VnodeId};

use crate::StopReason;
use crate::call::{Merge, Merged, Work};
use crate::publish::{Change, Edit};
use crate::worker::{Context, Worker};

/// How often the day is looked at.
const LOOK_MS: u64 = iris_types::limits::EXPIRY_LOOK_MS;
/// Milliseconds until what failed for want of room or an answer is tried again.
const RETRY_MS: u64 = iris_types::limits::MERGE_RETRY_MS;

#[derive(Debug)]
pub(crate) struct Merging {
    /// Vnodes whose runs changed.
    candidates: BTreeSet<VnodeId>,
    /// Those of the call that runs; none when no call does.
    running: Vec<(VnodeId, MergePlan)>,
    /// Vnodes with a merge that the directory does not know yet: planned now, it would be done twice.
    unpublished: BTreeSet<VnodeId>,
    /// Windows with a run that cannot be read: an operator has to look, neither merging nor expiry would help.
    blocked: BTreeSet<(VnodeId, Table, Window)>,
    retry_at: Option<Monotonic>,
    next_look: Monotonic,
}

impl Merging {
    pub(crate) const fn new(mono: Monotonic) -> Self {
        Self {
            candidates: BTreeSet::new(),
            running: Vec::new(),
            unpublished: BTreeSet::new(),
            blocked: BTreeSet::new(),
            retry_at: None,
            next_look: mono,
        }
    }

    pub(crate) fn look_at(&mut self, vnode: VnodeId) {
        self.candidates.insert(vnode);
    }

    /// The directory knows the vnode's merges.
    pub(crate) fn published(&mut self, vnode: VnodeId) {
        self.unpublished.remove(&vnode);
    }

    pub(crate) fn is_blocked(&self, vnode: VnodeId, table: Table, window: Window) -> bool {
        self.blocked.contains(&(vnode, table, window))
    }

    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        Some(self.next_look)
    }
}

impl Worker {
    pub(crate) fn maintain_runs(&mut self) {
        self.drop_garbage();
        self.expiring.look(self.now, self.mono);
        self.statistics.log_tail_bytes = self.log_tail_bytes();
        if self.merging.next_look <= self.mono {
            self.merging.next_look = self.mono.plus_millis(LOOK_MS);
        }
        if self.merging.retry_at.is_some_and(|at| at > self.mono) || self.is_draining() {
            return;
        }
        self.merging.retry_at = None;
        self.start_expiry();
        self.start_merge();
    }

    /// Merges of many vnodes go together: a file and its syncs cost more than most of them.
    fn start_merge(&mut self) {
        if !self.merging.running.is_empty() {
            return;
        }
        let (mut merges, mut bytes) = (Vec::new(), 0);
        for vnode in std::mem::take(&mut self.merging.candidates) {
            if self.merging.unpublished.contains(&vnode) {
                continue;
            }
            if bytes >= MERGE_BATCH_BYTES {
                self.merging.candidates.insert(vnode);
                continue;
            }
            let Some(hosted) = self.hosted(vnode) else { continue };
            let runs = hosted.runs.clone();
            let confirmed = hosted.outgoing.iter().map(|(vnode, out)| (*vnode, out.settled));
            let mut confirmed: Vec<(VnodeId, Position)> = confirmed.collect();
            confirmed.sort_unstable();
            for plan in plan_merges(runs.manifest()) {
                if self.merging.is_blocked(vnode, plan.table, plan.window) {
                    continue;
                }
                if bytes > 0 && bytes + plan.bytes > MERGE_BATCH_BYTES {
                    self.merging.candidates.insert(vnode);
                    break;
                }
                bytes += plan.bytes.max(1);
                self.merging.running.push((vnode, plan.clone()));
                let (runs, confirmed, name) = (runs.clone(), confirmed.clone(), self.names.run());
                merges.push(Merge { vnode, runs, plan, name, confirmed });
            }
        }
        if !merges.is_empty() {
            self.call(Work::Merge(merges), Context::Merge);
        }
    }

    pub(crate) fn merged(&mut self, result: Result<Vec<Merged>, StoreError>) {
        let running = std::mem::take(&mut self.merging.running);
        match result {
            Ok(merged) => {
                for ((vnode, plan), merged) in running.into_iter().zip(merged) {
                    match merged {
                        Ok(built) => {
                            self.statistics.merges += 1;
                            self.merging.unpublished.insert(vnode);
                            let change = Change { merged: Some((plan, built)), ..Change::default() };
                            self.publishing.push(Edit { vnode, change });
                        }
                        Err(error) => self.unreadable(vnode, plan.table, plan.window, &error),
                    }
                }
            }
            Err(error) => {
                let vnodes: Vec<VnodeId> = running.into_iter().map(|(vnode, _)| vnode).collect();
                self.maintenance_failed(&vnodes, error);
            }
        }
    }

    pub(crate) fn maintenance_failed(&mut self, vnodes: &[VnodeId], error: StoreError) {
        match error {
            StoreError::Poisoned(what) => self.stop(StopReason::Poisoned(what)),
            _ => self.maintain_later(vnodes),
        }
    }

    /// Notes a run that merging or expiry could not read.
    pub(crate) fn unreadable(&mut self, vnode: VnodeId, table: Table, window: Window, error: &TableError) {
        match error {
            TableError::Corrupt { .. } | TableError::Missing { .. } => {
                self.merging.blocked.insert((vnode, table, window));
            }
            TableError::Io { .. } => self.maintain_later(&[vnode]),
        }
    }

    fn maintain_later(&mut self, vnodes: &[VnodeId]) {
        self.merging.candidates.extend(vnodes);
        self.merging.retry_at = Some(self.mono.plus_millis(RETRY_MS));
    }
}
