//! I13: delivered is a cursor: it never moves back, and never past what the device itself acknowledged, and a
//! device acknowledges nothing that it has not stored (where its recorder writes `Stored`).

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::{Fact, LoginFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut acknowledged: BTreeMap<_, u64> = BTreeMap::new();
    let mut stored: BTreeMap<_, u64> = BTreeMap::new();
    let mut cursors: BTreeMap<_, (u64, usize)> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let device = record.process;
        match record.fact {
            Fact::Stored { up_to } => {
                let known = stored.entry(device).or_default();
                *known = (*known).max(up_to);
            }
            Fact::Acknowledge { up_to } => {
                if let Some(kept) = stored.get(&device).filter(|kept| **kept < up_to) {
                    findings.add(&[number], || {
                        let device = index.device_name(device);
                        format!("{device} acknowledged {up_to} and had stored {kept}")
                    });
                }
                let known = acknowledged.entry(device).or_default();
                *known = (*known).max(up_to);
            }
            Fact::Login(LoginFact::Ok { cursor, .. }) => {
                let most = acknowledged.get(&device).copied().unwrap_or_default();
                if cursor > most {
                    findings.add(&[number], || {
                        let device = index.device_name(device);
                        format!("the cursor of {device} is {cursor}; it acknowledged {most}")
                    });
                }
                let (before, at) = cursors.insert(device, (cursor, number)).unwrap_or_default();
                if cursor < before {
                    findings.add(&[at, number], || {
                        let device = index.device_name(device);
                        format!("the cursor of {device} moved back from {before} to {cursor}")
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
    use crate::violation::Invariant::Receipts;

    #[test]
    fn legal() {
        // An acknowledgement may be lost on its way; another device has its own cursor.
        Story::new()
            .login("bob/b", 1, 0, 5)
            .acknowledge("bob/b", 3)
            .login("bob/b", 2, 0, 5)
            .acknowledge("bob/b", 5)
            .login("bob/b", 3, 5, 5)
            .login("bob/c", 4, 0, 5)
            .must_pass(Receipts);
    }

    #[test]
    fn illegal() {
        Story::new().login("bob/b", 1, 0, 5).login("bob/b", 2, 5, 5).must_fail(Receipts);
        Story::new().stored("bob/b", 4).acknowledge("bob/b", 5).must_fail(Receipts);
        Story::new()
            .acknowledge("bob/b", 5)
            .login("bob/b", 1, 4, 5)
            .login("bob/b", 2, 3, 5)
            .must_fail(Receipts);
    }
}
