//! A page of a conversation.

use iris_tables::{Direction, Table};
use iris_types::request::{Answer, HistoryPage, ReadHistory};
use iris_types::{ErrorCode, Seq};
use iris_vnode::{Side, Stamp, read_history, rows};

use crate::page::{PageKind, RowRange};
use crate::state::{Caller, ConversationCommand};
use crate::worker::Worker;

impl Worker {
    pub(crate) fn read_history(&mut self, caller: Caller, read: ReadHistory) {
        let (lower, higher) = crate::send_message::ordered(&caller.user, &read.with);
        let side = if caller.user == lower { Side::Lower } else { Side::Higher };
        // What finds no room to wait begins no load.
        if !self.has_room_to_wait() {
            return self.refuse(&caller, ErrorCode::Busy, Stamp::default());
        }
        let Some(slot) = self.ensure_conversation(&lower, &higher) else {
            return self.refuse(&caller, ErrorCode::Unavailable, Stamp::default());
        };
        self.enqueue(slot, caller, side, ConversationCommand::ReadHistory(read));
        self.pump_conversation(slot);
    }

    /// The conversation is loaded and it is this command's turn.
    pub(crate) fn run_history(&mut self, slot: u32, caller: Caller, read: &ReadHistory) {
        let Some(state) = self.conversations.get(slot) else { return };
        let Some(conversation) = state.conversation.as_ref() else { return };
        let (id, vnode) = (state.id, state.vnode);
        let Some(plan) = read_history::plan(conversation, read) else {
            let page = HistoryPage { conversation: id, entries: Vec::new(), more: false };
            return self.answer(&caller, Answer::HistoryPage(page), Stamp::default());
        };
        let names = [state.lower.clone(), state.higher.clone()];
        let (from, to) = if plan.is_ascending { (plan.first, plan.end) } else { (plan.end, plan.first) };
        let rows = RowRange {
            vnode,
            table: Table::History,
            keys: rows::history_key(id, from)..rows::history_key(id, Seq(to.0.saturating_add(1))),
            direction: if plan.is_ascending { Direction::Forward } else { Direction::Backward },
            count: plan.limit,
            first: Some(plan.first.0),
        };
        self.read_page(caller, rows, PageKind::History { plan, conversation: id, names });
    }
}
