//! I30: of a group everybody sees what was said while they were in it, and the changes that bring them in or out, and
//! nothing else: no entry behind the change that ended a membership until the next begins, no page of history from
//! outside; the list of conversations tells how they stand.

use crate::group::Group;
use crate::index::Index;
use crate::record::{Fact, Standing, User};
use crate::violation::Findings;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    for (record, user, device, seen) in index.sightings() {
        let Some(group) = index.groups.get(&seen.conversation).filter(|group| seen.seq <= group.up_to) else {
            continue;
        };
        let is_page = matches!(index.history.records[record].fact, Fact::History(_));
        let (is_theirs, what) = match is_page {
            true => (group.may_read(user, seen.seq), "read back"),
            false => (group.gets(user, seen.seq), "got"),
        };
        if !is_theirs {
            findings.add(&[record], || {
                format!("{} {what} {}, outside of every membership", index.device_name(device), seen.place())
            });
        }
    }
    for (number, record) in index.history.records.iter().enumerate() {
        let Fact::Standing(told) = record.fact else { continue };
        let Some(user) = index.history.user_of(record.process) else { continue };
        let group = index.groups.get(&told.conversation).filter(|group| group.is_whole());
        // Only the lists of fresh devices are asked for when everything is over.
        let Some(group) = group.filter(|_| index.history.is_fresh(record.process)) else { continue };
        let (standing, last) = (standing(group, user), group.last_of(user));
        if (told.standing, told.last) != (standing, last) {
            let Standing { conversation, standing: is, last: ends, .. } = told;
            findings.add(&[number], || {
                let device = index.device_name(record.process);
                format!(
                    "{device} has group {} with standing {is} up to {ends}, not {standing} up to {last}",
                    conversation.0
                )
            });
        }
    }
}

fn standing(group: &Group, user: User) -> u8 {
    match group.places.get(&user) {
        Some(place) if place.role > 0 => 0,
        Some(_) => 1,
        None => 2,
    }
}

#[cfg(test)]
mod tests {
    use crate::step::Step;
    use crate::story::Story;
    use crate::violation::Invariant::Membership;

    /// Bob is invited at 1, declines at 2, is added at 4 and removed at 5.
    fn told() -> Story {
        let story = Story::new().found("alice/a", "g", 0, &["bob"]);
        let bob = story.named("bob");
        story
            .change_seen("alice/a", "g", 1, "alice", Step::Created)
            .change_seen("alice/a", "g", 2, "bob", Step::Left { heir: None })
            .change_seen("alice/a", "g", 3, "alice", Step::Policy { bits: 1 })
            .change_seen("alice/a", "g", 4, "alice", Step::Added { user: bob })
            .change_seen("alice/a", "g", 5, "alice", Step::Removed { user: bob })
            .change_seen("alice/a", "g", 6, "alice", Step::Described)
    }

    #[test]
    fn legal() {
        let bob = told().named("bob");
        told()
            .change_seen("bob/b", "g", 1, "alice", Step::Created)
            .change_seen("bob/b", "g", 2, "bob", Step::Left { heir: None })
            .change_seen("bob/b", "g", 4, "alice", Step::Added { user: bob })
            .change_seen("bob/b", "g", 5, "alice", Step::Removed { user: bob })
            .page("bob/b", "g", &[4, 5])
            .standing("bob/fresh", "g", 2, (5, 3, 2, 0))
            .must_pass(Membership);
    }

    #[test]
    fn illegal() {
        told().change_seen("bob/b", "g", 6, "alice", Step::Described).must_fail(Membership);
        told().change_seen("bob/b", "g", 3, "alice", Step::Policy { bits: 1 }).must_fail(Membership);
        told().change_seen("carol/c", "g", 3, "alice", Step::Policy { bits: 1 }).must_fail(Membership);
        // An invitation opens no history.
        told().page("bob/b", "g", &[1]).must_fail(Membership);
        told().page("bob/b", "g", &[4, 5, 6]).must_fail(Membership);
        told().standing("bob/fresh", "g", 0, (5, 3, 2, 0)).must_fail(Membership);
        told().standing("bob/fresh", "g", 2, (6, 3, 2, 0)).must_fail(Membership);
    }
}
