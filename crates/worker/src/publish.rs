//! Changes of the directory: runs and `start` of many vnodes move together, one compare-and-set at a time.

use std::collections::BTreeMap;

use bytes::Bytes;
use iris_store::{Compared, StoreError, Value, Version};
use iris_tables::{BuiltRun, Manifest, MergePlan};
use iris_types::planted::{Bug, is_planted};
use iris_types::{Monotonic, Offset, Position, RunName, Timestamp, UserId, VnodeId};

use crate::StopReason;
use crate::call::{CallId, Work};
use crate::directory::{self, Entry};
use crate::hosted::Hosted;
use crate::worker::{Context, Worker};

/// Milliseconds until a change in doubt is looked at again.
const RETRY_MS: u64 = iris_types::limits::DIRECTORY_RETRY_MS;
/// Milliseconds until garbage that could not be dropped is dropped again.
const DROP_RETRY_MS: u64 = iris_types::limits::MERGE_RETRY_MS;
/// Bytes of an entry that an engine takes.
const ENTRY_BYTES_MAX: usize = iris_types::limits::DIRECTORY_ENTRY_BYTES_MAX;

/// What changes about one vnode. Everything it relies on is durable.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub(crate) added: Vec<BuiltRun>,
    pub(crate) dropped: Vec<RunName>,
    /// Message ids dated before this go with what is dropped.
    pub(crate) forgets: Timestamp,
    /// What is dropped are inboxes' entries, and `added` says so.
    pub(crate) expires: bool,
    pub(crate) merged: Option<(MergePlan, Option<BuiltRun>)>,
    /// Position up to which the runs hold everything, and the log's bytes up to there.
    pub(crate) start: Option<(Position, u64)>,
    /// Users' inboxes trimmed by this.
    pub(crate) trimmed: Vec<(UserId, Offset)>,
    /// The frozen table is in the runs.
    pub(crate) unfreezes: bool,
}

#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) vnode: VnodeId,
    pub(crate) change: Change,
}

/// One vnode of the compare-and-set under way.
#[derive(Debug)]
struct Proposal {
    vnode: VnodeId,
    entry: Entry,
    /// The entry as it is stored.
    bytes: Bytes,
    start_bytes: u64,
    changes: Vec<Change>,
    /// Runs that the new manifest does not name any more, or never will.
    garbage: Vec<RunName>,
}

#[derive(Debug, Default)]
pub(crate) struct Publishing {
    waiting: Vec<Edit>,
    /// Whether something came since the last proposal: what waits alone was too large and still is.
    has_new: bool,
    proposals: Vec<Proposal>,
    /// An earlier try may have been made.
    is_in_doubt: bool,
    retry_at: Option<Monotonic>,
    /// Runs that no manifest names, and the first call that cannot hold them any more.
    garbage: Vec<(CallId, Vec<RunName>)>,
    /// When to drop again what could not be dropped.
    drop_at: Option<Monotonic>,
    trimmed_to: Position,
}

impl Publishing {
    pub(crate) fn push(&mut self, edit: Edit) {
        self.waiting.push(edit);
        self.has_new = true;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.proposals.is_empty()
    }

    pub(crate) const fn deadline(&self) -> Option<Monotonic> {
        self.retry_at
    }
}

impl Worker {
    /// Starts the next compare-and-set when none is under way.
    pub(crate) fn publish(&mut self) {
        if self.publishing.retry_at.is_some_and(|at| at <= self.mono) {
            self.publishing.retry_at = None;
            return self.call(Work::ReadDirectory, Context::PublishInDoubt);
        }
        if !self.publishing.proposals.is_empty() || !std::mem::take(&mut self.publishing.has_new) {
            return;
        }
        let mut by_vnode: BTreeMap<VnodeId, Vec<Change>> = BTreeMap::new();
        for edit in std::mem::take(&mut self.publishing.waiting) {
            by_vnode.entry(edit.vnode).or_default().push(edit.change);
        }
        let log = self.log.id;
        let propose = |(vnode, changes)| Some(propose(self.hosted(vnode)?, log, changes));
        let proposals = by_vnode.into_iter().filter_map(propose);
        // An entry that no engine takes would keep all others from being stored. It waits for what makes it smaller,
        // a merge of its vnode or the end of a window.
        let (taken, too_large): (Vec<_>, Vec<_>) =
            proposals.partition(|proposal| proposal.bytes.len() <= ENTRY_BYTES_MAX);
        for Proposal { vnode, changes, .. } in too_large {
            self.publishing.waiting.extend(changes.into_iter().map(|change| Edit { vnode, change }));
        }
        self.publishing.proposals = taken;
        if !self.publishing.proposals.is_empty() {
            self.compare_and_set();
        }
    }

