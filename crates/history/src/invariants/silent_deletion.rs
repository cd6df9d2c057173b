//! I24: what was taken in is live, expired, deleted on request or in quarantine: nothing else happens to it.
//! Needs the observation `Audit`.

use crate::index::Index;
use crate::record::{Fact, Observation};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Observed(Observation::Audit(account)) = record.fact else { continue };
        let accounted = account.live + account.expired + account.deleted + account.quarantined;
        if accounted != account.taken_in {
            findings.add(&[number], || format!("{accounted} accounted for: {account:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::record::{Account, Observation::Audit};
    use crate::story::Story;
    use crate::violation::Invariant::SilentDeletion;

    #[test]
    fn legal() {
        // Expired is not lost.
        let account = Account { taken_in: 5, live: 2, expired: 3, ..Account::default() };
        Story::new().observed(Audit(account)).must_pass(SilentDeletion);
    }

    #[test]
    fn illegal() {
        let account = Account { taken_in: 5, live: 2, expired: 2, ..Account::default() };
        Story::new().observed(Audit(account)).must_fail(SilentDeletion);
        // More than was taken in is as wrong.
        let account = Account { taken_in: 5, live: 6, ..Account::default() };
        Story::new().observed(Audit(account)).must_fail(SilentDeletion);
    }
}
