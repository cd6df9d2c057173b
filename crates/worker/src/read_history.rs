//! A page of a conversation.

use iris_tables::{Direction, Table};
use iris_types::Seq;
use iris_types::request::{Answer, HistoryPage, ReadHistory};
use iris_vnode::{Stamp, read_history, rows};

use crate::page::{PageKind, RowRange};
use crate::state::{Caller, ConversationCommand, Who};
use crate::worker::Worker;

impl Worker {
    pub(crate) fn read_history(&mut self, caller: Caller, read: ReadHistory) {
        let target = read.with.clone();
        self.conversation_command(caller, &target, ConversationCommand::ReadHistory(read));
    }

    /// The conversation is loaded and it is this command's turn.
    pub(crate) fn run_history(&mut self, slot: u32, caller: Caller, read: &ReadHistory) {
        let Some(state) = self.conversations.get(slot) else { return };
        let Some(conversation) = state.conversation.as_ref() else { return };
        let (id, vnode, seen) = (state.id, state.vnode, conversation.touched);
        // Messages are shown once they are committed; that somebody may read those of a group has to be so, too.
        let may_read = if conversation.group().is_some() { seen } else { Stamp::default() };
        let plan = match read_history::plan(conversation, &caller.user, read) {
            Ok(Some(plan)) => plan,
            Ok(None) => {
                let page = HistoryPage { conversation: id, entries: Vec::new(), more: false };
                return self.answer(&caller, Answer::HistoryPage(page), may_read);
            }
            Err(code) => return self.refuse_proven(&caller, code, seen),
        };
        let names = match &state.who {
            Who::Direct { names, .. } => Some(names.clone()),
            Who::Group { .. } => None,
        };
        let (from, to) = if plan.is_ascending { (plan.first, plan.end) } else { (plan.end, plan.first) };
        let rows = RowRange {
            vnode,
            table: Table::History,
            keys: rows::history_key(id, from)..rows::history_key(id, Seq(to.0.saturating_add(1))),
            direction: if plan.is_ascending { Direction::Forward } else { Direction::Backward },
            count: plan.limit,
            first: Some(plan.first.0),
        };
        self.read_page(caller, rows, PageKind::History { plan, conversation: id, names, may_read });
    }
}
