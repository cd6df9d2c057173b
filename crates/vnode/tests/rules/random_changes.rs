//! Random changes by random users against a plain model. What must hold of every decision, the sample checks itself.

use std::collections::BTreeMap;

use iris_types::{ErrorCode, Policy, Role};
use iris_vnode::group::Place;

use crate::group::{Outcome, Sample};

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn name(&mut self) -> &'static str {
        ["a", "b", "c", "d", "e", "f", "g", "h"][self.below(8) as usize]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Gone,
    Invited,
    In(Role),
}

/// What became of it: done, so already, or refused.
type Verdict = Result<bool, ErrorCode>;

/// Who is what, and since when; nothing of how it is stored.
#[derive(Default)]
struct Model {
    places: BTreeMap<String, (Is, u64)>,
    policy: u8,
    title: String,
    last: u64,
}

impl Model {
    fn is(&self, name: &str) -> Is {
        self.places.get(name).map_or(Is::Gone, |(is, _)| *is)
    }

    fn count(&self, which: fn(Is) -> bool) -> usize {
        self.places.values().filter(|(is, _)| which(*is)).count()
    }

    fn allows(&self, bit: Policy) -> bool {
        self.policy & bit.bits() != 0
    }

    fn put(&mut self, name: &str, is: Is) {
        let stays = matches!((self.is(name), is), (Is::In(_), Is::In(_)));
        let since = if stays { self.places[name].1 } else { self.last };
        self.places.insert(name.to_owned(), (is, since));
    }

    /// Decides like the rules in the protocol's document, clause by clause.
    fn act(&mut self, who: &str, what: &str) -> Verdict {
        let mut after = self.places.clone();
        let words: Vec<&str> = what.split(' ').collect();
        let mine = self.is(who);
        let Is::In(role) = mine else {
            return match (mine, what) {
                (Is::Invited, "accept") => {
                    let is_empty = self.count(|is| matches!(is, Is::In(_))) == 0;
                    self.done(who, Is::In(if is_empty { Role::Owner } else { Role::Member }))
                }
                (Is::Invited, "leave") => self.done(who, Is::Gone),
                (Is::Gone, "leave") if self.places.contains_key(who) => Ok(false),
                _ => Err(ErrorCode::NotMember),
            };
        };
        let leads = role != Role::Member;
        let or = |is_allowed: bool| if is_allowed { Ok(()) } else { Err(ErrorCode::NotAllowed) };
        let is_full = self.count(|is| is != Is::Gone) >= 6;
        match words[..] {
            ["accept"] => Ok(false),
            ["leave"] => {
                self.last += 1;
                self.put(who, Is::Gone);
                if role == Role::Owner {
                    after.remove(who);
                    let rank = |is: Is| (is != Is::In(Role::Admin)) as u8;
                    let heirs = after.iter().filter(|(_, (is, _))| matches!(is, Is::In(_)));
                    let heir = heirs.min_by_key(|(name, (is, since))| (rank(*is), *since, (*name).clone()));
                    if let Some((heir, _)) = heir {
                        self.put(heir, Is::In(Role::Owner));
                    }
                }
                Ok(true)
            }
            ["remove", other] if other == who => self.act(who, "leave"),
            ["remove", other] => match self.is(other) {
                Is::Gone if self.places.contains_key(other) => Ok(false),
                Is::Gone => Err(ErrorCode::UnknownMember),
                Is::Invited => {
                    or(leads || self.allows(Policy::MEMBERS_INVITE))?;
                    self.done(other, Is::Gone)
                }
                Is::In(theirs) => {
                    or(leads && role > theirs)?;
                    self.done(other, Is::Gone)
                }
            },
            ["invite", other] => {
                or(leads || self.allows(Policy::MEMBERS_INVITE))?;
                match self.is(other) {
                    Is::Gone if is_full => Err(ErrorCode::GroupFull),
                    Is::Gone => self.done(other, Is::Invited),
                    _ => Ok(false),
                }
            }
            ["add", other] => {
                or(self.allows(Policy::MEMBERS_ADD) || leads && self.allows(Policy::ADMINS_ADD))?;
                match self.is(other) {
                    Is::Gone if is_full => Err(ErrorCode::GroupFull),
                    Is::In(_) => Ok(false),
                    _ => self.done(other, Is::In(Role::Member)),
                }
            }
            ["rename", title] => {
                or(leads || self.allows(Policy::MEMBERS_DESCRIBE))?;
                let is_new = self.title != title;
                self.title = title.to_owned();
                self.last += u64::from(is_new);
                Ok(is_new)
            }
            ["role", other, new] => {
                or(role == Role::Owner)?;
                let Is::In(theirs) = self.is(other) else { return Err(ErrorCode::UnknownMember) };
                let new = Role::from_name(new).unwrap();
                if theirs == new {
                    return Ok(false);
                }
                or(other != who)?;
                self.last += 1;
                self.put(other, Is::In(new));
                if new == Role::Owner {
                    self.put(who, Is::In(Role::Admin));
                }
                Ok(true)
            }
            ["policy", bits] => {
                or(leads)?;
                let bits = bits.parse().unwrap();
                let is_new = self.policy != bits;
                self.policy = bits;
                self.last += u64::from(is_new);
                Ok(is_new)
            }
            ["send"] => {
                or(leads || !self.allows(Policy::ONLY_ADMINS_WRITE))?;
                self.last += 1;
                Ok(true)
            }
            _ => panic!("{what}"),
        }
    }

