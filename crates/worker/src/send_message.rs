//! A send: everything it needs is loaded, it is decided, its events are gathered.

use std::collections::VecDeque;

use bytes::Bytes;
use iris_tables::{Table, TableError};
use iris_types::planted::{Bug, is_planted};
use iris_types::request::{Answer, SendMessage, Sent};
use iris_types::{ConversationId, ErrorCode, InboxMessage, Refusal, Timestamp, UserId};
use iris_vnode::events::MessageEvent;
use iris_vnode::rows::First;
use iris_vnode::send_message::{Decision, Lookups, decide, needs_previous};
use iris_vnode::{Event, Side, Stamp, rows};

use crate::call::ReadWhat;
use crate::chunk::Mark;
use crate::hosted::Found;
use crate::loading::{Target, refusal_of};
use crate::state::{Caller, ConversationCommand, Lookup, Pending, Waiter};
use crate::worker::Worker;

/// Milliseconds after which a refused sender should try again.
const BUSY_RETRY_MS: u32 = iris_types::limits::BUSY_RETRY_AFTER_MS;
const STORAGE_FULL_RETRY_MS: u32 = iris_types::limits::STORAGE_FULL_RETRY_AFTER_MS;

/// Whether a send can be decided.
enum Readiness {
    Ready(Lookups),
    Waiting,
    Refused(Refusal),
}

/// What is known of one id.
enum Looked {
    Known(Option<First>),
    Waiting,
    Failed(ErrorCode),
}

/// The two names in their order.
pub(crate) fn ordered(one: &UserId, other: &UserId) -> (UserId, UserId) {
    if one <= other { (one.clone(), other.clone()) } else { (other.clone(), one.clone()) }
}

impl Worker {
    pub(crate) fn send_message(&mut self, caller: Caller, send: SendMessage) {
        if let Some(refusal) = self.sheds() {
            return self.refuse(&caller, refusal, Stamp::default());
        }
        let (lower, higher) = ordered(&caller.user, &send.to);
        let side = if caller.user == lower { Side::Lower } else { Side::Higher };
        let Some(slot) = self.ensure_conversation(&lower, &higher) else {
            return self.refuse(&caller, ErrorCode::Unavailable, Stamp::default());
        };
        let command = ConversationCommand::Send { send, first: Lookup::Unasked, previous: Lookup::Unasked };
        self.enqueue(slot, caller, side, command);
        self.pump_conversation(slot);
    }

    /// The one place that sheds sends: storage first, then memory and what waits.
    fn sheds(&self) -> Option<Refusal> {
        if self.safe_mode || self.is_full {
            return Some(Refusal::after(ErrorCode::StorageFull, STORAGE_FULL_RETRY_MS));
        }
        let is_busy = self.is_pressed() || !self.has_room_to_wait();
        is_busy.then_some(Refusal::after(ErrorCode::Busy, BUSY_RETRY_MS))
    }

    /// Whether so much waits for the log or for a flush that sends are refused with `busy`, unless the driver keeps
    /// them back until this is over.
    #[must_use]
    pub fn is_pressed(&self) -> bool {
        let limits = &self.config.limits;
        let is_full = self.dirty_bytes >= limits.dirty_bytes_max || self.log.is_full(limits);
        is_full && !self.safe_mode && !self.is_full
    }

    pub(crate) fn enqueue(&mut self, slot: u32, caller: Caller, side: Side, command: ConversationCommand) {
        let Some(state) = self.conversations.get_mut(slot) else { return };
        // Unique over conversations, for the answer to a look-up may find its conversation dropped and loaded anew.
        let number = self.loading.next_pending;
        self.loading.next_pending += 1;
        if state.queue.is_empty() {
            state.queue = VecDeque::with_capacity(1);
        }
        state.queue.push_back(Pending { number, caller, side, command, pinned: None });
        let (place, is_loading) = (state.queue.len() - 1, state.conversation.is_none());
        self.loading.waiting += 1;
        // So that all that is missing is loaded side by side.
        if is_loading {
            self.load_members(slot);
        }
        if is_loading || place > 0 {
            self.look_up(slot, place, false);
        }
    }

    /// Decides the conversation's commands in order, as far as what they need is loaded.
    pub(crate) fn pump_conversation(&mut self, slot: u32) {
        while let Some(state) = self.conversations.get(slot)
            && state.conversation.is_some()
            && let Some(front) = state.queue.front()
        {
            let readiness = match &front.command {
                ConversationCommand::ReadHistory(_) if self.is_ended(front.caller.session) => {
                    Readiness::Refused(Refusal::new(ErrorCode::DeviceRevoked))
                }
                ConversationCommand::ReadHistory(_) => Readiness::Ready(Lookups::default()),
                ConversationCommand::Send { .. } => self.prepare_send(slot),
            };
            if matches!(readiness, Readiness::Waiting) {
                return self.pin_front(slot);
            }
            let Some(pending) = self.take_front(slot) else { return };
            match (readiness, pending.command) {
                (Readiness::Ready(lookups), ConversationCommand::Send { send, .. }) => {
                    self.decide_send(slot, &pending.caller, pending.side, &send, lookups);
                }
                (Readiness::Ready(_), ConversationCommand::ReadHistory(read)) => {
                    self.run_history(slot, pending.caller, &read);
                }
                (Readiness::Refused(refusal), _) => self.refuse(&pending.caller, refusal, Stamp::default()),
                (Readiness::Waiting, _) => return,
            }
        }
    }

