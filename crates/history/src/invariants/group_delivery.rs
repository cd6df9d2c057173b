//! I31: every member has every message of a group from the one that brought them in to the one that brought them out,
//! in the order of the group: a fresh device syncs all of them, ascending, but for those in gaps that it was told of,
//! and reads all of them back.

use std::collections::BTreeMap;

use crate::group::Group;
use crate::index::{Index, Reading};
use crate::record::{Conversation, Device, Fact, User};
use crate::violation::Findings;

/// What a fresh device synced.
#[derive(Default)]
struct Synced {
    /// By conversation: offset by seq.
    seqs: BTreeMap<Conversation, BTreeMap<u64, u64>>,
    /// Entries that it was told are gone.
    gone: u64,
    settled: Option<usize>,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    for (device, synced) in syncs(index) {
        let (Some(settled), Some(user)) = (synced.settled, index.history.user_of(device)) else { continue };
        let nothing = BTreeMap::new();
        // A gap covers so many entries and no more.
        let mut room = synced.gone;
        for (conversation, group) in &index.groups {
            let seqs = synced.seqs.get(conversation).unwrap_or(&nothing);
            let missing: Vec<u64> =
                group.all(group.gets.get(&user)).filter(|seq| !seqs.contains_key(seq)).collect();
            if missing.len() as u64 > room {
                findings.add(&[settled], || {
                    let device = index.device_name(device);
                    format!("{device} lacks places {missing:?} of group {}", conversation.0)
                });
            }
            room = room.saturating_sub(missing.len() as u64);
            let offsets: Vec<u64> = seqs.values().copied().collect();
            if !offsets.is_sorted() {
                findings.add(&[settled], || {
                    let device = index.device_name(device);
                    format!("{device} has the messages of group {} out of order", conversation.0)
                });
            }
        }
    }
    let complete = index.readings.iter().filter(|reading| reading.complete);
    for reading in complete {
        // What others read may have grown meanwhile.
        let is_fresh = index.history.is_fresh(index.history.records[reading.invoked].process);
        if let Some(group) = index.groups.get(&reading.conversation).filter(|_| is_fresh) {
            check_reading(index, findings, (reading, reading.reader), group);
        }
    }
}

fn check_reading(
    index: &Index<'_>,
    findings: &mut Findings,
    (reading, user): (&Reading, User),
    group: &Group,
) {
    let mut read: Vec<u64> = reading.rows.iter().map(|(_, seen)| seen.seq).collect();
    read.sort_unstable();
    let readable: Vec<u64> = group.all(group.reads.get(&user)).collect();
    if read != readable {
        findings.add(&[reading.invoked], || {
            let name = index.history.user_name(user).map_or("?", |name| name.as_str());
            let group = reading.conversation.0;
            format!("{name} reads places {read:?} of group {group}, and may read {readable:?}")
        });
    }
}

fn syncs(index: &Index<'_>) -> BTreeMap<Device, Synced> {
    let mut syncs: BTreeMap<Device, Synced> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        if !index.history.is_fresh(record.process) {
            continue;
        }
        let synced = syncs.entry(record.process).or_default();
        match record.fact {
            Fact::Delivered(seen) if synced.settled.is_none() => {
                synced.seqs.entry(seen.conversation).or_default().insert(seen.seq, seen.offset);
            }
            Fact::Gap { first, last } => synced.gone += (last + 1).saturating_sub(first),
            Fact::Settled => synced.settled = Some(number),
            _ => {}
        }
    }
    syncs
}

#[cfg(test)]
mod tests {
    use crate::step::Step;
    use crate::story::Story;
    use crate::violation::Invariant::GroupDelivery;

    /// Bob is in the group from 1 to 3; then there is one more.
    fn told() -> Story {
        let story = Story::new().found("alice/a", "g", 1, &["bob"]);
        let bob = story.named("bob");
        story
            .change_seen("alice/a", "g", 1, "alice", Step::Created)
            .change_seen("alice/a", "g", 2, "alice", Step::Described)
            .change_seen("alice/a", "g", 3, "alice", Step::Removed { user: bob })
            .change_seen("alice/a", "g", 4, "alice", Step::Described)
    }

    fn synced(seqs: &[u64]) -> Story {
        let story = told();
        let bob = story.named("bob");
        let step = |seq| match seq {
            1 => Step::Created,
            3 => Step::Removed { user: bob },
            _ => Step::Described,
        };
        seqs.iter().fold(story, |story, seq| story.change_seen("bob/fresh", "g", *seq, "alice", step(*seq)))
    }

    #[test]
    fn legal() {
        synced(&[1, 2, 3]).settled("bob/fresh").page("bob/fresh", "g", &[1, 2, 3]).must_pass(GroupDelivery);
        synced(&[2, 3]).gap("bob/fresh", 1, 1).settled("bob/fresh").must_pass(GroupDelivery);
        // It did not come to its end.
        synced(&[1]).must_pass(GroupDelivery);
    }

    #[test]
    fn illegal() {
        synced(&[1, 3]).settled("bob/fresh").must_fail(GroupDelivery);
        synced(&[3]).gap("bob/fresh", 1, 1).settled("bob/fresh").must_fail(GroupDelivery);
        synced(&[1, 3, 2]).settled("bob/fresh").must_fail(GroupDelivery);
        synced(&[1, 2, 3]).settled("bob/fresh").page("bob/fresh", "g", &[1, 2]).must_fail(GroupDelivery);
    }
}
