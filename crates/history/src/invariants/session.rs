//! I10: a device sees what it wrote and never less than before: shown messages of a conversation ascend;
//! deliveries follow one another, or a gap is told; the inbox's end never moves back; a complete reading reaches
//! what its reader knew when it began.

use std::collections::BTreeMap;

use crate::index::{Index, Reading};
use crate::record::{Device, Fact, HistoryFact, LoginFact, Seen, SendFact, User};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    check_shown(index, findings);
    check_wire(index, findings);
    check_inbox_end(index, findings);
    check_own_reads(index, findings);
}

fn check_shown(index: &Index<'_>, findings: &mut Findings) {
    let mut last: BTreeMap<_, (u64, usize)> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Shown(seen) = record.fact else { continue };
        let before = last.insert((record.process, seen.conversation), (seen.seq, number));
        let Some((before, at)) = before else { continue };
        if before > seen.seq {
            findings.add(&[at, number], || {
                let device = index.device_name(record.process);
                format!("{device} showed {} after place {before}", seen.place())
            });
        }
    }
}

/// Within one connection offsets do not jump ahead, unless the device is told of exactly that gap. Going back
/// is allowed: an entry may come again.
fn check_wire(index: &Index<'_>, findings: &mut Findings) {
    let mut gaps = BTreeMap::new();
    for record in &index.history.records {
        if let Fact::Gap { first, last } = record.fact {
            gaps.insert((record.process, first, last), ());
        }
    }
    let mut last: BTreeMap<_, (u64, usize)> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        match record.fact {
            Fact::Login(_) => {
                last.remove(&record.process);
            }
            fact => {
                let Some(offset) = fact.offset().filter(|offset| *offset > 0) else { continue };
                let known = last.entry(record.process).or_insert((offset, number));
                let told = |before: u64| gaps.contains_key(&(record.process, before + 1, offset - 1));
                if offset > known.0 + 1 && !told(known.0) {
                    let (before, at) = *known;
                    findings.add(&[at, number], || {
                        let device = index.device_name(record.process);
                        format!("{device} got offset {offset} after {before} in one connection")
                    });
                }
                *known = (*known).max((offset, number));
            }
        }
    }
}

/// A server that answers "nothing new" to a device that has more than it remembers has lost something.
fn check_inbox_end(index: &Index<'_>, findings: &mut Findings) {
    let mut highest: BTreeMap<User, (u64, usize)> = BTreeMap::new();
    // What the user's devices knew when a login began: an answer may be older than what others got meanwhile.
    let mut begun: BTreeMap<Device, (u64, usize)> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let Some(user) = index.history.user_of(record.process) else { continue };
        let known = highest.entry(user).or_default();
        match record.fact {
            Fact::Delivered(Seen { offset, .. }) | Fact::Noticed { offset, .. } => {
                *known = (*known).max((offset, number));
            }
            Fact::Login(LoginFact::Invoke { .. }) => {
                begun.insert(record.process, *known);
            }
            Fact::Login(LoginFact::Ok { last, .. }) => {
                let (before, at) = begun.remove(&record.process).unwrap_or_default();
                if last < before {
                    findings.add(&[at, number], || {
                        let device = index.device_name(record.process);
                        format!("the inbox of {device} ended at {before} and now ends at {last}")
                    });
                }
                *known = (*known).max((last, number));
            }
            _ => {}
        }
    }
}

fn check_own_reads(index: &Index<'_>, findings: &mut Findings) {
    let mut readings = BTreeMap::new();
    // Who is invited to a group, or was, knows of more than they may read.
    let is_direct = |reading: &&Reading| !index.groups.contains_key(&reading.conversation);
    for reading in index.readings.iter().filter(|reading| reading.complete).filter(is_direct) {
        readings.insert(reading.invoked, reading);
    }
    let mut known: BTreeMap<_, (u64, usize)> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let Some(user) = index.history.user_of(record.process) else { continue };
        let (conversation, seq) = match record.fact {
            Fact::Send(SendFact::Ok { conversation, seq, .. }) => (conversation, seq),
            Fact::Delivered(seen) | Fact::Shown(seen) => (seen.conversation, seen.seq),
            Fact::History(HistoryFact::Invoke { .. }) => {
                let Some(reading) = readings.get(&number) else { continue };
                let read = reading.rows.iter().map(|(_, seen)| seen.seq).max().unwrap_or_default();
                let (before, at) = known.get(&(user, reading.conversation)).copied().unwrap_or_default();
                if read < before {
                    findings.add(&[at, number], || {
                        let device = index.device_name(record.process);
                        format!("{device} knew of place {before} and read back only up to {read}")
                    });
                }
                continue;
            }
            _ => continue,
        };
        let entry = known.entry((user, conversation)).or_default();
        *entry = (*entry).max((seq, number));
    }
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::Session;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").send("alice/a", "m2", "bob").send("alice/a", "m3", "bob")
    }

    #[test]
    fn legal() {
        // A reconnect starts anew; an entry comes again; a gap is told after the entry behind it came.
        sent()
            .login("bob/b", 1, 0, 2)
            .delivered("bob/b", "m1", 1, 1)
            .delivered("bob/b", "m2", 2, 2)
            .login("bob/b", 2, 0, 2)
            .delivered("bob/b", "m1", 1, 1)
            .delivered("bob/b", "m2", 2, 2)
            .delivered("bob/b", "m2", 2, 2)
            .delivered("bob/b", "m3", 5, 3)
            .gap("bob/b", 3, 4)
            .must_pass(Session);
        // Acknowledged while the reading was under way.
        sent()
            .read_begin("alice/a", "bob")
            .ok("alice/a", "m1", 1)
            .read_end("alice/a", "bob", &[])
            .must_pass(Session);
    }

    #[test]
    fn illegal() {
        sent().shown("bob/b", "m2", 2).shown("bob/b", "m1", 1).must_fail(Session);
        sent().delivered("bob/b", "m1", 1, 1).delivered("bob/b", "m3", 3, 3).must_fail(Session);
        sent()
            .delivered("bob/b", "m1", 1, 1)
            .gap("bob/b", 2, 3)
            .delivered("bob/b", "m3", 5, 3)
            .must_fail(Session);
        sent().delivered("bob/b", "m1", 1, 1).login("bob/other", 1, 0, 0).must_fail(Session);
        sent().ok("alice/a", "m1", 1).read("alice/a", "bob", &[]).must_fail(Session);
        sent().shown("bob/b", "m2", 2).read("bob/b", "alice", &[("m1", 1)]).must_fail(Session);
    }
}
