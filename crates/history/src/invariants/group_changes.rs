//! I29: the changes of a group have one outcome, the same for everybody: followed in their order, each was allowed when
//! it was made, and the roster that they lead to is the one that the server tells in the end.

use std::collections::BTreeMap;

use crate::index::Index;
use crate::record::{Conversation, Device, Fact, User};
use crate::violation::Findings;

/// A roster that was told: role and since, by user.
type Roster = BTreeMap<User, (u8, u64)>;

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    for (conversation, group) in &index.groups {
        for (record, problem) in &group.problems {
            findings.add(&[*record], || format!("group {}: {problem}", conversation.0));
        }
    }
    let mut told: BTreeMap<(Device, Conversation), Roster> = BTreeMap::new();
    for (number, record) in index.history.records.iter().enumerate() {
        match record.fact {
            Fact::Enrolled { group, user, role, since } => {
                told.entry((record.process, group)).or_default().insert(user, (role, since));
            }
            Fact::RosterEnd { group } => {
                let told = told.remove(&(record.process, group)).unwrap_or_default();
                check_roster(index, findings, (number, group), &told);
            }
            _ => {}
        }
    }
}

fn check_roster(
    index: &Index<'_>,
    findings: &mut Findings,
    (record, conversation): (usize, Conversation),
    told: &Roster,
) {
    // What nobody saw whole cannot be compared.
    let Some(group) = index.groups.get(&conversation).filter(|group| group.is_whole()) else { return };
    let followed: Roster =
        group.places.iter().map(|(user, place)| (*user, (place.role, place.since))).collect();
    if *told != followed {
        findings.add(&[record], || {
            format!("the roster of group {} is {told:?}; its changes lead to {followed:?}", conversation.0)
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::step::Step;
    use crate::story::Story;
    use crate::violation::Invariant::GroupChanges;

    /// Alice founds a group in which admins add; bob is in it from the start.
    fn founded() -> Story {
        Story::new().found("alice/a", "g", 1, &["bob"]).change_seen("bob/b", "g", 1, "alice", Step::Created)
    }

    #[test]
    fn legal() {
        let story = founded();
        let carol = story.named("carol");
        story
            .change_seen("bob/b", "g", 2, "alice", Step::Added { user: carol })
            .roster("bob/b", "g", &[("alice", 3, 1), ("bob", 1, 1), ("carol", 1, 2)])
            .must_pass(GroupChanges);
        // The owner left: of two who came at once the first by name is the heir.
        let story = Story::new().found("alice/a", "g", 1, &["carol", "bob"]).change_seen(
            "bob/b",
            "g",
            1,
            "alice",
            Step::Created,
        );
        let bob = story.named("bob");
        story
            .change_seen("bob/b", "g", 2, "alice", Step::Left { heir: Some(bob) })
            .roster("bob/b", "g", &[("bob", 3, 1), ("carol", 1, 1)])
            .must_pass(GroupChanges);
    }

    #[test]
    fn illegal() {
        let carol = founded().named("carol");
        // Bob is no admin.
        founded().change_seen("alice/a", "g", 2, "bob", Step::Added { user: carol }).must_fail(GroupChanges);
        founded()
            .change_seen("alice/a", "g", 2, "alice", Step::Added { user: carol })
            .roster("alice/a", "g", &[("alice", 3, 1), ("bob", 1, 1)])
            .must_fail(GroupChanges);
        founded().roster("alice/a", "g", &[("alice", 3, 1), ("bob", 2, 1)]).must_fail(GroupChanges);
        // The owner left, and somebody else than the heir became the owner.
        let story = founded();
        let carol = story.named("carol");
        story
            .change_seen("alice/a", "g", 2, "alice", Step::Added { user: carol })
            .change_seen("bob/b", "g", 3, "alice", Step::Left { heir: Some(carol) })
            .must_fail(GroupChanges);
    }
}
