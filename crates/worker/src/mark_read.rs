//! A user has read a conversation: the user's own devices know it at once, its other members if the user wants that.

use std::collections::BTreeMap;

use iris_types::limits::PAGE_ITEMS_MAX;
use iris_types::planted::{Bug, is_planted};
use iris_types::request::{Answer, MarkRead};
use iris_types::{ConversationId, ConversationState, ErrorCode, InboxItem, Marks, Seq, Target};
use iris_vnode::Stamp;

use crate::state::{Caller, Read, UserCommand, Waiter};
use crate::worker::Worker;

impl Worker {
    /// Notes a mark; it is decided together with acknowledgements, the last one of a conversation for all.
    pub(crate) fn mark_read(&mut self, slot: u32, caller: Caller, mark: MarkRead) {
        if let Some(refusal) = self.sheds_change() {
            return self.refuse(&caller, refusal, Stamp::default());
        }
        let conversation = mark.target.conversation(&caller.user);
        if !self.ensure_line(slot, conversation) {
            let request = iris_types::request::Request::MarkRead(mark);
            return self.wait_with(slot, UserCommand::Request { caller, request });
        }
        let Some(user) = self.users.get_mut(slot) else { return };
        let last = user
            .lines
            .get(&conversation)
            .and_then(|known| known.as_ref()?.listed.as_ref())
            .map(|one| one.last);
        if last.is_none_or(|last| mark.up_to > last) {
            return self.refuse_proven(&caller, ErrorCode::UnknownConversation, Stamp::default());
        }
        let read = user.reads.entry(conversation).or_insert_with(|| Read {
            target: mark.target,
            up_to: Seq::ZERO,
            callers: Vec::new(),
        });
        read.up_to = read.up_to.max(mark.up_to);
        read.callers.push(caller);
        self.note_soon(slot);
    }

    /// Decides what was noted, so much as one chunk has room for: marks for the conversations go to `marks`.
    pub(crate) fn take_reads(
        &mut self,
        slot: u32,
        marks: &mut BTreeMap<ConversationId, (Target, Marks)>,
        stamp: Stamp,
    ) {
        let Some(user) = self.users.get_mut(slot) else { return };
        let mut reads = std::mem::take(&mut user.reads);
        if let Some(later) = reads.keys().nth(PAGE_ITEMS_MAX).copied() {
            user.reads = reads.split_off(&later);
            self.note_soon(slot);
        }
        let Some(user) = self.users.get(slot) else { return };
        let shows = user.inbox.as_ref().is_some_and(|inbox| inbox.settings.read_receipts)
            || is_planted(Bug::ReceiptSwitchIgnored);
        for (conversation, Read { target, up_to, callers }) in reads {
            let mut is_news = false;
            self.change_line(slot, conversation, stamp, |line| {
                is_news = line.mark(up_to);
                is_news
            });
            if is_news {
                self.show_state(slot, conversation, stamp);
                // Whoever does not show what they read shows that they have it.
                let read = if shows { up_to } else { Seq::ZERO };
                let mark = marks.entry(conversation).or_insert((target, Marks::default()));
                mark.1 = mark.1.merged(Marks { delivered: up_to, read });
            }
            let seen = self.users.get(slot).and_then(|user| user.inbox.as_ref()).map(|inbox| inbox.touched);
            for caller in callers {
                self.answer(&caller, Answer::Done, seen.unwrap_or(stamp));
            }
        }
    }

    /// Tells the user's devices how a conversation stands now.
    pub(crate) fn show_state(&mut self, slot: u32, conversation: ConversationId, stamp: Stamp) {
        let at = self.now;
        let Some(user) = self.users.get(slot) else { return };
        let Some(Some(known)) = user.lines.get(&conversation) else { return };
        let last = known.listed.as_ref().map_or(Seq::ZERO, |listed| listed.last);
        let (read, unread, flags) = (known.line.read, known.line.unread(last), known.line.flags);
        let vnode = user.vnode;
        let item = InboxItem::State(ConversationState { conversation, read, unread, flags, at });
        if let Some(placed) = self.append_entry(vnode, slot, item, None, stamp) {
            self.push_entry(placed, None, stamp);
        }
    }

    /// Lets a command wait until what it needs of a loaded user is loaded, too.
    pub(crate) fn wait_with(&mut self, slot: u32, command: UserCommand) {
        if !self.has_room_to_wait() {
            return self.refuse_user_command(command, ErrorCode::Busy);
        }
        if let Some(user) = self.users.get_mut(slot) {
            user.waiters.push(Waiter::Command(Box::new(command)));
            self.loading.waiting += 1;
        }
    }
}
