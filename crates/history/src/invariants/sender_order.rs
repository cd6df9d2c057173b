//! I7: messages that one device sent in one conversation keep the order in which they were given to the client,
//! through refusals, retries and restarts. Changes of groups are asked for one by one.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::{Fact, SendFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut last = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Send(SendFact::Invoke { message, .. }) = record.fact else { continue };
        let Some(place) = index.place(message).filter(|_| !index.is_change(message)) else { continue };
        let (before, at) = last.get(&(record.process, place.conversation)).copied().unwrap_or_default();
        if before > place.seq {
            findings.add(&[at, number], || {
                let (name, device) = (index.name(message), index.device_name(record.process));
                format!("{device} sent message {name} later, and it has {place}, before {before}")
            });
        } else {
            last.insert((record.process, place.conversation), (place.seq, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::SenderOrder;

    #[test]
    fn legal() {
        // The first is acknowledged last; one was refused; another device is in between; another conversation.
        Story::new()
            .send("alice/a", "m1", "bob")
            .send("alice/a", "m2", "bob")
            .send("alice/a", "m3", "bob")
            .send("alice/b", "n1", "bob")
            .fail("alice/a", "m2", 300)
            .ok("alice/b", "n1", 1)
            .ok("alice/a", "m3", 3)
            .ok("alice/a", "m1", 2)
            .send("alice/a", "o1", "carol")
            .ok("alice/a", "o1", 1)
            .must_pass(SenderOrder);
    }

    #[test]
    fn illegal() {
        let sent = || Story::new().send("alice/a", "m1", "bob").send("alice/a", "m2", "bob");
        sent().ok("alice/a", "m1", 2).ok("alice/a", "m2", 1).must_fail(SenderOrder);
        // Nobody acknowledged; the reader sees the swap.
        sent().read("bob/b", "alice", &[("m2", 1), ("m1", 2)]).must_fail(SenderOrder);
    }
}
