//! I33: in the end everybody is told exactly how far the others are: what was acknowledged is shown as delivered, what was
//! marked as read. Needs the observation `Told`.

use std::collections::BTreeMap;

use crate::group::Group;
use crate::index::Index;
use crate::notice::{Notice, Wish};
use crate::record::{Conversation, Fact, Observation, User};
use crate::step::Step;
use crate::violation::Findings;
use crate::wished::ReadMarks;

/// The last thing that each user was told: of a member of a direct conversation, of their own message in a group.
#[derive(Default)]
struct Told {
    marks: BTreeMap<(User, Conversation), (u64, u64, u64)>,
    counts: BTreeMap<(User, Conversation), (u64, [u32; 2], u64)>,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let is_told = |fact: &Fact| *fact == Fact::Observed(Observation::Told);
    let Some(end) = index.history.records.iter().position(|record| is_told(&record.fact)) else { return };
    let marks = ReadMarks::of(index.history, &index.wished);
    let told = told(index, end);
    for (conversation, (one, other)) in &index.pairs {
        if one != other && !was_blocked(index, *one, *other) {
            check_direct(index, findings, (*conversation, end), (*one, *other), &told, &marks);
            check_direct(index, findings, (*conversation, end), (*other, *one), &told, &marks);
        }
    }
    for (conversation, group) in index.groups.iter().filter(|(_, group)| group.is_whole()) {
        for author in group.members().map(|(user, _)| user) {
            check_group(index, findings, (*conversation, end), (author, group), &told, &marks);
        }
    }
}

/// What `author` is told of `reader`.
fn check_direct(
    index: &Index<'_>,
    findings: &mut Findings,
    (conversation, end): (Conversation, usize),
    (author, reader): (User, User),
    told: &Told,
    marks: &ReadMarks,
) {
    let places = index.authors.get(&conversation);
    // Only the author's own messages count: a mark may lie on the reader's.
    let own = |up_to: u64| {
        let mut own = places.into_iter().flat_map(|places| places.range(..=up_to).rev());
        own.find(|(_, by)| **by == author).map_or(0, |(seq, _)| *seq)
    };
    let (_, delivered, read) = told.marks.get(&(author, conversation)).copied().unwrap_or_default();
    let mut add = |what: &str, shown: u64, is: u64| {
        findings.add(&[end], || {
            let name = |user| index.history.user_name(user).map_or("?", |name| name.as_str());
            let (author, reader, conversation) = (name(author), name(reader), conversation.0);
            format!("{author} sees {shown} of conversation {conversation} {what} by {reader}; it is {is}")
        });
    };
    let last = own(u64::MAX);
    if own(delivered) != last {
        add("delivered", own(delivered), last);
    }
    if marks.is_plain(author) && marks.is_plain(reader) {
        let least = own(marks.done(reader, conversation));
        let most = own(marks.furthest(reader, conversation, usize::MAX));
        if own(read) < least || own(read) > most {
            add("read", own(read), least);
        }
    }
}

/// What an author is told of the newest message.
fn check_group(
    index: &Index<'_>,
    findings: &mut Findings,
    (conversation, end): (Conversation, usize),
    (author, group): (User, &Group),
    told: &Told,
    marks: &ReadMarks,
) {
    let step = |body| index.history.step(body);
    let mut own = group.messages.iter().rev();
    let newest = own.find(|(_, known)| known.author == author && step(known.body).is_none());
    let Some(seq) = newest.map(|(seq, _)| *seq) else { return };
    // When members come and go, that alone is no news.
    let came_or_went = group.messages.range(seq + 1..).any(|(_, known)| {
        !matches!(step(known.body), None | Some(Step::Described | Step::Role { .. } | Step::Policy { .. }))
    });
    let was_member = group.gets.get(&author).and_then(|spans| spans.last()).is_some_and(|span| span.has(seq));
    if came_or_went || !was_member {
        return;
    }
    let others: Vec<User> = group.members().map(|(user, _)| user).filter(|user| *user != author).collect();
    let (_, [delivered, read], of) = told.counts.get(&(author, conversation)).copied().unwrap_or_default();
    let shown = if of == seq { [delivered as usize, read as usize] } else { [0, 0] };
    let count = |has_read: &dyn Fn(User) -> bool| others.iter().filter(|user| has_read(**user)).count();
    let least = count(&|user| marks.done(user, conversation) >= seq);
    let most = count(&|user| marks.furthest(user, conversation, usize::MAX) >= seq);
    let is_plain = marks.is_plain(author) && others.iter().all(|user| marks.is_plain(*user));
    let is_exact = shown[0] == others.len() && (!is_plain || shown[1] >= least && shown[1] <= most);
    if !is_exact {
        findings.add(&[end], || {
            let name = index.history.user_name(author).map_or("?", |name| name.as_str());
            let (conversation, members) = (conversation.0, others.len());
            format!(
                "{name} sees place {seq} of group {conversation} delivered to and read by {shown:?} of {members}; all \
                 have it, {least} to {most} have read it"
            )
        });
    }
}

