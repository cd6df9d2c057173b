//! Streams between vnodes: entries placed at once or forwarded, frames, watermarks, confirms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use iris_types::planted::{Bug, is_planted};
use iris_types::request::SessionId;
use iris_types::{InboxEntry, InboxMessage, Monotonic, Position, UserId, VnodeId};
use iris_vnode::streams::{Arrival, Outgoing};
use iris_vnode::{Event, Forward, Stamp, deliver};

use crate::chunk::Mark;
use crate::effects::Effect;
use crate::state::Waiter;
use crate::worker::Worker;
use crate::{Confirm, Frame, Output};

/// Forwards in one frame.
const FRAME_FORWARDS_MAX: usize = iris_types::limits::STREAM_FRAME_FORWARDS_MAX;
/// Milliseconds after which forwards that were sent and not confirmed are sent again.
const RESEND_MS: u64 = iris_types::limits::STREAM_RESEND_MS;
/// Forwards that wait at a destination for a recipient's state; the source sends again what does not fit.
const INCOMING_MAX: usize = iris_types::limits::STREAM_INCOMING_MAX;

/// Streams with something to do. Source first.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Have committed forwards that were not sent.
    unsent: BTreeSet<(VnodeId, VnodeId)>,
    /// Have forwards that were sent and not confirmed, and since when nothing moved.
    unconfirmed: BTreeMap<(VnodeId, VnodeId), Monotonic>,
    /// Confirms of this turn.
    confirms: BTreeMap<(VnodeId, VnodeId), Position>,
}

/// An entry that got its offset.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) slot: u32,
    pub(crate) entry: Arc<InboxEntry>,
}

/// How a message gets from its conversation into an inbox.
enum Route {
    /// The same vnode: always in the same chunk.
    Near(u32),
    /// Another vnode of this worker, with nothing older on its way: in the same chunk, too.
    Shortcut(u32),
    Queue,
}

impl Worker {
    /// Brings a message of `source` to the inbox of a member and the vnode it lives in; `None` when it goes through the stream.
    pub(crate) fn place(
        &mut self,
        source: VnodeId,
        (user, destination): (&UserId, VnodeId),
        message: InboxMessage,
        stamp: Stamp,
    ) -> Option<Placed> {
        match self.route(source, destination, user) {
            Route::Near(slot) => self.append_entry(destination, slot, message, None, stamp),
            Route::Shortcut(slot) => {
                let outgoing = self.hosted_mut(source)?.outgoing.entry(destination).or_default();
                // Their confirm is no news any more when it comes.
                let confirms = !outgoing.queue.is_empty();
                let position = outgoing.pass()?;
                let mark = confirms.then_some(Mark::Confirmed(source, destination, position));
                let event = Event::Stream { destination, last: position, confirmed: position };
                self.commit(source, event, mark);
                self.links.unsent.remove(&(source, destination));
                self.links.unconfirmed.remove(&(source, destination));
                self.statistics.shortcuts += 1;
                self.take_position(source, destination, position, stamp);
                self.append_entry(destination, slot, message, Some((source, position)), stamp)
            }
            Route::Queue => {
                let forward = Forward { to: user.clone(), message }.encode();
                self.queue_forward(source, destination, forward, stamp);
                None
            }
        }
    }

    /// Tells the user's live sessions of an entry once it is committed.
    pub(crate) fn push_entry(&mut self, placed: Placed, except: Option<SessionId>, stamp: Stamp) {
        let Placed { slot, entry } = placed;
        let stamp = if is_planted(Bug::PushBeforeCommit) { Stamp::default() } else { stamp };
        self.after(stamp, Effect::Deliver { slot, entry, except });
    }

    /// Whether the streams that a send of this conversation may need have room.
    pub(crate) fn have_streams_room(&self, slot: u32) -> bool {
        let Some(state) = self.conversations.get(slot) else { return false };
        let Some(hosted) = self.hosted(state.vnode) else { return false };
        state.homes.iter().all(|destination| {
            let backlog = hosted.outgoing.get(destination).map_or(0, |outgoing| outgoing.queue.len());
            backlog < self.config.limits.stream_backlog_max
        })
    }

    fn route(&self, source: VnodeId, destination: VnodeId, user: &UserId) -> Route {
        let slot = self.user_index.get(user).copied().filter(|slot| self.is_user_loaded(*slot));
        let (Some(from), Some(to)) = (self.hosted(source), self.hosted(destination)) else {
            return Route::Queue;
        };
        match slot {
            Some(slot) if source == destination => Route::Near(slot),
            Some(slot) => {
                let (none, nothing) = (Outgoing::default(), iris_vnode::streams::Incoming::default());
                let outgoing = from.outgoing.get(&destination).unwrap_or(&none);
                let incoming = to.incoming.get(&source).unwrap_or(&nothing);
                if incoming.is_continuous(outgoing) { Route::Shortcut(slot) } else { Route::Queue }
            }
            None => Route::Queue,
        }
    }

