//! I6: all members see one order of a conversation: what any device shows is in the order of the history that
//! is read back, or of the places where none was read.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::Fact;
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let ranks = ranks(index);
    let mut last = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Shown(seen) = record.fact else { continue };
        let Some(rank) = ranks.get(seen.message.index()).copied().flatten() else { continue };
        let (before, at) =
            last.insert((record.process, seen.conversation), (rank, number)).unwrap_or_default();
        if before > rank {
            findings.add(&[at, number], || {
                let (name, device) = (index.name(seen.message), index.device_name(record.process));
                format!("{device} showed message {name} after a message that follows it for others")
            });
        }
    }
    check_readings(index, findings, &ranks);
}

/// All readings agree with the last one.
fn check_readings(index: &Index<'_>, findings: &mut Findings, ranks: &[Option<u64>]) {
    for reading in &index.readings {
        let mut rows = reading.rows.clone();
        rows.sort_by_key(|(_, seen)| seen.seq);
        for pair in rows.windows(2) {
            let [one, other] = [&pair[0], &pair[1]]
                .map(|(_, seen)| ranks.get(seen.message.index()).copied().flatten().unwrap_or_default());
            if one > other && other > 0 {
                findings.add(&[pair[0].0, pair[1].0], || {
                    format!("two readings of conversation {} differ in order", reading.conversation.0)
                });
            }
        }
    }
}

fn ranks(index: &Index<'_>) -> Vec<Option<u64>> {
    let mut ranks: Vec<_> = index.places.iter().map(|place| place.map(|place| place.seq)).collect();
    for reading in index.readings.iter().filter(|reading| reading.complete) {
        for (_, seen) in &reading.rows {
            if let Some(rank) = ranks.get_mut(seen.message.index()) {
                *rank = Some(seen.seq);
            }
        }
    }
    ranks
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::CommonOrder;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").send("bob/b", "m2", "alice").send("alice/a", "m3", "bob")
    }

    #[test]
    fn legal() {
        // Each device lacks its own messages; another conversation is in between, in another order.
        sent()
            .send("carol/c", "n1", "bob")
            .shown("bob/b", "m1", 1)
            .shown("bob/b", "n1", 1)
            .shown("bob/b", "m3", 3)
            .shown("alice/a", "m2", 2)
            .must_pass(CommonOrder);
    }

    #[test]
    fn illegal() {
        sent()
            .shown("bob/b", "m1", 1)
            .shown("bob/b", "m3", 3)
            .shown("bob/c", "m3", 3)
            .shown("bob/c", "m1", 1)
            .must_fail(CommonOrder);
        // The device invents places; the history knows better.
        sent()
            .shown("bob/b", "m3", 1)
            .shown("bob/b", "m1", 2)
            .read("alice/a", "bob", &[("m1", 1), ("m2", 2), ("m3", 3)])
            .must_fail(CommonOrder);
        sent()
            .read("alice/a", "bob", &[("m2", 1), ("m1", 2)])
            .read("bob/b", "alice", &[("m1", 1), ("m2", 2)])
            .must_fail(CommonOrder);
    }
}