    /// Refuses everything that waits for a conversation.
    pub(crate) fn refuse_queue(&mut self, slot: u32, code: ErrorCode) {
        while let Some(pending) = self.take_front(slot) {
            self.refuse(&pending.caller, code, Stamp::default());
        }
    }

    fn take_front(&mut self, slot: u32) -> Option<Pending> {
        let queue = &mut self.conversations.get_mut(slot)?.queue;
        let pending = queue.pop_front()?;
        if queue.is_empty() {
            // Its room is several times the rest of a conversation, and most of those in memory are idle.
            *queue = VecDeque::new();
        }
        self.loading.waiting = self.loading.waiting.saturating_sub(1);
        for user in pending.pinned.into_iter().flatten().flatten() {
            if let Some(user) = self.users.get_mut(user) {
                user.pins = user.pins.saturating_sub(1);
            }
        }
        Some(pending)
    }

    /// Keeps the two users from being dropped while the front waits for something else.
    fn pin_front(&mut self, slot: u32) {
        let Some(state) = self.conversations.get(slot) else { return };
        if state.queue.front().is_none_or(|front| front.pinned.is_some()) {
            return;
        }
        let slots = state.names().map(|user| self.user_index.get(user).copied());
        for user in slots.into_iter().flatten() {
            if let Some(user) = self.users.get_mut(user) {
                user.pins += 1;
            }
        }
        if let Some(front) = self.conversations.get_mut(slot).and_then(|state| state.queue.front_mut()) {
            front.pinned = Some(slots);
        }
    }

    fn prepare_send(&mut self, slot: u32) -> Readiness {
        if !self.load_members(slot) {
            return Readiness::Waiting;
        }
        if !self.have_streams_room(slot) {
            return Readiness::Refused(Refusal::after(ErrorCode::Busy, BUSY_RETRY_MS));
        }
        let first = self.look_up(slot, 0, false);
        let previous = self.look_up(slot, 0, true);
        match (first, previous) {
            (Looked::Failed(code), _) | (_, Looked::Failed(code)) => Readiness::Refused(Refusal::new(code)),
            (Looked::Waiting, _) | (_, Looked::Waiting) => Readiness::Waiting,
            (Looked::Known(first), Looked::Known(previous)) => {
                let (forgotten, is_ended) = (self.forgotten(slot), self.is_front_ended(slot));
                Readiness::Ready(Lookups { first, previous: previous.is_some(), forgotten, is_ended })
            }
        }
    }

    fn is_front_ended(&self, slot: u32) -> bool {
        let front = self.conversations.get(slot).and_then(|state| state.queue.front());
        front.is_some_and(|front| self.is_ended(front.caller.session))
    }

    fn forgotten(&self, slot: u32) -> Timestamp {
        let hosted = self.conversations.get(slot).and_then(|state| self.hosted(state.vnode));
        hosted.map_or(Timestamp::default(), |hosted| hosted.forgotten)
    }

    /// Whether the members' state is loaded as far as the decision has to wait for it.
    fn load_members(&mut self, slot: u32) -> bool {
        let Some(state) = self.conversations.get(slot) else { return false };
        let (id, vnode) = (state.id, state.vnode);
        let members = [(state.lower.clone(), state.homes[0]), (state.higher.clone(), state.homes[1])];
        let mut all = true;
        for (member, home) in &members {
            let is_near = *home == vnode;
            if !is_near && !self.config.limits.waits_for_recipient {
                continue;
            }
            // On another worker: its message goes through the stream.
            let Some(user) = self.ensure_user(member).and_then(|user| self.users.get_mut(user)) else {
                continue;
            };
            if user.inbox.is_none() {
                all = false;
                let waits = |waiter: &Waiter| matches!(waiter, Waiter::Conversation(other) if *other == id);
                if !user.waiters.iter().any(waits) {
                    user.waiters.push(Waiter::Conversation(id));
                }
            }
        }
        all
    }

