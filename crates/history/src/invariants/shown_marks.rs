//! I32: what anybody is told of how far somebody is never moves back, and never lies beyond what that user's devices
//! acknowledged or marked; it is about members only, and marks made while read receipts were switched off are shown
//! neither then nor later.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::notice::Notice;
use crate::record::{Conversation, Fact, User};
use crate::violation::Findings;
use crate::wished::ReadMarks;

/// What users have, as far as the records go.
#[derive(Default)]
struct Had {
    /// By user and offset: conversation, seq and author of entries that were delivered and not acknowledged.
    entries: BTreeMap<User, BTreeMap<u64, (Conversation, u64, User)>>,
    /// The last message of somebody else that was acknowledged.
    acknowledged: BTreeMap<(User, Conversation), u64>,
}

/// Somebody is told of somebody's marks in a conversation.
type Teller = (User, Conversation, User);

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let marks = ReadMarks::of(index.history, &index.wished);
    let mut had = Had::default();
    let mut told: BTreeMap<Teller, BTreeMap<u64, (u64, u64, usize)>> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        let Some(owner) = index.history.user_of(record.process) else { continue };
        match record.fact {
            Fact::Delivered(seen) if seen.offset > 0 => {
                let entry = (seen.conversation, seen.seq, seen.from);
                had.entries.entry(owner).or_default().insert(seen.offset, entry);
            }
            Fact::Acknowledge { up_to } => had.acknowledge(owner, up_to),
            Fact::Noticed { offset, notice: Notice::Receipt { conversation, user, delivered, read } } => {
                told.entry((owner, conversation, user))
                    .or_default()
                    .insert(offset, (delivered, read, number));
                let said = Said { number, owner, conversation, user, delivered, read };
                check_mark(index, findings, &said, &had, &marks);
            }
            Fact::Has { conversation, user, delivered, read } => {
                let said = Said { number, owner, conversation, user, delivered, read };
                check_mark(index, findings, &said, &had, &marks);
            }
            Fact::Noticed {
                notice: Notice::GroupReceipt { group, seq, delivered, read, members }, ..
            } => {
                let counts = Counts { number, owner, group, seq, delivered, read, members };
                check_counts(index, findings, &counts, &had, &marks);
            }
            _ => {}
        }
    }
    for ((_, conversation, user), told) in told {
        check_monotone(index, findings, (conversation, user), &told);
    }
}

struct Said {
    number: usize,
    owner: User,
    conversation: Conversation,
    user: User,
    delivered: u64,
    read: u64,
}

fn check_mark(index: &Index<'_>, findings: &mut Findings, said: &Said, had: &Had, marks: &ReadMarks) {
    let Said { number, owner, conversation, user, delivered, read } = *said;
    let name = |user: User| index.history.user_name(user).map_or("?", |name| name.as_str()).to_owned();
    let mut add = |what: String| findings.add(&[number], || what);
    let is_member = match index.groups.get(&conversation) {
        Some(group) => group.gets.contains_key(&user),
        None => index
            .pairs
            .get(&conversation)
            .is_none_or(|(one, other)| (owner, user) == (*one, *other) || (user, owner) == (*one, *other)),
    };
    if user == owner || !is_member {
        add(format!("{} was told of {}, who is no other member", name(owner), name(user)));
    }
    // Who comes into a group has everything before.
    let begins: Vec<u64> = index.groups.get(&conversation).map_or_else(Vec::new, |group| group.begins(user));
    let begun = begins.iter().copied().max().unwrap_or_default();
    let furthest = had.up_to(user, conversation).max(marks.furthest(user, conversation, number)).max(begun);
    if delivered > furthest {
        add(format!(
            "{} was told that {} has conversation {} up to {delivered}; it is {furthest}",
            name(owner),
            name(user),
            conversation.0
        ));
    }
    let is_begin = begins.iter().any(|begin| read == *begin || read + 1 == *begin);
    let is_shown = read == 0 || is_begin || marks.shown(user, conversation, number).any(|mark| mark == read);
    if !is_shown {
        add(format!(
            "{} was told that {} read conversation {} up to {read}, which was never marked, or in secret",
            name(owner),
            name(user),
            conversation.0
        ));
    }
}

struct Counts {
    number: usize,
    owner: User,
    group: Conversation,
    seq: u64,
    delivered: u32,
    read: u32,
    members: u32,
}

fn check_counts(index: &Index<'_>, findings: &mut Findings, told: &Counts, had: &Had, marks: &ReadMarks) {
    let Counts { number, owner, group: conversation, seq, delivered, read, members } = *told;
    let Some(group) = index.groups.get(&conversation).filter(|group| seq <= group.up_to) else { return };
    let others = || group.reads.keys().copied().filter(|user| *user != owner && group.may_read(*user, seq));
    let came_later = |user: User| group.begins(user).into_iter().any(|begin| begin > seq);
    let has = |user: &User| {
        had.up_to(*user, conversation).max(marks.furthest(*user, conversation, number)) >= seq
            || came_later(*user)
    };
    let has_read =
        |user: &User| marks.shown(*user, conversation, number).any(|mark| mark >= seq) || came_later(*user);
    let (most_delivered, most_read) = (others().filter(has).count(), others().filter(has_read).count());
    let is_own = group
        .messages
        .get(&seq)
        .is_some_and(|known| known.author == owner && index.history.step(known.body).is_none());
    let is_possible = delivered as usize <= most_delivered
        && read as usize <= most_read
        && read <= delivered
        && delivered <= members
        && is_own;
    if !is_possible {
        findings.add(&[number], || {
            let name = index.history.user_name(owner).map_or("?", |name| name.as_str());
            format!(
                "{name} was told that of {members} members {delivered} have and {read} have read place {seq} of \
                 group {}; {most_delivered} and {most_read} at most can",
                conversation.0
            )
        });
    }
}

