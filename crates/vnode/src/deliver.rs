//! Something gets its place in an inbox.

use std::sync::Arc;

use iris_types::{InboxEntry, InboxItem, InboxMessage, Offset, Position, UserId, VnodeId};

use crate::events::{EntryEvent, GroupEntriesEvent, GroupEntry};
use crate::forward::Recipient;
use crate::{Inbox, Stamp};

/// Gives an item the next offset. `None` at the end of the counter.
pub fn decide(
    inbox: &mut Inbox,
    user: &UserId,
    item: InboxItem,
    from: Option<(VnodeId, Position)>,
    stamp: Stamp,
) -> Option<(EntryEvent, Arc<InboxEntry>)> {
    let offset = next_offset(inbox, stamp)?;
    let entry = Arc::new(InboxEntry { offset, item: item.clone() });
    Some((EntryEvent { user: user.clone(), offset, from, item }, entry))
}

/// The next offset of an inbox, given away. `None` at the end of the counter.
pub fn next_offset(inbox: &mut Inbox, stamp: Stamp) -> Option<Offset> {
    let offset = inbox.last.next()?;
    inbox.last = offset;
    inbox.touched = stamp;
    Some(offset)
}

/// The event of a group's message for the members of one vnode.
#[must_use]
pub const fn group(
    message: InboxMessage,
    from: Option<(VnodeId, Position)>,
    entries: Vec<GroupEntry>,
) -> GroupEntriesEvent {
    GroupEntriesEvent { from, message, entries }
}

/// A group's message as one recipient's inbox holds it.
#[must_use]
pub fn for_recipient(message: &InboxMessage, recipient: &Recipient) -> InboxMessage {
    InboxMessage { origin: recipient.origin.clone(), ..message.clone() }
}
