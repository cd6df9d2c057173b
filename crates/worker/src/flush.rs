//! Memory tables become runs: committed rows only, many vnodes in one go.

use std::sync::Arc;

use bytes::Bytes;
use iris_store::StoreError;
use iris_tables::{BuiltRun, Direction, MemTable, Table, Window};
use iris_types::limits::{FLUSH_CYCLE_BYTES_MAX, QUIET_FLUSH_BYTES, QUIET_MS};
use iris_types::planted::{Bug, is_planted};
use iris_types::{Monotonic, Offset, Position, UserId, VnodeId};
use iris_vnode::rows;

use crate::StopReason;
use crate::call::{Flush, FlushVnode, Work};
use crate::hosted::Hosted;
use crate::publish::{Change, Edit};
use crate::slab::Slab;
use crate::state::UserSlot;
use crate::worker::{Context, Phase, Worker};

/// Milliseconds until a flush that failed is tried again.
const RETRY_MS: u64 = iris_types::limits::FLUSH_RETRY_MS;
/// How often, within a flush interval, vnodes are looked through for old rows.
const LOOKS_PER_INTERVAL: u64 = 16;

/// The flush that runs, if any.
#[derive(Debug)]
pub(crate) struct Flushing {
    /// Some vnode has gathered enough.
    pub(crate) is_wanted: bool,
    next_look: Monotonic,
    retry_at: Option<Monotonic>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    vnodes: Vec<FlushVnode>,
    /// Committed position and bytes of the log when the tables were frozen: the new `start`.
    start: Position,
    start_bytes: u64,
    is_publishing: bool,
}

impl Flushing {
    pub(crate) const fn new(mono: Monotonic, interval_ms: u64) -> Self {
        let next_look = mono.plus_millis(look_ms(interval_ms));
        Self { is_wanted: false, next_look, retry_at: None, running: None }
    }
}

const fn look_ms(interval_ms: u64) -> u64 {
    if interval_ms / LOOKS_PER_INTERVAL > 0 { interval_ms / LOOKS_PER_INTERVAL } else { 1 }
}

impl Worker {
    pub(crate) const fn is_draining(&self) -> bool {
        matches!(self.phase, Phase::Draining)
    }

    pub(crate) fn flush_deadline(&self) -> Option<Monotonic> {
        match (&self.flush.running, self.flush.retry_at) {
            (Some(_), retry_at) => retry_at,
            (None, _) if self.is_serving() => Some(self.next_flush_look()),
            (None, _) => None,
        }
    }

    fn next_flush_look(&self) -> Monotonic {
        let quiet_at = self.log.last_commit.plus_millis(QUIET_MS);
        // What an expiry holds back goes when that is over.
        let is_free = !self.expiring.holds_any();
        let is_worth_it = is_free && self.log.is_idle() && self.dirty_bytes >= QUIET_FLUSH_BYTES;
        if is_worth_it { self.flush.next_look.min(quiet_at) } else { self.flush.next_look }
    }

    /// Starts a flush when one is due and none runs, and repeats one that failed.
    pub(crate) fn maintain_flush(&mut self) {
        if self.flush.running.is_some() {
            if self.flush.retry_at.is_some_and(|at| at <= self.mono) {
                self.write_frozen();
            }
            return;
        }
        let is_pressed = self.dirty_bytes > self.config.limits.dirty_bytes_max / 2;
        let is_quiet = self.is_quiet();
        let is_due = self.flush.is_wanted || is_pressed || is_quiet || self.flush.next_look <= self.mono;
        if is_due || self.is_draining() {
            self.flush.is_wanted = false;
            self.flush.next_look = self.mono.plus_millis(look_ms(self.config.limits.flush_interval_ms));
            self.begin_flush(is_pressed || is_quiet);
            if is_quiet {
                self.forget_conversations();
            }
        }
    }

    /// Whether there is nothing to do, and enough in memory to be worth writing out.
    fn is_quiet(&self) -> bool {
        self.log.is_idle()
            && self.mono.millis_since(self.log.last_commit) >= QUIET_MS
            && self.dirty_bytes >= QUIET_FLUSH_BYTES
    }

    /// Whether every committed row is in a run and every change of the directory is made.
    pub(crate) fn is_clean(&self) -> bool {
        let is_empty = |hosted: &Hosted| hosted.is_flushed() && hosted.frozen.is_none();
        self.flush.running.is_none()
            && self.publishing.is_idle()
            && self.vnodes.iter().flatten().all(is_empty)
    }

