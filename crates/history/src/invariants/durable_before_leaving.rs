//! I14: whatever leaves the server (acknowledgement, push, page) tells only of what the storage had said is
//! durable before. Needs the observations `Durable` and `Left`; acknowledgements count as well.

use std::collections::BTreeMap;

use crate::index::{Index, Place};
use crate::record::{Fact, Message, Observation, SendFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let is_observed = |fact: &Fact| matches!(fact, Fact::Observed(Observation::Durable { .. }));
    if !index.history.records.iter().any(|record| {
        is_observed(&record.fact) || matches!(record.fact, Fact::Observed(Observation::Left { .. }))
    }) {
        return;
    }
    let mut durable: BTreeMap<Place, Message> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let (what, message, conversation, seq) = match record.fact {
            Fact::Observed(Observation::Durable { conversation, seq, message, .. }) => {
                durable.entry(Place { conversation, seq }).or_insert(message);
                continue;
            }
            Fact::Observed(Observation::Left { conversation, seq, message }) => {
                ("left the server", message, conversation, seq)
            }
            Fact::Send(SendFact::Ok { message, conversation, seq, .. }) => {
                ("was acknowledged", message, conversation, seq)
            }
            Fact::Delivered(seen) | Fact::Shown(seen) => {
                ("was delivered", seen.message, seen.conversation, seen.seq)
            }
            _ => continue,
        };
        let place = Place { conversation, seq };
        if durable.get(&place) != Some(&message) {
            findings.add(&[number], || {
                format!("message {} {what} at {place}, which was not durable", index.name(message))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::DurableBeforeLeaving;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").send("alice/a", "m2", "bob")
    }

    #[test]
    fn legal() {
        // Found durable by a replay, after the chunk's own answer was lost.
        sent()
            .durable("m1", (0, 1), 1, 1)
            .durable("m1", (0, 1), 1, 1)
            .left("m1", 1)
            .ok("alice/a", "m1", 1)
            .must_pass(DurableBeforeLeaving);
        // Nobody observes the storage.
        sent().ok("alice/a", "m1", 1).must_pass(DurableBeforeLeaving);
    }

    #[test]
    fn illegal() {
        sent().left("m1", 1).durable("m1", (0, 1), 1, 1).must_fail(DurableBeforeLeaving);
        sent().durable("m1", (0, 1), 1, 1).ok("alice/a", "m2", 2).must_fail(DurableBeforeLeaving);
        sent().durable("m1", (0, 1), 1, 1).delivered("bob/b", "m2", 1, 1).must_fail(DurableBeforeLeaving);
    }
}
