//! A page of a user's conversations.

use iris_tables::{Direction, Table};
use iris_types::request::ListConversations;
use iris_vnode::list_conversations::{self, Gathering};

use crate::page::{PageKind, RowRange};
use crate::state::Caller;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn list_conversations(&mut self, slot: u32, caller: Caller, request: &ListConversations) {
        let Some(vnode) = self.users.get(slot).map(|user| user.vnode) else { return };
        let gathering = Gathering::new(request);
        let rows = RowRange {
            vnode,
            table: Table::Head,
            keys: list_conversations::range(&caller.user, request),
            direction: Direction::Forward,
            count: gathering.rows(),
            first: None,
        };
        self.read_page(caller, rows, PageKind::Conversations(gathering));
    }
}
