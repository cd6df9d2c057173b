//! What came lately to users with connections: their acknowledgements say of it what is delivered, without reading it
//! again. Reading sorts a memory table, which at a high rate costs more than the message did.

use std::collections::VecDeque;

use iris_types::limits::ARRIVALS_PER_USER_MAX;
use iris_types::{ConversationId, InboxEntry, InboxItem, Offset, Seq, Target, UserId};
use iris_vnode::receipts::{self, Delivered};

/// The last entries of one inbox that are not told as delivered. What is not here is read.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Entries from here on are known,
    first: Offset,
    /// up to this one, without it.
    end: Offset,
    /// Those among them that are messages of others.
    messages: VecDeque<Arrived>,
}

#[derive(Debug)]
struct Arrived {
    offset: Offset,
    conversation: ConversationId,
    target: Target,
    seq: Seq,
}

impl Arrivals {
    /// An entry got its place. Of those before it that were not noted, none counts as known.
    pub(crate) fn note(&mut self, entry: &InboxEntry, user: &UserId) {
        if entry.offset != self.end {
            *self = Self { first: entry.offset, ..Self::default() };
        }
        self.end = following(entry.offset);
        let InboxItem::Message(message) = &entry.item else { return };
        if !receipts::gives_receipt(message, user) {
            return;
        }
        if self.messages.len() >= ARRIVALS_PER_USER_MAX
            && let Some(oldest) = self.messages.pop_front()
        {
            self.first = following(oldest.offset);
        }
        let (conversation, seq) = (message.conversation, message.seq);
        let target = message.with.target(conversation);
        self.messages.push_back(Arrived { offset: entry.offset, conversation, target, seq });
    }

    /// Whether most of the room is used.
    pub(crate) fn is_crowded(&self) -> bool {
        self.messages.len() >= ARRIVALS_PER_USER_MAX / 4 * 3
    }

    /// What the entries from `first` to `furthest` say is delivered, if all of them are known; then they are not any
    /// more.
    pub(crate) fn take(&mut self, first: Offset, furthest: Offset) -> Option<Delivered> {
        if first < self.first || furthest >= self.end {
            return None;
        }
        let mut delivered = Delivered::default();
        while let Some(arrived) = self.messages.pop_front_if(|arrived| arrived.offset <= furthest) {
            if arrived.offset >= first {
                delivered.add(arrived.conversation, arrived.target, arrived.seq);
            }
        }
        self.first = following(furthest);
        if self.messages.is_empty() {
            // Most users are idle most of the time.
            self.messages = VecDeque::new();
        }
        Some(delivered)
    }
}

const fn following(offset: Offset) -> Offset {
    Offset(offset.0.saturating_add(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use iris_types::{Body, BodyKind, InboxMessage, MessageId, Peer, Timestamp};

    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn entry(offset: u64, from: &str, seq: u64) -> InboxEntry {
        let message = InboxMessage {
            conversation: ConversationId::direct(&user("alice"), &user("bob")),
            seq: Seq(seq),
            id: MessageId::from_parts(Timestamp(1), [7; 10]),
            from: user(from),
            with: Peer::User(user("bob")),
            origin: None,
            sent_at: Timestamp(1),
            body: Body::new(BodyKind::TEXT, "hi".into()).unwrap(),
        };
        InboxEntry { offset: Offset(offset), item: InboxItem::Message(message) }
    }

    fn noted(entries: impl IntoIterator<Item = InboxEntry>) -> Arrivals {
        let mut arrivals = Arrivals::default();
        entries.into_iter().for_each(|entry| arrivals.note(&entry, &user("alice")));
        arrivals
    }

    fn seqs(delivered: Option<Delivered>) -> Option<Vec<u64>> {
        delivered.map(|delivered| delivered.into_iter().map(|(_, (_, seq))| seq.0).collect())
    }

    #[test]
    fn the_last_message_of_others_up_to_the_cursor_is_delivered() {
        let mut arrivals =
            noted([entry(5, "bob", 1), entry(6, "bob", 2), entry(7, "alice", 3), entry(8, "bob", 4)]);
        assert_eq!(seqs(arrivals.take(Offset(5), Offset(7))), Some(vec![2]));
        assert_eq!(seqs(arrivals.take(Offset(8), Offset(8))), Some(vec![4]));
    }

    #[test]
    fn what_came_unnoted_has_to_be_read() {
        let mut arrivals = noted([entry(5, "bob", 1), entry(7, "bob", 3)]);
        assert_eq!(seqs(arrivals.take(Offset(5), Offset(7))), None);
        assert_eq!(seqs(arrivals.take(Offset(6), Offset(7))), None);
        assert_eq!(seqs(arrivals.take(Offset(7), Offset(8))), None);
        assert_eq!(seqs(arrivals.take(Offset(7), Offset(7))), Some(vec![3]));
        assert_eq!(seqs(arrivals.take(Offset(7), Offset(7))), None, "once");
    }

    #[test]
    fn only_so_many_are_kept() {
        let last = ARRIVALS_PER_USER_MAX as u64 + 1;
        let mut arrivals = noted((1..=last).map(|offset| entry(offset, "bob", offset)));
        assert_eq!(seqs(arrivals.take(Offset(1), Offset(last))), None);
        assert_eq!(seqs(arrivals.take(Offset(2), Offset(last))), Some(vec![last]));
    }
}
