//! Groups, as plainly as they can be kept: who is a member may do anything.

use std::collections::BTreeMap;

use iris_types::limits::ID_AHEAD_MS_MAX;
use iris_types::request::{Answer, ReadRoster, Sent};
use iris_types::{
    Change, ChangeGroup, ConversationId, CreateGroup, DeviceId, ErrorCode, GroupChange, GroupDescription,
    GroupSummary, GroupTitle, InboxItem, InboxMessage, MessageId, Peer, Policy, Role, RosterItem, RosterPage,
    Seq, Timestamp, UserId,
};

use super::{Pushes, Server};

pub(crate) struct Group {
    pub(crate) title: GroupTitle,
    description: GroupDescription,
    policy: Policy,
    created_at: Timestamp,
    /// `None`: invited.
    roster: BTreeMap<UserId, (Option<Role>, Seq)>,
    /// Changes by the ids of their requests.
    known: BTreeMap<(UserId, MessageId), Answer>,
}

#[allow(dead_code, reason = "each test program uses some of it")]
impl Server {
    pub(super) fn is_member(&self, group: ConversationId, user: &UserId) -> bool {
        let roster = self.groups.get(&group).map(|group| &group.roster);
        roster.and_then(|roster| roster.get(user)).is_some_and(|(role, _)| role.is_some())
    }

    /// Whose inboxes a message of a group is for; the author's first.
    pub(super) fn group_owners(
        &self,
        group: ConversationId,
        from: &UserId,
        device: Option<&DeviceId>,
    ) -> Vec<(UserId, Peer, Option<DeviceId>)> {
        let Some(group) = self.groups.get(&group) else { return Vec::new() };
        let members = group.roster.iter().filter(|(_, (role, _))| role.is_some());
        let others = members.map(|(user, _)| user).filter(|user| *user != from);
        let owners = std::iter::once((from, device.cloned())).chain(others.map(|user| (user, None)));
        owners.map(|(user, origin)| (user.clone(), Peer::Group(group.title.clone()), origin)).collect()
    }

    pub(super) fn create_group(&mut self, user: &UserId, create: CreateGroup, pushes: &mut Pushes) -> Answer {
        self.told.ids.push(create.id);
        if create.id.timestamp() > self.now.plus_millis(ID_AHEAD_MS_MAX) {
            return self.refused(ErrorCode::IdInFuture);
        }
        let CreateGroup { id, title, description, policy, members } = create;
        let group = ConversationId::group(user, id);
        if let Some(answer) = self.groups.get(&group).and_then(|group| group.known.get(&(user.clone(), id))) {
            return answer.clone();
        }
        let roster = BTreeMap::from([(user.clone(), (Some(Role::Owner), Seq(1)))]);
        let (created_at, known) = (self.now, BTreeMap::new());
        let made = Group { title: title.clone(), description, policy, created_at, roster, known };
        self.groups.insert(group, made);
        let answer = self.tell_change(user, group, id, &Change::Created(title), &[], pushes);
        for member in members {
            let adds = policy.allows(Policy::ADMINS_ADD);
            let id = MessageId::from_parts(self.now, [self.now.0 as u8; 10]);
            let change = if adds { Change::Added(member.clone()) } else { Change::Invited(member.clone()) };
            self.set_role(group, &member, Some(adds.then_some(Role::Member)));
            self.tell_change(user, group, id, &change, &[member], pushes);
        }
        answer
    }

