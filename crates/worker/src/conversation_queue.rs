//! Commands of a conversation: in the order of their arrival, each once everything that it needs is loaded.

use std::collections::VecDeque;

use bytes::Bytes;
use iris_tables::{Table, TableError};
use iris_types::{ErrorCode, Refusal, Target, Timestamp, UserId, VnodeId};
use iris_vnode::rows::First;
use iris_vnode::send_message::{Lookups, needs_previous};
use iris_vnode::{Author, Side, Stamp, rows};

use crate::call::ReadWhat;
use crate::hosted::Found;
use crate::loading::{Target as LoadTarget, refusal_of};
use crate::permits::Permit;
use crate::send_message::BUSY_RETRY_MS;
use crate::state::{Caller, ConversationCommand, Lookup, Named, Pending, Waiter, Who};
use crate::worker::Worker;

/// Whether a command can be decided.
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
pub(crate) fn ordered(one: &UserId, other: &UserId) -> [UserId; 2] {
    if one <= other { [one.clone(), other.clone()] } else { [other.clone(), one.clone()] }
}

impl Worker {
    /// Runs a command now, or when what it needs is loaded.
    pub(crate) fn conversation_command(
        &mut self,
        caller: Caller,
        target: &Target,
        command: ConversationCommand,
    ) {
        // What finds no room to wait begins no load.
        if !self.has_room_to_wait() {
            return self.refuse(&caller, Refusal::after(ErrorCode::Busy, BUSY_RETRY_MS), Stamp::default());
        }
        let (slot, author) = match target {
            Target::User(other) => {
                let names = ordered(&caller.user, other);
                let side = if names[0] == caller.user { Side::Lower } else { Side::Higher };
                (self.ensure_direct(names), Author::Side(side))
            }
            Target::Group(group) => (self.ensure_group(*group), Author::Member(caller.user.clone())),
        };
        let Some(slot) = slot else {
            return self.refuse(&caller, ErrorCode::Unavailable, Stamp::default());
        };
        self.enqueue(slot, caller, author, command);
        self.pump_conversation(slot);
    }

    fn enqueue(&mut self, slot: u32, caller: Caller, author: Author, command: ConversationCommand) {
        let Some(state) = self.conversations.get_mut(slot) else { return };
        // Unique over conversations, for the answer to a look-up may find its conversation dropped and loaded anew.
        let number = self.loading.next_pending;
        self.loading.next_pending += 1;
        if state.queue.is_empty() {
            state.queue = VecDeque::with_capacity(1);
        }
        let (first, previous) = (Lookup::Unasked, Lookup::Unasked);
        state.queue.push_back(Pending { number, caller, author, command, first, previous, pinned: None });
        let (place, is_loading) = (state.queue.len() - 1, state.conversation.is_none());
        self.loading.waiting += 1;
        // So that all that is missing is loaded side by side.
        if is_loading {
            self.load_members(slot, place);
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
            let is_ended = self.is_ended(front.caller.session);
            let readiness = match &front.command {
                ConversationCommand::Block(_) if !is_ended => self.prepare_change(slot),
                command if command.id().is_some() => self.prepare_change(slot),
                _ if is_ended => Readiness::Refused(Refusal::new(ErrorCode::DeviceRevoked)),
                _ => Readiness::Ready(Lookups::default()),
            };
            if matches!(readiness, Readiness::Waiting) {
                return self.pin_front(slot);
            }
            let Some(pending) = self.take_front(slot) else { return };
            match readiness {
                Readiness::Ready(lookups) => self.run_conversation_command(slot, pending, lookups),
                Readiness::Refused(refusal) => self.refuse(&pending.caller, refusal, Stamp::default()),
                Readiness::Waiting => return,
            }
        }
    }

