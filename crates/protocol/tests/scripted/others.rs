//! What the scripted core does beside messages of two: one group, which alice owns, and everything that is hers alone.

use std::sync::Arc;

use iris_types::request::{Answer, MarkRead, ReadReceipts, ReadRoster, Request, Sent, SetFlags};
use iris_types::{
    Body, Change, ChangeGroup, ConversationId, ConversationState, CreateGroup, DeviceId, ErrorCode, Flags,
    GroupChange, GroupDescription, GroupSummary, GroupTitle, HistoryEntry, InboxEntry, InboxItem,
    InboxMessage, Marks, MessageId, Peer, Policy, Presence, PresenceState, ReceiptPage, Role, RosterItem,
    RosterPage, Seq, Target, Timestamp, UserId, Watched,
};

use super::{Core, START, conversation, refusal, user};

/// A group and its messages.
pub(crate) struct Group {
    pub(crate) id: ConversationId,
    pub(crate) title: GroupTitle,
    pub(crate) description: GroupDescription,
    pub(crate) policy: Policy,
    pub(crate) roster: Vec<RosterItem>,
    pub(crate) history: Vec<HistoryEntry>,
}

type Handled = (Option<Answer>, Vec<Arc<InboxEntry>>);

impl Core {
    pub(super) fn handle_other(&mut self, request: Request) -> Handled {
        match request {
            Request::CreateGroup(create) => self.create_group(create),
            Request::ChangeGroup(change) => self.change_group(change),
            Request::ReadGroup { .. } => (Some(self.read_group()), Vec::new()),
            Request::ReadRoster(read) => (Some(self.read_roster(&read)), Vec::new()),
            Request::MarkRead(MarkRead { target, up_to }) => {
                self.change_state(&target, up_to, Flags::default())
            }
            Request::SetFlags(SetFlags { target, values, .. }) => self.change_state(&target, Seq(2), values),
            Request::BlockUser(block) => self.change_state(&Target::User(block.user), Seq(2), Flags::BLOCKED),
            Request::ReadReceipts(read) => (Some(receipts(&read)), Vec::new()),
            Request::ReadSettings => (Some(Answer::Settings(self.settings)), Vec::new()),
            Request::ChangeSettings(change) => {
                self.settings = change.applied_to(self.settings);
                let entry = self.put(InboxItem::Settings(self.settings, Timestamp(START + 7)));
                (Some(Answer::Done), vec![entry])
            }
            Request::Watch(_) => (Some(Answer::Done), Vec::new()),
            Request::ReadPresence(watched) => {
                (Some(Answer::Presence(watched.into_iter().map(presence).collect())), Vec::new())
            }
            Request::Typing { .. } => (None, Vec::new()),
            other => panic!("{other:?} is not for here"),
        }
    }

    fn create_group(&mut self, create: CreateGroup) -> Handled {
        let CreateGroup { id, title, description, policy, members } = create;
        let since = Seq(1);
        let invited = members.into_iter().map(|user| RosterItem { user, role: None, since });
        let roster = std::iter::once(RosterItem { user: user("alice"), role: Some(Role::Owner), since })
            .chain(invited)
            .collect();
        self.group = Some(Group {
            id: ConversationId::group(&user("alice"), id),
            title: title.clone(),
            description,
            policy,
            roster,
            history: Vec::new(),
        });
        self.decide(id, &Change::Created(title))
    }

    /// As a group does that lets its owner do everything.
    fn change_group(&mut self, change: ChangeGroup) -> Handled {
        let Some(group) = self.group.as_mut().filter(|group| group.id == change.group) else {
            return (Some(refusal(ErrorCode::NotMember)), Vec::new());
        };
        let since = Seq(group.history.len() as u64 + 1);
        let is_known = |name: &UserId| group.roster.iter().any(|item| item.user == *name);
        let made = match change.change {
            GroupChange::Invite(name) | GroupChange::Add(name) if is_known(&name) => None,
            GroupChange::Invite(name) => {
                group.roster.push(RosterItem { user: name.clone(), role: None, since });
                Some(Change::Invited(name))
            }
            GroupChange::Add(name) => {
                group.roster.push(RosterItem { user: name.clone(), role: Some(Role::Member), since });
                Some(Change::Added(name))
            }
            GroupChange::Remove(name) if !is_known(&name) => {
                return (Some(refusal(ErrorCode::UnknownMember)), Vec::new());
            }
            GroupChange::Remove(name) => {
                group.roster.retain(|item| item.user != name);
                Some(Change::Removed(name))
            }
            GroupChange::Accept => None,
            GroupChange::Leave => Some(Change::Left(None)),
            GroupChange::Rename(title) => {
                group.title = title.clone();
                Some(Change::Renamed(title))
            }
            GroupChange::Describe(description) => {
                group.description = description.clone();
                Some(Change::Described(description))
            }
            GroupChange::SetRole(name, role) => Some(Change::Role(role, name)),
            GroupChange::SetPolicy(policy) => Some(Change::Policy(policy)),
        };
        match made {
            Some(made) => self.decide(change.id, &made),
            None => (Some(Answer::Done), Vec::new()),
        }
    }