    fn compare_and_set(&mut self) {
        let change = |proposal: &Proposal| {
            let expected = self.hosted(proposal.vnode).map(|hosted| hosted.version);
            iris_store::Change {
                key: directory::key(proposal.vnode),
                expected,
                bytes: proposal.bytes.clone(),
            }
        };
        let changes = self.publishing.proposals.iter().map(change).collect();
        self.call(Work::CompareAndSet(changes), Context::Publish);
    }

    pub(crate) fn published(&mut self, result: Result<Compared, StoreError>) {
        match result {
            Ok(Compared::Set) => self.adopt(),
            // It may be the own earlier try that changed it.
            Ok(Compared::Conflict { .. }) if self.publishing.is_in_doubt => {
                self.call(Work::ReadDirectory, Context::PublishInDoubt);
            }
            Ok(Compared::Conflict { key, .. }) => self.stop(StopReason::Superseded { key }),
            Err(StoreError::Poisoned(what)) => self.stop(StopReason::Poisoned(what)),
            Err(_) => {
                self.publishing.is_in_doubt = true;
                self.publishing.retry_at = Some(self.mono.plus_millis(RETRY_MS));
            }
        }
    }

    /// Acts on what the directory says, never on what was asked for.
    pub(crate) fn publish_resolved(&mut self, result: Result<Vec<(String, Value)>, StoreError>) {
        let found: BTreeMap<String, Value> = match result {
            Ok(values) => values.into_iter().collect(),
            Err(StoreError::Poisoned(what)) => return self.stop(StopReason::Poisoned(what)),
            Err(_) => {
                self.publishing.retry_at = Some(self.mono.plus_millis(RETRY_MS));
                return;
            }
        };
        let (mut are_set, mut are_unset) = (true, true);
        for proposal in &self.publishing.proposals {
            let Some(version) = self.hosted(proposal.vnode).map(|hosted| hosted.version) else { continue };
            let value = found.get(&directory::key(proposal.vnode));
            let is = |version: Version| value.is_some_and(|value| value.version == version);
            are_unset &= is(version);
            are_set &= is(Version(version.0 + 1)) && value.is_some_and(|one| one.bytes == proposal.bytes);
        }
        match (are_set, are_unset) {
            (true, _) => self.adopt(),
            (false, true) => self.compare_and_set(),
            (false, false) => {
                let key = self.publishing.proposals.first().map(|one| directory::key(one.vnode));
                self.stop(StopReason::Superseded { key: key.unwrap_or_default() });
            }
        }
    }