    fn begin_flush(&mut self, is_pressed: bool) {
        let (start, start_bytes) = (self.log.position, self.log.bytes);
        let due = self.due_vnodes(is_pressed);
        self.bump_starts();
        if due.is_empty() {
            return;
        }
        let vnodes: Vec<FlushVnode> = due.into_iter().filter_map(|vnode| self.freeze(vnode)).collect();
        self.flush.running = Some(Running { vnodes, start, start_bytes, is_publishing: false });
        if is_planted(Bug::StartMovedEarly) {
            self.publish_flush(Vec::new());
        }
        self.write_frozen();
    }

    /// The vnodes of the next cycle, those with the oldest rows first: as many as one cycle may hold, because its
    /// rows are in memory several times while they are built, sealed and written. The others follow at once.
    fn due_vnodes(&mut self, is_pressed: bool) -> Vec<VnodeId> {
        let due = self.vnodes.iter().flatten().filter(|one| self.is_flush_due(one, is_pressed));
        let mut due: Vec<_> = due.map(|one| (one.oldest, one.id, one.active.bytes())).collect();
        due.sort_unstable();
        let mut bytes = 0;
        let fits = |(_, _, size): &&(Option<Monotonic>, VnodeId, usize)| {
            let is_first = bytes == 0;
            bytes += size;
            is_first || bytes <= FLUSH_CYCLE_BYTES_MAX
        };
        let taken: Vec<VnodeId> = due.iter().take_while(fits).map(|(_, vnode, _)| *vnode).collect();
        self.flush.is_wanted |= taken.len() < due.len();
        taken
    }

    fn is_flush_due(&self, hosted: &Hosted, is_pressed: bool) -> bool {
        let limits = &self.config.limits;
        let interval = limits.flush_interval_ms;
        // What is nearly due goes along: one cycle for many vnodes.
        let is_old = hosted.oldest.is_some_and(|at| self.mono.millis_since(at) >= interval - interval / 4);
        let is_large = hosted.active.bytes() >= limits.flush_bytes / 2;
        let holds_tail = self.log.bytes - hosted.start_bytes > limits.log_tail_bytes_max / 2;
        let is_free = !self.expiring.holds(hosted.id);
        is_free
            && !hosted.is_flushed()
            && (is_old || is_large || holds_tail || is_pressed || self.is_draining())
    }

    /// Clean vnodes need nothing of the log: their `start` follows when they would hold the tail back.
    fn bump_starts(&mut self) {
        let (start, bytes) = (self.log.position, self.log.bytes);
        let tail_max = self.config.limits.log_tail_bytes_max;
        let is_idle = |hosted: &&Hosted| {
            hosted.is_flushed()
                && hosted.frozen.is_none()
                && bytes - hosted.start_bytes > tail_max / 8
                && hosted.start < start
        };
        let idle: Vec<VnodeId> =
            self.vnodes.iter().flatten().filter(is_idle).map(|hosted| hosted.id).collect();
        for vnode in idle {
            let change = Change { start: Some((start, bytes)), ..Change::default() };
            self.publishing.push(Edit { vnode, change });
        }
    }

    /// Sets the vnode's committed rows aside; what commits from now on goes to a new table.
    fn freeze(&mut self, vnode: VnodeId) -> Option<FlushVnode> {
        let committed = self.log.committed;
        if is_planted(Bug::FlushInFlight) {
            self.apply_in_flight(vnode);
        }
        let hosted = self.vnodes.get_mut(usize::from(vnode.0))?.as_mut()?;
        let table = (vnode, hosted.freezes);
        let mut mem = hosted.take_active();
        let mut elided = Vec::new();
        for slot in std::mem::take(&mut hosted.moved) {
            elided.extend(elide(&self.users, slot, table, committed, &mut mem));
        }
        let confirmed = confirmed_streams(&mem);
        let mem = Arc::new(mem);
        hosted.frozen = Some(Arc::clone(&mem));
        Some(FlushVnode { vnode, mem, age: hosted.runs.manifest().next_age(), elided, confirmed })
    }

    /// Only planted: rows of the chunk in flight are written as if they were committed.
    fn apply_in_flight(&mut self, vnode: VnodeId) {
        let Some(chunk) = self.log.in_flight.as_ref() else { return };
        let events: Vec<_> = chunk.contents.events.iter().filter(|(of, _)| *of == vnode).cloned().collect();
        let Some(hosted) = self.hosted_mut(vnode) else { return };
        for (_, event) in events {
            hosted.apply(&event);
        }
    }

