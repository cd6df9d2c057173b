//! I34: in the end the list of conversations says what a recount says: read up to the furthest mark, and on over own
//! messages right behind it; unread are the messages of others behind that; what was muted, pinned, archived or blocked
//! is, and the last entry about it that all devices get says the same.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::notice::{Notice, Wish};
use crate::record::{Conversation, Fact, Record, Standing, User};
use crate::violation::Findings;
use crate::wished::{FORGOTTEN_MS, ReadMarks, Wished, up_to};

/// Runs of own messages behind a mark that are told apart; with more than that the count may be too high for a while.
const RUNS_MAX: usize = 16;

/// The last entry about a conversation: offset, read, flags.
type States = BTreeMap<(User, Conversation), (u64, u64, u8)>;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let marks = ReadMarks::of(index.history, &index.wished);
    let states = states(index);
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Standing(told) = record.fact else { continue };
        let Some(user) = index.history.user_of(record.process) else { continue };
        if !index.history.is_fresh(record.process) {
            continue;
        }
        let problem = problem_with(index, user, &told, &marks)
            .or_else(|| problem_with_flags(index, user, &told, &states));
        if let Some(problem) = problem {
            findings.add(&[number], || {
                let device = index.device_name(record.process);
                format!("{device} has conversation {} as {told:?}: {problem}", told.conversation.0)
            });
        }
    }
}

fn problem_with(index: &Index<'_>, user: User, told: &Standing, marks: &ReadMarks) -> Option<String> {
    let Standing { conversation, last, read, unread, .. } = *told;
    let authors = index.authors.get(&conversation)?;
    // What a user came in with begins the count.
    let base = match index.groups.get(&conversation) {
        Some(group) if !group.is_whole() => return None,
        Some(group) => group.gets.get(&user)?.last()?.first - 1,
        None => 0,
    };
    let is_own = |seq: u64| authors.get(&seq) == Some(&user);
    let onward = |mut mark: u64| {
        while mark < last && is_own(mark + 1) {
            mark += 1;
        }
        mark
    };
    let recount = (read + 1..=last).filter(|seq| !is_own(*seq)).count() as u64;
    let runs = (base + 1..=last).filter(|seq| is_own(*seq) && !is_own(seq - 1)).count();
    let least = onward(base.max(marks.done(user, conversation)));
    if runs > RUNS_MAX {
        let is_possible = read >= least.min(marks.done(user, conversation)) && unread >= recount;
        return (!is_possible).then(|| format!("it is read up to {least} at least, unread are {recount}"));
    }
    let marked = marks.all(user, conversation).map(up_to).chain([base]);
    if read < least || !marked.map(onward).any(|mark| mark == read) {
        return Some(format!("it was marked up to {least}"));
    }
    (unread != recount).then(|| format!("unread are {recount}"))
}

fn problem_with_flags(index: &Index<'_>, user: User, told: &Standing, states: &States) -> Option<String> {
    let Standing { conversation, read, flags, .. } = *told;
    let state = states.get(&(user, conversation)).copied();
    let (_, state_read, state_flags) = state.unwrap_or_default();
    // The last entry may have expired before anybody got it.
    let is_gone = |record: &Record| {
        matches!(record.fact, Fact::Gap { .. }) && index.history.user_of(record.process) == Some(user)
    };
    if index.history.records.iter().any(is_gone) {
        return None;
    }
    if state_flags != flags || state_read > read {
        return Some(format!("the last entry says read {state_read}, flags {state_flags}"));
    }
    let asked: Vec<Flagging> = index
        .wished
        .iter()
        .filter(|one| one.user == user)
        .filter_map(|one| of(index, one, conversation))
        .collect();
    // Who comes into a group again begins anew.
    let begins = index.groups.get(&conversation).map_or(1, |group| group.begins_anew(user));
    if begins > 1 {
        return None;
    }
    let (mask, values) = in_turn(index, &asked)?;
    (flags & mask != values).then(|| format!("of the flags {mask} the last ones set are {values}"))
}

/// A change of flags: which, how, and the attempt.
struct Flagging {
    mask: u8,
    values: u8,
    wished: Wished,
}

