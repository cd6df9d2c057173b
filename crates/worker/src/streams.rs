//! Streams between vnodes: routes, forwards, frames, watermarks, confirms.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use iris_types::planted::{Bug, is_planted};
use iris_types::{ConversationId, InboxItem, Monotonic, Position, UserId, VnodeId};
use iris_vnode::streams::{Arrival, Outgoing};
use iris_vnode::{Event, Forward, Recipient, Stamp};

use crate::chunk::Mark;
use crate::effects::Effect;
use crate::state::{Pending, Waiter, Who};
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
    /// Users that the next forward of a stream waits for.
    pinned: BTreeMap<(VnodeId, VnodeId), Vec<UserId>>,
}

/// How something gets from one vnode to another.
pub(crate) enum Route {
    /// In the same chunk: to the same vnode, or to another one of this worker, at that position of the stream. Nothing
    /// older is on its way.
    Now(Option<Position>),
    Queue,
}

/// What has to be loaded before a forward can be taken.
enum Missing {
    Nothing,
    State(u32),
    Conversation(u32),
    /// A recipient lives on another worker: nothing that a source would send.
    Home,
}

impl Worker {
    /// Whether the streams that the command in front of a conversation's queue may need have room.
    pub(crate) fn have_streams_room(&mut self, slot: u32) -> bool {
        let members = self.homes(slot);
        let Some(state) = self.conversations.get(slot) else { return false };
        let Some(hosted) = self.hosted(state.vnode) else { return false };
        let has_room = |destination: VnodeId| {
            let backlog = hosted.outgoing.get(&destination).map_or(0, |outgoing| outgoing.queue.len());
            backlog < self.config.limits.stream_backlog_max
        };
        match &state.who {
            Who::Direct { homes, .. } => homes.iter().copied().all(has_room),
            Who::Group { .. } => {
                let named = state.queue.front().map(Pending::concerned).unwrap_or_default();
                let mut members = members.iter().flat_map(|homes| homes.iter());
                members.all(|(home, _)| has_room(*home))
                    && named.into_iter().all(|user| has_room(self.config.vnodes.of_user(user)))
            }
        }
    }

    pub(crate) fn is_stream_full(&self, source: VnodeId, destination: VnodeId) -> bool {
        let outgoing = self.hosted(source).and_then(|hosted| hosted.outgoing.get(&destination));
        outgoing.is_some_and(|outgoing| outgoing.queue.len() >= self.config.limits.stream_backlog_max)
    }

    pub(crate) fn route(&self, source: VnodeId, destination: VnodeId, is_ready: bool) -> Route {
        let (Some(from), Some(to)) = (self.hosted(source), self.hosted(destination)) else {
            return Route::Queue;
        };
        let (none, nothing) = (Outgoing::default(), iris_vnode::streams::Incoming::default());
        let outgoing = from.outgoing.get(&destination).unwrap_or(&none);
        let incoming = to.incoming.get(&source).unwrap_or(&nothing);
        if !is_ready || !incoming.is_continuous(outgoing) {
            return Route::Queue;
        }
        match outgoing.last.next() {
            _ if source == destination => Route::Now(None),
            Some(position) => Route::Now(Some(position)),
            None => Route::Queue,
        }
    }

    /// The stream passes a position without a forward.
    pub(crate) fn take_shortcut(
        &mut self,
        source: VnodeId,
        destination: VnodeId,
        position: Option<Position>,
        stamp: Stamp,
    ) {
        let Some(position) = position else { return };
        let Some(hosted) = self.hosted_mut(source) else { return };
        let outgoing = hosted.outgoing.entry(destination).or_default();
        // Their confirm is no news any more when it comes.
        let confirms = !outgoing.queue.is_empty();
        outgoing.pass();
        let mark = confirms.then_some(Mark::Confirmed(source, destination, position));
        let event = Event::Stream { destination, last: position, confirmed: position };
        self.commit(source, event, mark);
        self.links.unsent.remove(&(source, destination));
        self.links.unconfirmed.remove(&(source, destination));
        self.statistics.shortcuts += 1;
        self.take_position(source, destination, position, stamp);
    }

    fn take_position(&mut self, source: VnodeId, destination: VnodeId, position: Position, stamp: Stamp) {
        if let Some(hosted) = self.hosted_mut(destination) {
            let incoming = hosted.incoming.entry(source).or_default();
            incoming.watermark = position;
            incoming.touched = stamp;
        }
    }

