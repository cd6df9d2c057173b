//! What a group is, as a member or somebody invited sees it.

use iris_types::{ErrorCode, GroupSummary, UserId};

use crate::Conversation;
use crate::group::Place;

/// As decided; to be told once [`Conversation::touched`] is committed.
///
/// # Errors
/// [`ErrorCode::NotMember`].
pub fn summary(conversation: &Conversation, user: &UserId) -> Result<GroupSummary, ErrorCode> {
    let group = conversation.group().ok_or(ErrorCode::NotMember)?;
    let role = match group.place(user) {
        Place::Joined(role) => Some(role),
        Place::Invited => None,
        Place::Gone => return Err(ErrorCode::NotMember),
    };
    Ok(GroupSummary {
        group: conversation.id,
        title: group.facts.title.clone(),
        description: group.facts.description.clone(),
        policy: group.facts.policy,
        created_at: group.facts.created_at,
        members: u32::try_from(group.joined).unwrap_or(u32::MAX),
        invited: u32::try_from(group.invited).unwrap_or(u32::MAX),
        role,
        last_seq: conversation.last,
    })
}
