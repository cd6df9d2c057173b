//! Pages of committed rows: what memory holds is taken first, then runs are read, as of the same moment.

use std::ops::Range;

use bytes::Bytes;
use iris_tables::{Direction, Limit, Table, TableError, overlay};
use iris_types::limits::PAGE_BYTES_MAX;
use iris_types::planted::{Bug, is_planted};
use iris_types::request::Answer;
use iris_types::{ConversationId, ErrorCode, UserId, VnodeId};
use iris_vnode::page::{Row, number_of};
use iris_vnode::{Stamp, list_conversations, read_history, read_inbox};

use crate::call::{ReadResult, ReadWhat};
use crate::loading::{Target, refusal_of};
use crate::state::Caller;
use crate::worker::Worker;

/// A page that waits for rows of runs.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) caller: Caller,
    pub(crate) rows: RowRange,
    pub(crate) memory: Vec<Row>,
    pub(crate) kind: PageKind,
}

/// The rows of a page.
#[derive(Clone, Debug)]
pub(crate) struct RowRange {
    pub(crate) vnode: VnodeId,
    pub(crate) table: Table,
    pub(crate) keys: Range<Bytes>,
    pub(crate) direction: Direction,
    pub(crate) count: usize,
    /// Number of the first row, in tables whose rows are dense.
    pub(crate) first: Option<u64>,
}

#[derive(Debug)]
pub(crate) enum PageKind {
    Inbox(read_inbox::Plan),
    History { plan: read_history::Plan, conversation: ConversationId, names: Option<[UserId; 2]> },
    Conversations { limit: usize },
}

impl Worker {
    /// Answers with a page, now or when the runs are read. Only committed rows are seen, so it waits for nothing
    /// else.
    pub(crate) fn read_page(&mut self, caller: Caller, rows: RowRange, kind: PageKind) {
        if !self.has_room_to_wait() {
            return self.refuse(&caller, ErrorCode::Busy, Stamp::default());
        }
        let Some(hosted) = self.hosted(rows.vnode) else { return };
        let range = &rows.keys.start[..]..&rows.keys.end[..];
        let limit = Limit { rows: rows.count, bytes: 2 * PAGE_BYTES_MAX };
        if is_planted(Bug::PageReadsRunsFirst) {
            return self.read_runs(Page { caller, rows, memory: Vec::new(), kind }, limit);
        }
        let memory = hosted.rows(rows.table, range.clone(), rows.direction, rows.count);
        if rows.is_covered_by(&memory) {
            return self.finish_page(Page { caller, rows, memory, kind }, Vec::new());
        }
        match hosted.scan_without_blocks(rows.table, range, rows.direction, limit) {
            Some(found) => self.finish_page(Page { caller, rows, memory, kind }, found),
            None => self.read_runs(Page { caller, rows, memory, kind }, limit),
        }
    }

    pub(crate) fn page_read(&mut self, mut page: Page, result: Result<ReadResult, TableError>) {
        self.loading.waiting = self.loading.waiting.saturating_sub(1);
        if is_planted(Bug::PageReadsRunsFirst)
            && let Some(hosted) = self.hosted(page.rows.vnode)
        {
            let range = &page.rows.keys.start[..]..&page.rows.keys.end[..];
            page.memory = hosted.rows(page.rows.table, range, page.rows.direction, page.rows.count);
        }
        match result {
            Ok(ReadResult::Rows(found)) => self.finish_page(page, found),
            Ok(ReadResult::Keys(_)) => self.refuse(&page.caller, ErrorCode::DataCorrupt, Stamp::default()),
            Err(error) => self.refuse(&page.caller, refusal_of(&error), Stamp::default()),
        }
    }

    fn read_runs(&mut self, page: Page, limit: Limit) {
        self.loading.waiting += 1;
        let RowRange { vnode, table, keys, direction, .. } = page.rows.clone();
        let what = ReadWhat::Range { table, from: keys.start, to: keys.end, direction, limit };
        self.push_read(vnode, what, Target::Page(Box::new(page)));
    }

    fn finish_page(&mut self, page: Page, found: Vec<Row>) {
        let rows = overlay(page.memory, found, page.rows.direction);
        let answer = match &page.kind {
            PageKind::Inbox(plan) => read_inbox::page(plan, &page.caller.user, rows).map(Answer::InboxPage),
            PageKind::History { plan, conversation, names } => {
                let names = names.as_ref().map(|[lower, higher]| [lower, higher]);
                read_history::page(plan, *conversation, names, rows).map(Answer::HistoryPage)
            }
            PageKind::Conversations { limit } => {
                list_conversations::page(rows, *limit).map(Answer::Conversations)
            }
        };
        match answer {
            Ok(answer) => self.answer(&page.caller, answer, Stamp::default()),
            Err(code) => self.refuse(&page.caller, code, Stamp::default()),
        }
    }
}

impl RowRange {
    /// Whether rows of memory are all that the page needs: newer rows are always in memory, so ascending dense
    /// rows that begin with the first leave nothing to runs.
    fn is_covered_by(&self, memory: &[Row]) -> bool {
        let Some(first) = self.first else { return false };
        let begins = memory.first().is_some_and(|(key, _)| number_of(key) == Some(first));
        begins && (self.direction == Direction::Forward || memory.len() >= self.count)
    }
}