    pub(super) fn change_group(&mut self, user: &UserId, change: ChangeGroup, pushes: &mut Pushes) -> Answer {
        let ChangeGroup { id, group, change } = change;
        self.told.ids.push(id);
        if id.timestamp() > self.now.plus_millis(ID_AHEAD_MS_MAX) {
            return self.refused(ErrorCode::IdInFuture);
        }
        let Some(known) = self.groups.get(&group) else { return self.refused(ErrorCode::NotMember) };
        if let Some(answer) = known.known.get(&(user.clone(), id)) {
            return answer.clone();
        }
        let role_of = |user: &UserId| known.roster.get(user).map(|(role, _)| *role);
        if role_of(user).is_none() {
            return self.refused(ErrorCode::NotMember);
        }
        let (told, also) = match change {
            GroupChange::Invite(who) if role_of(&who).is_some() => return Answer::Done,
            GroupChange::Add(who) if role_of(&who).is_some() => return Answer::Done,
            GroupChange::Remove(who) if role_of(&who).is_none() => {
                return self.refused(ErrorCode::UnknownMember);
            }
            GroupChange::Accept if role_of(user) != Some(None) => return Answer::Done,
            GroupChange::Invite(who) => {
                self.set_role(group, &who, Some(None));
                (Change::Invited(who.clone()), vec![who])
            }
            GroupChange::Add(who) => {
                self.set_role(group, &who, Some(Some(Role::Member)));
                (Change::Added(who), vec![])
            }
            GroupChange::Remove(who) => {
                self.set_role(group, &who, None);
                (Change::Removed(who.clone()), vec![who])
            }
            GroupChange::Accept => {
                self.set_role(group, user, Some(Some(Role::Member)));
                (Change::Joined, vec![])
            }
            GroupChange::Leave => {
                self.set_role(group, user, None);
                (Change::Left(None), vec![])
            }
            GroupChange::Rename(title) => {
                self.groups.entry(group).and_modify(|group| group.title = title.clone());
                (Change::Renamed(title), vec![])
            }
            GroupChange::Describe(description) => (Change::Described(description), vec![]),
            GroupChange::SetRole(who, role) => {
                self.set_role(group, &who, Some(Some(role)));
                (Change::Role(role, who), vec![])
            }
            GroupChange::SetPolicy(policy) => (Change::Policy(policy), vec![]),
        };
        self.tell_change(user, group, id, &told, &also, pushes)
    }

    pub(super) fn group_summary(&self, user: &UserId, group: ConversationId) -> Answer {
        let Some(known) = self.groups.get(&group) else { return self.refused(ErrorCode::NotMember) };
        let Some((role, _)) = known.roster.get(user) else { return self.refused(ErrorCode::NotMember) };
        let members = known.roster.values().filter(|(role, _)| role.is_some()).count();
        Answer::Group(GroupSummary {
            group,
            title: known.title.clone(),
            description: known.description.clone(),
            policy: known.policy,
            created_at: known.created_at,
            members: members as u32,
            invited: (known.roster.len() - members) as u32,
            role: *role,
            last_seq: Seq(self.history.get(&group).map_or(0, |all| all.len() as u64)),
        })
    }

    pub(super) fn roster(&self, user: &UserId, read: &ReadRoster) -> Answer {
        let roster = self.groups.get(&read.group).map(|group| &group.roster);
        let Some(roster) = roster.filter(|roster| roster.contains_key(user)) else {
            return self.refused(ErrorCode::NotMember);
        };
        let behind = roster.iter().filter(|(user, _)| read.after.as_ref().is_none_or(|after| *user > after));
        let item = |(user, (role, since)): (&UserId, &(Option<Role>, Seq))| RosterItem {
            user: user.clone(),
            role: *role,
            since: *since,
        };
        let mut items: Vec<_> = behind.map(item).collect();
        let limit = self.page_items.min(usize::from(read.limit));
        let more = items.len() > limit;
        items.truncate(limit);
        Answer::Roster(RosterPage { items, more })
    }

    fn set_role(&mut self, group: ConversationId, user: &UserId, role: Option<Option<Role>>) {
        let seq = Seq(self.history.get(&group).map_or(0, |all| all.len() as u64) + 1);
        let Some(group) = self.groups.get_mut(&group) else { return };
        match role {
            Some(role) => drop(group.roster.insert(user.clone(), (role, seq))),
            None => drop(group.roster.remove(user)),
        }
    }

    /// A change is a message to the members and to those it is about, whoever did it included.
    fn tell_change(
        &mut self,
        user: &UserId,
        group: ConversationId,
        id: MessageId,
        change: &Change,
        also: &[UserId],
        pushes: &mut Pushes,
    ) -> Answer {
        let body = change.to_body();
        let (seq, sent_at) = (self.write(group, user, id, body.clone()), self.now);
        let mut owners = self.group_owners(group, user, None);
        let title = owners.first().map(|(_, with, _)| with.clone());
        owners.extend(also.iter().filter_map(|user| Some((user.clone(), title.clone()?, None))));
        let mut told: Vec<UserId> = Vec::new();
        for (owner, with, _) in owners {
            if told.contains(&owner) {
                continue;
            }
            told.push(owner.clone());
            let (from, body, origin) = (user.clone(), body.clone(), None);
            let message = InboxMessage { conversation: group, seq, id, from, with, origin, sent_at, body };
            self.append(&owner, InboxItem::Message(message), pushes);
        }
        let answer = Answer::Sent(Sent { id, conversation: group, seq, sent_at, offset: None });
        if let Some(group) = self.groups.get_mut(&group) {
            group.known.insert((user.clone(), id), answer.clone());
        }
        answer
    }
}
