//! Once a day, runs whose window is over are dropped, whole runs at a time.

use std::collections::{BTreeMap, BTreeSet};

use iris_store::StoreError;
use iris_tables::{RunSet, Table, TableError, Window, expired};
use iris_types::limits::{DEDUP_WINDOW_MS, EXPIRY_START_CAUTION_MS, INBOX_TTL_MS, MERGE_BATCH_BYTES};
use iris_types::{MessageId, Monotonic, Offset, RunName, Timestamp, UserId, VnodeId};
use iris_vnode::rows;

use crate::call::{Expire, ExpireVnode, Trimmed, Work};
use crate::hosted::Hosted;
use crate::publish::{Change, Edit};
use crate::worker::{Context, Worker};

const DAY_MS: u64 = 24 * 3_600_000; // layout

/// A clock further on than expected by more than this has jumped.
const CLOCK_JUMP_MS: u64 = iris_types::limits::CLOCK_JUMP_MS;

/// A wall clock, and whether things may expire by it: what a wrong one makes expire does not come back when it is set
/// right.
#[derive(Debug)]
struct SteadyClock {
    read_at: (Timestamp, Monotonic),
    /// Since when it has not jumped ahead, as far as is known.
    since: Monotonic,
    /// It has jumped since the start.
    has_jumped: bool,
}

impl SteadyClock {
    fn read(&mut self, now: Timestamp, mono: Monotonic) {
        let (before, read_at) = self.read_at;
        let expected = before.plus_millis(mono.millis_since(read_at));
        if now.millis_since(expected) > CLOCK_JUMP_MS {
            self.since = mono;
            self.has_jumped = true;
        }
        self.read_at = (now, mono);
    }

    fn is_steady(&self, caution_ms: u64) -> bool {
        let caution_ms = if self.has_jumped { caution_ms } else { caution_ms.min(EXPIRY_START_CAUTION_MS) };
        let (_, read_at) = self.read_at;
        read_at.millis_since(self.since) >= caution_ms
    }
}

/// The expiry that runs, if any.
#[derive(Debug)]
pub(crate) struct Expiring {
    clock: SteadyClock,
    /// The day whose expiry has begun.
    day: Option<Window>,
    /// Vnodes whose inboxes are still to be looked through.
    due: BTreeSet<VnodeId>,
    /// Vnodes whose users' trimmed-to is being written, up to the change of the directory: a flush would write it,
    /// too.
    held: BTreeSet<VnodeId>,
}

impl Expiring {
    pub(crate) const fn new(now: Timestamp, mono: Monotonic) -> Self {
        let clock = SteadyClock { read_at: (now, mono), since: mono, has_jumped: false };
        Self { clock, day: None, due: BTreeSet::new(), held: BTreeSet::new() }
    }

    /// Whether the vnode may not be flushed.
    pub(crate) fn holds(&self, vnode: VnodeId) -> bool {
        self.held.contains(&vnode)
    }

    pub(crate) fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// The directory knows the vnode's trimmed-to.
    pub(crate) fn published(&mut self, vnode: VnodeId) {
        self.held.remove(&vnode);
    }

    pub(crate) fn look(&mut self, now: Timestamp, mono: Monotonic) {
        self.clock.read(now, mono);
    }
}

impl Worker {
    /// Once a day: what is over goes, whole runs at a time, a few vnodes at a time.
    pub(crate) fn start_expiry(&mut self) {
        let day = Window::of(self.now);
        if self.expiring.day != Some(day)
            && self.expiring.clock.is_steady(self.config.limits.expiry_caution_ms)
        {
            self.expiring.day = Some(day);
            self.expire_dedup();
            self.expiring.due = self.vnodes.iter().flatten().map(|hosted| hosted.id).collect();
        }
        if self.expiring.held.is_empty() && !self.expiring.due.is_empty() {
            self.expire_batch();
        }
    }

    /// Flushes of these vnodes wait meanwhile, and nothing else does.
    fn expire_batch(&mut self) {
        let Some(day) = self.expiring.day else { return };
        let before = Window::of(Timestamp((u64::from(day.0) * DAY_MS).saturating_sub(INBOX_TTL_MS)));
        let (mut vnodes, mut bytes) = (Vec::new(), 0);
        for vnode in std::mem::take(&mut self.expiring.due) {
            let Some(hosted) = self.hosted(vnode) else { continue };
            if bytes >= MERGE_BATCH_BYTES || hosted.frozen.is_some() {
                self.expiring.due.insert(vnode);
                continue;
            }
            let (runs, inbox) = (hosted.runs.clone(), self.expired_inbox(hosted, before));
            let names = inbox.values().flatten();
            bytes += names.filter_map(|name| runs.manifest().run(*name)).map(|run| run.bytes).sum::<u64>();
            if !inbox.is_empty() {
                let age = runs.manifest().next_age();
                vnodes.push(ExpireVnode { vnode, runs, inbox, age });
            }
        }
        if !vnodes.is_empty() {
            self.expiring.held = vnodes.iter().map(|one| one.vnode).collect();
            let names = self.names.branch();
            self.call(Work::Expire(Expire { vnodes, names }), Context::Expire);
        }
    }

    /// Inbox runs that are over and, as far as known, can be read.
    fn expired_inbox(&self, hosted: &Hosted, before: Window) -> BTreeMap<Window, Vec<RunName>> {
        let manifest = hosted.runs.manifest();
        let mut windows: BTreeMap<Window, Vec<RunName>> = BTreeMap::new();
        for name in expired(manifest, Table::Inbox, before) {
            let window = manifest.run(name).map(|run| run.window).unwrap_or_default();
            if !self.merging.is_blocked(hosted.id, Table::Inbox, window) {
                windows.entry(window).or_default().push(name);
            }
        }
        windows
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

    pub(crate) fn expired(&mut self, result: Result<Vec<Trimmed>, StoreError>) {
        match result {
            Ok(trimmed) => trimmed.into_iter().for_each(|one| self.trimmed(one)),
            Err(error) => {
                let held: Vec<VnodeId> = std::mem::take(&mut self.expiring.held).into_iter().collect();
                self.expiring.due.extend(&held);
                self.maintenance_failed(&held, error);
            }
        }
    }

    fn trimmed(&mut self, one: Trimmed) {
        let Trimmed { vnode, built: added, users, dropped, failed } = one;
        let is_again = failed.iter().any(|(_, error)| matches!(error, TableError::Io { .. }));
        for (window, error) in failed {
            self.unreadable(vnode, Table::Inbox, window, &error);
        }
        if is_again {
            self.expiring.due.insert(vnode);
        }
        if dropped.is_empty() {
            return self.expiring.published(vnode);
        }
        let named = |(user, offset): (bytes::Bytes, Offset)| Some((UserId::from_bytes(&user).ok()?, offset));
        // Who is not loaded now may be when the directory has changed.
        let trimmed = users.into_iter().filter_map(named).collect();
        let change = Change { added, dropped, trimmed, expires: true, ..Change::default() };
        self.publishing.push(Edit { vnode, change });
    }
}

/// When the newest id of a run of dedup rows was made; the end of its day when that is not in memory.
fn newest_id(runs: &RunSet, run: RunName) -> Timestamp {
    let from_key = runs.last_key(run).and_then(rows::split_dedup_key).map(MessageId::timestamp);
    let window = runs.manifest().run(run).map_or(0, |run| u64::from(run.window.0));
    from_key.unwrap_or(Timestamp((window + 1) * DAY_MS))
}
