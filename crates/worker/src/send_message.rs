//! A send: decided, its events are gathered, everybody concerned gets it.

use iris_types::planted::{Bug, is_planted};
use iris_types::request::{Answer, SendMessage, Sent};
use iris_types::{ErrorCode, InboxItem, InboxMessage, Peer, Refusal, Target, UserId};
use iris_vnode::events::{MessageEvent, Written};
use iris_vnode::send_message::{Decision, Lookups, decide};
use iris_vnode::{Author, Event, Stamp};

use crate::chunk::Mark;
use crate::place::Placed;
use crate::state::{Caller, ConversationCommand, Who};
use crate::worker::Worker;

/// Milliseconds after which a refused sender should try again.
pub(crate) const BUSY_RETRY_MS: u32 = iris_types::limits::BUSY_RETRY_AFTER_MS;
const STORAGE_FULL_RETRY_MS: u32 = iris_types::limits::STORAGE_FULL_RETRY_AFTER_MS;

impl Worker {
    pub(crate) fn send_message(&mut self, caller: Caller, send: SendMessage) {
        let target = send.to.clone();
        self.conversation_change(caller, &target, ConversationCommand::Send(send));
    }

    /// Queues what changes a conversation, unless it is shed.
    pub(crate) fn conversation_change(
        &mut self,
        caller: Caller,
        target: &Target,
        command: ConversationCommand,
    ) {
        match self.sheds() {
            Some(refusal) => self.refuse(&caller, refusal, Stamp::default()),
            None => self.conversation_command(caller, target, command),
        }
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

    pub(crate) fn decide_send(
        &mut self,
        slot: u32,
        caller: &Caller,
        author: &Author,
        send: &SendMessage,
        lookups: Lookups,
    ) {
        let stamp = self.log.stamp(&self.config.limits);
        let now = self.now;
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let Some(conversation) = state.conversation.as_mut() else { return };
        match decide(conversation, author, send, lookups, now, stamp) {
            Decision::New { event, sent } => self.commit_send(slot, caller, event, sent, stamp),
            Decision::Duplicate { sent, after } => {
                self.statistics.duplicates += 1;
                self.answer(caller, Answer::Sent(sent), after);
            }
            Decision::Refused { code, after } => self.refuse_proven(caller, code, after),
        }
    }

    fn commit_send(&mut self, slot: u32, caller: &Caller, event: MessageEvent, sent: Sent, stamp: Stamp) {
        self.statistics.sends += 1;
        self.note_arrival(caller.arrived);
        self.use_permit(&caller.user);
        let placed = match event.written.clone() {
            Written::Direct { lower, higher, .. } => {
                self.place_direct(slot, caller, event, [lower, higher], stamp)
            }
            Written::Group { .. } => self.place_in_group(slot, Some(caller), event, None, stamp),
        };
        let own = self.user_index.get(&caller.user).copied();
        let is_own = |placed: &&Placed| Some(placed.slot) == own;
        let offset = placed.iter().find(is_own).map(|placed| placed.entry.offset);
        let after = if is_planted(Bug::AckBeforeCommit) { Stamp::default() } else { stamp };
        self.answer(caller, Answer::Sent(Sent { offset, ..sent }), after);
        for placed in placed {
            let except = (Some(placed.slot) == own).then_some(caller.session);
            self.push_entry(placed, except, stamp);
        }
    }

    /// Commits a direct message and brings it to both members; returns those that have it at once, the sender first.
    fn place_direct(
        &mut self,
        slot: u32,
        caller: &Caller,
        event: MessageEvent,
        names: [UserId; 2],
        stamp: Stamp,
    ) -> Vec<Placed> {
        let Some(state) = self.conversations.get(slot) else { return Vec::new() };
        let Who::Direct { homes: [low, high], .. } = state.who else { return Vec::new() };
        let (vnode, [lower, higher]) = (state.vnode, names);
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
            with: Peer::User(recipient.clone()),
            origin: Some(caller.device.clone()),
            sent_at: event.sent_at,
            body: event.body.clone(),
        };
        let received = InboxMessage { with: Peer::User(sender.clone()), origin: None, ..message.clone() };
        let mark = Mark::Message(slot, event.seq);
        self.commit(vnode, Event::Message(event), Some(mark));
        let own = self.place(vnode, (&sender, sender_home), InboxItem::Message(message), stamp);
        let other = if sender == recipient {
            None
        } else {
            self.place(vnode, (&recipient, recipient_home), InboxItem::Message(received), stamp)
        };
        own.into_iter().chain(other).collect()
    }
}
