//! I28: after an acknowledged revocation of a device, no login of it that begins later succeeds, and no message
//! that is sent later is delivered to it.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::{Device, DeviceRevocationFact, Fact, LoginFact, Message, SendFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut revoked: BTreeMap<Device, usize> = BTreeMap::new();
    // What was under way when the revocation was acknowledged may still arrive.
    let mut begun: BTreeMap<Device, usize> = BTreeMap::new();
    let mut invoked: BTreeMap<Message, usize> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let (what, since) = match record.fact {
            Fact::DeviceRevocation(DeviceRevocationFact::Ok { device }) => {
                revoked.entry(device).or_insert(number);
                continue;
            }
            Fact::Send(SendFact::Invoke { message, .. }) => {
                invoked.entry(message).or_insert(number);
                continue;
            }
            Fact::Login(LoginFact::Invoke { .. }) => {
                begun.insert(record.process, number);
                continue;
            }
            Fact::Login(LoginFact::Ok { .. }) => {
                ("was let in", begun.get(&record.process).copied().unwrap_or(number))
            }
            Fact::Delivered(seen) => match invoked.get(&seen.message) {
                Some(since) => ("was given a message", *since),
                None => continue,
            },
            _ => continue,
        };
        if let Some(at) = revoked.get(&record.process).filter(|at| since > **at) {
            findings.add(&[*at, since, number], || {
                format!("{} {what} after it was revoked", index.device_name(record.process))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::RevokedDevice;

    #[test]
    fn legal() {
        // What was under way: a login, a delivery; another device goes on; an end that was never acknowledged.
        Story::new()
            .login("alice/a", 1, 0, 0)
            .login("alice/b", 2, 0, 0)
            .send("bob/b", "m1", "alice")
            .login_begin("alice/b", 3)
            .revoke_device("alice/a", "alice/b")
            .login_end("alice/b", 3)
            .send("bob/b", "m2", "alice")
            .delivered("alice/b", "m1", 1, 1)
            .delivered("alice/a", "m1", 1, 1)
            .delivered("alice/a", "m2", 2, 2)
            .login("alice/a", 4, 0, 0)
            .must_pass(RevokedDevice);
        Story::new()
            .revoke_device_begin("alice/a", "alice/b")
            .login("alice/b", 1, 0, 0)
            .must_pass(RevokedDevice);
    }

    #[test]
    fn illegal() {
        Story::new().revoke_device("alice/a", "alice/b").login("alice/b", 1, 0, 0).must_fail(RevokedDevice);
        Story::new().revoke_device("alice/b", "alice/b").login("alice/b", 1, 0, 0).must_fail(RevokedDevice);
        Story::new()
            .login("alice/b", 1, 0, 0)
            .revoke_device("alice/a", "alice/b")
            .send("bob/b", "m1", "alice")
            .delivered("alice/b", "m1", 1, 1)
            .must_fail(RevokedDevice);
    }
}