    fn append_entry(
        &mut self,
        vnode: VnodeId,
        slot: u32,
        message: InboxMessage,
        from: Option<(VnodeId, Position)>,
        stamp: Stamp,
    ) -> Option<Placed> {
        let user = self.users.get_mut(slot)?;
        let name = user.user.clone();
        let (event, entry) = deliver::decide(user.inbox.as_mut()?, &name, message, from, stamp)?;
        self.statistics.inbox_entries += 1;
        self.commit(vnode, Event::Entry(event), Some(Mark::Entry(slot, entry.offset)));
        Some(Placed { slot, entry })
    }

    fn take_position(&mut self, source: VnodeId, destination: VnodeId, position: Position, stamp: Stamp) {
        if let Some(hosted) = self.hosted_mut(destination) {
            let incoming = hosted.incoming.entry(source).or_default();
            incoming.watermark = position;
            incoming.touched = stamp;
        }
    }

    fn queue_forward(&mut self, source: VnodeId, destination: VnodeId, forward: Bytes, stamp: Stamp) {
        let Some(hosted) = self.hosted_mut(source) else { return };
        let outgoing = hosted.outgoing.entry(destination).or_default();
        let Some(position) = outgoing.push(forward.clone()) else { return };
        let confirmed = outgoing.confirmed;
        self.statistics.forwards += 1;
        self.commit(source, Event::Forward { destination, position, confirmed, forward }, None);
        self.after(stamp, Effect::Forwarded { source, destination, position });
    }

    pub(crate) fn forward_committed(&mut self, source: VnodeId, destination: VnodeId, position: Position) {
        let Some(hosted) = self.hosted_mut(source) else { return };
        let Some(outgoing) = hosted.outgoing.get_mut(&destination) else { return };
        outgoing.committed = outgoing.committed.max(position);
        self.links.unsent.insert((source, destination));
    }

    /// Notes streams that a start found unconfirmed forwards in.
    pub(crate) fn resume_stream(&mut self, source: VnodeId, destination: VnodeId) {
        self.links.unsent.insert((source, destination));
    }

    /// Sends what is committed, and again what was not confirmed in time.
    pub(crate) fn send_frames(&mut self) {
        if !self.is_serving() {
            return;
        }
        self.resend();
        // What is sent to the own worker may bring forth more; that is sent in the next turn.
        for (source, destination) in std::mem::take(&mut self.links.unsent) {
            while let Some(frame) = self.next_frame(source, destination) {
                self.send_frame(frame);
            }
        }
        self.send_confirms();
    }

    fn next_frame(&mut self, source: VnodeId, destination: VnodeId) -> Option<Frame> {
        let mono = self.mono;
        let outgoing = self.hosted_mut(source)?.outgoing.get_mut(&destination)?;
        let (first, forwards) = outgoing.unsent(FRAME_FORWARDS_MAX);
        if forwards.is_empty() {
            return None;
        }
        outgoing.sent = Position(outgoing.sent.0 + forwards.len() as u64);
        // What is sent later does not put off sending again what was lost.
        self.links.unconfirmed.entry((source, destination)).or_insert(mono);
        Some(Frame { source, destination, first, forwards })
    }

    fn send_frame(&mut self, frame: Frame) {
        let to = self.config.placement.worker_of(frame.destination);
        if to == self.config.index { self.frame(frame) } else { self.say(Output::Frame { to, frame }) }
    }

    fn resend(&mut self) {
        let mono = self.mono;
        let late = |(_, since): &(&(VnodeId, VnodeId), &Monotonic)| mono.millis_since(**since) >= RESEND_MS;
        let late: Vec<(VnodeId, VnodeId)> =
            self.links.unconfirmed.iter().filter(late).map(|(stream, _)| *stream).collect();
        for (source, destination) in late {
            self.links.unconfirmed.remove(&(source, destination));
            if let Some(hosted) = self.hosted_mut(source)
                && let Some(outgoing) = hosted.outgoing.get_mut(&destination)
            {
                outgoing.sent = outgoing.confirmed;
                self.links.unsent.insert((source, destination));
            }
        }
    }

    pub(crate) fn link_deadline(&self) -> Option<Monotonic> {
        if !self.links.unsent.is_empty() || !self.links.confirms.is_empty() {
            return Some(self.mono);
        }
        self.links.unconfirmed.values().min().map(|since| since.plus_millis(RESEND_MS))
    }

    /// Takes a frame at its destination.
    pub(crate) fn frame(&mut self, frame: Frame) {
        let (source, destination) = (frame.source, frame.destination);
        // A vnode that does not know its watermarks cannot tell what is new.
        if !self.is_serving() || self.hosted(destination).is_none_or(|hosted| hosted.is_damaged) {
            return;
        }
        let mut duplicate = false;
        let mut position = frame.first;
        for forward in frame.forwards {
            let Some(hosted) = self.hosted_mut(destination) else { return };
            let incoming = hosted.incoming.entry(source).or_default();
            match incoming.arrival(position) {
                Arrival::Take if incoming.queue.len() < INCOMING_MAX => {
                    incoming.queue.push_back((position, forward));
                }
                Arrival::Take | Arrival::Gap => {}
                Arrival::Duplicate => duplicate = true,
            }
            position = Position(position.0 + 1);
        }
        if duplicate {
            self.confirm_watermark(source, destination);
        }
        self.pump_stream(source, destination);
    }

