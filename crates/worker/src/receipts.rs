//! Receipts: out of acknowledged entries and read marks of a user, over the conversations, to those concerned.

use std::collections::{BTreeMap, BTreeSet};

use iris_tables::{Direction, Limit, Table, TableError, overlay};
use iris_types::limits::{GROUP_RECEIPT_INTERVAL_MS, PAGE_BYTES_MAX, PAGE_ITEMS_MAX};
use iris_types::planted::{Bug, is_planted};
use iris_types::{
    ConversationId, InboxItem, Marks, Monotonic, Offset, Receipt, Seq, Target, UserId, VnodeId,
};
use iris_vnode::page::{Row, number_of, take_dense};
use iris_vnode::receipts::{self, Delivered, Marked, Shown};
use iris_vnode::{Event, Forward, Stamp, rows};

use crate::call::{ReadResult, ReadWhat};
use crate::conversation_queue::ordered;
use crate::loading::Target as LoadTarget;
use crate::streams::Route;
use crate::worker::Worker;

/// Groups whose authors are to be told something, by when.
#[derive(Debug, Default)]
pub(crate) struct GroupReceipts(BTreeSet<(Monotonic, u32)>);

impl GroupReceipts {
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        self.0.first().map(|(at, _)| *at)
    }
}

/// Rows of one look at what was acknowledged.
const LOOK: Limit = Limit { rows: PAGE_ITEMS_MAX, bytes: 2 * PAGE_BYTES_MAX };

impl Worker {
    /// Tells conversations what of them is delivered and read, as far as the entries are at hand; the rest comes when
    /// they are read. Whether the user's devices' row has changed.
    pub(crate) fn give_receipts(&mut self, slot: u32, stamp: Stamp) -> bool {
        let Some(user) = self.users.get(slot) else { return false };
        let devices = user.inbox.as_ref().and_then(|inbox| inbox.devices.as_deref());
        let trimmed = user.inbox.as_ref().map_or(Offset::ZERO, |inbox| inbox.trimmed);
        let (given, furthest) =
            devices.map_or_else(<_>::default, |devices| (devices.given, devices.furthest()));
        let mut marks: BTreeMap<ConversationId, (Target, Marks)> = BTreeMap::new();
        let mut up_to = given;
        if furthest > given && !user.is_looking {
            let first = Offset(given.max(trimmed).0 + 1);
            if first > furthest {
                up_to = furthest;
            } else if let Some((last, found)) = self.arrived(slot, first, furthest) {
                up_to = last;
                for (conversation, (target, seq)) in found {
                    marks.insert(conversation, (target, Marks { delivered: seq, read: Seq::ZERO }));
                }
            }
        }
        self.take_reads(slot, &mut marks, stamp);
        let Some(user) = self.users.get(slot) else { return false };
        let (vnode, name) = (user.vnode, user.user.clone());
        for (target, marks) in marks.into_values() {
            self.send_mark(vnode, &name, target, marks, stamp);
        }
        if up_to > given {
            let devices = self.users.get_mut(slot).and_then(|user| user.inbox.as_mut());
            if let Some(devices) = devices.and_then(|inbox| inbox.devices.as_deref_mut()) {
                devices.given = up_to;
            }
            if up_to < furthest {
                self.note_soon(slot);
            }
        }
        up_to > given
    }

    /// What the entries from `first` on say is delivered, and the last of them; `None` while they are being read.
    fn arrived(&mut self, slot: u32, first: Offset, furthest: Offset) -> Option<(Offset, Delivered)> {
        match self.users.get_mut(slot)?.arrivals.take(first, furthest) {
            Some(delivered) => Some((furthest, delivered)),
            None => self.look(slot, first, furthest),
        }
    }

    /// The same out of rows.
    fn look(&mut self, slot: u32, first: Offset, furthest: Offset) -> Option<(Offset, Delivered)> {
        let user = self.users.get(slot)?;
        let (vnode, name) = (user.vnode, user.user.clone());
        let hosted = self.hosted(vnode)?;
        let keys =
            rows::inbox_key(&name, first)..rows::inbox_key(&name, Offset(furthest.0.saturating_add(1)));
        let range = &keys.start[..]..&keys.end[..];
        let memory = hosted.rows(Table::Inbox, range.clone(), Direction::Forward, LOOK.rows);
        let is_covered = memory.first().is_some_and(|(key, _)| number_of(key) == Some(first.0));
        let found = if is_covered {
            Some(Vec::new())
        } else {
            hosted.scan_without_blocks(Table::Inbox, range, Direction::Forward, LOOK)
        };
        match found {
            Some(found) => Some(said(overlay(memory, found, Direction::Forward), first, furthest, &name)),
            None => {
                let what = ReadWhat::Range {
                    table: Table::Inbox,
                    from: keys.start,
                    to: keys.end,
                    direction: Direction::Forward,
                    limit: LOOK,
                };
                self.push_read(vnode, what, LoadTarget::Given { slot, first, furthest, memory });
                if let Some(user) = self.users.get_mut(slot) {
                    user.is_looking = true;
                }
                None
            }
        }
    }