    /// Alice's phone makes a change.
    fn decide(&mut self, id: MessageId, change: &Change) -> Handled {
        let entry = self.commit_to_group("alice", Some("phone"), id, change.to_body());
        let InboxItem::Message(message) = &entry.item else { panic!("{entry:?}") };
        let InboxMessage { conversation, seq, sent_at, .. } = *message;
        (Some(Answer::Sent(Sent { id, conversation, seq, sent_at, offset: None })), vec![entry])
    }

    /// Commits a message to the group and to alice's inbox.
    pub(crate) fn commit_to_group(
        &mut self,
        from: &str,
        device: Option<&str>,
        id: MessageId,
        body: Body,
    ) -> Arc<InboxEntry> {
        let group = self.group.as_mut().unwrap();
        let seq = Seq(group.history.len() as u64 + 1);
        let sent_at = Timestamp(START + 2_000 + seq.0);
        group.history.push(HistoryEntry { seq, id, from: user(from), sent_at, body: body.clone() });
        let message = InboxMessage {
            conversation: group.id,
            seq,
            id,
            from: user(from),
            with: Peer::Group(group.title.clone()),
            origin: device.map(|device| DeviceId::new(device).unwrap()),
            sent_at,
            body,
        };
        self.put(InboxItem::Message(message))
    }

    fn read_group(&self) -> Answer {
        let Some(group) = &self.group else { return refusal(ErrorCode::NotMember) };
        let invited = group.roster.iter().filter(|item| item.role.is_none()).count() as u32;
        Answer::Group(GroupSummary {
            group: group.id,
            title: group.title.clone(),
            description: group.description.clone(),
            policy: group.policy,
            created_at: Timestamp(START + 2_001),
            members: group.roster.len() as u32 - invited,
            invited,
            role: Some(Role::Owner),
            last_seq: Seq(group.history.len() as u64),
        })
    }

    fn read_roster(&self, read: &ReadRoster) -> Answer {
        let Some(group) = &self.group else { return refusal(ErrorCode::NotMember) };
        let behind = |item: &&RosterItem| read.after.as_ref().is_none_or(|after| item.user > *after);
        let mut items: Vec<_> = group.roster.iter().filter(behind).cloned().collect();
        items.sort_by(|one, other| one.user.cmp(&other.user));
        let more = items.len() > usize::from(read.limit);
        items.truncate(usize::from(read.limit));
        Answer::Roster(RosterPage { items, more })
    }

    fn change_state(&mut self, target: &Target, read: Seq, flags: Flags) -> Handled {
        let conversation = match target {
            Target::Group(group) => *group,
            Target::User(_) => conversation(),
        };
        let state = ConversationState { conversation, read, unread: 0, flags, at: Timestamp(START + 3_000) };
        let entry = self.put(InboxItem::State(state));
        (Some(Answer::Done), vec![entry])
    }
}

/// Bob has it, and nobody else there is.
fn receipts(read: &ReadReceipts) -> Answer {
    let marks = Marks { delivered: read.seq, read: Seq(1) };
    let by = vec![(user("bob"), marks)];
    Answer::Receipts(ReceiptPage { delivered: 1, read: 0, members: 2, by, more: false })
}

/// Bob is there, carol was, of others nothing is told.
fn presence(watched: Watched) -> Presence {
    let state = match watched.user.as_str() {
        "bob" => PresenceState::Online,
        "carol" => PresenceState::LastSeen(Timestamp(START - 60_000)),
        _ => PresenceState::Hidden,
    };
    Presence { user: watched.user, state }
}
