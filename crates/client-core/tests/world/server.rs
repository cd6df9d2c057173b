//! A server that keeps the rules of the domain in the plainest way, for as many users as write.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use iris_types::limits::{DEDUP_WINDOW_MS, ID_AHEAD_MS_MAX};
use iris_types::request::{
    Answer, Attached, ConversationPage, HistoryFrom, HistoryPage, InboxPage, ListConversations, ReadHistory,
    RenameDevice, Request, RevokeDevice, SendMessage, Sent,
};
use iris_types::{
    Body, ConversationId, ConversationSummary, DeviceId, DeviceSummary, ErrorCode, HistoryEntry, InboxEntry,
    InboxItem, InboxMessage, MessageId, Offset, Refusal, Seq, Timestamp, UserId,
};

type Key = (ConversationId, UserId, MessageId);

#[derive(Default)]
#[allow(dead_code, reason = "each test program looks at some of it")]
pub(crate) struct Server {
    pub(crate) now: Timestamp,
    inboxes: BTreeMap<UserId, Vec<Arc<InboxEntry>>>,
    pub(crate) trimmed_to: BTreeMap<UserId, u64>,
    cursors: BTreeMap<(UserId, DeviceId), Offset>,
    history: BTreeMap<ConversationId, Vec<HistoryEntry>>,
    members: BTreeMap<ConversationId, [UserId; 2]>,
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
    /// What was asked, for tests that look at it.
    pub(crate) sends: Vec<SendMessage>,
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
    ) -> (Option<Answer>, Vec<(UserId, Arc<InboxEntry>)>) {
        let answer = match request {
            Request::SendMessage(send) => return self.send(user, device, send),
            Request::Acknowledge { up_to } => return (self.acknowledge(user, device, up_to), Vec::new()),
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
        };
        (Some(answer), Vec::new())
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
    ) -> (Sent, Vec<(UserId, Arc<InboxEntry>)>) {
        let SendMessage { id, to, body, .. } = send.clone();
        let conversation = ConversationId::direct(from, &to);
        self.members.insert(conversation, [from.clone(), to.clone()]);
        let history = self.history.entry(conversation).or_default();
        let (seq, sent_at) = (Seq(history.len() as u64 + 1), self.now);
        history.push(HistoryEntry { seq, id, from: from.clone(), sent_at, body: body.clone() });
        let mut pushes = Vec::new();
        let mut offset = None;
        for (owner, with, origin) in [(from, &to, device.cloned()), (&to, from, None)] {
            let inbox = self.inboxes.entry(owner.clone()).or_default();
            let place = Offset(inbox.len() as u64 + 1);
            offset = offset.or(Some(place));
            let (from, with, body) = (from.clone(), with.clone(), body.clone());
            let message = InboxMessage { conversation, seq, id, from, with, origin, sent_at, body };
            let entry = Arc::new(InboxEntry { offset: place, item: InboxItem::Message(message) });
            inbox.push(Arc::clone(&entry));
            pushes.push((owner.clone(), entry));
        }
        let sent = Sent { id, conversation, seq, sent_at, offset: None };
        self.dedup.insert((conversation, from.clone(), id), (sent, body));
        (Sent { offset: offset.filter(|_| !self.hides_offsets), ..sent }, pushes)
    }

    fn send(
        &mut self,
        user: &UserId,
        device: &DeviceId,
        send: SendMessage,
    ) -> (Option<Answer>, Vec<(UserId, Arc<InboxEntry>)>) {
        self.sends.push(send.clone());
        if let Some(Some(refusal)) = self.refuse_sends.pop_front() {
            return (Some(self.refused(refusal)), Vec::new());
        }
        let conversation = ConversationId::direct(user, &send.to);
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
        let conversation = ConversationId::direct(user, &read.with);
        let all = self.history.get(&conversation).map_or(&[][..], Vec::as_slice);
        let limit = usize::from(read.limit).min(self.page_items);
        let (range, more) = match read.from {
            HistoryFrom::After(seq) => {
                let start = (seq.0 as usize).min(all.len());
                let end = (start + limit).min(all.len());
                (start..end, end < all.len())
            }
            HistoryFrom::Latest => (all.len().saturating_sub(limit)..all.len(), all.len() > limit),
            HistoryFrom::Before(seq) => {
                let end = (seq.0 as usize).saturating_sub(1).min(all.len());
                (end.saturating_sub(limit)..end, end > limit)
            }
        };
        HistoryPage { conversation, entries: all[range].to_vec(), more }
    }

    fn conversations(&self, user: &UserId, list: ListConversations) -> ConversationPage {
        let mine = |(_, members): &(&ConversationId, &[UserId; 2])| members.contains(user);
        let behind = |(id, _): &(&ConversationId, &[UserId; 2])| list.after.is_none_or(|after| **id > after);
        let summary = |(conversation, members): (&ConversationId, &[UserId; 2])| {
            let [one, other] = members;
            let with = if one == user { other } else { one }.clone();
            let last_seq = Seq(self.history.get(conversation).map_or(0, |all| all.len() as u64));
            ConversationSummary { conversation: *conversation, with, last_seq }
        };
        let items: Vec<_> = self.members.iter().filter(mine).filter(behind).map(summary).collect();
        let more = items.len() > self.page_items;
        ConversationPage { items: items.into_iter().take(self.page_items).collect(), more }
    }

    fn refused(&self, refusal: impl Into<Refusal>) -> Answer {
        Answer::Refused { refusal: refusal.into(), server_time: self.now }
    }
}
