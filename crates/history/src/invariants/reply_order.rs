//! I8: a message sent after its device had shown another one of the conversation comes after it, for everybody.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::{Fact, SendFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut shown: BTreeMap<_, (u64, usize)> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        match record.fact {
            Fact::Shown(seen) => {
                let known = shown.entry((record.process, seen.conversation)).or_default();
                *known = (*known).max((seen.seq, number));
            }
            Fact::Send(SendFact::Invoke { message, .. }) => {
                let Some(place) = index.place(message) else { continue };
                let Some((seq, at)) = shown.get(&(record.process, place.conversation)) else { continue };
                if place.seq <= *seq {
                    findings.add(&[*at, number], || {
                        let (name, device) = (index.name(message), index.device_name(record.process));
                        format!(
                            "{device} had seen place {seq} when it sent message {name}, which has {place}"
                        )
                    });
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::ReplyOrder;

    #[test]
    fn legal() {
        // Sent before it saw the other, and placed before it.
        Story::new()
            .send("alice/a", "m1", "bob")
            .send("bob/b", "m2", "alice")
            .shown("bob/b", "m1", 2)
            .ok("bob/b", "m2", 1)
            .send("bob/b", "m3", "alice")
            .ok("bob/b", "m3", 3)
            .must_pass(ReplyOrder);
    }

    #[test]
    fn illegal() {
        Story::new()
            .send("alice/a", "m1", "bob")
            .shown("bob/b", "m1", 2)
            .send("bob/b", "m2", "alice")
            .shown("alice/a", "m2", 1)
            .must_fail(ReplyOrder);
    }
}
