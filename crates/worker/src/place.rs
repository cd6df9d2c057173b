//! Entries get their places: at once, where everything needed is at hand and nothing older is on its way; through a
//! stream otherwise.

use std::sync::Arc;

use iris_types::planted::{Bug, is_planted};
use iris_types::request::SessionId;
use iris_types::{
    GroupReceipt, InboxEntry, InboxItem, InboxMessage, Marks, Peer, Position, Receipt, Seq, Settings,
    Standing, UserId, VnodeId,
};
use iris_vnode::events::{GroupEntriesEvent, GroupEntry};
use iris_vnode::{Event, Forward, Recipient, Stamp, deliver};

use crate::chunk::Mark;
use crate::effects::Effect;
use crate::line::Placing;
use crate::streams::Route;
use crate::worker::Worker;

/// An entry that got its offset.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) slot: u32,
    pub(crate) entry: Arc<InboxEntry>,
}

impl Worker {
    /// Brings something of `source` to the inbox of a user and the vnode it lives in; `None` when it goes through the
    /// stream.
    pub(crate) fn place(
        &mut self,
        source: VnodeId,
        (user, destination): (&UserId, VnodeId),
        item: InboxItem,
        stamp: Stamp,
    ) -> Option<Placed> {
        let slot = self.user_index.get(user).copied().filter(|slot| self.is_ready_for(*slot, &item));
        match (self.route(source, destination, slot.is_some()), slot) {
            (Route::Now(from), Some(slot)) => {
                self.take_shortcut(source, destination, from, stamp);
                self.append_entry(destination, slot, item, from.map(|from| (source, from)), stamp)
            }
            _ => {
                let forward = Forward::Entry { to: user.clone(), item }.encode();
                self.queue_forward(source, destination, forward, stamp);
                None
            }
        }
    }

    /// Brings a group's message to its recipients on one vnode; nobody gets it at once when it goes through the stream.
    pub(crate) fn place_in_vnode(
        &mut self,
        source: VnodeId,
        destination: VnodeId,
        message: &InboxMessage,
        recipients: Vec<Recipient>,
        stamp: Stamp,
    ) -> Vec<Placed> {
        let is_ready = recipients.iter().all(|recipient| self.is_recipient_ready(message, recipient));
        match self.route(source, destination, is_ready) {
            Route::Now(from) => {
                self.take_shortcut(source, destination, from, stamp);
                let from = from.map(|from| (source, from));
                self.append_group_entries(destination, message.clone(), recipients, from, stamp)
            }
            Route::Queue => {
                let forward = Forward::Group { message: message.clone(), recipients }.encode();
                self.queue_forward(source, destination, forward, stamp);
                Vec::new()
            }
        }
    }

    /// Tells the user's live sessions of an entry once it is committed.
    pub(crate) fn push_entry(&mut self, placed: Placed, except: Option<SessionId>, stamp: Stamp) {
        let Placed { slot, entry } = placed;
        let stamp = if is_planted(Bug::PushBeforeCommit) { Stamp::default() } else { stamp };
        self.after(stamp, Effect::Deliver { slot, entry, except });
    }

    /// Whether everything is loaded that an entry of this user needs.
    fn is_ready_for(&self, slot: u32, item: &InboxItem) -> bool {
        let Some(user) = self.users.get(slot).filter(|user| user.inbox.is_some()) else { return false };
        match item {
            InboxItem::Message(message) if message.from == user.user => {
                user.lines.get(&message.conversation).is_some_and(Option::is_some)
            }
            _ => true,
        }
    }

    fn is_recipient_ready(&self, message: &InboxMessage, recipient: &Recipient) -> bool {
        let slot = self.user_index.get(&recipient.user).and_then(|slot| self.users.get(*slot));
        let Some(user) = slot.filter(|user| user.inbox.is_some()) else { return false };
        let needs_line = message.from == recipient.user && !recipient.begins;
        !needs_line || user.lines.get(&message.conversation).is_some_and(Option::is_some)
    }

