//! Who may do what, as a table.

use iris_types::request::{HistoryFrom, ReadHistory, ReadRoster};
use iris_types::{ErrorCode, GroupChange, Policy, Target};
use iris_vnode::{read_group, read_history, read_roster};

use crate::group::{Outcome, Sample, change};
use crate::user;

/// Who does it: a stranger, one who owns another group, one who is invited, one who was removed, a member, an admin,
/// the owner.
const WHO: [&str; 7] = ["s", "x", "i", "r", "m", "a", "o"];

/// `y` it is done, `=` it is so already, `-` not_member, `n` not_allowed, `u` unknown_member. Besides the seven there
/// are: n, a member; b, an admin; j, who is invited; q, who was removed; new, a stranger.
const MATRIX: &str = "
    policy            change          s x  i r  m a o
    none              invite new      - -  - -  n y y
    none              invite n        - -  - -  n = =
    none              invite j        - -  - -  n = =
    none              invite q        - -  - -  n y y
    none              add new         - -  - -  n n n
    none              add n           - -  - -  n n n
    none              add j           - -  - -  n n n
    none              add q           - -  - -  n n n
    none              remove new      - -  - -  u u u
    none              remove q        - -  - -  = = =
    none              remove j        - -  - -  n y y
    none              remove n        - -  - -  n y y
    none              remove b        - -  - -  n n y
    none              remove o        - -  - -  n n y
    none              remove m        - -  - -  y y y
    none              remove i        - -  - -  n y y
    none              accept          - -  y -  = = =
    none              leave           - -  y =  y y y
    none              rename new      - -  - -  n y y
    none              rename title    - -  - -  n = =
    none              describe new    - -  - -  n y y
    none              describe description - -  - -  n = =
    none              role n admin    - -  - -  n n y
    none              role n member   - -  - -  n n =
    none              role n owner    - -  - -  n n y
    none              role b member   - -  - -  n n y
    none              role b owner    - -  - -  n n y
    none              role o owner    - -  - -  n n =
    none              role o member   - -  - -  n n n
    none              role j admin    - -  - -  n n u
    none              role q admin    - -  - -  n n u
    none              role new owner  - -  - -  n n u
    none              policy 63       - -  - -  n y y
    none              policy 0        - -  - -  n = =
    none              send            - -  - -  y y y
    none              read group      - -  y -  y y y
    none              read roster     - -  y -  y y y
    none              read history    - -  y y  y y y
    admins_add        add new         - -  - -  n y y
    admins_add        add n           - -  - -  n = =
    admins_add        add j           - -  - -  n y y
    admins_add        add q           - -  - -  n y y
    admins_add        invite new      - -  - -  n y y
    members_add       add new         - -  - -  y y y
    members_add       add n           - -  - -  = = =
    members_add       add j           - -  - -  y y y
    members_add       invite new      - -  - -  n y y
    members_invite    invite new      - -  - -  y y y
    members_invite    invite n        - -  - -  = = =
    members_invite    invite j        - -  - -  = = =
    members_invite    remove j        - -  - -  y y y
    members_invite    remove n        - -  - -  n y y
    members_invite    add new         - -  - -  n n n
    members_describe  rename new      - -  - -  y y y
    members_describe  rename title    - -  - -  = = =
    members_describe  describe new    - -  - -  y y y
    members_describe  policy 0        - -  - -  n y y
    only_admins_write send            - -  - -  n y y
    only_admins_write leave           - -  y =  y y y
    only_admins_write invite new      - -  - -  n y y
    open_history      read history    - -  y y  y y y
    open_history      accept          - -  y -  = = =
";

fn policy_of(name: &str) -> Policy {
    let named = Policy::NAMES.iter().find(|(_, other)| *other == name);
    named.map_or(Policy::default(), |(policy, _)| *policy)
}

/// Everybody in their place, made by the rules themselves.
fn sample(policy: Policy) -> Sample {
    let members = ["a", "b", "m", "n", "q", "r"];
    let mut sample = Sample::made("o", Policy::ADMINS_ADD, &members);
    for change in ["role a admin", "role b admin", "invite i", "invite j", "remove q", "remove r"] {
        sample.act("o", change).seq();
    }
    if policy != Policy::ADMINS_ADD {
        sample.act("o", &format!("policy {}", policy.bits())).seq();
    }
    sample
}

fn of_code(code: ErrorCode) -> char {
    match code {
        ErrorCode::NotMember => '-',
        ErrorCode::NotAllowed => 'n',
        ErrorCode::UnknownMember => 'u',
        other => panic!("{other}"),
    }
}

/// The sign for what becomes of it.
fn outcome(sample: &mut Sample, who: &str, what: &str) -> char {
    let (one, asker) = (&sample.one, user(who));
    let read = match what {
        "send" => sample.send(who, "text").map(drop),
        "read group" => read_group::summary(one, &asker).map(drop),
        "read roster" => {
            read_roster::page(one, &asker, &ReadRoster { group: one.id, after: None, limit: 9 }).map(drop)
        }
        "read history" => {
            let read = ReadHistory { with: Target::Group(one.id), from: HistoryFrom::Latest, limit: 9 };
            read_history::plan(one, &asker, &read).map(drop)
        }
        what => {
            return match sample.act(who, what) {
                Outcome::Made(_) => 'y',
                Outcome::Nothing => '=',
                Outcome::Refused(code) => of_code(code),
                Outcome::Duplicate(_) => panic!("a fresh id"),
            };
        }
    };
    read.map_or_else(of_code, |()| 'y')
}

#[test]
fn who_may_do_what() {
    let lines = MATRIX.trim().lines().skip(1);
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (front, signs) = words.split_at(words.len() - WHO.len());
        let (policy, what) = (policy_of(front[0]), front[1..].join(" "));
        for (who, sign) in WHO.into_iter().zip(signs) {
            let mut sample = sample(policy);
            let before = (sample.one.last, sample.one.touched, sample.stored());
            let found = outcome(&mut sample, who, &what);
            assert_eq!(found.to_string(), **sign, "{} with {}: {who}", what, front[0]);
            if found != 'y' {
                assert_eq!((sample.one.last, sample.one.touched, sample.stored()), before, "{what}: {who}");
            }
        }
    }
}

#[test]
fn the_table_has_every_change_and_every_bit_of_policy() {
    let number = |change: &GroupChange| match change {
        GroupChange::Invite(_) => 0,
        GroupChange::Add(_) => 1,
        GroupChange::Remove(_) => 2,
        GroupChange::Accept => 3,
        GroupChange::Leave => 4,
        GroupChange::Rename(_) => 5,
        GroupChange::Describe(_) => 6,
        GroupChange::SetRole(..) => 7,
        GroupChange::SetPolicy(_) => 8,
    };
    let mut seen = [false; 9];
    for line in MATRIX.trim().lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let what = words[1..words.len() - WHO.len()].join(" ");
        if what != "send" && !what.starts_with("read") {
            seen[number(&change(&what))] = true;
        }
    }
    assert_eq!(seen, [true; 9]);
    assert!(Policy::NAMES.iter().all(|(_, name)| MATRIX.contains(name)));
}
