//! I16: only the two members of a direct conversation ever see its messages (of a group's, see I30); after a revocation no login with an old
//! token succeeds, and nothing is served to one later than 60 seconds after.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::{Fact, HistoryFact, LoginFact, RevocationFact, SendFact, User};
use crate::violation::Findings;

/// Milliseconds after which a revoked session must be dead.
const GRACE_MS: u64 = 60_000;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    for (record, user, device, seen) in index.sightings() {
        let entitled = index.send(seen.message).invoked.is_none_or(|invoked| {
            user == invoked.from || invoked.recipient().is_none_or(|recipient| recipient == user)
        });
        if !entitled {
            findings.add(&[record], || {
                let (device, name) = (index.device_name(device), index.name(seen.message));
                format!("{device} saw message {name}, which is neither from nor to its user")
            });
        }
    }
    check_revocations(index, findings);
}

fn check_revocations(index: &Index<'_>, findings: &mut Findings) {
    // By user: until when tokens are refused, since when, and the record.
    let mut revoked: BTreeMap<User, (u64, u64, usize)> = BTreeMap::new();
    let mut tokens = BTreeMap::new();
    // A login that was begun before the revocation may be answered after it; its session then dies in time.
    let mut begun = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        if let Fact::Revocation(RevocationFact::Ok { user, issued_up_to }) = record.fact {
            let known = revoked.entry(user).or_insert((issued_up_to, record.t, number));
            if known.0 < issued_up_to {
                *known = (issued_up_to, record.t, number);
            }
            continue;
        }
        let Some(user) = index.history.user_of(record.process) else { continue };
        let at_once = match record.fact {
            Fact::Login(LoginFact::Invoke { .. }) => {
                begun.insert(record.process, number);
                continue;
            }
            Fact::Login(LoginFact::Ok { issued_at, .. }) => {
                tokens.insert(record.process, issued_at);
                let began = begun.remove(&record.process).unwrap_or(number);
                revoked.get(&user).is_some_and(|(_, _, at)| began > *at)
            }
            Fact::Login(LoginFact::Closed) => {
                tokens.remove(&record.process);
                continue;
            }
            Fact::Send(SendFact::Ok { .. }) | Fact::Delivered(_) | Fact::History(HistoryFact::Row { .. }) => {
                false
            }
            _ => continue,
        };
        let (Some(issued_at), Some((up_to, since, at))) = (tokens.get(&record.process), revoked.get(&user))
        else {
            continue;
        };
        if issued_at <= up_to && (at_once || record.t > since + GRACE_MS) {
            findings.add(&[*at, number], || {
                let device = index.device_name(record.process);
                format!("{device} was served with a token issued at {issued_at}, revoked up to {up_to}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::Authorization;

    #[test]
    fn legal() {
        // Served within the grace time; logged in with a newer token; own messages on another device.
        Story::new()
            .login_with("alice/a", 1, (0, 5), (0, 0))
            .send("alice/a", "m1", "bob")
            .revoke("alice", 5)
            .ok("alice/a", "m1", 1)
            .wait(90_000)
            .login_with("alice/a", 2, (90_000, 6), (0, 0))
            .delivered("alice/b", "m1", 1, 1)
            .delivered("alice/a", "m1", 1, 1)
            .must_pass(Authorization);
    }

    #[test]
    fn illegal() {
        Story::new().revoke("alice", 5).login_with("alice/a", 1, (0, 5), (0, 0)).must_fail(Authorization);
        Story::new()
            .login_with("alice/a", 1, (0, 5), (0, 0))
            .revoke("alice", 5)
            .wait(61_000)
            .send("alice/a", "m1", "bob")
            .ok("alice/a", "m1", 1)
            .must_fail(Authorization);
        Story::new().send("alice/a", "m1", "bob").delivered("carol/c", "m1", 1, 1).must_fail(Authorization);
        Story::new()
            .send("alice/a", "m1", "bob")
            .read("carol/c", "bob", &[("m1", 1)])
            .must_fail(Authorization);
    }
}
