//! I18: a nonce of a user is accepted once, over all devices and restarts; a login whose time is more than 60
//! seconds off is not accepted.

use std::collections::BTreeMap;

use iris_types::limits::LOGIN_SKEW_MS_MAX;

use crate::index::Index;
use crate::record::{Fact, LoginFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut accepted = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Login(LoginFact::Ok { nonce, claimed_at, server_time, .. }) = record.fact else { continue };
        let Some(user) = index.history.user_of(record.process) else { continue };
        if let Some(first) = accepted.insert((user, nonce), number) {
            findings.add(&[first, number], || {
                format!("a nonce was accepted twice, last from {}", index.device_name(record.process))
            });
        }
        if claimed_at.abs_diff(server_time) > LOGIN_SKEW_MS_MAX {
            findings.add(&[number], || {
                let device = index.device_name(record.process);
                format!("a login of {device} dated {claimed_at} was accepted at {server_time}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::Nonce;

    #[test]
    fn legal() {
        // Two users may draw the same nonce; a minute off is just in time.
        Story::new()
            .wait(60_000)
            .login("alice/a", 1, 0, 0)
            .login("bob/b", 1, 0, 0)
            .login_with("alice/a", 2, (120_001, 0), (0, 0))
            .must_pass(Nonce);
    }

    #[test]
    fn illegal() {
        Story::new().login("alice/a", 1, 0, 0).login("alice/b", 1, 0, 0).must_fail(Nonce);
        Story::new().wait(60_001).login_with("alice/a", 1, (0, 0), (0, 0)).must_fail(Nonce);
    }
}
