//! A message gets its place in a member's inbox.

use std::sync::Arc;

use iris_types::{InboxEntry, InboxItem, InboxMessage, Position, UserId, VnodeId};

use crate::events::EntryEvent;
use crate::{Inbox, Stamp};

/// Gives the message the next offset. `None` at the end of the counter.
pub fn decide(
    inbox: &mut Inbox,
    user: &UserId,
    message: InboxMessage,
    from: Option<(VnodeId, Position)>,
    stamp: Stamp,
) -> Option<(EntryEvent, Arc<InboxEntry>)> {
    let offset = inbox.last.next()?;
    inbox.last = offset;
    inbox.touched = stamp;
    let entry = Arc::new(InboxEntry { offset, item: InboxItem::Message(message.clone()) });
    Some((EntryEvent { user: user.clone(), offset, from, message }, entry))
}