    fn done(&mut self, name: &str, is: Is) -> Verdict {
        self.last += 1;
        self.put(name, is);
        Ok(true)
    }
}

fn some_change(random: &mut Random) -> String {
    let other = random.name();
    match random.below(24) {
        0..=3 => format!("invite {other}"),
        4..=6 => format!("add {other}"),
        7..=8 => format!("remove {other}"),
        9..=12 => "accept".to_owned(),
        13 => "leave".to_owned(),
        14 => format!("rename {}", ["title", "other"][random.below(2) as usize]),
        15..=17 => format!("role {other} {}", ["member", "admin", "owner"][random.below(3) as usize]),
        18..=19 => format!("policy {}", random.below(64)),
        _ => "send".to_owned(),
    }
}

fn run(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut sample = Sample::made("a", Policy::default(), &["b"]);
    sample.members_max = 6;
    let mut model = Model { title: "title".to_owned(), last: 1, ..Model::default() };
    model.put("a", Is::In(Role::Owner));
    model.put("b", Is::Invited);
    for step in 0..200 {
        let (who, what) = (random.name(), some_change(&mut random));
        let expected = model.act(who, &what);
        let found = if what == "send" {
            sample.send(who, "x").map(|_| true)
        } else {
            match sample.act(who, &what) {
                Outcome::Made(_) => Ok(true),
                Outcome::Nothing => Ok(false),
                Outcome::Refused(code) => Err(code),
                Outcome::Duplicate(_) => panic!("a fresh id"),
            }
        };
        assert_eq!(found, expected, "TEST_SEED={seed}, step {step}: {who}: {what}");
        let place = |is: Is| match is {
            Is::Gone => Place::Gone,
            Is::Invited => Place::Invited,
            Is::In(role) => Place::Joined(role),
        };
        let group = sample.group();
        let places = group.roster.iter().map(|(user, one)| (user.to_string(), (one.place, one.since.0)));
        let expected = model.places.iter().map(|(name, (is, since))| (name.clone(), (place(*is), *since)));
        assert!(places.eq(expected), "TEST_SEED={seed}, step {step}: {who}: {what}");
        assert_eq!((sample.one.last.0, group.facts.policy.bits()), (model.last, model.policy));
    }
}

#[test]
fn random_changes_do_what_the_model_says() {
    let first: u64 = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    (first..first + 60).for_each(run);
}