    /// The directory names the new runs: from now on they are what is read.
    fn adopt(&mut self) {
        self.publishing.is_in_doubt = false;
        // Reads that wait for the end of the turn hold the runs of before: their calls come first.
        self.issue_loads();
        let next_call = self.next_call();
        for proposal in std::mem::take(&mut self.publishing.proposals) {
            let Proposal { vnode, entry, start_bytes, changes, garbage, .. } = proposal;
            if changes.iter().any(|change| change.merged.is_some()) {
                self.merging.published(vnode);
            }
            if changes.iter().any(|change| change.expires) {
                self.expiring.published(vnode);
            }
            self.merging.look_at(vnode);
            let built: Vec<BuiltRun> = changes.iter().flat_map(built_of).cloned().collect();
            self.statistics.runs += built.len() as u64;
            let Some(hosted) = self.hosted_mut(vnode) else { continue };
            hosted.version = Version(hosted.version.0 + 1);
            hosted.runs = hosted.runs.change(entry.manifest, &built);
            hosted.forgotten = entry.forgotten;
            hosted.generation += 1;
            (hosted.start, hosted.start_bytes) = (entry.start, start_bytes);
            if changes.iter().any(|change| change.unfreezes) {
                let frozen = hosted.frozen.take();
                let bytes = frozen.map_or(0, |frozen| frozen.bytes());
                self.dirty_bytes = self.dirty_bytes.saturating_sub(bytes);
            }
            for (user, offset) in changes.into_iter().flat_map(|change| change.trimmed) {
                if let Some(inbox) = self.user_slot_mut(&user).and_then(|user| user.inbox.as_mut()) {
                    inbox.trimmed = inbox.trimmed.max(offset);
                }
            }
            if !garbage.is_empty() {
                self.publishing.garbage.push((next_call, garbage));
            }
        }
        self.recount_dirty();
        self.count_indexes();
        self.flush_published();
        self.trim_log();
    }

    /// What a flush adds to a frozen table is not counted when it is added.
    fn recount_dirty(&mut self) {
        self.dirty_bytes = self.vnodes.iter().flatten().map(Hosted::dirty_bytes).sum();
    }

    /// Every run has a word in it, so this is not for every turn. Indexes that reads load count from the next change on.
    pub(crate) fn count_indexes(&mut self) {
        let indexes = self.vnodes.iter().flatten().map(|hosted| hosted.runs.index_bytes() as u64);
        self.statistics.index_bytes = indexes.sum();
    }

    /// Gives back what of the log no vnode needs.
    fn trim_log(&mut self) {
        let Some(least) = self.vnodes.iter().flatten().map(|hosted| hosted.start).min() else { return };
        let least = if is_planted(Bug::TrimmedTooFar) { self.log.position } else { least };
        if least > self.publishing.trimmed_to {
            self.publishing.trimmed_to = least;
            let before = Position(least.0.saturating_add(1));
            self.call(Work::Trim { log: self.log.id, before }, Context::Trim);
        }
    }

    /// Bytes of the own log that a start would have to replay.
    pub(crate) fn log_tail_bytes(&self) -> u64 {
        let starts = self.vnodes.iter().flatten().map(|hosted| hosted.start_bytes);
        starts.min().map_or(0, |least| self.log.bytes.saturating_sub(least))
    }

    /// Drops runs that no manifest names and no reader can hold.
    pub(crate) fn drop_garbage(&mut self) {
        let is_early = self.publishing.drop_at.is_some_and(|at| at > self.mono);
        if self.publishing.garbage.is_empty() || is_early {
            return;
        }
        self.publishing.drop_at = None;
        let oldest = self.readers.first().copied();
        let is_held = |first_free: CallId| oldest.is_some_and(|oldest| oldest < first_free);
        let (held, free): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.publishing.garbage).into_iter().partition(|(call, _)| is_held(*call));
        self.publishing.garbage = held;
        let names: Vec<RunName> = free.into_iter().flat_map(|(_, names)| names).collect();
        if !names.is_empty() {
            self.drop_runs(names);
        }
    }

    pub(crate) fn drop_runs(&mut self, names: Vec<RunName>) {
        self.call(Work::DropRuns(names.clone()), Context::DropRuns(names));
    }

    /// What could not be dropped is garbage for a while longer, not until the next start.
    pub(crate) fn runs_dropped(&mut self, names: Vec<RunName>, result: Result<(), StoreError>) {
        match result {
            Ok(()) => {}
            Err(StoreError::Poisoned(what)) => self.stop(StopReason::Poisoned(what)),
            Err(_) => {
                self.publishing.garbage.push((self.next_call(), names));
                self.publishing.drop_at = Some(self.mono.plus_millis(DROP_RETRY_MS));
            }
        }
    }
}

fn built_of(change: &Change) -> impl Iterator<Item = &BuiltRun> {
    change.added.iter().chain(change.merged.iter().filter_map(|(_, built)| built.as_ref()))
}