    /// Decides a stream's forwards in order, as far as their recipients are loaded.
    pub(crate) fn pump_stream(&mut self, source: VnodeId, destination: VnodeId) {
        loop {
            let Some(hosted) = self.hosted(destination) else { return };
            let Some(incoming) = hosted.incoming.get(&source) else { return };
            let Some((position, bytes)) = incoming.queue.front().cloned() else { return };
            let Ok(forward) = Forward::decode(bytes) else {
                let what = format!("forward {position} from vnode {} to {}", source.0, destination.0);
                return self.stop(crate::StopReason::Defect(format!("{what} is malformed")));
            };
            if self.log.is_full(&self.config.limits) {
                // Taken up again when the source sends again.
                return self.forget_incoming(source, destination);
            }
            let Some(slot) = self.ensure_user(&forward.to) else {
                return self.forget_incoming(source, destination);
            };
            if !self.is_user_loaded(slot) {
                return self.wait_for(slot, source, destination);
            }
            self.take_forward(slot, forward, source, destination, position);
        }
    }

    fn take_forward(
        &mut self,
        slot: u32,
        forward: Forward,
        source: VnodeId,
        destination: VnodeId,
        position: Position,
    ) {
        let stamp = self.log.stamp(&self.config.limits);
        if let Some(incoming) =
            self.hosted_mut(destination).and_then(|hosted| hosted.incoming.get_mut(&source))
        {
            incoming.queue.pop_front();
        }
        self.take_position(source, destination, position, stamp);
        if let Some(placed) =
            self.append_entry(destination, slot, forward.message, Some((source, position)), stamp)
        {
            self.push_entry(placed, None, stamp);
        }
        self.confirm_watermark(source, destination);
    }

    fn wait_for(&mut self, slot: u32, source: VnodeId, destination: VnodeId) {
        let Some(user) = self.users.get_mut(slot) else { return };
        let waits = |waiter: &Waiter| {
            matches!(waiter, Waiter::Stream { source: from, destination: to }
                if (*from, *to) == (source, destination))
        };
        if !user.waiters.iter().any(waits) {
            user.waiters.push(Waiter::Stream { source, destination });
        }
    }

    fn forget_incoming(&mut self, source: VnodeId, destination: VnodeId) {
        let hosted = self.hosted_mut(destination);
        if let Some(incoming) = hosted.and_then(|hosted| hosted.incoming.get_mut(&source)) {
            incoming.queue.clear();
        }
    }

    /// Confirms what the destination has taken, once that is committed.
    fn confirm_watermark(&mut self, source: VnodeId, destination: VnodeId) {
        let hosted = self.hosted(destination);
        let Some(incoming) = hosted.and_then(|hosted| hosted.incoming.get(&source)) else { return };
        let confirm = Confirm { source, destination, up_to: incoming.watermark };
        let stamp = incoming.touched;
        let stamp = if is_planted(Bug::ConfirmBeforeCommit) { Stamp::default() } else { stamp };
        self.after(stamp, Effect::Confirm(confirm));
    }

    pub(crate) fn confirm(&mut self, confirm: Confirm) {
        let up_to = self.links.confirms.entry((confirm.source, confirm.destination)).or_default();
        *up_to = confirm.up_to.max(*up_to);
    }

    fn send_confirms(&mut self) {
        for ((source, destination), up_to) in std::mem::take(&mut self.links.confirms) {
            let (to, confirm) =
                (self.config.placement.worker_of(source), Confirm { source, destination, up_to });
            if to == self.config.index {
                self.confirmed(confirm);
            } else {
                self.say(Output::Confirm { to, confirm });
            }
        }
    }

    /// The source forgets what a committed watermark confirms.
    pub(crate) fn confirmed(&mut self, confirm: Confirm) {
        let Confirm { source, destination, up_to } = confirm;
        if !self.is_serving() {
            return;
        }
        // A new decision: it may need a new chunk.
        let _ = self.log.stamp(&self.config.limits);
        let mono = self.mono;
        let Some(hosted) = self.hosted_mut(source) else { return };
        let Some(outgoing) = hosted.outgoing.get_mut(&destination) else { return };
        if !outgoing.confirm(up_to) {
            return;
        }
        let (last, confirmed) = (outgoing.last, outgoing.confirmed);
        if outgoing.sent > confirmed {
            self.links.unconfirmed.insert((source, destination), mono);
        } else {
            self.links.unconfirmed.remove(&(source, destination));
        }
        let mark = Mark::Confirmed(source, destination, confirmed);
        self.commit(source, Event::Stream { destination, last, confirmed }, Some(mark));
    }
}
