//! I5: a complete reading of a direct conversation has the places 1, 2, 3 and so on without a hole, as far as anything was seen before
//! it (of a group, see I31); a sync from zero has every offset behind the gap it was told of.

use crate::index::{Index, Reading};
use crate::record::{Device, Fact, SendFact};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    check_readings(index, findings);
    check_syncs(index, findings);
}

fn check_readings(index: &Index<'_>, findings: &mut Findings) {
    let is_direct = |reading: &&Reading| !index.groups.contains_key(&reading.conversation);
    let complete = index.readings.iter().filter(|reading| reading.complete);
    let mut readings = complete.filter(is_direct).collect::<Vec<_>>();
    readings.sort_by_key(|reading| reading.invoked);
    let mut readings = readings.into_iter().peekable();
    // The highest place anybody knew of, and the record that says so.
    let mut highest = vec![(0, usize::MAX); index.history.conversations()];
    for (number, record) in index.history.records.iter().enumerate() {
        while let Some(reading) = readings.next_if(|reading| reading.invoked == number) {
            check_reading(index, findings, reading, &highest);
        }
        let (conversation, seq) = match record.fact {
            Fact::Send(SendFact::Ok { conversation, seq, .. }) => (conversation, seq),
            Fact::Delivered(seen) | Fact::Shown(seen) => (seen.conversation, seen.seq),
            Fact::Listed { conversation, last, .. } => (conversation, last),
            _ => continue,
        };
        if let Some(known) = highest.get_mut(conversation.index())
            && known.0 < seq
        {
            *known = (seq, number);
        }
    }
}

fn check_reading(index: &Index<'_>, findings: &mut Findings, reading: &Reading, highest: &[(u64, usize)]) {
    let mut places: Vec<(u64, usize)> =
        reading.rows.iter().map(|(number, seen)| (seen.seq, *number)).collect();
    places.sort_unstable();
    for (expected, (seq, record)) in (1..).zip(&places) {
        if *seq != expected {
            findings.add(&[*record], || {
                let reader = index.history.user_name(reading.reader).map_or("?", |name| name.as_str());
                format!(
                    "{reader} read place {seq} of conversation {} instead of {expected}",
                    reading.conversation.0
                )
            });
            break;
        }
    }
    let (known, record) = highest.get(reading.conversation.index()).copied().unwrap_or_default();
    if (places.len() as u64) < known {
        findings.add(&[record, reading.invoked], || {
            let (conversation, found) = (reading.conversation.0, places.len());
            format!("conversation {conversation} went up to place {known} and reads back up to {found}")
        });
    }
}

fn check_syncs(index: &Index<'_>, findings: &mut Findings) {
    let mut next = vec![1_u64; index.history.devices()];
    let mut gaps: Vec<Vec<(u64, u64)>> = vec![Vec::new(); index.history.devices()];
    for record in &index.history.records {
        if let (Fact::Gap { first, last }, Some(list)) = (record.fact, gaps.get_mut(record.process.index())) {
            list.push((first, last));
        }
    }
    for (number, record) in index.history.records.iter().enumerate() {
        let Some(offset) = record.fact.offset() else { continue };
        if !index.history.is_fresh(record.process) {
            continue;
        }
        let (Some(next), Some(gaps)) =
            (next.get_mut(record.process.index()), gaps.get(record.process.index()))
        else {
            continue;
        };
        if offset > *next && !gaps.contains(&(*next, offset - 1)) {
            let expected = *next;
            findings.add(&[number], || hole(index, record.process, expected, offset));
        }
        *next = (offset + 1).max(*next);
    }
}

fn hole(index: &Index<'_>, device: Device, expected: u64, found: u64) -> String {
    format!(
        "{} synced offset {found} after {}, and no such gap was told",
        index.device_name(device),
        expected - 1
    )
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::Density;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").send("alice/a", "m2", "bob").ok("alice/a", "m2", 2)
    }

    #[test]
    fn legal() {
        // Rows in any order; an indeterminate message fills its place; a gap that is told.
        sent().read("bob/b", "alice", &[("m2", 2), ("m1", 1)]).must_pass(Density);
        sent().gap("bob/fresh", 1, 1).delivered("bob/fresh", "m2", 2, 2).must_pass(Density);
        sent().delivered("bob/fresh", "m1", 1, 1).delivered("bob/fresh", "m1", 1, 1).must_pass(Density);
    }

    #[test]
    fn illegal() {
        sent().read("bob/b", "alice", &[("m2", 2)]).must_fail(Density);
        sent().read("bob/b", "alice", &[("m1", 1)]).must_fail(Density);
        sent().listed("bob/b", "alice", 3).read("bob/b", "alice", &[("m1", 1), ("m2", 2)]).must_fail(Density);
        sent().delivered("bob/fresh", "m2", 2, 2).must_fail(Density);
        sent().gap("bob/fresh", 1, 2).delivered("bob/fresh", "m2", 4, 2).must_fail(Density);
    }
}
