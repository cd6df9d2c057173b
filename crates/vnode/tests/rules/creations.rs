//! Somebody makes a group.

use iris_types::{ErrorCode, Policy, Role, Seq};
use iris_vnode::group::Place;
use iris_vnode::{Conversation, Members};

use crate::group::{Outcome, Sample, creation};
use crate::{NOW, id};

#[test]
fn those_named_come_in_as_the_policy_says() {
    let cases = [
        (Policy::default(), Place::Invited),
        (Policy::ADMINS_ADD, Place::Joined(Role::Member)),
        (Policy::MEMBERS_ADD, Place::Joined(Role::Member)),
        (Policy::MEMBERS_INVITE.with(Policy::OPEN_HISTORY), Place::Invited),
    ];
    for (policy, place) in cases {
        // Oneself and repeated names count once.
        let sample = Sample::made("o", policy, &["b", "o", "a", "b"]);
        assert_eq!(sample.place("o"), Place::Joined(Role::Owner));
        assert_eq!((sample.place("a"), sample.place("b")), (place, place), "{policy:?}");
        assert_eq!(sample.group().roster.len(), 3);
        assert_eq!((sample.one.last, sample.group().facts.policy), (Seq(1), policy));
    }
}

#[test]
fn a_repeated_creation_is_the_same_group() {
    for commits in [true, false] {
        let mut sample = Sample::unmade();
        sample.commits = commits;
        let create = creation(sample.id(), Policy::default(), &["a"]);
        assert_eq!(sample.create("o", &create).seq(), 1);
        sample.act("o", "rename other").seq();
        sample.act("o", "leave").seq();
        let again = sample.create("o", &create);
        assert!(matches!(again, Outcome::Duplicate(1)), "{again:?}");
        let conflict = creation(create.id, Policy::OPEN_HISTORY, &["a"]);
        assert_eq!(sample.create("o", &conflict).code(), ErrorCode::IdConflict);
        let conflict = creation(create.id, Policy::default(), &["a", "b"]);
        assert_eq!(sample.create("o", &conflict).code(), ErrorCode::IdConflict);
    }
}

#[test]
fn a_creation_has_the_window_of_ids_and_the_bound_of_members() {
    let mut sample = Sample::unmade();
    sample.members_max = 3;
    let cases = [
        (id(1, 0), &["a"][..], Some(ErrorCode::IdTooOld)),
        (id(1, NOW + 300_001), &["a"], Some(ErrorCode::IdInFuture)),
        (id(1, NOW), &["a", "b", "c"], Some(ErrorCode::GroupFull)),
        (id(1, NOW), &["a", "b", "o", "b"], None),
    ];
    for (id, members, code) in cases {
        match (sample.create("o", &creation(id, Policy::default(), members)), code) {
            (Outcome::Refused(found), Some(code)) => assert_eq!(found, code),
            (Outcome::Made(changed), None) => assert_eq!(changed.recipients.len(), 3),
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_group_whose_creation_is_forgotten_is_not_made_again() {
    let mut sample = Sample::unmade();
    let create = creation(sample.id(), Policy::default(), &["a"]);
    sample.create("o", &create).seq();
    let mut again = Sample::unmade();
    again.one = sample.one;
    assert_eq!(again.create("o", &create).code(), ErrorCode::IdTooOld);
}

#[test]
fn a_group_that_an_operator_cut_off_goes_on_behind_what_members_hold() {
    let mut sample = Sample::unmade();
    // Its head was joined from the members' lists, everything else is lost.
    sample.one = Conversation::of(sample.one.id, Members::Nobody, Seq(9));
    let create = creation(sample.id(), Policy::ADMINS_ADD, &["a"]);
    assert_eq!(sample.create("o", &create).seq(), 10);
    assert_eq!(sample.group().roster[&crate::user("a")].memberships[0].first, Seq(10));
    assert_eq!(sample.send("a", "x"), Ok(11));
}
