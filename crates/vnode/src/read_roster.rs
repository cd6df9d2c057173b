//! A page of a group's members and invitations.

use std::ops::Bound;

use iris_types::limits::PAGE_ITEMS_MAX;
use iris_types::request::ReadRoster;
use iris_types::{ErrorCode, RosterItem, RosterPage, UserId};

use crate::Conversation;
use crate::group::{Member, Place};

/// As decided; to be told once [`Conversation::touched`] is committed.
///
/// # Errors
/// [`ErrorCode::NotMember`] for who is neither member nor invited.
pub fn page(
    conversation: &Conversation,
    user: &UserId,
    request: &ReadRoster,
) -> Result<RosterPage, ErrorCode> {
    let group = conversation.group().ok_or(ErrorCode::NotMember)?;
    if group.place(user) == Place::Gone {
        return Err(ErrorCode::NotMember);
    }
    let limit = usize::from(request.limit).clamp(1, PAGE_ITEMS_MAX);
    let start = request.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    let there = group
        .roster
        .range::<UserId, _>((start, Bound::Unbounded))
        .filter_map(|(user, member)| item(user, member));
    let mut items: Vec<RosterItem> = there.take(limit + 1).collect();
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(RosterPage { items, more })
}

fn item(user: &UserId, member: &Member) -> Option<RosterItem> {
    let role = match member.place {
        Place::Joined(role) => Some(role),
        Place::Invited => None,
        Place::Gone => return None,
    };
    Some(RosterItem { user: user.clone(), role, since: member.since })
}
