//! Runs are merged in the background and dropped when their window is over, one piece of work at a time.

use std::collections::BTreeSet;

use iris_store::StoreError;
use iris_tables::{MergePlan, RunSet, Table, TableError, Window, expired, plan_merges};
use iris_types::limits::{DEDUP_WINDOW_MS, INBOX_TTL_MS, MERGE_BATCH_BYTES};
use iris_types::{MessageId, Monotonic, Offset, Position, RunName, Timestamp, UserId, VnodeId};
use iris_vnode::rows;

use crate::StopReason;
use crate::call::{Expire, ExpireVnode, Merge, MergeError, Merged, Trimmed, Work};
use crate::hosted::Hosted;
use crate::publish::{Change, Edit};
use crate::worker::{Context, Worker};

const DAY_MS: u64 = 24 * 3_600_000; // layout
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
    /// Vnodes with a run that cannot be read: an operator has to look, merging would not help.
    blocked: BTreeSet<VnodeId>,
    retry_at: Option<Monotonic>,
    /// Inbox runs whose users' trimmed-to is being written.
    expiring: Vec<(VnodeId, Vec<RunName>)>,
    is_expiring: bool,
    /// The day whose expiry is done.
    day: Option<Window>,
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
            expiring: Vec::new(),
            is_expiring: false,
            day: None,
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

    /// Whether an expiry is under way, up to its last change of the directory: flushes wait for it, for both
    /// write trimmed-to.
    pub(crate) const fn is_expiring(&self) -> bool {
        self.is_expiring
    }

    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        Some(self.next_look)
    }
}

impl Worker {
    pub(crate) fn maintain_runs(&mut self) {
        self.drop_garbage();
        self.merging.is_expiring &= !self.merging.expiring.is_empty() || !self.publishing.is_idle();
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
            if self.merging.blocked.contains(&vnode) || self.merging.unpublished.contains(&vnode) {
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
                        Err(error) => self.maintenance_failed(&[vnode], MergeError::Table(error)),
                    }
                }
            }
            Err(error) => {
                let vnodes: Vec<VnodeId> = running.into_iter().map(|(vnode, _)| vnode).collect();
                self.maintenance_failed(&vnodes, MergeError::Store(error));
            }
        }
    }

    fn maintenance_failed(&mut self, vnodes: &[VnodeId], error: MergeError) {
        match error {
            MergeError::Store(StoreError::Poisoned(what)) => self.stop(StopReason::Poisoned(what)),
            MergeError::Table(TableError::Corrupt { .. } | TableError::Missing { .. }) => {
                self.merging.blocked.extend(vnodes);
            }
            MergeError::Table(TableError::Io { .. }) | MergeError::Store(_) => {
                self.merging.candidates.extend(vnodes);
                self.merging.retry_at = Some(self.mono.plus_millis(RETRY_MS));
            }
        }
    }

    /// Once a day: what is over goes, whole runs at a time.
    fn start_expiry(&mut self) {
        let day = Window::of(self.now);
        if self.merging.day == Some(day) || self.merging.is_expiring || self.flush.is_running() {
            return;
        }
        self.merging.day = Some(day);
        self.expire_dedup();
        let before = Window::of(Timestamp(self.now.0.saturating_sub(INBOX_TTL_MS)));
        let (mut vnodes, mut expiring) = (Vec::new(), Vec::new());
        for hosted in self.vnodes.iter().flatten().filter(|one| !self.merging.blocked.contains(&one.id)) {
            let inbox = expired(hosted.runs.manifest(), Table::Inbox, before);
            if !inbox.is_empty() {
                let age = hosted.runs.manifest().next_age();
                expiring.push((hosted.id, inbox.clone()));
                vnodes.push(ExpireVnode { vnode: hosted.id, runs: hosted.runs.clone(), inbox, age });
            }
        }
        if !vnodes.is_empty() {
            self.merging.is_expiring = true;
            self.merging.expiring = expiring;
            let names = self.names.branch();
            self.call(Work::Expire(Expire { vnodes, names }), Context::Expire);
        }
    }

    /// Ids of a day that is a whole day outside of the window are refused as too old before they are looked up. The
    /// clock may be wrong now and right later on: what goes is noted, and refused whatever the clock says then.
    fn expire_dedup(&mut self) {
        let before = Window::of(Timestamp(self.now.0.saturating_sub(DEDUP_WINDOW_MS + DAY_MS)));
        let edit = |hosted: &Hosted| {
            let dropped = expired(hosted.runs.manifest(), Table::Dedup, before);
            let forgets = dropped.iter().map(|run| newest_id(&hosted.runs, *run)).max()?.plus_millis(1);
            Some(Edit { vnode: hosted.id, change: Change { dropped, forgets, ..Change::default() } })
        };
        let edits: Vec<Edit> = self.vnodes.iter().flatten().filter_map(edit).collect();
        edits.into_iter().for_each(|edit| self.publishing.push(edit));
    }

    pub(crate) fn expired(&mut self, result: Result<Vec<Trimmed>, MergeError>) {
        let expiring = std::mem::take(&mut self.merging.expiring);
        match result {
            Ok(trimmed) => {
                for ((vnode, dropped), trimmed) in expiring.into_iter().zip(trimmed) {
                    let users = trimmed.users.into_iter();
                    let named = |(user, offset): (bytes::Bytes, Offset)| {
                        Some((UserId::from_bytes(&user).ok()?, offset))
                    };
                    // Who is not loaded now may be when the directory has changed.
                    let users = users.filter_map(named).collect();
                    let change =
                        Change { added: trimmed.built, dropped, trimmed: users, ..Change::default() };
                    self.publishing.push(Edit { vnode, change });
                }
            }
            Err(error) => {
                // Tomorrow's look takes them along, or the retry of today's.
                if matches!(error, MergeError::Store(_) | MergeError::Table(TableError::Io { .. })) {
                    self.merging.day = None;
                }
                let vnodes: Vec<VnodeId> = expiring.iter().map(|(vnode, _)| *vnode).collect();
                self.maintenance_failed(&vnodes, error);
            }
        }
    }
}

/// When the newest id of a run of dedup rows was made; the end of its day when that is not in memory.
fn newest_id(runs: &RunSet, run: RunName) -> Timestamp {
    let from_key = runs.last_key(run).and_then(rows::split_dedup_key).map(MessageId::timestamp);
    let window = runs.manifest().run(run).map_or(0, |run| u64::from(run.window.0));
    from_key.unwrap_or(Timestamp((window + 1) * DAY_MS))
}
