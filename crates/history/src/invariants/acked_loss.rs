//! I1: every acknowledged send is in every later complete reading of its conversation, and was shown on every
//! settled device entitled to it, or lies in a gap that the device was told of.

use std::collections::BTreeMap;

use crate::group::Group;
use crate::index::{Index, Place, Reading};
use crate::record::{Device, Fact, Message, User};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    check_readings(index, findings);
    check_devices(index, findings);
}

fn check_readings(index: &Index<'_>, findings: &mut Findings) {
    // The last complete reading of each member decides; earlier ones are `session`'s business.
    let mut last: BTreeMap<(u32, User), &Reading> = BTreeMap::new();
    for reading in index.readings.iter().filter(|reading| reading.complete) {
        last.insert((reading.conversation.0, reading.reader), reading);
    }
    let mut found: Vec<Vec<Rows>> = vec![Vec::new(); index.history.conversations()];
    for ((conversation, reader), reading) in last {
        let mut rows: Vec<_> = reading.rows.iter().map(|(_, seen)| (seen.seq, seen.message)).collect();
        rows.sort_unstable();
        if let Some(list) = found.get_mut(conversation as usize) {
            list.push((reading.invoked, reader, rows));
        }
    }
    for (number, send) in index.sends.iter().enumerate() {
        let Some((record, place)) = send.ok else { continue };
        let message = Message(u32::try_from(number).unwrap_or(u32::MAX));
        for (invoked, reader, rows) in found.get(place.conversation.index()).into_iter().flatten() {
            let is_visible = |group: &Group| group.may_read(*reader, place.seq);
            if *invoked > record
                && index.groups.get(&place.conversation).is_none_or(is_visible)
                && rows.binary_search(&(place.seq, message)).is_err()
            {
                findings.add(&[record, *invoked], || {
                    format!("message {} is acknowledged, {place} does not hold it", index.name(message))
                });
            }
        }
    }
}

/// A reading's first record, who read, and its places and messages in order.
type Rows = (usize, User, Vec<(u64, Message)>);

/// What a settled device has.
#[derive(Default)]
struct Held {
    settled: Option<usize>,
    messages: Vec<Message>,
    gaps: Vec<(u64, u64)>,
}

fn check_devices(index: &Index<'_>, findings: &mut Findings) {
    let (devices, offsets) = collect(index);
    let acked = index.acked_by_user();
    for (number, held) in devices.iter().enumerate() {
        let device = Device(u32::try_from(number).unwrap_or(u32::MAX));
        let (Some(settled), Some(user)) = (held.settled, index.history.user_of(device)) else { continue };
        let list = acked.get(user.index()).map(Vec::as_slice).unwrap_or_default();
        check_device(index, findings, (device, user, settled), held, list, &offsets);
    }
}

fn check_device(
    index: &Index<'_>,
    findings: &mut Findings,
    (device, user, settled): (Device, User, usize),
    held: &Held,
    acked: &[(Message, usize, Place)],
    offsets: &BTreeMap<(User, Message), u64>,
) {
    // A gap covers so many messages and no more: those whose offsets nobody saw have to fit in, too.
    let mut room: u64 = held.gaps.iter().map(|(first, last)| (last + 1).saturating_sub(*first)).sum();
    for (message, record, place) in acked {
        let own = index.send(*message).invoked.is_some_and(|invoked| invoked.device == device);
        if own || *record > settled || held.messages.binary_search(message).is_ok() {
            continue;
        }
        let covered = match offsets.get(&(user, *message)) {
            Some(offset) => held.gaps.iter().any(|(first, last)| (*first..=*last).contains(offset)),
            None => true,
        };
        if covered && room > 0 {
            room -= 1;
            continue;
        }
        findings.add(&[*record, settled], || {
            let (name, device) = (index.name(*message), index.device_name(device));
            format!("message {name} ({place}) is acknowledged and never reached {device}")
        });
    }
}

fn collect(index: &Index<'_>) -> (Vec<Held>, BTreeMap<(User, Message), u64>) {
    let history = index.history;
    let mut devices: Vec<Held> = std::iter::repeat_with(Held::default).take(history.devices()).collect();
    let mut offsets = BTreeMap::new();
    let has_gaps = history.records.iter().any(|record| matches!(record.fact, Fact::Gap { .. }));
    for (number, record) in history.records.iter().enumerate() {
        let (Some(held), Some(user)) =
            (devices.get_mut(record.process.index()), history.user_of(record.process))
        else {
            continue;
        };
        match record.fact {
            Fact::Shown(seen) => held.messages.push(seen.message),
            Fact::Delivered(seen) => {
                if history.is_fresh(record.process) {
                    held.messages.push(seen.message);
                }
                if has_gaps && seen.offset > 0 {
                    offsets.entry((user, seen.message)).or_insert(seen.offset);
                }
            }
            Fact::Gap { first, last } => held.gaps.push((first, last)),
            Fact::Settled => held.settled = Some(number),
            _ => {}
        }
    }
    for held in &mut devices {
        held.messages.sort_unstable();
        // Told again after a restart, a gap is still one gap.
        held.gaps.sort_unstable();
        held.gaps.dedup();
    }
    (devices, offsets)
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use crate::violation::Invariant::AckedLoss;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").ok("alice/a", "m1", 1)
    }

    #[test]
    fn legal() {
        // An indeterminate send may be absent; an own send is not shown to its device; a gap excuses.
        sent()
            .send("alice/a", "m2", "bob")
            .info("alice/a", "m2")
            .shown("bob/b", "m1", 1)
            .settled("bob/b")
            .settled("alice/a")
            .read("bob/b", "alice", &[("m1", 1)])
            .must_pass(AckedLoss);
        sent().delivered("bob/c", "m1", 1, 1).gap("bob/b", 1, 1).settled("bob/b").must_pass(AckedLoss);
        // A device that has not settled owes nothing yet.
        sent().gap("bob/b", 2, 9).must_pass(AckedLoss);
        // An indeterminate send may turn up late.
        Story::new()
            .send("alice/a", "m1", "bob")
            .info("alice/a", "m1")
            .read("bob/b", "alice", &[("m1", 1)])
            .must_pass(AckedLoss);
    }

    #[test]
    fn illegal() {
        sent().settled("bob/b").must_fail(AckedLoss);
        sent().settled("alice/other").must_fail(AckedLoss);
        sent().read("bob/b", "alice", &[]).must_fail(AckedLoss);
        sent().read("alice/a", "bob", &[("m9", 1)]).must_fail(AckedLoss);
        // The gap is elsewhere.
        sent().delivered("bob/c", "m1", 1, 1).gap("bob/b", 2, 5).settled("bob/b").must_fail(AckedLoss);
        // The gap is too small for two.
        sent()
            .send("alice/a", "m2", "bob")
            .ok("alice/a", "m2", 2)
            .gap("bob/b", 1, 1)
            .settled("bob/b")
            .must_fail(AckedLoss);
    }
}