fn check_monotone(
    index: &Index<'_>,
    findings: &mut Findings,
    (conversation, user): (Conversation, User),
    told: &BTreeMap<u64, (u64, u64, usize)>,
) {
    let (mut last, mut last_read) = ((0, usize::MAX), (0, usize::MAX));
    for (delivered, read, number) in told.values().copied() {
        // Nothing is said of reading to who says nothing of it.
        let moves_back = delivered < last.0 || read > 0 && read < last_read.0;
        if moves_back {
            findings.add(&[last.1, last_read.1, number], || {
                let name = index.history.user_name(user).map_or("?", |name| name.as_str());
                let (conversation, before) = (conversation.0, (last.0, last_read.0));
                format!(
                    "the marks of {name} in conversation {conversation} move from {before:?} back to \
                     {delivered} and {read}"
                )
            });
        }
        last = last.max((delivered, number));
        last_read = last_read.max((read, number));
    }
}

impl Had {
    fn acknowledge(&mut self, user: User, up_to: u64) {
        let Some(entries) = self.entries.get_mut(&user) else { return };
        let behind = entries.split_off(&(up_to + 1));
        for (conversation, seq, author) in std::mem::replace(entries, behind).into_values() {
            if author != user {
                let known = self.acknowledged.entry((user, conversation)).or_default();
                *known = (*known).max(seq);
            }
        }
    }

    fn up_to(&self, user: User, conversation: Conversation) -> u64 {
        self.acknowledged.get(&(user, conversation)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use crate::notice::Wish;
    use crate::story::Story;
    use crate::violation::Invariant::ShownMarks;

    fn sent() -> Story {
        Story::new()
            .send("alice/a", "m1", "bob")
            .ok("alice/a", "m1", 1)
            .send("alice/a", "m2", "bob")
            .ok("alice/a", "m2", 2)
            .delivered("bob/b", "m1", 1, 1)
            .delivered("bob/b", "m2", 2, 2)
    }

    fn switch(on: bool) -> Wish {
        Wish::Settings { read_receipts: Some(on), last_seen: None, typing: None }
    }

    #[test]
    fn legal() {
        sent()
            .acknowledge("bob/b", 1)
            .receipt("alice/a", 5, "bob", (1, 0))
            .mark_read("bob/b", "alice", 2)
            .receipt("alice/a", 6, "bob", (2, 2))
            .receipt("alice/other", 5, "bob", (1, 0))
            .must_pass(ShownMarks);
        // Alice says nothing of her reading for a while, so she hears nothing of his.
        sent()
            .mark_read("bob/b", "alice", 1)
            .receipt("alice/a", 5, "bob", (1, 1))
            .acknowledge("bob/b", 2)
            .receipt("alice/a", 6, "bob", (2, 0))
            .must_pass(ShownMarks);
        // The mark was asked for before the switch was known to be off.
        sent()
            .asked("bob/b", 1, switch(false))
            .mark_read("bob/b", "alice", 2)
            .answered("bob/b", 1)
            .receipt("alice/a", 5, "bob", (2, 2))
            .must_pass(ShownMarks);
    }

    #[test]
    fn illegal() {
        sent().receipt("alice/a", 5, "bob", (1, 0)).must_fail(ShownMarks);
        sent().acknowledge("bob/b", 1).receipt("alice/a", 5, "bob", (2, 0)).must_fail(ShownMarks);
        sent().acknowledge("bob/b", 2).receipt("alice/a", 5, "bob", (2, 1)).must_fail(ShownMarks);
        sent()
            .acknowledge("bob/b", 2)
            .receipt("alice/a", 5, "bob", (2, 0))
            .receipt("alice/a", 6, "bob", (1, 0))
            .must_fail(ShownMarks);
        sent().acknowledge("bob/b", 2).receipt("alice/a", 5, "carol", (1, 0)).must_fail(ShownMarks);
        // Made while switched off, and shown later.
        sent()
            .asked("bob/b", 1, switch(false))
            .answered("bob/b", 1)
            .mark_read("bob/b", "alice", 2)
            .asked("bob/b", 2, switch(true))
            .answered("bob/b", 2)
            .receipt("alice/a", 5, "bob", (2, 2))
            .must_fail(ShownMarks);
    }

    #[test]
    fn counts_of_a_group_have_bounds() {
        let told = |delivered, read| {
            Story::new()
                .found("alice/a", "g", 1, &["bob", "carol"])
                .group_send("alice/a", "m2", "g")
                .group_ok("alice/a", "m2", "g", 2)
                .founding_seen("bob/b", "g", 1)
                .group_delivered("bob/b", "m2", "g", (2, 2))
                .acknowledge("bob/b", 2)
                .group_receipt("alice/a", "g", 9, (2, delivered, read, 2))
        };
        told(1, 0).must_pass(ShownMarks);
        told(2, 0).must_fail(ShownMarks);
        told(1, 1).must_fail(ShownMarks);
    }
}
