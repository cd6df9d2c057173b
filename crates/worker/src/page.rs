//! Pages of committed rows: what memory holds is taken first, then runs are read, as of the same moment.

use std::ops::Range;

use bytes::Bytes;
use iris_tables::{Direction, Limit, Table, TableError, overlay};
use iris_types::limits::PAGE_BYTES_MAX;
use iris_types::planted::{Bug, is_planted};
use iris_types::request::Answer;
use iris_types::{ConversationId, ErrorCode, UserId, VnodeId};
use iris_vnode::list_conversations::Gathering;
use iris_vnode::page::{Row, number_of};
use iris_vnode::{Stamp, read_history, read_inbox};

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
    History {
        plan: read_history::Plan,
        conversation: ConversationId,
        names: Option<[UserId; 2]>,
        /// Chunk with the last change of who may read it.
        may_read: Stamp,
    },
    Conversations(Gathering),
}

impl Worker {
    /// Answers with a page, now or when the runs are read. Only committed rows are seen, so it waits for nothing
    /// else.
    pub(crate) fn read_page(&mut self, caller: Caller, rows: RowRange, kind: PageKind) {
        let mut next = Some(Page { caller, rows, memory: Vec::new(), kind });
        while let Some(page) = next.take() {
            next = self.read_part(page);
        }
    }

    /// Answers, or begins to read runs, or gives what is still to be read.
    fn read_part(&mut self, page: Page) -> Option<Page> {
        if !self.has_room_to_wait() {
            self.refuse(&page.caller, ErrorCode::Busy, Stamp::default());
            return None;
        }
        let rows = &page.rows;
        let hosted = self.hosted(rows.vnode)?;
        let range = &rows.keys.start[..]..&rows.keys.end[..];
        let limit = Limit { rows: rows.count, bytes: 2 * PAGE_BYTES_MAX };
        if is_planted(Bug::PageReadsRunsFirst) {
            self.read_runs(page, limit);
            return None;
        }
        let memory = hosted.rows(rows.table, range.clone(), rows.direction, rows.count);
        let found = if rows.is_covered_by(&memory) {
            Some(Vec::new())
        } else {
            hosted.scan_without_blocks(rows.table, range, rows.direction, limit)
        };
        let page = Page { memory, ..page };
        match found {
            Some(found) => self.finish_page(page, found),
            None => {
                self.read_runs(page, limit);
                None
            }
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
            Ok(ReadResult::Rows(found)) => {
                if let Some(Page { caller, rows, kind, .. }) = self.finish_page(page, found) {
                    self.read_page(caller, rows, kind);
                }
            }
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

    /// Answers, or gives what is still to be read.
    fn finish_page(&mut self, page: Page, found: Vec<Row>) -> Option<Page> {
        let Page { caller, rows, memory, kind } = page;
        let found = overlay(memory, found, rows.direction);
        let mut seen = Stamp::default();
        let answer = match kind {
            PageKind::Inbox(plan) => read_inbox::page(&plan, &caller.user, found).map(Answer::InboxPage),
            PageKind::History { plan, conversation, names, may_read } => {
                seen = may_read;
                let names = names.as_ref().map(|[lower, higher]| [lower, higher]);
                read_history::page(&plan, conversation, names, found).map(Answer::HistoryPage)
            }
            PageKind::Conversations(mut gathering) => match gathering.take(found, rows.count) {
                Ok(Some(next)) => {
                    let (keys, count) = (next..rows.keys.end.clone(), gathering.rows());
                    let (rows, kind) = (RowRange { keys, count, ..rows }, PageKind::Conversations(gathering));
                    return Some(Page { caller, rows, memory: Vec::new(), kind });
                }
                Ok(None) => Ok(Answer::Conversations(gathering.finish())),
                Err(code) => Err(code),
            },
        };
        match answer {
            Ok(answer) => self.answer(&caller, answer, seen),
            Err(code) => self.refuse(&caller, code, seen),
        }
        None
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
