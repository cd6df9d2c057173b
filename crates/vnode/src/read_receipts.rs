//! Who has a message, and who has read it.

use iris_types::limits::PAGE_ITEMS_MAX;
use iris_types::request::ReadReceipts;
use iris_types::{ErrorCode, Marks, ReceiptPage, Seq, UserId};

use crate::Conversation;
use crate::conversation::{Members, Side};
use crate::group::{Group, Place};

/// As decided; to be told once [`Conversation::touched`] is committed. Who asks is left out. `shows_reads`: who asks
/// lets others know, too.
///
/// # Errors
/// [`ErrorCode::NotMember`]; [`ErrorCode::UnknownConversation`] for a message that there is not.
pub fn page(
    conversation: &Conversation,
    user: &UserId,
    request: &ReadReceipts,
    shows_reads: bool,
) -> Result<ReceiptPage, ErrorCode> {
    let others = others(conversation, user, request.seq)?;
    if request.seq == Seq::ZERO || request.seq > conversation.last {
        return Err(ErrorCode::UnknownConversation);
    }
    let shown = |marks: Marks| if shows_reads { marks } else { Marks { read: Seq::ZERO, ..marks } };
    let count = |of: fn(Marks) -> Seq| {
        let count = others.iter().filter(|(_, marks)| of(shown(*marks)) >= request.seq).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let limit = usize::from(request.limit).clamp(1, PAGE_ITEMS_MAX);
    let is_after = |user: &UserId| request.after.as_ref().is_none_or(|after| user > after);
    let by = others.iter().filter(|(user, marks)| marks.delivered >= request.seq && is_after(user));
    let mut by: Vec<(UserId, Marks)> =
        by.take(limit + 1).map(|(user, marks)| ((*user).clone(), shown(*marks))).collect();
    let more = by.len() > limit;
    by.truncate(limit);
    Ok(ReceiptPage {
        delivered: count(|marks| marks.delivered),
        read: count(|marks| marks.read),
        members: u32::try_from(others.len()).unwrap_or(u32::MAX),
        by,
        more,
    })
}

/// Those who should have the message, ascending by name.
fn others<'a>(
    conversation: &'a Conversation,
    user: &UserId,
    seq: Seq,
) -> Result<Vec<(&'a UserId, Marks)>, ErrorCode> {
    match &conversation.members {
        Members::Direct(direct) => {
            let side = direct.side_of(user).ok_or(ErrorCode::NotMember)?;
            let other = match side.other() {
                Side::Lower => &direct.lower,
                Side::Higher => &direct.higher,
            };
            let is_shown = other != user && !direct.is_blocked();
            Ok(is_shown.then(|| (other, direct.state(side.other()).marks)).into_iter().collect())
        }
        Members::Group(group) => {
            if !matches!(group.place(user), Place::Joined(_)) {
                return Err(ErrorCode::NotMember);
            }
            let others =
                group.members().filter(|(other, member)| *other != user && Group::should_have(member, seq));
            Ok(others.map(|(other, member)| (other, member.marks)).collect())
        }
        Members::Nobody => Err(ErrorCode::NotMember),
    }
}
