//! A page of a conversation, forward or backward.

use iris_types::limits::PAGE_ITEMS_MAX;
use iris_types::request::{HistoryFrom, HistoryPage, ReadHistory};
use iris_types::{ConversationId, ErrorCode, Seq, UserId};

use crate::conversation::Members;
use crate::page::{Row, take_dense};
use crate::{Conversation, rows};

/// What to read for a page: seqs from `first` in one direction, up to `end` and with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub first: Seq,
    pub end: Seq,
    pub is_ascending: bool,
    pub limit: usize,
    /// The user was in the group at another time in that direction, too.
    pub has_beyond: bool,
}

/// `None`: the page is empty. Only what is committed is shown, and of a group only what was said while the user was
/// in it.
///
/// # Errors
/// [`ErrorCode::NotMember`] for who never was.
pub fn plan(
    conversation: &Conversation,
    user: &UserId,
    request: &ReadHistory,
) -> Result<Option<Plan>, ErrorCode> {
    let visible = visible(conversation, user)?;
    let limit = usize::from(request.limit).clamp(1, PAGE_ITEMS_MAX);
    let backward = |from: Seq| {
        let place = visible.iter().rposition(|(first, _)| *first <= from)?;
        let (first, last) = visible.get(place)?;
        let (first, end) = (from.min(*last), *first);
        Some(Plan { first, end, is_ascending: false, limit, has_beyond: place > 0 })
    };
    let forward = |from: Seq| {
        let place = visible.iter().position(|(_, last)| *last >= from)?;
        let (first, end) = *visible.get(place)?;
        let has_beyond = place + 1 < visible.len();
        Some(Plan { first: first.max(from), end, is_ascending: true, limit, has_beyond })
    };
    Ok(match request.from {
        HistoryFrom::Latest => backward(Seq(u64::MAX)),
        HistoryFrom::Before(seq) => seq.0.checked_sub(1).and_then(|from| backward(Seq(from))),
        HistoryFrom::After(seq) => seq.0.checked_add(1).and_then(|from| forward(Seq(from))),
    })
}

/// First and last seqs that a user may read, ascending, none of them empty.
fn visible(conversation: &Conversation, user: &UserId) -> Result<Vec<(Seq, Seq)>, ErrorCode> {
    let end = conversation.committed;
    let mut visible = match &conversation.members {
        Members::Direct(direct) => match direct.side_of(user) {
            Some(_) => vec![(Seq(1), end)],
            None => return Err(ErrorCode::NotMember),
        },
        Members::Group(group) => {
            let member = group.roster.get(user).ok_or(ErrorCode::NotMember)?;
            let range = |one: &crate::group::Membership| (one.first, one.last.unwrap_or(end).min(end));
            member.memberships.iter().map(range).collect()
        }
        Members::Nobody => return Err(ErrorCode::NotMember),
    };
    visible.retain(|(first, last)| first <= last);
    Ok(visible)
}

/// Makes the page of the rows found; `names` are the lower and the higher member of a direct conversation. Rows start
/// at `plan.first`, in the plan's direction.
///
/// # Errors
/// [`ErrorCode::DataCorrupt`] for a hole or a row that cannot be read: never skipped.
pub fn page(
    plan: &Plan,
    conversation: ConversationId,
    names: Option<[&UserId; 2]>,
    found: Vec<Row>,
) -> Result<HistoryPage, ErrorCode> {
    let found = take_dense(found, plan.first.0, plan.is_ascending, plan.limit);
    let entries = found.into_iter().map(|(key, value)| rows::read_history(&key, value, names));
    let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(|_| ErrorCode::DataCorrupt)?;
    let reached = entries.last().map(|entry| entry.seq).ok_or(ErrorCode::DataCorrupt)?;
    if !plan.is_ascending {
        entries.reverse();
    }
    Ok(HistoryPage { conversation, entries, more: reached != plan.end || plan.has_beyond })
}
