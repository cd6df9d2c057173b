//! I9: a send that began after another of the conversation was acknowledged has a later place.

use crate::index::Index;
use crate::record::{Fact, SendFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut acked = vec![(0, usize::MAX); index.history.conversations()];
    for (number, record) in index.history.records.iter().enumerate() {
        match record.fact {
            Fact::Send(SendFact::Ok { conversation, seq, .. }) => {
                if let Some(highest) = acked.get_mut(conversation.index())
                    && highest.0 < seq
                {
                    *highest = (seq, number);
                }
            }
            Fact::Send(SendFact::Invoke { message, .. }) => {
                let Some(place) = index.place(message) else { continue };
                let (seq, at) = acked.get(place.conversation.index()).copied().unwrap_or_default();
                if place.seq <= seq {
                    findings.add(&[at, number], || {
                        let name = index.name(message);
                        format!("message {name} was sent after {seq} was acknowledged and has {place}")
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
    use crate::violation::Invariant::RealTimeOrder;

    #[test]
    fn legal() {
        // Overlapping sends may take either order; other conversations do not count.
        Story::new()
            .send("alice/a", "m1", "bob")
            .send("bob/b", "m2", "alice")
            .ok("bob/b", "m2", 1)
            .ok("alice/a", "m1", 2)
            .send("carol/c", "n1", "bob")
            .ok("carol/c", "n1", 1)
            .must_pass(RealTimeOrder);
    }

    #[test]
    fn illegal() {
        Story::new()
            .send("alice/a", "m1", "bob")
            .ok("alice/a", "m1", 2)
            .send("bob/b", "m2", "alice")
            .ok("bob/b", "m2", 1)
            .must_fail(RealTimeOrder);
    }
}