    /// Looks up one id of a queued send: the send's own, or its predecessor's.
    fn look_up(&mut self, slot: u32, place: usize, is_previous: bool) -> Looked {
        let Some(state) = self.conversations.get(slot) else { return Looked::Waiting };
        let Some(pending) = state.queue.get(place) else { return Looked::Waiting };
        let ConversationCommand::Send { send, first, previous } = &pending.command else {
            return Looked::Known(None);
        };
        let (id, lookup) = if is_previous { (send.previous, *previous) } else { (Some(send.id), *first) };
        let Some(id) = id else { return Looked::Known(None) };
        if let Some(conversation) = &state.conversation {
            let is_known = if is_previous {
                !needs_previous(conversation, pending.side, id)
            } else {
                conversation.recent_of(id, pending.side).is_some()
            };
            if is_known {
                return Looked::Known(None);
            }
        }
        let key = rows::dedup_key(id, state.id, pending.side);
        let (vnode, conversation, number) = (state.vnode, state.id, pending.number);
        let Some(hosted) = self.hosted(vnode) else { return Looked::Waiting };
        let generation = hosted.generation;
        let found = hosted.find(Table::Dedup, &key);
        match (found, lookup) {
            (Found::Known(value), _) => known(value),
            (Found::Unknown, Lookup::Failed(code)) => Looked::Failed(code),
            (Found::Unknown, Lookup::Answered { first, generation: then }) if then == generation => {
                Looked::Known(first)
            }
            (Found::Unknown, Lookup::Asked) => Looked::Waiting,
            (Found::Unknown, Lookup::Unasked | Lookup::Answered { .. }) => {
                self.set_lookup(slot, number, is_previous, Lookup::Asked);
                let what = ReadWhat::Keys(vec![(Table::Dedup, key)]);
                let target = Target::Dedup { conversation, pending: number, is_previous, generation };
                self.push_read(vnode, what, target);
                Looked::Waiting
            }
        }
    }

    pub(crate) fn dedup_read(
        &mut self,
        (conversation, pending, is_previous): (ConversationId, u64, bool),
        generation: u64,
        result: Result<Option<Bytes>, TableError>,
    ) {
        let Some(slot) = self.conversation_index.get(&conversation).copied() else { return };
        let lookup = match result.map(known) {
            Ok(Looked::Known(first)) => Lookup::Answered { first, generation },
            Ok(Looked::Failed(code)) => Lookup::Failed(code),
            Ok(Looked::Waiting) => Lookup::Unasked,
            Err(error) => Lookup::Failed(refusal_of(&error)),
        };
        self.set_lookup(slot, pending, is_previous, lookup);
        self.pump_conversation(slot);
    }

    fn set_lookup(&mut self, slot: u32, number: u64, is_previous: bool, lookup: Lookup) {
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let pending = state.queue.iter_mut().find(|pending| pending.number == number);
        if let Some(ConversationCommand::Send { first, previous, .. }) = pending.map(|one| &mut one.command) {
            *(if is_previous { previous } else { first }) = lookup;
        }
    }

    fn decide_send(&mut self, slot: u32, caller: &Caller, side: Side, send: &SendMessage, lookups: Lookups) {
        let stamp = self.log.stamp(&self.config.limits);
        let now = self.now;
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let Some(conversation) = state.conversation.as_mut() else { return };
        match decide(conversation, side, send, lookups, now, stamp) {
            Decision::New { event, sent } => self.commit_send(slot, caller, event, sent, stamp),
            Decision::Duplicate { sent, after } => {
                self.statistics.duplicates += 1;
                self.answer(caller, Answer::Sent(sent), after);
            }
            Decision::Refused { code, after } => self.refuse(caller, code, after),
        }
    }

    fn commit_send(&mut self, slot: u32, caller: &Caller, event: MessageEvent, sent: Sent, stamp: Stamp) {
        let Some((vnode, [low, high])) = self.conversations.get(slot).map(|state| (state.vnode, state.homes))
        else {
            return;
        };
        self.statistics.sends += 1;
        self.note_arrival(caller.arrived);
        let (lower, higher) = (event.lower.clone(), event.higher.clone());
        let (sender, recipient) = if caller.user == lower {
            ((lower, low), (higher, high))
        } else {
            ((higher, high), (lower, low))
        };
        let ((sender, sender_home), (recipient, recipient_home)) = (sender, recipient);
        let message = InboxMessage {
            conversation: event.conversation,
            seq: event.seq,
            id: event.id,
            from: sender.clone(),
            with: recipient.clone(),
            origin: Some(caller.device.clone()),
            sent_at: event.sent_at,
            body: event.body.clone(),
        };
        let received = InboxMessage { with: sender.clone(), origin: None, ..message.clone() };
        self.commit(vnode, Event::Message(event), Some(Mark::Message(slot, sent.seq)));
        let own = self.place(vnode, (&sender, sender_home), message, stamp);
        let other = if sender == recipient {
            None
        } else {
            self.place(vnode, (&recipient, recipient_home), received, stamp)
        };
        let offset = own.as_ref().map(|placed| placed.entry.offset);
        let after = if is_planted(Bug::AckBeforeCommit) { Stamp::default() } else { stamp };
        self.answer(caller, Answer::Sent(Sent { offset, ..sent }), after);
        let own = own.map(|placed| (placed, Some(caller.session)));
        for (placed, except) in own.into_iter().chain(other.map(|placed| (placed, None))) {
            self.push_entry(placed, except, stamp);
        }
    }
}

fn known(value: Option<Bytes>) -> Looked {
    match value.map(rows::read_dedup).transpose() {
        Ok(first) => Looked::Known(first),
        Err(_) => Looked::Failed(ErrorCode::DataCorrupt),
    }
}