    pub(crate) fn append_entry(
        &mut self,
        vnode: VnodeId,
        slot: u32,
        item: InboxItem,
        from: Option<(VnodeId, Position)>,
        stamp: Stamp,
    ) -> Option<Placed> {
        let user = self.users.get_mut(slot)?;
        let name = user.user.clone();
        let placing = match &item {
            InboxItem::Message(message) => Some(Placing {
                conversation: message.conversation,
                seq: message.seq,
                standing: Standing::Member,
                begins: false,
                is_own: message.from == name,
            }),
            _ => None,
        };
        let inbox = user.inbox.as_mut()?;
        let item = as_shown(item, inbox.settings);
        let (event, entry) = deliver::decide(inbox, &name, item, from, stamp)?;
        user.arrive(&entry);
        self.statistics.inbox_entries += 1;
        self.commit(vnode, Event::Entry(event), Some(Mark::Entry(slot, entry.offset)));
        if let Some(placing) = placing
            && self.list_message(slot, placing, stamp)
            && let InboxItem::Message(InboxMessage { with: Peer::User(other), .. }) = &entry.item
        {
            // Both have written now: that may let them know of each other.
            self.after(stamp, Effect::Judge { slot, about: Some(other.clone()) });
        }
        Some(Placed { slot, entry })
    }

    pub(crate) fn append_group_entries(
        &mut self,
        vnode: VnodeId,
        message: InboxMessage,
        recipients: Vec<Recipient>,
        from: Option<(VnodeId, Position)>,
        stamp: Stamp,
    ) -> Vec<Placed> {
        let (mut entries, mut placed) = (Vec::new(), Vec::new());
        let count = if is_planted(Bug::VnodeMemberSkipped) { 1 } else { recipients.len() };
        for recipient in recipients.into_iter().take(count) {
            let Some(slot) = self.user_index.get(&recipient.user).copied() else { continue };
            let Some(user) = self.users.get_mut(slot) else { continue };
            let offset = user.inbox.as_mut().and_then(|inbox| deliver::next_offset(inbox, stamp));
            let Some(offset) = offset else { continue };
            let item = InboxItem::Message(deliver::for_recipient(&message, &recipient));
            let entry = Arc::new(InboxEntry { offset, item });
            user.arrive(&entry);
            placed.push(Placed { slot, entry });
            entries.push(GroupEntry { offset, recipient });
        }
        self.statistics.inbox_entries += entries.len() as u64;
        let marks: Vec<Mark> = placed.iter().map(|one| Mark::Entry(one.slot, one.entry.offset)).collect();
        let (conversation, seq, author) = (message.conversation, message.seq, message.from.clone());
        let placings: Vec<(u32, Placing)> = placed
            .iter()
            .zip(&entries)
            .map(|(placed, entry)| {
                let GroupEntry { recipient, .. } = entry;
                let is_own = recipient.user == author;
                let (standing, begins) = (recipient.standing, recipient.begins);
                (placed.slot, Placing { conversation, seq, standing, begins, is_own })
            })
            .collect();
        self.commit(vnode, Event::GroupEntries(GroupEntriesEvent { from, message, entries }), marks);
        for (slot, placing) in placings {
            self.list_message(slot, placing, stamp);
        }
        placed
    }
}

/// What a user who gives no read receipts is shown of others'.
fn as_shown(item: InboxItem, settings: Settings) -> InboxItem {
    if settings.read_receipts {
        return item;
    }
    let hidden = |marks: Marks| Marks { read: Seq::ZERO, ..marks };
    match item {
        InboxItem::Receipt(receipt) => {
            InboxItem::Receipt(Receipt { marks: hidden(receipt.marks), ..receipt })
        }
        InboxItem::GroupReceipt(receipt) => {
            let everybody = hidden(receipt.everybody);
            InboxItem::GroupReceipt(GroupReceipt { read: 0, everybody, ..receipt })
        }
        item => item,
    }
}