fn propose(hosted: &Hosted, log: iris_types::LogId, changes: Vec<Change>) -> Proposal {
    let mut manifest: Manifest = hosted.runs.manifest().clone();
    let (mut start, mut start_bytes, mut garbage) = (hosted.start, hosted.start_bytes, Vec::new());
    let forgotten =
        changes.iter().map(|change| change.forgets).max().unwrap_or_default().max(hosted.forgotten);
    for change in &changes {
        manifest = manifest.change(&change.dropped, change.added.iter().map(|built| built.meta));
        garbage.extend(&change.dropped);
        if let Some((plan, built)) = &change.merged {
            match manifest.replace(plan, built.as_ref().map(|built| built.meta)) {
                Some(replaced) => {
                    manifest = replaced;
                    garbage.extend(&plan.inputs);
                }
                // An input's window expired meanwhile: the result would bring it back.
                None => garbage.extend(built.iter().map(|built| built.meta.name)),
            }
        }
        if let Some((position, bytes)) = change.start.filter(|(position, _)| *position > start) {
            (start, start_bytes) = (position, bytes);
        }
    }
    let entry = Entry { epoch: hosted.epoch, log, start, forgotten, manifest };
    let bytes = entry.encode();
    Proposal { vnode: hosted.id, entry, bytes, start_bytes, changes, garbage }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use iris_tables::{RunMeta, RunSet, Table, Window};
    use iris_types::Epoch;
    use iris_types::placement::VnodeCount;

    use super::*;
    use crate::{Output, Placement, WorkerConfig, WorkerIndex, WorkerLimits};

    fn worker() -> Worker {
        let config = WorkerConfig {
            vnodes: VnodeCount::new(2).unwrap(),
            placement: Placement::spread(1),
            index: WorkerIndex(0),
            limits: WorkerLimits::default(),
            seed: [1; 32],
        };
        let mut worker = Worker::new(config, Timestamp(1), Monotonic(1));
        for (vnode, place) in (0..).zip(&mut worker.vnodes) {
            let runs = RunSet::open(Manifest::default());
            *place = Some(Hosted::new(VnodeId(vnode), Epoch(1), Version(1), Position(1), runs));
        }
        worker.outputs.clear();
        worker
    }

    fn added(vnode: u16, runs: u32) -> Edit {
        let built = |number: u32| {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&number.to_be_bytes());
            let meta = RunMeta {
                name: RunName(name),
                table: Table::Head,
                window: Window(0),
                level: 0,
                age: number.into(),
                blocks: 1,
                bytes: 1,
                rows: 1,
            };
            BuiltRun { meta, blocks: Vec::new() }
        };
        Edit {
            vnode: VnodeId(vnode),
            change: Change { added: (0..runs).map(built).collect(), ..Change::default() },
        }
    }

    /// Keys of the compare-and-sets that a worker asked for.
    fn asked(worker: &mut Worker) -> Vec<String> {
        worker.publish();
        let keys = |output| match output {
            Output::Call { call: crate::Call(Work::CompareAndSet(changes)), .. } => changes,
            _ => Vec::new(),
        };
        worker.outputs.drain(..).flat_map(keys).map(|change: iris_store::Change| change.key).collect()
    }

    #[test]
    fn an_entry_that_is_too_large_keeps_no_other_from_being_stored() {
        let mut worker = worker();
        worker.publishing.push(added(0, 100_000));
        worker.publishing.push(added(1, 1));
        assert_eq!(asked(&mut worker), [directory::key(VnodeId(1))]);
        worker.published(Ok(Compared::Set));
        assert_eq!(asked(&mut worker), [""; 0]);
        assert!(!worker.publishing.is_idle(), "the large one is not forgotten");
        // It goes along with what makes it smaller.
        let dropped = added(0, 99_000).change.added.into_iter().map(|built| built.meta.name).collect();
        let change = Change { dropped, ..Change::default() };
        worker.publishing.push(Edit { vnode: VnodeId(0), change });
        assert_eq!(asked(&mut worker), [directory::key(VnodeId(0))]);
    }
}
