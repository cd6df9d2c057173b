//! A page of a user's inbox log, from a cursor on.

use iris_tables::{Direction, Table};
use iris_types::limits::PAGE_ITEMS_MAX;
use iris_types::request::{Answer, InboxPage};
use iris_types::{ErrorCode, Offset, Refusal};
use iris_vnode::{Stamp, read_inbox, rows};

use crate::page::{PageKind, RowRange};
use crate::state::Caller;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn read_inbox(&mut self, slot: u32, caller: Caller, after: Offset) {
        let Some((vnode, Some(inbox))) = self.users.get(slot).map(|user| (user.vnode, user.inbox.as_ref()))
        else {
            return;
        };
        let plan = match read_inbox::plan(inbox, after) {
            Ok(plan) => plan,
            Err(code) => return self.refuse_after_proof(&caller, Refusal::new(code)),
        };
        if plan.first > plan.last {
            let page = InboxPage { after, gap: plan.gap, entries: Vec::new(), last: plan.last };
            return self.answer(&caller, Answer::InboxPage(page), Stamp::default());
        }
        let end = Offset(plan.last.0.saturating_add(1));
        let rows = RowRange {
            vnode,
            table: Table::Inbox,
            keys: rows::inbox_key(&caller.user, plan.first)..rows::inbox_key(&caller.user, end),
            direction: Direction::Forward,
            count: PAGE_ITEMS_MAX,
            first: Some(plan.first.0),
        };
        self.read_page(caller, rows, PageKind::Inbox(plan));
    }

    /// Refuses what contradicts the committed state, once a commit has shown that the own log is not sealed: a
    /// worker that was replaced without knowing it must not call a cursor impossible.
    pub(crate) fn refuse_after_proof(&mut self, caller: &Caller, refusal: Refusal) {
        let stamp = self.log.stamp(&self.config.limits);
        self.log.force(self.mono);
        self.refuse(caller, refusal, stamp);
    }

    /// Refuses by state that somebody else may own and have changed meanwhile, once it is clear that nobody has.
    pub(crate) fn refuse_proven(&mut self, caller: &Caller, code: ErrorCode, seen: Stamp) {
        let is_by_state = matches!(
            code,
            ErrorCode::NotMember
                | ErrorCode::GroupFull
                | ErrorCode::NotAllowed
                | ErrorCode::UnknownMember
                | ErrorCode::NotAccepted
                | ErrorCode::UnknownConversation
        );
        if is_by_state {
            self.refuse_after_proof(caller, Refusal::new(code));
        } else {
            self.refuse(caller, code, seen);
        }
    }
}