    /// Entries that were acknowledged are read.
    pub(crate) fn given_read(
        &mut self,
        slot: u32,
        (first, furthest): (Offset, Offset),
        memory: Vec<Row>,
        result: Result<ReadResult, TableError>,
    ) {
        let stamp = self.log.stamp(&self.config.limits);
        let now = self.now;
        let Some(user) = self.users.get_mut(slot) else { return };
        user.is_looking = false;
        let (vnode, name) = (user.vnode, user.user.clone());
        // What cannot be read gives no receipt; those of later messages say the same and more.
        let found = match result {
            Ok(ReadResult::Rows(found)) => found,
            Ok(ReadResult::Keys(_)) | Err(_) => Vec::new(),
        };
        let (last, marks) = said(overlay(memory, found, Direction::Forward), first, furthest, &name);
        for (_, (target, seq)) in marks {
            self.send_mark(vnode, &name, target, Marks { delivered: seq, read: Seq::ZERO }, stamp);
        }
        let Some(inbox) = self.users.get_mut(slot).and_then(|user| user.inbox.as_mut()) else { return };
        let mut is_behind = false;
        if let Some(devices) = inbox.devices.as_deref_mut() {
            devices.given = devices.given.max(last);
            // Cursors may have moved on while these were read.
            is_behind = devices.given < devices.furthest();
        }
        let event = iris_vnode::attach::change(inbox, &name, now, stamp);
        self.commit(vnode, event, None);
        if is_behind {
            self.note_soon(slot);
        }
    }

    /// Brings a member's marks to the conversation.
    fn send_mark(&mut self, source: VnodeId, user: &UserId, target: Target, marks: Marks, stamp: Stamp) {
        let destination = self.config.vnodes.of_target(user, &target);
        let slot = self.conversation_of(user, &target).filter(|slot| self.is_conversation_loaded(*slot));
        match (self.route(source, destination, slot.is_some()), slot) {
            (Route::Now(position), Some(slot)) => {
                self.take_shortcut(source, destination, position, stamp);
                if let Some(position) = position {
                    self.commit(destination, Event::Taken { source, position }, None);
                }
                self.take_mark(slot, user, marks, stamp);
            }
            _ if is_planted(Bug::MarkDropped) => {}
            // Receipts are the first of what is stored to go when a destination is away for long; later marks say more.
            _ if self.is_stream_full(source, destination) => {}
            _ => {
                let forward = Forward::Mark { user: user.clone(), target, marks }.encode();
                self.queue_forward(source, destination, forward, stamp);
            }
        }
    }

    /// The conversation, loaded or being loaded; `None` when it lives on another worker.
    pub(crate) fn conversation_of(&mut self, user: &UserId, target: &Target) -> Option<u32> {
        match target {
            Target::User(other) => self.ensure_direct(ordered(user, other)),
            Target::Group(group) => self.ensure_group(*group),
        }
    }

    pub(crate) fn is_conversation_loaded(&self, slot: u32) -> bool {
        self.conversations.get(slot).is_some_and(|state| state.conversation.is_some())
    }

    /// Takes a member's marks at the conversation, which is loaded.
    pub(crate) fn take_mark(&mut self, slot: u32, user: &UserId, marks: Marks, stamp: Stamp) {
        let at = self.now;
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let (vnode, conversation) = (state.vnode, state.id);
        let Some(loaded) = state.conversation.as_mut() else { return };
        let Some(Marked { event, shown }) = receipts::mark(loaded, user, marks, stamp) else { return };
        self.commit(vnode, event, None);
        match shown {
            Shown::To(other, marks) => {
                let home = self.config.vnodes.of_user(&other);
                let item = InboxItem::Receipt(Receipt { conversation, user: user.clone(), marks, at });
                if let Some(placed) = self.place(vnode, (&other, home), item, stamp) {
                    self.push_entry(placed, None, stamp);
                }
            }
            Shown::ToAuthors => self.owe_group_receipts(slot),
        }
    }

    /// The authors of a group are told in a while, together with what else happens until then.
    pub(crate) fn owe_group_receipts(&mut self, slot: u32) {
        let at = self.mono.plus_millis(GROUP_RECEIPT_INTERVAL_MS);
        if let Some(state) = self.conversations.get_mut(slot)
            && !std::mem::replace(&mut state.owes_receipts, true)
        {
            self.group_receipts.0.insert((at, slot));
        }
    }

    pub(crate) fn give_group_receipts(&mut self) {
        while let Some((at, slot)) = self.group_receipts.0.first().copied()
            && at <= self.mono
            && !self.log.is_full(&self.config.limits)
        {
            self.group_receipts.0.pop_first();
            let (now, stamp) = (self.now, self.log.stamp(&self.config.limits));
            let Some(state) = self.conversations.get_mut(slot) else { continue };
            state.owes_receipts = false;
            let vnode = state.vnode;
            let Some(conversation) = state.conversation.as_mut() else { continue };
            for (author, receipt, event) in receipts::of_group(conversation, now, stamp) {
                self.commit(vnode, event, None);
                let home = self.config.vnodes.of_user(&author);
                if let Some(placed) =
                    self.place(vnode, (&author, home), InboxItem::GroupReceipt(receipt), stamp)
                {
                    self.push_entry(placed, None, stamp);
                }
            }
        }
    }
}

/// What rows from `first` on say, and the last offset that is dealt with.
fn said(found: Vec<Row>, first: Offset, furthest: Offset, user: &UserId) -> (Offset, Delivered) {
    let found = take_dense(found, first.0, true, LOOK.rows);
    // Nothing there, or nothing that can be read: they are gone, and are told by what comes later.
    let last = found.last().and_then(|(key, _)| number_of(key)).map_or(furthest, Offset);
    (last, Delivered::read(found, user).unwrap_or_default())
}
