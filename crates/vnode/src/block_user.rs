//! A user takes no more messages of another, or does so again.

use iris_types::UserId;

use crate::conversation::Conversation;
use crate::events::Event;
use crate::{Stamp, rows};

/// Decides it at the direct conversation's vnode. `None`: it is so already.
pub fn decide(conversation: &mut Conversation, user: &UserId, on: bool, stamp: Stamp) -> Option<Event> {
    let id = conversation.id;
    let direct = conversation.direct_mut()?;
    let side = direct.side_of(user)?;
    let state = &mut direct.sides[usize::from(side.number())];
    if state.blocks == on {
        return None;
    }
    state.blocks = on;
    let event = Event::Sides { conversation: id, sides: rows::sides_value(direct) };
    conversation.touched = stamp;
    Some(event)
}