fn told(index: &Index<'_>, end: usize) -> Told {
    let mut told = Told::default();
    for record in index.history.records.iter().take(end) {
        let Fact::Noticed { offset, notice } = record.fact else { continue };
        let Some(owner) = index.history.user_of(record.process) else { continue };
        match notice {
            Notice::Receipt { conversation, delivered, read, .. } => {
                let last = told.marks.entry((owner, conversation)).or_default();
                *last = (*last).max((offset, delivered, read));
            }
            Notice::GroupReceipt { group, seq, delivered, read, .. } => {
                let last = told.counts.entry((owner, group)).or_default();
                *last = (*last).max((offset, [delivered, read], seq));
            }
            Notice::State { .. } | Notice::Settings(_) => {}
        }
    }
    told
}

fn was_blocked(index: &Index<'_>, one: User, other: User) -> bool {
    index.wished.iter().any(|wished| {
        let Wish::Block { user, .. } = wished.wish else { return false };
        (wished.user, user) == (one, other) || (wished.user, user) == (other, one)
    })
}

#[cfg(test)]
mod tests {
    use crate::record::Observation::Told;
    use crate::story::Story;
    use crate::violation::Invariant::FinalMarks;

    fn sent() -> Story {
        Story::new().send("alice/a", "m1", "bob").ok("alice/a", "m1", 1).delivered("bob/b", "m1", 1, 1)
    }

    #[test]
    fn legal() {
        sent()
            .mark_read("bob/b", "alice", 1)
            .receipt("alice/a", 5, "bob", (1, 1))
            .observed(Told)
            .must_pass(FinalMarks);
        // The mark lies on the reader's own message.
        sent()
            .send("bob/b", "m2", "alice")
            .ok("bob/b", "m2", 2)
            .mark_read("bob/b", "alice", 2)
            .delivered("alice/a", "m2", 4, 2)
            .receipt("alice/a", 5, "bob", (2, 2))
            .receipt("bob/b", 5, "alice", (2, 0))
            .observed(Told)
            .must_pass(FinalMarks);
        // Nobody said that this is the end.
        sent().must_pass(FinalMarks);
    }

    #[test]
    fn illegal() {
        sent().observed(Told).must_fail(FinalMarks);
        sent()
            .mark_read("bob/b", "alice", 1)
            .receipt("alice/a", 5, "bob", (1, 0))
            .observed(Told)
            .must_fail(FinalMarks);
    }

    #[test]
    fn of_a_group_the_counts() {
        let told = |delivered, read| {
            Story::new()
                .found("alice/a", "g", 1, &["bob"])
                .founding_seen("bob/b", "g", 1)
                .group_send("alice/a", "m2", "g")
                .group_ok("alice/a", "m2", "g", 2)
                .group_delivered("bob/b", "m2", "g", (2, 2))
                .mark_group_read("bob/b", "g", 2)
                .group_receipt("alice/a", "g", 9, (2, delivered, read, 1))
                .observed(Told)
        };
        told(1, 1).must_pass(FinalMarks);
        told(1, 0).must_fail(FinalMarks);
        told(0, 0).must_fail(FinalMarks);
    }
}
