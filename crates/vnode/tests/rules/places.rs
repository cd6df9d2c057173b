//! How people come in, go, and come again.

use iris_types::limits::{GROUP_ROSTER_MAX, MEMBERSHIPS_MAX};
use iris_types::{ErrorCode, Policy, Role, Seq};
use iris_vnode::group::{Member, Place};

use crate::group::{Outcome, Sample, change};
use crate::user;

const ADDS: Policy = Policy::ADMINS_ADD;

fn roles(sample: &Sample) -> Vec<(String, Role)> {
    let role = |member: &Member| match member.place {
        Place::Joined(role) => role,
        other => panic!("{other:?}"),
    };
    sample.group().members().map(|(user, member)| (user.to_string(), role(member))).collect()
}

#[test]
fn an_owner_who_leaves_has_an_heir() {
    // Changes, then who owns the group once o has left; none: nobody is left.
    let cases: [(&[&str], Option<&str>); 8] = [
        (&[], Some("a")),
        (&["role c admin"], Some("c")),
        (&["role c admin", "role b admin"], Some("b")),
        // Who came again has not been in for longest.
        (&["remove a", "add a"], Some("b")),
        (&["role a admin", "remove a", "add a"], Some("b")),
        (&["role b admin", "remove b", "add b", "role b admin", "role c admin"], Some("c")),
        (&["remove a", "remove b", "remove c"], None),
        (&["remove a", "remove b", "remove c", "invite a"], None),
    ];
    for (changes, heir) in cases {
        let mut sample = Sample::made("o", ADDS, &["a", "b", "c"]);
        for change in changes {
            sample.act("o", change).seq();
        }
        let Outcome::Made(changed) = sample.act("o", "leave") else { panic!("{changes:?}") };
        let named = iris_types::Change::from_body(&changed.event.body);
        assert_eq!(named, Ok(iris_types::Change::Left(heir.map(user))), "{changes:?}");
        let owners: Vec<String> = roles(&sample)
            .into_iter()
            .filter(|(_, role)| *role == Role::Owner)
            .map(|(name, _)| name)
            .collect();
        assert_eq!(owners, heir.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{changes:?}");
        assert_eq!(sample.act("o", "rename x").code(), ErrorCode::NotMember);
    }
}

#[test]
fn who_accepts_when_all_others_are_gone_owns_the_group() {
    let mut sample = Sample::made("o", Policy::default(), &["a", "b"]);
    sample.act("o", "leave").seq();
    assert_eq!(sample.group().joined, 0);
    sample.act("a", "accept").seq();
    sample.act("b", "accept").seq();
    assert_eq!(roles(&sample), [("a".to_owned(), Role::Owner), ("b".to_owned(), Role::Member)]);
}

#[test]
fn a_group_is_handed_over_and_may_be_handed_back() {
    let mut sample = Sample::made("o", ADDS, &["a"]);
    sample.act("o", "role a owner").seq();
    assert_eq!(roles(&sample), [("a".to_owned(), Role::Owner), ("o".to_owned(), Role::Admin)]);
    assert_eq!(sample.act("o", "role o owner").code(), ErrorCode::NotAllowed);
    assert_eq!(sample.act("o", "remove a").code(), ErrorCode::NotAllowed);
    sample.act("a", "role o owner").seq();
    assert_eq!(roles(&sample), [("a".to_owned(), Role::Admin), ("o".to_owned(), Role::Owner)]);
}

#[test]
fn a_retry_gets_the_first_answer_whatever_came_after() {
    for commits in [true, false] {
        let mut sample = Sample::made("o", ADDS, &["a", "b"]);
        sample.act("o", "role a admin").seq();
        sample.commits = commits;
        let id = sample.id();
        let first = sample.act_as("a", id, change("remove b")).seq();
        sample.act("o", "remove a").seq();
        let last = sample.one.last;
        let again = sample.act_as("a", id, change("remove b"));
        assert!(matches!(again, Outcome::Duplicate(seq) if seq == first), "{again:?}");
        // Nobody gets in this way who only knows the id.
        assert_eq!(sample.act_as("a", id, change("remove o")).code(), ErrorCode::IdConflict);
        assert_eq!(sample.act_as("b", id, change("remove b")).code(), ErrorCode::NotMember);
        assert_eq!(sample.one.last, last);
    }
}

#[test]
fn what_was_so_already_can_be_asked_for_again_and_again() {
    let mut sample = Sample::made("o", ADDS, &["a"]);
    let id = sample.id();
    for _ in 0..3 {
        assert!(matches!(sample.act_as("o", id, change("add a")), Outcome::Nothing));
    }
    // It is not so any more: then the same request does something.
    sample.act("o", "remove a").seq();
    assert_eq!(sample.act_as("o", id, change("add a")).seq(), 3);
    assert!(matches!(sample.act_as("o", id, change("add a")), Outcome::Duplicate(3)));
}

#[test]
fn an_id_is_one_message_or_one_change() {
    let mut sample = Sample::made("o", ADDS, &["a"]);
    let id = sample.id();
    sample.act_as("o", id, change("remove a")).seq();
    for other in ["add a", "leave", "rename x", "policy 3"] {
        assert_eq!(sample.act_as("o", id, change(other)).code(), ErrorCode::IdConflict, "{other}");
    }
}

#[test]
fn old_and_future_ids_are_refused() {
    let mut sample = Sample::made("o", ADDS, &["a"]);
    for (at, code) in [(0, ErrorCode::IdTooOld), (crate::NOW + 300_001, ErrorCode::IdInFuture)] {
        let id = crate::id(9, at);
        assert_eq!(sample.act_as("o", id, change("rename x")).code(), code);
        // That is said before anything about the group.
        assert_eq!(sample.act_as("stranger", id, change("rename x")).code(), code);
    }
}

#[test]
fn members_and_invitations_have_a_bound() {
    let names: Vec<String> = (1..500).map(|number| format!("u{number:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut sample = Sample::made("o", ADDS, &names[..250]);
    for name in &names[250..] {
        sample.act("o", &format!("invite {name}")).seq();
    }
    let group = sample.group();
    assert_eq!((group.joined, group.invited), (251, 249));
    for more in ["invite new", "add new"] {
        assert_eq!(sample.act("o", more).code(), ErrorCode::GroupFull, "{more}");
    }
    // Whoever is invited counted already.
    for name in &names[250..] {
        sample.act(name, "accept").seq();
    }
    assert_eq!(sample.group().joined, 500);
    assert_eq!(sample.act("o", "add new").code(), ErrorCode::GroupFull);
    sample.act("o", "remove u001").seq();
    sample.act("o", "add new").seq();
    assert_eq!(sample.act("o", "add u001").code(), ErrorCode::GroupFull);
    // An operator who allows more later, or less.
    sample.members_max = 501;
    sample.act("o", "add u001").seq();
    sample.members_max = 10;
    assert_eq!(sample.act("o", "invite other").code(), ErrorCode::GroupFull);
    sample.act("o", "remove u001").seq();
}

#[test]
fn those_who_were_there_are_remembered_up_to_a_bound() {
    let mut sample = Sample::made("o", ADDS, &["known"]);
    sample.act("o", "remove known").seq();
    let group = sample.one.group_mut().unwrap();
    for number in 0..GROUP_ROSTER_MAX - 2 {
        group.put(user(&format!("gone{number}")), Member { since: Seq(1), ..Member::stranger() });
    }
    for new in ["add new", "invite new"] {
        let request = sample.act("o", new);
        assert_eq!(request.code(), ErrorCode::GroupFull, "{new}");
    }
    // Not asked through the rows: those above are in memory alone.
    let id = sample.id();
    let request = iris_types::ChangeGroup { id, group: sample.one.id, change: change("add known") };
    let decision = iris_vnode::change_group::decide(
        &mut sample.one,
        &user("o"),
        &request,
        500,
        iris_vnode::send_message::Lookups::default(),
        (iris_types::Timestamp(crate::NOW), iris_vnode::Stamp(9)),
    );
    assert!(matches!(decision, iris_vnode::change_group::Decision::New(_)), "{decision:?}");
}

#[test]
fn how_often_somebody_may_come_again_has_a_bound() {
    let mut sample = Sample::made("o", ADDS, &["a"]);
    for _ in 1..MEMBERSHIPS_MAX {
        sample.act("o", "remove a").seq();
        sample.act("o", "add a").seq();
    }
    sample.act("a", "leave").seq();
    assert_eq!(sample.group().roster[&user("a")].memberships.len(), MEMBERSHIPS_MAX);
    for again in ["add a", "invite a"] {
        assert_eq!(sample.act("o", again).code(), ErrorCode::GroupFull, "{again}");
    }
    // Where newcomers see everything, one time stands for all.
    sample.act("o", "policy 33").seq();
    sample.act("o", "add a").seq();
    assert_eq!(sample.group().roster[&user("a")].memberships.len(), 1);
}

#[test]
fn an_invitation_that_may_not_be_accepted_any_more_can_be_declined() {
    let mut sample = Sample::made("o", ADDS, &["a"]);
    for _ in 1..MEMBERSHIPS_MAX {
        sample.act("o", "remove a").seq();
        sample.act("o", "invite a").seq();
        sample.act("a", "accept").seq();
    }
    sample.act("o", "remove a").seq();
    assert_eq!(sample.act("o", "invite a").code(), ErrorCode::GroupFull);
    assert!(matches!(sample.act("a", "leave"), Outcome::Nothing));
}
