//! I4: a place of a conversation holds one message for ever, and an offset of an inbox one entry, over all
//! devices, readings and restarts.

use std::fmt::Debug;

use crate::index::{Index, Place};
use crate::notice::Notice;
use crate::record::{Fact, Message};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut places: Vec<(u32, u64, Message, usize)> = Vec::new();
    let mut offsets: Vec<(u32, u64, Entry, usize)> = Vec::new();
    let mut at =
        |place: Place, message, record| places.push((place.conversation.0, place.seq, message, record));
    for send in index.sends.iter().enumerate() {
        if let Some((record, place)) = send.1.ok {
            at(place, Message(u32::try_from(send.0).unwrap_or(u32::MAX)), record);
        }
    }
    for (record, user, _, seen) in index.sightings() {
        at(seen.place(), seen.message, record);
        if seen.offset > 0 && matches!(index.history.records[record].fact, Fact::Delivered(_)) {
            offsets.push((user.0, seen.offset, Entry::Message(seen.message), record));
        }
    }
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Noticed { offset, notice } = record.fact else { continue };
        let Some(user) = index.history.user_of(record.process) else { continue };
        offsets.push((user.0, offset, Entry::Notice(notice), number));
    }
    report(places, findings, |conversation, seq| format!("place {seq} of conversation {conversation}"));
    report(offsets, findings, |user, offset| format!("offset {offset} of the inbox of user {user}"));
}

/// What an offset holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Message(Message),
    Notice(Notice),
}

fn report<T: Copy + Ord + Debug>(
    mut held: Vec<(u32, u64, T, usize)>,
    findings: &mut Findings,
    name: impl Fn(u32, u64) -> String,
) {
    held.sort_unstable();
    for pair in held.windows(2) {
        let ((owner, at, one, first), (other_owner, other_at, other, second)) = (pair[0], pair[1]);
        if (owner, at) == (other_owner, other_at) && one != other {
            findings.add(&[first, second], || format!("{} holds {one:?} and {other:?}", name(owner, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::Divergence;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").send("bob/b", "m2", "alice")
    }

    #[test]
    fn legal() {
        // The same place of two conversations; the same offset of two inboxes.
        sent()
            .send("carol/c", "m3", "bob")
            .ok("alice/a", "m1", 1)
            .ok("carol/c", "m3", 1)
            .delivered("bob/b", "m1", 1, 1)
            .delivered("alice/a", "m2", 1, 2)
            .read("bob/b", "alice", &[("m1", 1), ("m2", 2)])
            .must_pass(Divergence);
    }

    #[test]
    fn illegal() {
        sent().ok("alice/a", "m1", 1).ok("bob/b", "m2", 1).must_fail(Divergence);
        sent().ok("alice/a", "m1", 1).read("bob/b", "alice", &[("m2", 1)]).must_fail(Divergence);
        sent().delivered("bob/b", "m1", 1, 1).delivered("bob/other", "m2", 1, 2).must_fail(Divergence);
    }
}
