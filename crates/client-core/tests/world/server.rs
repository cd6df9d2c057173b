//! A server that keeps the rules of the domain in the plainest way, for as many users as write.

#[path = "groups.rs"]
mod groups;
#[path = "standing.rs"]
mod standing;

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;

use iris_types::limits::{DEDUP_WINDOW_MS, ID_AHEAD_MS_MAX};
use iris_types::request::{
    Answer, Attached, ConversationPage, HistoryFrom, HistoryPage, InboxPage, ListConversations, ReadHistory,
    RenameDevice, Request, RevokeDevice, SendMessage, Sent,
};
use iris_types::{
    Body, ConversationId, ConversationSummary, DeviceId, DeviceSummary, ErrorCode, HistoryEntry, InboxEntry,
    InboxItem, InboxMessage, MessageId, Offset, Peer, Presence, Preview, Refusal, Seq, Settings, Standing,
    Target, Timestamp, UserId,
};

use groups::Group;
use standing::Told;

type Key = (ConversationId, UserId, MessageId);
/// Entries to be pushed to their users' devices.
pub(crate) type Pushes = Vec<(UserId, Arc<InboxEntry>)>;

#[derive(Default)]
#[allow(dead_code, reason = "each test program looks at some of it")]
pub(crate) struct Server {
    pub(crate) now: Timestamp,
    inboxes: BTreeMap<UserId, Vec<Arc<InboxEntry>>>,
    pub(crate) trimmed_to: BTreeMap<UserId, u64>,
    cursors: BTreeMap<(UserId, DeviceId), Offset>,
    history: BTreeMap<ConversationId, Vec<HistoryEntry>>,
    members: BTreeMap<ConversationId, [UserId; 2]>,
    groups: BTreeMap<ConversationId, Group>,
    /// Messages of groups that nobody may see who asks now.
    pub(crate) hidden: BTreeMap<ConversationId, RangeInclusive<u64>>,
    dedup: BTreeMap<Key, (Sent, Body)>,
    /// The next sends are refused so; `None` lets one pass.
    pub(crate) refuse_sends: VecDeque<Option<Refusal>>,
    /// The next questions and syncs are refused so.
    pub(crate) refuse_reads: VecDeque<Refusal>,
    /// Of whoever asks.
    pub(crate) devices: Vec<DeviceSummary>,
    pub(crate) revoked: Vec<DeviceId>,
    /// Entries in one page.
    pub(crate) page_items: usize,
    /// Results do not tell their place in the inbox.
    pub(crate) hides_offsets: bool,
    pub(crate) settings: BTreeMap<UserId, Settings>,
    pub(crate) presence: Vec<Presence>,
    /// What was asked, for tests that look at it.
    pub(crate) sends: Vec<SendMessage>,
    pub(crate) told: Told,
    pub(crate) acknowledged: Vec<(DeviceId, Offset)>,
}

#[allow(dead_code, reason = "each test program uses some of it")]
impl Server {
    pub(crate) fn new(now: Timestamp, page_items: usize) -> Self {
        Self { now, page_items, ..Self::default() }
    }

    pub(crate) fn attach(&self, user: &UserId, device: &DeviceId) -> Attached {
        let cursor = self.cursors.get(&(user.clone(), device.clone())).copied().unwrap_or_default();
        Attached { cursor, last: self.last(user), server_time: self.now }
    }

    /// The answer, and the entries to be pushed to their users' devices.
    pub(crate) fn handle(
        &mut self,
        user: &UserId,
        device: &DeviceId,
        request: Request,
    ) -> (Option<Answer>, Pushes) {
        let mut pushes = Vec::new();
        let answer = match request {
            Request::SendMessage(send) => return self.send(user, device, send),
            Request::Acknowledge { up_to } => return (self.acknowledge(user, device, up_to), Vec::new()),
            Request::Typing { target, on } => {
                self.told.typing.push((target, on));
                return (None, pushes);
            }
            _ if !self.refuse_reads.is_empty() => self
                .refuse_reads
                .pop_front()
                .map_or_else(|| self.refused(ErrorCode::Busy), |r| self.refused(r)),
            Request::ReadInbox { after } => self.page(user, after),
            Request::ReadHistory(read) => Answer::HistoryPage(self.history_page(user, &read)),
            Request::ListConversations(list) => Answer::Conversations(self.conversations(user, list)),
            Request::ListDevices => Answer::Devices(self.devices.clone()),
            Request::RenameDevice(RenameDevice { device, label }) => self.change(&device, |known| {
                known.label = Some(label);
            }),
            Request::RevokeDevice(RevokeDevice { device }) if self.revoked.contains(&device) => Answer::Done,
            Request::RevokeDevice(RevokeDevice { device }) => {
                let answer = self.change(&device, |_| {});
                self.devices.retain(|known| known.device != device);
                self.revoked.extend((answer == Answer::Done).then_some(device));
                answer
            }
            Request::CreateGroup(create) => self.create_group(user, create, &mut pushes),
            Request::ChangeGroup(change) => self.change_group(user, change, &mut pushes),
            Request::ReadGroup { group } => self.group_summary(user, group),
            Request::ReadRoster(read) => self.roster(user, &read),
            standing => self.stand(user, standing, &mut pushes),
        };
        (Some(answer), pushes)
    }

