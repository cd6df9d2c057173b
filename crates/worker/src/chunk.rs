//! Chunks: gathered, committed one at a time, in doubt, and what leaves with them.

use std::collections::VecDeque;

use bytes::Bytes;
use iris_store::{Appended, Doubt, Resolved, StoreError};
use iris_types::planted::{Bug, is_planted};
use iris_types::{ChunkId, LogId, Monotonic, Offset, Position, Seq, VnodeId};
use iris_vnode::{ChunkWriter, Event, Stamp};

use crate::call::Work;
use crate::effects::Effect;
use crate::worker::{Context, Worker};
use crate::{StopReason, WorkerLimits};

/// Milliseconds until an append in doubt is looked at again.
const DOUBT_RETRY_MS: u64 = iris_types::limits::DOUBT_RETRY_MS;
/// Bytes that a chunk takes on disk at least.
const CHUNK_BYTES_MIN: usize = 512; // layout

/// The own log: one chunk in flight, the next ones gathered.
#[derive(Debug)]
pub(crate) struct OwnLog {
    pub(crate) id: LogId,
    /// Last committed position.
    pub(crate) position: Position,
    /// Last committed stamp.
    pub(crate) committed: Stamp,
    pub(crate) in_flight: Option<InFlight>,
    /// Never empty; the last one is open.
    gathered: VecDeque<Chunk>,
    gathered_bytes: usize,
    /// Bytes ever appended.
    pub(crate) bytes: u64,
    /// When the last chunk was committed.
    pub(crate) last_commit: Monotonic,
    /// Bytes of the last chunk.
    last_bytes: usize,
    /// Room of the last chunk's contents, for the next ones.
    spare: Contents,
    /// When the open chunk got its first event or effect.
    since: Option<Monotonic>,
    /// The next chunk is wanted although it has no event.
    forced: bool,
}

/// Events decided together, and what leaves after them.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    stamp: Stamp,
    writer: ChunkWriter,
    /// Bytes that its events take in memory, roughly.
    event_bytes: usize,
    rest: Contents,
}

/// What a commit sets in motion.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) events: Vec<(VnodeId, Event)>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) arrivals: Vec<Monotonic>,
}

/// Loaded state that shows something only once it is committed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    Entry(u32, Offset),
    Message(u32, Seq),
    /// Source, destination, confirmed.
    Confirmed(VnodeId, VnodeId, Position),
}

/// The chunk that is being appended.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) stamp: Stamp,
    at: Position,
    chunk: ChunkId,
    bytes: Bytes,
    pub(crate) contents: Contents,
    doubt: InDoubt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InDoubt {
    /// A call runs.
    Asking,
    /// Repeat the identical chunk then, or as soon as there is room.
    Repeat(Monotonic),
    /// Ask what became of it then.
    Resolve(Monotonic),
}

impl Contents {
    fn clear(&mut self) {
        self.events.clear();
        self.marks.clear();
        self.effects.clear();
        self.arrivals.clear();
    }
}

impl OwnLog {
    pub(crate) fn new(id: LogId) -> Self {
        Self {
            id,
            position: Position::ZERO,
            committed: Stamp::default(),
            in_flight: None,
            gathered: VecDeque::from([Chunk { stamp: Stamp(1), ..Chunk::default() }]),
            gathered_bytes: 0,
            bytes: 0,
            last_commit: Monotonic::ZERO,
            last_bytes: 0,
            spare: Contents::default(),
            since: None,
            forced: false,
        }
    }

    /// The stamp for the next decision. Events of one decision share a chunk, so that the last one may make it longer
    /// by [`iris_types::limits::DECISION_BYTES_MAX`].
    pub(crate) fn stamp(&mut self, limits: &WorkerLimits) -> Stamp {
        let Some(open) = self.gathered.back() else { return Stamp::default() };
        if open.writer.len() < limits.chunk_bytes_max {
            return open.stamp;
        }
        let stamp = Stamp(open.stamp.0 + 1);
        self.open(stamp);
        stamp
    }

    fn open(&mut self, stamp: Stamp) {
        let rest = std::mem::take(&mut self.spare);
        let writer = ChunkWriter::with_capacity(self.last_bytes);
        self.gathered.push_back(Chunk { stamp, rest, writer, event_bytes: 0 });
    }

    /// Keeps the room of a chunk that has left for the next one, if much of it was used: at a high rate fresh memory
    /// for each costs more than what is put there.
    fn recycle(&mut self, mut contents: Contents) {
        let is_busy = contents.events.len() >= contents.events.capacity() / 4;
        if is_busy && contents.events.capacity() > self.spare.events.capacity() {
            contents.clear();
            self.spare = contents;
        }
    }

    /// The stamp of the decision that is being made.
    pub(crate) fn stamp_of_open(&self) -> Stamp {
        self.gathered.back().map_or(Stamp::default(), |chunk| chunk.stamp)
    }

    /// Whether so much waits for its commit that nothing more should be decided.
    pub(crate) fn is_full(&self, limits: &WorkerLimits) -> bool {
        self.gathered_bytes >= limits.gathered_bytes_max
    }

