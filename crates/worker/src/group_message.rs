//! A group's message: one event of the conversation, and one for each vnode that members live on.

use std::collections::BTreeMap;
use std::sync::Arc;

use iris_types::planted::{Bug, is_planted};
use iris_types::{BodyKind, InboxMessage, Peer, UserId, VnodeId};
use iris_vnode::events::{MessageEvent, Written};
use iris_vnode::group::Sent;
use iris_vnode::{Event, Recipient, Stamp};

use crate::chunk::Mark;
use crate::place::Placed;
use crate::state::{Caller, Homes, Who};
use crate::worker::Worker;

impl Worker {
    /// Commits a message of a group and brings it to `recipients`, or to all members; returns those that have it at
    /// once. With a caller it is known to be that device's own.
    pub(crate) fn place_in_group(
        &mut self,
        slot: u32,
        caller: Option<&Caller>,
        event: MessageEvent,
        recipients: Option<Vec<Recipient>>,
        stamp: Stamp,
    ) -> Vec<Placed> {
        let homes = match recipients {
            Some(recipients) => self.by_home(recipients),
            None => self.members_by_home(slot, caller),
        };
        let Some(state) = self.conversations.get_mut(slot) else { return Vec::new() };
        let vnode = state.vnode;
        let Some(group) = state.conversation.as_mut().and_then(|one| one.group_mut()) else {
            return Vec::new();
        };
        let Written::Group { author } = &event.written else { return Vec::new() };
        if event.body.kind() != BodyKind::CHANGE
            && let Some(member) = group.roster.get_mut(author)
        {
            member.sent = Sent { seq: event.seq, ..Sent::default() };
        }
        let message = InboxMessage {
            conversation: event.conversation,
            seq: event.seq,
            id: event.id,
            from: author.clone(),
            with: Peer::Group(group.facts.title.clone()),
            origin: None,
            sent_at: event.sent_at,
            body: event.body.clone(),
        };
        let mark = Mark::Message(slot, event.seq);
        self.commit(vnode, Event::Message(event), Some(mark));
        self.weigh_group(slot);
        let mut placed = Vec::new();
        for (home, recipients) in homes {
            placed.extend(self.place_in_vnode(vnode, home, &message, recipients, stamp));
        }
        placed
    }

    fn by_home(&self, recipients: Vec<Recipient>) -> Vec<(VnodeId, Vec<Recipient>)> {
        let mut homes: BTreeMap<VnodeId, Vec<Recipient>> = BTreeMap::new();
        for recipient in recipients {
            homes.entry(self.config.vnodes.of_user(&recipient.user)).or_default().push(recipient);
        }
        homes.into_iter().collect()
    }

    fn members_by_home(&mut self, slot: u32, caller: Option<&Caller>) -> Vec<(VnodeId, Vec<Recipient>)> {
        let recipient = |user: &UserId| {
            let origin = caller.filter(|caller| caller.user == *user).map(|caller| caller.device.clone());
            Recipient { origin, ..Recipient::member(user.clone()) }
        };
        let homes = self.homes(slot).unwrap_or_default();
        homes.iter().map(|(home, users)| (*home, users.iter().map(recipient).collect())).collect()
    }

    /// Where the members of a loaded group live; `None` for any other conversation.
    pub(crate) fn homes(&mut self, slot: u32) -> Option<Homes> {
        let vnodes = self.config.vnodes;
        let state = self.conversations.get_mut(slot)?;
        let group = state.conversation.as_ref()?.group()?;
        let Who::Group { homes } = &mut state.who else { return None };
        if let Some((version, homes)) = homes
            && (*version == group.version || is_planted(Bug::RosterNotFollowed))
        {
            return Some(Arc::clone(homes));
        }
        let mut found: BTreeMap<VnodeId, Vec<UserId>> = BTreeMap::new();
        for (user, _) in group.members() {
            found.entry(vnodes.of_user(user)).or_default().push(user.clone());
        }
        let found: Homes = Arc::new(found.into_iter().collect());
        *homes = Some((group.version, Arc::clone(&found)));
        Some(found)
    }
}