    pub(crate) fn history_of(&self, one: &UserId, other: &UserId) -> Vec<HistoryEntry> {
        self.history.get(&ConversationId::direct(one, other)).cloned().unwrap_or_default()
    }

    pub(crate) fn last(&self, user: &UserId) -> Offset {
        Offset(self.inboxes.get(user).map_or(0, |inbox| inbox.len() as u64))
    }

    pub(crate) fn entries_after(&self, user: &UserId, after: Offset) -> Vec<Arc<InboxEntry>> {
        let inbox = self.inboxes.get(user).map_or(&[][..], Vec::as_slice);
        inbox.iter().filter(|entry| entry.offset > after).cloned().collect()
    }

    /// Commits a message; of nobody's device if there is none.
    pub(crate) fn commit(
        &mut self,
        from: &UserId,
        device: Option<&DeviceId>,
        send: &SendMessage,
    ) -> (Sent, Pushes) {
        let SendMessage { id, to, body, .. } = send.clone();
        let conversation = to.conversation(from);
        let owners = match &to {
            Target::User(to) => {
                self.members.insert(conversation, [from.clone(), to.clone()]);
                vec![
                    (from.clone(), Peer::User(to.clone()), device.cloned()),
                    (to.clone(), Peer::User(from.clone()), None),
                ]
            }
            Target::Group(group) => self.group_owners(*group, from, device),
        };
        let (seq, sent_at) = (self.write(conversation, from, id, body.clone()), self.now);
        let mut pushes = Vec::new();
        let mut offset = None;
        for (owner, with, origin) in owners {
            let is_own = owner == *from;
            let (from, body) = (from.clone(), body.clone());
            let message = InboxMessage { conversation, seq, id, from, with, origin, sent_at, body };
            let place = self.append(&owner, InboxItem::Message(message), &mut pushes);
            offset = offset.or(Some(place).filter(|_| is_own));
        }
        let sent = Sent { id, conversation, seq, sent_at, offset: None };
        self.dedup.insert((conversation, from.clone(), id), (sent, body));
        (Sent { offset: offset.filter(|_| !self.hides_offsets), ..sent }, pushes)
    }

    /// The next message of a conversation.
    fn write(&mut self, conversation: ConversationId, from: &UserId, id: MessageId, body: Body) -> Seq {
        let history = self.history.entry(conversation).or_default();
        let (seq, sent_at) = (Seq(history.len() as u64 + 1), self.now);
        history.push(HistoryEntry { seq, id, from: from.clone(), sent_at, body });
        seq
    }

    /// The next entry of an inbox.
    pub(crate) fn append(&mut self, owner: &UserId, item: InboxItem, pushes: &mut Pushes) -> Offset {
        let inbox = self.inboxes.entry(owner.clone()).or_default();
        let offset = Offset(inbox.len() as u64 + 1);
        let entry = Arc::new(InboxEntry { offset, item });
        inbox.push(Arc::clone(&entry));
        pushes.push((owner.clone(), entry));
        offset
    }

    fn send(&mut self, user: &UserId, device: &DeviceId, send: SendMessage) -> (Option<Answer>, Pushes) {
        self.sends.push(send.clone());
        if let Some(Some(refusal)) = self.refuse_sends.pop_front() {
            return (Some(self.refused(refusal)), Vec::new());
        }
        if let Target::Group(group) = &send.to
            && !self.is_member(*group, user)
        {
            return (Some(self.refused(ErrorCode::NotMember)), Vec::new());
        }
        let conversation = send.to.conversation(user);
        let known = |id| self.dedup.get(&(conversation, user.clone(), id));
        let oldest = self.now.minus_millis(DEDUP_WINDOW_MS);
        if send.id.timestamp() < oldest {
            return (Some(self.refused(ErrorCode::IdTooOld)), Vec::new());
        }
        if let Some((sent, body)) = known(send.id) {
            let same = *body == send.body;
            return (
                Some(if same { Answer::Sent(*sent) } else { self.refused(ErrorCode::IdConflict) }),
                Vec::new(),
            );
        }
        if send.id.timestamp() > self.now.plus_millis(ID_AHEAD_MS_MAX) {
            return (Some(self.refused(ErrorCode::IdInFuture)), Vec::new());
        }
        if send.previous.is_some_and(|previous| known(previous).is_none()) {
            return (Some(self.refused(ErrorCode::OutOfOrder)), Vec::new());
        }
        let (sent, pushes) = self.commit(user, Some(device), &send);
        (Some(Answer::Sent(sent)), pushes)
    }

