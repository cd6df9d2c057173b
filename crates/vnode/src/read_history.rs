//! A page of a conversation, forward or backward.

use iris_types::limits::PAGE_ITEMS_MAX;
use iris_types::request::{HistoryFrom, HistoryPage, ReadHistory};
use iris_types::{ConversationId, ErrorCode, Seq, UserId};

use crate::page::{Row, take_dense};
use crate::{Conversation, rows};

/// What to read for a page: seqs from `first` in one direction, up to `end` and with it. Nothing when there are
/// no such seqs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub first: Seq,
    pub end: Seq,
    pub is_ascending: bool,
    pub limit: usize,
}

/// `None`: the page is empty. Only what is committed is shown.
#[must_use]
pub fn plan(conversation: &Conversation, request: &ReadHistory) -> Option<Plan> {
    let last = conversation.committed;
    let limit = usize::from(request.limit).clamp(1, PAGE_ITEMS_MAX);
    let backward = |first| Plan { first, end: Seq(1), is_ascending: false, limit };
    let plan = match request.from {
        HistoryFrom::Latest => backward(last),
        HistoryFrom::Before(seq) => backward(last.min(Seq(seq.0.saturating_sub(1)))),
        HistoryFrom::After(seq) => {
            Plan { first: Seq(seq.0.saturating_add(1)), end: last, is_ascending: true, limit }
        }
    };
    let is_empty = if plan.is_ascending { plan.first > plan.end } else { plan.first < plan.end };
    (!is_empty).then_some(plan)
}

/// Makes the page of the rows found; `names` are the lower and the higher member. Rows start at
/// `plan.first`, in the plan's direction.
///
/// # Errors
/// [`ErrorCode::DataCorrupt`] for a hole or a row that cannot be read: never skipped.
pub fn page(
    plan: &Plan,
    conversation: ConversationId,
    names: [&UserId; 2],
    found: Vec<Row>,
) -> Result<HistoryPage, ErrorCode> {
    let found = take_dense(found, plan.first.0, plan.is_ascending, plan.limit);
    let entries = found.into_iter().map(|(key, value)| rows::read_history(&key, value, names));
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| ErrorCode::DataCorrupt)?;
    let reached = entries.last().map(|entry| entry.seq).ok_or(ErrorCode::DataCorrupt)?;
    if !plan.is_ascending {
        entries.reverse();
    }
    Ok(HistoryPage { conversation, entries, more: reached != plan.end })
}
