//! I3: no message is shown twice on a device, under whatever id or place; what comes again on the wire is the
//! same entry at the same offset, and no message has two offsets in an inbox.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::{Device, Fact, User};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut shown: Vec<(Device, u32, usize)> = Vec::new();
    let mut places: Vec<(Device, u32, u64, usize)> = Vec::new();
    let mut entries = BTreeMap::new();
    let mut offsets: Vec<(User, u32, u64, usize)> = Vec::new();
    for (number, record) in index.history.records.iter().enumerate() {
        match record.fact {
            Fact::Shown(seen) => {
                shown.push((record.process, seen.message.0, number));
                places.push((record.process, seen.conversation.0, seen.seq, number));
            }
            Fact::Delivered(seen) if seen.offset > 0 => {
                if let Some(user) = index.history.user_of(record.process) {
                    offsets.push((user, seen.message.0, seen.offset, number));
                }
                let entry = (seen.conversation, seen.seq, seen.message);
                let (first, known) = *entries.entry((record.process, seen.offset)).or_insert((number, entry));
                if known != entry {
                    findings.add(&[first, number], || {
                        let device = index.device_name(record.process);
                        format!("offset {} came to {device} as two entries", seen.offset)
                    });
                }
            }
            _ => {}
        }
    }
    offsets.sort_unstable();
    for pair in offsets.windows(2).filter(|p| (p[0].0, p[0].1) == (p[1].0, p[1].1) && p[0].2 != p[1].2) {
        findings.add(&[pair[0].3, pair[1].3], || {
            let name = index.name(crate::record::Message(pair[0].1));
            format!(
                "message {name} has offsets {} and {} in the inbox of user {}",
                pair[0].2, pair[1].2, pair[0].0.0
            )
        });
    }
    shown.sort_unstable();
    for pair in shown.windows(2).filter(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1)) {
        findings.add(&[pair[0].2, pair[1].2], || {
            let name = index.name(crate::record::Message(pair[0].1));
            format!("message {name} was shown twice on {}", index.device_name(pair[0].0))
        });
    }
    places.sort_unstable();
    for pair in places.windows(2).filter(|p| (p[0].0, p[0].1, p[0].2) == (p[1].0, p[1].1, p[1].2)) {
        findings.add(&[pair[0].3, pair[1].3], || {
            let device = index.device_name(pair[0].0);
            format!("place {} of conversation {} was shown twice on {device}", pair[0].2, pair[0].1)
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::DoubleShown;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").send("alice/a", "m2", "bob")
    }

    #[test]
    fn legal() {
        // Twice on the wire, once shown; once on each of two devices.
        sent()
            .delivered("bob/b", "m1", 1, 1)
            .shown("bob/b", "m1", 1)
            .delivered("bob/b", "m1", 1, 1)
            .shown("bob/c", "m1", 1)
            .must_pass(DoubleShown);
    }

    #[test]
    fn illegal() {
        sent().shown("bob/b", "m1", 1).shown("bob/b", "m1", 1).must_fail(DoubleShown);
        sent().shown("bob/b", "m1", 1).shown("bob/b", "m1", 2).must_fail(DoubleShown);
        sent().shown("bob/b", "m1", 1).shown("bob/b", "m2", 1).must_fail(DoubleShown);
        sent().delivered("bob/b", "m1", 1, 1).delivered("bob/b", "m2", 1, 2).must_fail(DoubleShown);
        sent().delivered("bob/b", "m1", 1, 1).delivered("bob/other", "m1", 2, 1).must_fail(DoubleShown);
    }
}