    fn write_frozen(&mut self) {
        self.flush.retry_at = None;
        let Some(running) = self.flush.running.as_ref() else { return };
        let share = |one: &FlushVnode| FlushVnode {
            vnode: one.vnode,
            mem: Arc::clone(&one.mem),
            age: one.age,
            elided: one.elided.clone(),
            confirmed: one.confirmed.clone(),
        };
        let vnodes = running.vnodes.iter().map(share).collect();
        // New names every time: after an error those of before may exist.
        let names = self.names.branch();
        self.call(Work::Flush(Flush { vnodes, names }), Context::Flush);
    }

    pub(crate) fn flushed(&mut self, result: Result<Vec<(VnodeId, Vec<BuiltRun>)>, StoreError>) {
        match result {
            Ok(built) => self.publish_flush(built),
            Err(StoreError::Poisoned(what)) => self.stop(StopReason::Poisoned(what)),
            Err(_) => self.flush.retry_at = Some(self.mono.plus_millis(RETRY_MS)),
        }
    }

    /// The runs are durable: now, and only now, `start` may move.
    fn publish_flush(&mut self, built: Vec<(VnodeId, Vec<BuiltRun>)>) {
        let Some(running) = self.flush.running.as_mut() else { return };
        let start = Some((running.start, running.start_bytes));
        let is_early = built.is_empty();
        running.is_publishing |= !is_early;
        let mut built: std::collections::BTreeMap<VnodeId, Vec<BuiltRun>> = built.into_iter().collect();
        let mut edits = Vec::with_capacity(running.vnodes.len());
        for one in &mut running.vnodes {
            let added = built.remove(&one.vnode).unwrap_or_default();
            let trimmed = if is_early { Vec::new() } else { std::mem::take(&mut one.elided) };
            let change = Change { added, start, trimmed, unfreezes: !is_early, ..Change::default() };
            edits.push(Edit { vnode: one.vnode, change });
        }
        self.statistics.flushes += u64::from(!is_early);
        edits.into_iter().for_each(|edit| self.publishing.push(edit));
    }

    /// The directory names the runs of the flush: what was frozen can go.
    pub(crate) fn flush_published(&mut self) {
        if !self.flush.running.as_ref().is_some_and(|running| running.is_publishing) {
            return;
        }
        let still = self.vnodes.iter().flatten().any(|hosted| hosted.frozen.is_some());
        if let Some(running) = self.flush.running.take_if(|_| !still) {
            let tables = running.vnodes.into_iter().map(|one| one.mem).collect();
            // Dropping large tables takes a while: elsewhere.
            self.call(Work::Discard(tables), Context::Discard);
        }
    }
}

/// Entries of the user that every device has: they need not be written, and trimmed-to says so. Sorting the table
/// to find them would hold up everybody; offsets are dense, so its first and its last entry say which it has.
fn elide(
    users: &Slab<UserSlot>,
    slot: u32,
    (vnode, freezes): (VnodeId, u64),
    committed: iris_vnode::Stamp,
    mem: &mut MemTable,
) -> Option<(UserId, Offset)> {
    let user = users.get(slot).filter(|user| user.vnode == vnode)?;
    let inbox = user.inbox.as_ref()?;
    let cursor = inbox.elidable(committed)?;
    let (of, first) = user.unflushed;
    if of != freezes || first > cursor {
        return None;
    }
    let (name, up_to) = (&user.user, cursor.min(inbox.committed));
    let key = rows::trimmed_key(name.as_bytes());
    mem.put(Table::Head, Window::default(), &key, &rows::offset_value(up_to));
    Some((name.clone(), up_to))
}

/// How far the table's own rows say that streams are confirmed.
fn confirmed_streams(mem: &MemTable) -> Vec<(VnodeId, Position)> {
    if mem.rows_of(Table::Stream) == 0 {
        return Vec::new();
    }
    let outgoing = mem.range(Table::Head, &b"s"[..]..&b"t"[..], Direction::Forward);
    let confirmed = outgoing.filter_map(|(key, value)| {
        let (_, confirmed) = rows::read_outgoing(Bytes::copy_from_slice(value)).ok()?;
        Some((rows::split_vnode_key(key)?, confirmed))
    });
    confirmed.collect()
}