    fn run_conversation_command(&mut self, slot: u32, pending: Pending, lookups: Lookups) {
        let Pending { caller, author, command, .. } = pending;
        match command {
            ConversationCommand::Send(send) => self.decide_send(slot, &caller, &author, &send, lookups),
            ConversationCommand::Create(create) => self.decide_creation(slot, &caller, &create, lookups),
            ConversationCommand::Change(change) => self.decide_change(slot, &caller, &change, lookups),
            ConversationCommand::ReadHistory(read) => self.run_history(slot, caller, &read),
            ConversationCommand::ReadGroup => self.run_read_group(slot, &caller),
            ConversationCommand::ReadRoster(read) => self.run_read_roster(slot, &caller, &read),
            ConversationCommand::ReadReceipts(read, shows_reads) => {
                self.run_read_receipts(slot, &caller, &read, shows_reads);
            }
            ConversationCommand::Block(block) => self.decide_block(slot, &caller, &block),
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
        for user in pending.pinned.iter().flatten().copied() {
            if let Some(user) = self.users.get_mut(user) {
                user.pins = user.pins.saturating_sub(1);
            }
        }
        Some(pending)
    }

    /// Keeps those whose state the front needs from being dropped while it waits for something else.
    fn pin_front(&mut self, slot: u32) {
        let Some(state) = self.conversations.get(slot) else { return };
        let Some(front) = state.queue.front().filter(|front| front.pinned.is_none()) else { return };
        let needed: Vec<&UserId> = match &state.who {
            Who::Direct { names, .. } => names.iter().collect(),
            Who::Group { .. } => vec![&front.caller.user],
        };
        let slots: Vec<u32> =
            needed.into_iter().filter_map(|user| self.user_index.get(user).copied()).collect();
        for user in &slots {
            if let Some(user) = self.users.get_mut(*user) {
                user.pins += 1;
            }
        }
        if let Some(front) = self.conversations.get_mut(slot).and_then(|state| state.queue.front_mut()) {
            front.pinned = Some(slots);
        }
    }

    fn prepare_change(&mut self, slot: u32) -> Readiness {
        if !self.load_members(slot, 0) {
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
            (Looked::Known(None), Looked::Known(_)) if let Some(held) = self.held(slot) => held,
            (Looked::Known(first), Looked::Known(previous)) => {
                let (forgotten, is_ended) = (self.forgotten(slot), self.is_front_ended(slot));
                Readiness::Ready(Lookups { first, previous: previous.is_some(), forgotten, is_ended })
            }
        }
    }

    /// A new message has to wait, or is refused, because its author sends more than that.
    fn held(&mut self, slot: u32) -> Option<Readiness> {
        let state = self.conversations.get(slot)?;
        let (user, named) = (state.queue.front()?.caller.user.clone(), state.named);
        match self.permit(&user, named) {
            Permit::Granted => None,
            Permit::Waiting => Some(Readiness::Waiting),
            Permit::Refused(refusal) => Some(Readiness::Refused(refusal)),
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

    /// Whether the state of members is loaded as far as the decision of the queue's command has to wait for it: of a
    /// group only its author's, for all others may get their entry later.
    fn load_members(&mut self, slot: u32, place: usize) -> bool {
        let Some(state) = self.conversations.get(slot) else { return false };
        let Some(pending) = state.queue.get(place) else { return false };
        let (id, named, vnode) = (state.id, state.named, state.vnode);
        let author = pending.caller.user.clone();
        let members = match &state.who {
            Who::Group { .. } => vec![author.clone()],
            Who::Direct { names, homes } => {
                let waits_for = |home: VnodeId| home == vnode || self.config.limits.waits_for_recipient;
                let members = names.iter().zip(homes).filter(|(_, home)| waits_for(**home));
                members.map(|(member, _)| member.clone()).collect()
            }
        };
        let mut all = true;
        for member in &members {
            // On another worker: its message goes through the stream.
            let Some(user) = self.ensure_user(member) else { continue };
            let is_there = self.is_user_loaded(user) && (*member != author || self.ensure_line(user, id));
            if !is_there {
                all = false;
                self.wait(user, Waiter::Conversation(named));
            }
        }
        all
    }

    /// Looks up one id of a queued command: its own, or its predecessor's.
    fn look_up(&mut self, slot: u32, place: usize, is_previous: bool) -> Looked {
        let Some(state) = self.conversations.get(slot) else { return Looked::Waiting };
        let Some(pending) = state.queue.get(place) else { return Looked::Waiting };
        let (id, lookup) = if is_previous {
            (pending.command.previous(), pending.previous)
        } else {
            (pending.command.id(), pending.first)
        };
        let Some(id) = id else { return Looked::Known(None) };
        if let Some(conversation) = &state.conversation {
            let is_known = if is_previous {
                !needs_previous(conversation, &pending.author, id)
            } else {
                conversation.recent_of(id, &pending.author).is_some()
            };
            if is_known {
                return Looked::Known(None);
            }
        }
        let key = rows::dedup_key(id, state.id, &pending.author);
        let (vnode, conversation, number) = (state.vnode, state.named, pending.number);
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
                let target = LoadTarget::Dedup { conversation, pending: number, is_previous, generation };
                self.push_read(vnode, what, target);
                Looked::Waiting
            }
        }
    }

    pub(crate) fn dedup_read(
        &mut self,
        (conversation, pending, is_previous): (Named, u64, bool),
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
        if let Some(pending) = state.queue.iter_mut().find(|pending| pending.number == number) {
            *(if is_previous { &mut pending.previous } else { &mut pending.first }) = lookup;
        }
    }
}

fn known(value: Option<Bytes>) -> Looked {
    match value.map(rows::read_dedup).transpose() {
        Ok(first) => Looked::Known(first),
        Err(_) => Looked::Failed(ErrorCode::DataCorrupt),
    }
}