    /// Whether nothing waits for a commit.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_none() && !self.has_next()
    }

    /// Where effects wait that may leave once `stamp` is committed; `None`: it is.
    pub(crate) fn effects_after(&mut self, stamp: Stamp) -> Option<&mut Vec<Effect>> {
        if stamp <= self.committed {
            return None;
        }
        if let Some(chunk) = self.in_flight.as_mut().filter(|chunk| chunk.stamp >= stamp) {
            return Some(&mut chunk.contents.effects);
        }
        self.gathered.iter_mut().find(|chunk| chunk.stamp >= stamp).map(|chunk| &mut chunk.rest.effects)
    }

    /// The open chunk will be appended, with or without events: its commit shows that the log is not sealed.
    pub(crate) fn force(&mut self, mono: Monotonic) {
        self.forced = true;
        self.since.get_or_insert(mono);
    }

    fn has_next(&self) -> bool {
        self.forced
            || self.gathered.len() > 1
            || self
                .gathered
                .front()
                .is_some_and(|chunk| !chunk.writer.is_empty() || !chunk.rest.effects.is_empty())
    }

    /// Closes the first gathered chunk.
    fn next_chunk(&mut self) -> Option<Chunk> {
        let stamp = self.gathered.back().map(|chunk| Stamp(chunk.stamp.0 + 1))?;
        if self.gathered.len() == 1 {
            self.open(stamp);
            self.since = None;
            self.forced = false;
        }
        let chunk = self.gathered.pop_front()?;
        self.gathered_bytes = self.gathered_bytes.saturating_sub(chunk.event_bytes);
        Some(chunk)
    }
}

impl Worker {
    /// Commits an event with the chunk of the decision that is being made.
    pub(crate) fn commit(&mut self, vnode: VnodeId, event: Event, marks: impl IntoIterator<Item = Mark>) {
        let Some(epoch) = self.hosted(vnode).map(|hosted| hosted.epoch) else { return };
        let mono = self.mono;
        let Some(chunk) = self.log.gathered.back_mut() else { return };
        let before = chunk.writer.len();
        chunk.writer.push(vnode, epoch, &event);
        // A body that many forwards end with is in the chunk once, but in each of them.
        let forward_bytes = if let Event::Forward { forward, .. } = &event { forward.len() } else { 0 };
        let event_bytes = forward_bytes.max(chunk.writer.len() - before);
        chunk.event_bytes += event_bytes;
        self.log.gathered_bytes += event_bytes;
        chunk.rest.events.push((vnode, event));
        chunk.rest.marks.extend(marks);
        self.log.since.get_or_insert(mono);
    }

    /// Notes when a request arrived that the open chunk makes durable.
    pub(crate) fn note_arrival(&mut self, arrived: Monotonic) {
        if let Some(chunk) = self.log.gathered.back_mut() {
            chunk.rest.arrivals.push(arrived);
        }
    }

    /// Starts the next append when none is in flight and there is something to commit.
    pub(crate) fn start_chunk(&mut self) {
        let lingers = self.log.since.is_some_and(|since| {
            self.log.gathered.len() == 1 && self.mono.millis_since(since) < self.config.limits.linger_ms
        });
        if self.log.in_flight.is_some() || !self.log.has_next() || lingers || !self.may_append() {
            return;
        }
        let Some(Chunk { stamp, writer, rest: contents, .. }) = self.log.next_chunk() else { return };
        let Some(at) = self.log.position.next() else { return };
        let (chunk, bytes) = (self.names.chunk(), writer.finish());
        self.statistics.chunks += 1;
        self.statistics.chunk_bytes += bytes.len() as u64;
        self.log.in_flight = Some(InFlight { stamp, at, chunk, bytes, contents, doubt: InDoubt::Asking });
        self.repeat_append();
    }

    pub(crate) fn appended(&mut self, outcome: Appended) {
        match outcome {
            Appended::Committed => self.committed(),
            // The engine says `Committed` when the end is the own chunk.
            Appended::Sealed(_) => self.stop(StopReason::Sealed),
            Appended::InDoubt(Doubt::NoSpace) => {
                self.is_full = true;
                self.doubt(InDoubt::Repeat(self.mono.plus_millis(DOUBT_RETRY_MS)));
            }
            Appended::InDoubt(Doubt::NoAnswer) => self.resolve(),
            Appended::InDoubt(Doubt::Poisoned(what)) => self.stop(StopReason::Poisoned(what)),
            Appended::InDoubt(Doubt::Misuse(what)) => self.stop(StopReason::Defect(what)),
        }
    }

    pub(crate) fn resolved(&mut self, outcome: Result<Resolved, StoreError>) {
        match outcome {
            Ok(Resolved::Committed) => self.committed(),
            Ok(Resolved::Sealed(_)) => self.stop(StopReason::Sealed),
            Ok(Resolved::Open) if is_planted(Bug::InDoubtPositionReused) => {
                self.log.in_flight = None;
            }
            // It may still land: nothing but the identical chunk may follow.
            Ok(Resolved::Open) => self.repeat_append(),
            Err(StoreError::Poisoned(what)) => self.stop(StopReason::Poisoned(what)),
            Err(_) => self.doubt(InDoubt::Resolve(self.mono.plus_millis(DOUBT_RETRY_MS))),
        }
    }

