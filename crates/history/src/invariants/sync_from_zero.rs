//! I11: what a fresh device syncs from zero is what the user's other devices were pushed, entry by entry; what
//! it lacks lies in the gap that it was told of.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::{Device, Fact, Seen, User};
use crate::violation::Findings;

/// What a fresh device got.
#[derive(Default)]
struct Sync {
    entries: BTreeMap<u64, (usize, Fact)>,
    gaps: Vec<(u64, u64)>,
    settled: bool,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let syncs = syncs(index);
    for (number, record) in index.history.records.iter().enumerate() {
        let Some(offset) = record.fact.offset() else { continue };
        let Some(user) = index.history.user_of(record.process) else { continue };
        if offset == 0 || index.history.is_fresh(record.process) {
            continue;
        }
        for (device, sync) in syncs.get(&user).into_iter().flatten().filter(|(_, sync)| sync.settled) {
            compare(index, findings, (number, offset, record.fact), (*device, sync));
        }
    }
}

fn compare(
    index: &Index<'_>,
    findings: &mut Findings,
    (record, offset, pushed): (usize, u64, Fact),
    (device, sync): (Device, &Sync),
) {
    let Some((other, synced)) = sync.entries.get(&offset) else {
        if !sync.gaps.iter().any(|(first, last)| (*first..=*last).contains(&offset)) {
            let device = index.device_name(device);
            findings.add(&[record], || format!("{device} synced no offset {offset}, pushed before"));
        }
        return;
    };
    if !is_same(pushed, *synced) {
        let device = index.device_name(device);
        findings.add(&[record, *other], || {
            format!("{device} synced offset {offset} as another entry than was pushed")
        });
    }
}

fn is_same(pushed: Fact, synced: Fact) -> bool {
    let (Fact::Delivered(one), Fact::Delivered(other)) = (pushed, synced) else { return pushed == synced };
    let bodies_differ = one.body != 0 && other.body != 0 && one.body != other.body;
    let key = |seen: Seen| (seen.conversation, seen.seq, seen.message, seen.from);
    key(one) == key(other) && !bodies_differ
}

fn syncs(index: &Index<'_>) -> BTreeMap<User, BTreeMap<Device, Sync>> {
    let mut syncs: BTreeMap<User, BTreeMap<Device, Sync>> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let Some(user) = index.history.user_of(record.process) else { continue };
        if !index.history.is_fresh(record.process) {
            continue;
        }
        let sync = syncs.entry(user).or_default().entry(record.process).or_default();
        match record.fact {
            Fact::Delivered(Seen { offset, .. }) | Fact::Noticed { offset, .. } => {
                sync.entries.insert(offset, (number, record.fact));
            }
            Fact::Gap { first, last } => sync.gaps.push((first, last)),
            Fact::Settled => sync.settled = true,
            _ => {}
        }
    }
    syncs
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::SyncFromZero;

    fn pushed() -> Story {
        Story::new()
            .send("alice/a", "m1", "bob")
            .send("alice/a", "m2", "bob")
            .delivered("bob/b", "m1", 1, 1)
            .delivered("bob/b", "m2", 2, 2)
    }

    #[test]
    fn legal() {
        // Trimmed, and said so; more than was pushed; a fresh device that did not come to its end.
        pushed()
            .gap("bob/fresh", 1, 1)
            .delivered("bob/fresh", "m2", 2, 2)
            .settled("bob/fresh")
            .must_pass(SyncFromZero);
        pushed()
            .send("alice/a", "m3", "bob")
            .delivered("bob/fresh", "m1", 1, 1)
            .delivered("bob/fresh", "m2", 2, 2)
            .delivered("bob/fresh", "m3", 3, 3)
            .settled("bob/fresh")
            .must_pass(SyncFromZero);
        pushed().delivered("bob/fresh", "m1", 1, 1).must_pass(SyncFromZero);
    }

    #[test]
    fn illegal() {
        pushed().delivered("bob/fresh", "m1", 1, 1).settled("bob/fresh").must_fail(SyncFromZero);
        pushed()
            .delivered("bob/fresh", "m2", 1, 2)
            .delivered("bob/fresh", "m1", 2, 1)
            .settled("bob/fresh")
            .must_fail(SyncFromZero);
        pushed()
            .gap("bob/fresh", 2, 2)
            .delivered("bob/fresh", "m2", 2, 2)
            .settled("bob/fresh")
            .must_fail(SyncFromZero);
    }
}
