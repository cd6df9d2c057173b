//! How conversations stand, settings, and who is there.

use std::collections::BTreeMap;

use iris_types::request::{Answer, BlockUser, MarkRead, Request, SetFlags};
use iris_types::{
    ConversationId, ConversationState, ErrorCode, Flags, InboxItem, Marks, MessageId, Receipt, ReceiptPage,
    Seq, Target, UserId, Watched,
};

use super::{Pushes, Server};

/// What the server was told, in order, for tests that look at it.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) ids: Vec<MessageId>,
    pub(crate) marks: Vec<MarkRead>,
    pub(crate) watched: Vec<Vec<Watched>>,
    pub(crate) typing: Vec<(Target, bool)>,
    pub(crate) blocked: Vec<(UserId, bool)>,
    states: BTreeMap<(UserId, ConversationId), (Seq, Flags)>,
}

#[allow(dead_code, reason = "each test program uses some of it")]
impl Server {
    pub(crate) fn state(&self, user: &UserId, conversation: ConversationId) -> ConversationState {
        let state = self.told.states.get(&(user.clone(), conversation));
        let (read, flags) = state.copied().unwrap_or_default();
        let behind = self.history.get(&conversation).into_iter().flatten();
        let unread = behind.filter(|entry| entry.seq > read && entry.from != *user).count() as u64;
        ConversationState { conversation, read, unread, flags, at: self.now }
    }

    pub(super) fn stand(&mut self, user: &UserId, request: Request, pushes: &mut Pushes) -> Answer {
        match request {
            Request::MarkRead(mark) => self.mark(user, mark, pushes),
            Request::SetFlags(SetFlags { target, mask, values }) => {
                let conversation = target.conversation(user);
                let state = self.told.states.entry((user.clone(), conversation)).or_default();
                state.1 = state.1.changed(mask, values);
                self.tell_state(user, conversation, pushes)
            }
            Request::BlockUser(BlockUser { user: other, on }) => {
                self.told.blocked.push((other, on));
                Answer::Done
            }
            Request::ReadSettings => Answer::Settings(self.settings.get(user).copied().unwrap_or_default()),
            Request::ChangeSettings(change) => {
                let settings = self.settings.entry(user.clone()).or_default();
                *settings = change.applied_to(*settings);
                let item = InboxItem::Settings(*settings, self.now);
                self.append(user, item, pushes);
                Answer::Done
            }
            Request::Watch(items) => {
                self.told.watched.push(items);
                Answer::Done
            }
            Request::ReadPresence(items) => {
                let asked = |user: &UserId| items.iter().any(|item| item.user == *user);
                Answer::Presence(self.presence.iter().filter(|known| asked(&known.user)).cloned().collect())
            }
            Request::ReadReceipts(read) => {
                let conversation = read.target.conversation(user);
                let marks = |seq| Marks { delivered: seq, read: seq };
                let all = self.told.states.iter().filter(|((_, of), _)| *of == conversation);
                let all = all.filter(|((by, _), (seq, _))| by != user && *seq >= read.seq);
                let all: Vec<_> = all.map(|((by, _), (seq, _))| (by.clone(), marks(*seq))).collect();
                let count = all.len() as u32;
                let behind = |(by, _): &(UserId, Marks)| read.after.as_ref().is_none_or(|after| by > after);
                let mut by: Vec<_> = all.into_iter().filter(behind).collect();
                let more = by.len() > self.page_items;
                by.truncate(self.page_items);
                Answer::Receipts(ReceiptPage { delivered: count, read: count, members: count, by, more })
            }
            _ => self.refused(ErrorCode::UnknownOpcode),
        }
    }

    fn mark(&mut self, user: &UserId, mark: MarkRead, pushes: &mut Pushes) -> Answer {
        self.told.marks.push(mark.clone());
        let conversation = mark.target.conversation(user);
        if self.history.get(&conversation).map_or(0, Vec::len) < mark.up_to.0 as usize {
            return self.refused(ErrorCode::UnknownConversation);
        }
        let state = self.told.states.entry((user.clone(), conversation)).or_default();
        state.0 = state.0.max(mark.up_to);
        let marks = Marks { delivered: state.0, read: state.0 };
        if let Target::User(other) = &mark.target {
            let receipt = Receipt { conversation, user: user.clone(), marks, at: self.now };
            self.append(other, InboxItem::Receipt(receipt), pushes);
        }
        self.tell_state(user, conversation, pushes)
    }

    fn tell_state(&mut self, user: &UserId, conversation: ConversationId, pushes: &mut Pushes) -> Answer {
        let state = self.state(user, conversation);
        self.append(user, InboxItem::State(state), pushes);
        Answer::Done
    }
}