    fn change(&mut self, device: &DeviceId, change: impl FnOnce(&mut DeviceSummary)) -> Answer {
        match self.devices.iter_mut().find(|known| known.device == *device) {
            Some(known) => {
                change(known);
                Answer::Done
            }
            None => self.refused(ErrorCode::UnknownDevice),
        }
    }

    fn acknowledge(&mut self, user: &UserId, device: &DeviceId, up_to: Offset) -> Option<Answer> {
        self.acknowledged.push((device.clone(), up_to));
        if up_to > self.last(user) {
            return Some(self.refused(ErrorCode::CursorAhead));
        }
        let cursor = self.cursors.entry((user.clone(), device.clone())).or_default();
        *cursor = up_to.max(*cursor);
        None
    }

    fn page(&self, user: &UserId, after: Offset) -> Answer {
        if after > self.last(user) {
            return self.refused(ErrorCode::CursorAhead);
        }
        let trimmed_to = self.trimmed_to.get(user).copied().unwrap_or(0);
        let start = after.0.max(trimmed_to);
        let gap = (start > after.0).then(|| (Offset(after.0 + 1), Offset(start)));
        let inbox = self.inboxes.get(user).map_or(&[][..], Vec::as_slice);
        let entries = inbox.iter().skip(start as usize).take(self.page_items).cloned().collect();
        Answer::InboxPage(InboxPage { after, gap, entries, last: self.last(user) })
    }

    fn history_page(&self, user: &UserId, read: &ReadHistory) -> HistoryPage {
        let conversation = read.with.conversation(user);
        let hidden = self.hidden.get(&conversation);
        let seen = |entry: &&HistoryEntry| hidden.is_none_or(|hidden| !hidden.contains(&entry.seq.0));
        let all: Vec<_> = self.history.get(&conversation).into_iter().flatten().filter(seen).collect();
        let limit = usize::from(read.limit).min(self.page_items);
        let (range, more) = match read.from {
            HistoryFrom::After(seq) => {
                let start = all.partition_point(|entry| entry.seq <= seq);
                let end = (start + limit).min(all.len());
                (start..end, end < all.len())
            }
            HistoryFrom::Latest => (all.len().saturating_sub(limit)..all.len(), all.len() > limit),
            HistoryFrom::Before(seq) => {
                let end = all.partition_point(|entry| entry.seq < seq);
                (end.saturating_sub(limit)..end, end > limit)
            }
        };
        let entries = all[range].iter().map(|entry| (*entry).clone()).collect();
        HistoryPage { conversation, entries, more }
    }

    fn conversations(&self, user: &UserId, list: ListConversations) -> ConversationPage {
        let direct = self.members.iter().filter(|(_, members)| members.contains(user));
        let direct =
            direct.map(|(id, [one, other])| (*id, Peer::User(if one == user { other } else { one }.clone())));
        let groups = self.groups.iter().filter(|(id, _)| self.is_member(**id, user));
        let groups = groups.map(|(id, group)| (*id, Peer::Group(group.title.clone())));
        let all: BTreeMap<_, _> = direct.chain(groups).collect();
        let behind = all.into_iter().filter(|(id, _)| list.after.is_none_or(|after| *id > after));
        let items: Vec<_> = behind.map(|(id, with)| self.summary(user, id, with)).collect();
        let limit = self.page_items.min(usize::from(list.limit));
        let more = items.len() > limit;
        ConversationPage { items: items.into_iter().take(limit).collect(), more }
    }

    fn summary(&self, user: &UserId, conversation: ConversationId, with: Peer) -> ConversationSummary {
        let last = self.history.get(&conversation).and_then(|all| all.last());
        let preview = |entry: &HistoryEntry| Preview::of(entry.from.clone(), entry.sent_at, &entry.body);
        let state = self.state(user, conversation);
        ConversationSummary {
            conversation,
            with,
            standing: Standing::Member,
            last_seq: last.map(|entry| entry.seq).unwrap_or_default(),
            read: state.read,
            unread: state.unread,
            flags: state.flags,
            last: last.map(preview).expect("a conversation has a message"),
        }
    }

    fn refused(&self, refusal: impl Into<Refusal>) -> Answer {
        Answer::Refused { refusal: refusal.into(), server_time: self.now }
    }
}
