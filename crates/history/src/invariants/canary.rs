//! I19: no plain text was found where none may be: on disk, in logs, between nodes. Needs the observation
//! `Canary`, written by whoever searched.

use crate::index::Index;
use crate::record::{Fact, Observation};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    for (number, record) in index.history.records.iter().enumerate() {
        if let Fact::Observed(Observation::Canary { place }) = record.fact {
            findings.add(&[number], || format!("plain text was found in place {place}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::record::Observation;
    use crate::story::Story;
    use crate::violation::Invariant::Canary;

    #[test]
    fn legal() {
        // Clients see plain text all the time.
        Story::new().send("alice/a", "m1", "bob").shown("bob/b", "m1", 1).must_pass(Canary);
    }

    #[test]
    fn illegal() {
        Story::new().observed(Observation::Canary { place: 3 }).must_fail(Canary);
    }
}