fn of(index: &Index<'_>, wished: &Wished, conversation: Conversation) -> Option<Flagging> {
    let (mask, values) = match wished.wish {
        Wish::Flags { conversation: of, mask, values } if of == conversation => (mask, values),
        Wish::Block { user, on } => {
            let pair = index.pairs.get(&conversation)?;
            if *pair != (wished.user.min(user), wished.user.max(user)) {
                return None;
            }
            (8, if on { 8 } else { 0 })
        }
        _ => return None,
    };
    Some(Flagging { mask, values, wished: *wished })
}

/// What changes made one after the other lead to; `None` when some may have overtaken others.
fn in_turn(index: &Index<'_>, asked: &[Flagging]) -> Option<(u8, u8)> {
    let time = |record: usize| index.history.records.get(record).map_or(0, |record| record.t);
    let (mut mask, mut values, mut free) = (0, 0, 0);
    for one in asked {
        if time(one.wished.asked) < free {
            return None;
        }
        // Without an answer it may still happen, for a while.
        let Some((answered, code)) = one.wished.answered else { return None };
        free = time(answered).max(if code == 0 { 0 } else { time(one.wished.asked) + FORGOTTEN_MS });
        if code == 0 {
            mask |= one.mask;
            values = values & !one.mask | one.values & one.mask;
        }
    }
    Some((mask, values))
}

fn states(index: &Index<'_>) -> States {
    // Entries in front of the one that the user came in with say nothing any more.
    let mut begun: BTreeMap<(User, Conversation), u64> = BTreeMap::new();
    for (_, user, _, seen) in index.sightings() {
        let Some(group) = index.groups.get(&seen.conversation) else { continue };
        let first = group.gets.get(&user).and_then(|spans| spans.last()).map(|span| span.first);
        if first == Some(seen.seq) && seen.offset > 0 {
            begun.insert((user, seen.conversation), seen.offset);
        }
    }
    let mut states = States::new();
    for record in &index.history.records {
        let Fact::Noticed { offset, notice: Notice::State { conversation, read, flags, .. } } = record.fact
        else {
            continue;
        };
        let Some(user) = index.history.user_of(record.process) else { continue };
        if begun.get(&(user, conversation)).is_none_or(|begun| offset > *begun) {
            let last = states.entry((user, conversation)).or_default();
            *last = (*last).max((offset, read, flags));
        }
    }
    states
}

#[cfg(test)]
mod tests {
    use crate::notice::Wish;
    use crate::story::Story;
    use crate::violation::Invariant::Unread;

    /// Alice, bob, bob, alice.
    fn talked() -> Story {
        Story::new()
            .send("alice/a", "m1", "bob")
            .ok("alice/a", "m1", 1)
            .send("bob/b", "m2", "alice")
            .ok("bob/b", "m2", 2)
            .send("bob/b", "m3", "alice")
            .ok("bob/b", "m3", 3)
            .send("alice/a", "m4", "bob")
            .ok("alice/a", "m4", 4)
    }

    #[test]
    fn legal() {
        talked().direct_standing("bob/fresh", "alice", (4, 0, 2, 0)).must_pass(Unread);
        // Own messages right behind the mark are read with it.
        talked()
            .mark_read("bob/b", "alice", 1)
            .state("bob/b", "alice", 9, (3, 0))
            .direct_standing("bob/fresh", "alice", (4, 3, 1, 0))
            .must_pass(Unread);
    }

    #[test]
    fn illegal() {
        talked().direct_standing("bob/fresh", "alice", (4, 0, 4, 0)).must_fail(Unread);
        talked()
            .mark_read("bob/b", "alice", 1)
            .direct_standing("bob/fresh", "alice", (4, 0, 2, 0))
            .must_fail(Unread);
        // Nobody marked that far.
        talked().direct_standing("bob/fresh", "alice", (4, 4, 0, 0)).must_fail(Unread);
        // Muted, as one device was told; or as one had asked.
        talked()
            .state("bob/b", "alice", 9, (0, 1))
            .direct_standing("bob/fresh", "alice", (4, 0, 2, 0))
            .must_fail(Unread);
        let story = talked();
        let conversation = story.direct("alice", "bob");
        story
            .asked("bob/b", 1, Wish::Flags { conversation, mask: 1, values: 1 })
            .answered("bob/b", 1)
            .direct_standing("bob/fresh", "alice", (4, 0, 2, 0))
            .must_fail(Unread);
    }
}
