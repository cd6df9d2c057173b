//! A page of a user's conversations.

use iris_tables::{Direction, Table};
use iris_types::request::ListConversations;
use iris_vnode::list_conversations;

use crate::page::{PageKind, RowRange};
use crate::state::Caller;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn list_conversations(&mut self, slot: u32, caller: Caller, request: &ListConversations) {
        let Some(vnode) = self.users.get(slot).map(|user| user.vnode) else { return };
        let limit = list_conversations::limit(request);
        let rows = RowRange {
            vnode,
            table: Table::Head,
            keys: list_conversations::range(&caller.user, request),
            direction: Direction::Forward,
            count: list_conversations::rows(limit),
            first: None,
        };
        self.read_page(caller, rows, PageKind::Conversations { limit });
    }
}
