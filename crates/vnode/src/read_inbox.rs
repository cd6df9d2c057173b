//! A page of a user's inbox log.

use iris_types::planted::{Bug, is_planted};
use iris_types::request::InboxPage;
use iris_types::{ErrorCode, Offset, UserId};

use crate::page::{Row, take_dense};
use crate::{Inbox, rows};

/// What to read for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub after: Offset,
    /// Entries after `after` that are gone, first and last.
    pub gap: Option<(Offset, Offset)>,
    /// First entry of the page; beyond `last` when the page is empty.
    pub first: Offset,
    /// Last committed entry.
    pub last: Offset,
}

/// # Errors
/// [`ErrorCode::CursorAhead`] when the device is ahead of the log.
pub fn plan(inbox: &Inbox, after: Offset) -> Result<Plan, ErrorCode> {
    let last = inbox.committed;
    if after > last {
        return Err(ErrorCode::CursorAhead);
    }
    let trimmed = inbox.trimmed.max(after);
    let gap = (trimmed > after).then_some((Offset(after.0 + 1), trimmed));
    let gap = if is_planted(Bug::GapSilent) { None } else { gap };
    Ok(Plan { after, gap, first: Offset(trimmed.0 + 1), last })
}

/// Makes the page of the rows found from `plan.first` on, ascending.
///
/// # Errors
/// [`ErrorCode::DataCorrupt`] for a hole or a row that cannot be read: never skipped.
pub fn page(plan: &Plan, user: &UserId, found: Vec<Row>) -> Result<InboxPage, ErrorCode> {
    let found = take_dense(found, plan.first.0, true, usize::MAX);
    if found.is_empty() && plan.first <= plan.last {
        return Err(ErrorCode::DataCorrupt);
    }
    let entries = found.into_iter().map(|(key, value)| rows::read_inbox(&key, value, user));
    let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| ErrorCode::DataCorrupt)?;
    Ok(InboxPage { after: plan.after, gap: plan.gap, entries, last: plan.last })
}