    pub(crate) fn queue_forward(
        &mut self,
        source: VnodeId,
        destination: VnodeId,
        forward: Bytes,
        stamp: Stamp,
    ) {
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
            match self.missing(&forward) {
                Missing::Nothing => self.take_forward(forward, source, destination, position),
                Missing::Conversation(slot) => {
                    let state = self.conversations.get_mut(slot);
                    if let Some(state) = state.filter(|state| !state.streams.contains(&(source, destination)))
                    {
                        state.streams.push((source, destination));
                    }
                    return;
                }
                Missing::State(slot) => {
                    self.pin_recipients(source, destination, &forward);
                    return self.wait(slot, Waiter::Stream { source, destination });
                }
                Missing::Home => return self.forget_incoming(source, destination),
            }
        }
    }

    /// Keeps everybody whom a forward is for from being dropped until all of them are loaded.
    fn pin_recipients(&mut self, source: VnodeId, destination: VnodeId, forward: &Forward) {
        if self.links.pinned.contains_key(&(source, destination)) {
            return;
        }
        let users: Vec<UserId> = forward.users().cloned().collect();
        for user in &users {
            if let Some(user) = self.user_slot_mut(user) {
                user.pins += 1;
            }
        }
        self.links.pinned.insert((source, destination), users);
    }

    fn unpin_recipients(&mut self, source: VnodeId, destination: VnodeId) {
        for user in self.links.pinned.remove(&(source, destination)).unwrap_or_default() {
            if let Some(user) = self.user_slot_mut(&user) {
                user.pins = user.pins.saturating_sub(1);
            }
        }
    }

    /// Begins to load everything that a forward needs, and says what to wait for: what comes last.
    fn missing(&mut self, forward: &Forward) -> Missing {
        let mut missing = Missing::Nothing;
        for user in forward.users() {
            let Some(slot) = self.ensure_user(user) else { return Missing::Home };
            if !self.is_user_loaded(slot) {
                missing = Missing::State(slot);
            }
        }
        let own = match forward {
            Forward::Entry { to, item: InboxItem::Message(message) } if message.from == *to => {
                Some((&message.from, message.conversation))
            }
            Forward::Group { message, recipients } => {
                let is_own = |one: &Recipient| one.user == message.from && !one.begins;
                recipients.iter().any(is_own).then_some((&message.from, message.conversation))
            }
            Forward::Block { user, other, .. } => Some((user, ConversationId::direct(user, other))),
            Forward::Mark { user, target, .. } => {
                return match self.conversation_of(user, target) {
                    None => Missing::Home,
                    Some(slot) if self.is_conversation_loaded(slot) => Missing::Nothing,
                    Some(slot) => Missing::Conversation(slot),
                };
            }
            Forward::Entry { .. } => None,
        };
        if let Some((user, conversation)) = own
            && let Some(slot) = self.user_index.get(user).copied()
            && self.is_user_loaded(slot)
            && !self.ensure_line(slot, conversation)
        {
            missing = Missing::State(slot);
        }
        missing
    }

    fn take_forward(&mut self, forward: Forward, source: VnodeId, destination: VnodeId, position: Position) {
        let stamp = self.log.stamp(&self.config.limits);
        self.unpin_recipients(source, destination);
        if let Some(incoming) =
            self.hosted_mut(destination).and_then(|hosted| hosted.incoming.get_mut(&source))
        {
            incoming.queue.pop_front();
        }
        self.take_position(source, destination, position, stamp);
        let from = Some((source, position));
        let placed = match forward {
            Forward::Entry { to, item } => {
                let slot = self.user_index.get(&to).copied();
                let placed = slot.and_then(|slot| self.append_entry(destination, slot, item, from, stamp));
                placed.into_iter().collect()
            }
            Forward::Group { message, recipients } => {
                self.append_group_entries(destination, message, recipients, from, stamp)
            }
            Forward::Mark { user, target, marks } => {
                self.commit(destination, Event::Taken { source, position }, None);
                if let Some(slot) = self.conversation_of(&user, &target) {
                    self.take_mark(slot, &user, marks, stamp);
                }
                Vec::new()
            }
            Forward::Block { user, other, on } => {
                self.commit(destination, Event::Taken { source, position }, None);
                if let Some(slot) = self.user_index.get(&user).copied() {
                    self.take_block(slot, &other, on, stamp);
                }
                Vec::new()
            }
        };
        for placed in placed {
            self.push_entry(placed, None, stamp);
        }
        self.confirm_watermark(source, destination);
    }

    fn forget_incoming(&mut self, source: VnodeId, destination: VnodeId) {
        self.unpin_recipients(source, destination);
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