    /// Repeats an append that found no room.
    pub(crate) fn room_again(&mut self) {
        if self.log.in_flight.as_ref().is_some_and(|chunk| matches!(chunk.doubt, InDoubt::Repeat(_))) {
            self.repeat_append();
        }
    }

    /// Looks again at an append in doubt when its time has come.
    pub(crate) fn retry_doubt(&mut self) {
        match self.log.in_flight.as_ref().map(|chunk| chunk.doubt) {
            Some(InDoubt::Repeat(at)) if at <= self.mono => self.repeat_append(),
            Some(InDoubt::Resolve(at)) if at <= self.mono => self.resolve(),
            _ => {}
        }
    }

    pub(crate) fn chunk_deadline(&self) -> Option<Monotonic> {
        match self.log.in_flight.as_ref().map(|chunk| chunk.doubt) {
            Some(InDoubt::Repeat(at) | InDoubt::Resolve(at)) => Some(at),
            Some(InDoubt::Asking) => None,
            None => self.log.since.map(|since| since.plus_millis(self.config.limits.linger_ms)),
        }
    }

    fn doubt(&mut self, doubt: InDoubt) {
        if let Some(chunk) = self.log.in_flight.as_mut() {
            chunk.doubt = doubt;
        }
    }

    fn repeat_append(&mut self) {
        let log = self.log.id;
        let Some(chunk) = self.log.in_flight.as_mut() else { return };
        chunk.doubt = InDoubt::Asking;
        let work = Work::Append { log, at: chunk.at, chunk: chunk.chunk, bytes: chunk.bytes.clone() };
        self.call(work, Context::Append);
    }

    fn resolve(&mut self) {
        let log = self.log.id;
        let Some(chunk) = self.log.in_flight.as_mut() else { return };
        chunk.doubt = InDoubt::Asking;
        let work = Work::Resolve { log, at: chunk.at, chunk: chunk.chunk };
        self.call(work, Context::Resolve);
    }

    fn committed(&mut self) {
        let Some(mut chunk) = self.log.in_flight.take() else { return };
        self.is_full = false;
        self.log.position = chunk.at;
        self.log.committed = chunk.stamp;
        self.log.last_commit = self.mono;
        // On disk no chunk is smaller than a block.
        self.log.bytes += chunk.bytes.len().max(CHUNK_BYTES_MIN) as u64;
        for arrived in &chunk.contents.arrivals {
            self.statistics.storage_write.record_ms(self.mono.millis_since(*arrived));
        }
        for (vnode, event) in &chunk.contents.events {
            self.apply(*vnode, event);
        }
        for mark in &chunk.contents.marks {
            self.show(*mark, chunk.stamp);
        }
        for effect in chunk.contents.effects.drain(..) {
            self.release(effect);
        }
        self.log.last_bytes = chunk.bytes.len();
        self.log.recycle(chunk.contents);
        self.after_commit();
    }

    /// Puts an event's rows where reads and flushes find them: from here on it is committed state.
    fn apply(&mut self, vnode: VnodeId, event: &Event) {
        let (mono, flush_bytes) = (self.mono, self.config.limits.flush_bytes);
        let Some(hosted) = self.hosted_mut(vnode) else { return };
        let before = hosted.active.bytes();
        hosted.apply(event);
        hosted.oldest.get_or_insert(mono);
        let after = hosted.active.bytes();
        self.dirty_bytes = (self.dirty_bytes + after).saturating_sub(before);
        self.flush.is_wanted |= after >= flush_bytes;
    }

    fn show(&mut self, mark: Mark, stamp: Stamp) {
        match mark {
            Mark::Entry(slot, offset) => {
                let Some(user) = self.users.get_mut(slot) else { return };
                if let Some(inbox) = user.inbox.as_mut() {
                    inbox.committed = inbox.committed.max(offset);
                }
                let hosted = self.vnodes.get(usize::from(user.vnode.0)).and_then(Option::as_ref);
                let freezes = hosted.map_or(0, |hosted| hosted.freezes);
                if user.unflushed.0 != freezes {
                    user.unflushed = (freezes, offset);
                }
            }
            Mark::Message(slot, seq) => {
                let conversation = self.conversations.get_mut(slot);
                if let Some(conversation) = conversation.and_then(|slot| slot.conversation.as_mut()) {
                    conversation.commit(seq, stamp);
                }
            }
            Mark::Confirmed(source, destination, confirmed) => {
                let hosted = self.hosted_mut(source);
                if let Some(outgoing) = hosted.and_then(|hosted| hosted.outgoing.get_mut(&destination)) {
                    outgoing.settled = outgoing.settled.max(confirmed);
                }
            }
        }
    }
}
