//! A group as its changes make it: followed from message to message, by the rules written down a second time.

use std::collections::BTreeMap;

use crate::history::History;
use crate::record::{Message, User};
use crate::step::Step;

const MEMBER: u8 = 1;
const ADMIN: u8 = 2;
const OWNER: u8 = 3;

const ADMINS_ADD: u8 = 1;
const MEMBERS_ADD: u8 = 2;
const MEMBERS_INVITE: u8 = 4;
const MEMBERS_DESCRIBE: u8 = 8;
const ONLY_ADMINS_WRITE: u8 = 16;
const OPEN_HISTORY: u8 = 32;

/// A group, as far as its messages are known without a hole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// As it was asked for.
    pub(crate) founding: Founding,
    pub(crate) messages: BTreeMap<u64, Known>,
    /// Who is in it or invited after the last one.
    pub(crate) places: BTreeMap<User, Place>,
    /// What belongs into each user's inbox: the times in the group, and single changes around them.
    pub(crate) gets: BTreeMap<User, Vec<Span>>,
    /// What each user may read back.
    pub(crate) reads: BTreeMap<User, Vec<Span>>,
    /// The last message that was followed.
    pub(crate) up_to: u64,
    /// Messages that the rules do not allow, with their records.
    pub(crate) problems: Vec<(usize, String)>,
    policy: u8,
}

/// What the creator asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Founding {
    pub(crate) message: Option<Message>,
    pub(crate) policy: u8,
    pub(crate) founders: Vec<User>,
}

/// A message that somebody saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) record: usize,
    pub(crate) message: Message,
    pub(crate) author: User,
    /// 0: only its own device saw it.
    pub(crate) body: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0: invited.
    pub(crate) role: u8,
    pub(crate) since: u64,
}

/// Seqs from the first to the last; no last: it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: u64,
    pub(crate) last: Option<u64>,
}

impl Span {
    pub(crate) fn has(&self, seq: u64) -> bool {
        self.first <= seq && self.last.is_none_or(|last| seq <= last)
    }
}

impl Group {
    /// Follows the group through all that is known of it.
    pub(crate) fn follow(&mut self, history: &History) {
        for (seq, known) in self.messages.clone() {
            if seq != self.up_to + 1 {
                return;
            }
            let step = history.step(known.body);
            if let Some(problem) = self.problem(&known, step, history) {
                self.problems.push((known.record, format!("place {seq}: {problem}")));
            }
            self.take(seq, known.author, step);
            self.up_to = seq;
        }
    }

    /// Whose inbox a message belongs to.
    pub(crate) fn recipients(&self, seq: u64) -> impl Iterator<Item = User> + '_ {
        let gets = self.gets.iter().filter(move |(_, spans)| spans.iter().any(|span| span.has(seq)));
        gets.filter(move |_| seq <= self.up_to).map(|(user, _)| *user)
    }

    pub(crate) fn gets(&self, user: User, seq: u64) -> bool {
        has(&self.gets, user, seq)
    }

    pub(crate) fn may_read(&self, user: User, seq: u64) -> bool {
        has(&self.reads, user, seq)
    }

    /// Nothing that anybody saw is left out.
    pub(crate) fn is_whole(&self) -> bool {
        self.up_to > 0 && self.messages.last_key_value().is_none_or(|(last, _)| *last == self.up_to)
    }

    /// The last message that belongs into a user's inbox; 0: none.
    pub(crate) fn last_of(&self, user: User) -> u64 {
        let last = self.gets.get(&user).and_then(|spans| spans.last());
        last.map_or(0, |span| span.last.unwrap_or(self.up_to))
    }

    /// Every message of the spans, as far as messages are known.
    pub(crate) fn all<'a>(&'a self, spans: Option<&'a Vec<Span>>) -> impl Iterator<Item = u64> + 'a {
        spans.into_iter().flatten().flat_map(|span| span.first..=span.last.unwrap_or(self.up_to))
    }

    fn role(&self, user: User) -> u8 {
        self.places.get(&user).map_or(0, |place| place.role)
    }

    fn is_invited(&self, user: User) -> bool {
        self.places.get(&user).is_some_and(|place| place.role == 0)
    }

    fn allows(&self, bit: u8) -> bool {
        self.policy & bit > 0
    }

    /// The changes that made a user a member.
    pub(crate) fn begins(&self, user: User) -> Vec<u64> {
        let spans = self.gets.get(&user).map(Vec::as_slice).unwrap_or_default();
        spans.iter().filter(|span| span.last != Some(span.first)).map(|span| span.first).collect()
    }

    /// How often a user came in, or was invited.
    pub(crate) fn begins_anew(&self, user: User) -> usize {
        self.gets.get(&user).map_or(0, Vec::len)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (User, Place)> + '_ {
        self.places.iter().filter(|(_, place)| place.role > 0).map(|(user, place)| (*user, *place))
    }

    fn problem(&self, known: &Known, step: Option<Step>, history: &History) -> Option<&'static str> {
        let (author, role) = (known.author, self.role(known.author));
        let allowed = |is: bool| (!is).then_some("its author was not allowed to do that");
        let fits = |is: bool| (!is).then_some("it does not fit what the group was");
        match step {
            None => allowed(role >= ADMIN || role == MEMBER && !self.allows(ONLY_ADMINS_WRITE)),
            Some(Step::Created) => fits(self.up_to == 0 && self.founding.message == Some(known.message)),
            Some(Step::Joined) => fits(self.is_invited(author)),
            Some(Step::Left { heir }) => {
                let is_in = self.places.contains_key(&author);
                let expected = if role == OWNER { self.heir(author, history) } else { None };
                fits(is_in && heir == expected)
            }
            Some(Step::Invited { user }) => {
                allowed(self.may_invite(role)).or_else(|| fits(!self.places.contains_key(&user)))
            }
            Some(Step::Added { user }) => {
                let may_add =
                    role > 0 && self.allows(MEMBERS_ADD) || role >= ADMIN && self.allows(ADMINS_ADD);
                allowed(may_add).or_else(|| fits(self.role(user) == 0))
            }
            Some(Step::Removed { user }) if self.is_invited(user) => allowed(self.may_invite(role)),
            Some(Step::Removed { user }) => {
                let theirs = self.role(user);
                allowed(role >= ADMIN && role > theirs).or_else(|| fits(theirs > 0 && user != author))
            }
            Some(Step::Described) => allowed(role >= ADMIN || role > 0 && self.allows(MEMBERS_DESCRIBE)),
            Some(Step::Role { user, role: new }) => {
                let theirs = self.role(user);
                allowed(role == OWNER).or_else(|| fits(theirs > 0 && theirs < OWNER && theirs != new))
            }
            Some(Step::Policy { .. }) => allowed(role >= ADMIN),
        }
    }

    fn may_invite(&self, role: u8) -> bool {
        role >= ADMIN || role > 0 && self.allows(MEMBERS_INVITE)
    }

    /// The admin, or else the member, who is in for the longest; of several the first by name.
    fn heir(&self, owner: User, history: &History) -> Option<User> {
        let others = self.members().filter(|(user, _)| *user != owner);
        others
            .min_by_key(|(user, place)| (place.role != ADMIN, place.since, history.user_name(*user)))
            .map(|(user, _)| user)
    }

    fn take(&mut self, seq: u64, author: User, step: Option<Step>) {
        match step {
            None | Some(Step::Described) => {}
            Some(Step::Created) => {
                self.policy = self.founding.policy;
                self.enter(author, seq, OWNER);
                let adds = self.allows(ADMINS_ADD | MEMBERS_ADD);
                for user in self.founding.founders.clone().into_iter().filter(|user| *user != author) {
                    if adds {
                        self.enter(user, seq, MEMBER);
                    } else {
                        self.invite(user, seq);
                    }
                }
            }
            Some(Step::Joined) => {
                let role = if self.members().next().is_none() { OWNER } else { MEMBER };
                self.enter(author, seq, role);
            }
            Some(Step::Added { user }) => self.enter(user, seq, MEMBER),
            Some(Step::Invited { user }) => self.invite(user, seq),
            Some(Step::Removed { user }) => self.leave(user, seq),
            Some(Step::Left { heir }) => {
                self.leave(author, seq);
                heir.into_iter().for_each(|heir| self.set_role(heir, OWNER));
            }
            Some(Step::Role { user, role }) => {
                self.set_role(user, role);
                if role == OWNER {
                    self.set_role(author, ADMIN);
                }
            }
            Some(Step::Policy { bits }) => self.policy = bits,
        }
    }

    fn enter(&mut self, user: User, seq: u64, role: u8) {
        self.places.insert(user, Place { role, since: seq });
        self.gets.entry(user).or_default().push(Span { first: seq, last: None });
        let reads = self.reads.entry(user).or_default();
        let first = if self.policy & OPEN_HISTORY > 0 {
            // Everything before is in it.
            reads.clear();
            1
        } else {
            seq
        };
        reads.push(Span { first, last: None });
    }

    fn invite(&mut self, user: User, seq: u64) {
        self.places.insert(user, Place { role: 0, since: seq });
        self.gets.entry(user).or_default().push(Span { first: seq, last: Some(seq) });
    }

    /// The change that ends it is the last thing that the user gets.
    fn leave(&mut self, user: User, seq: u64) {
        let was_member = self.places.remove(&user).is_some_and(|place| place.role > 0);
        let gets = self.gets.entry(user).or_default();
        if !was_member {
            return gets.push(Span { first: seq, last: Some(seq) });
        }
        let reads = self.reads.entry(user).or_default();
        for span in gets.last_mut().into_iter().chain(reads.last_mut()) {
            span.last.get_or_insert(seq);
        }
    }

    fn set_role(&mut self, user: User, role: u8) {
        if let Some(place) = self.places.get_mut(&user) {
            place.role = role;
        }
    }
}

fn has(spans: &BTreeMap<User, Vec<Span>>, user: User, seq: u64) -> bool {
    spans.get(&user).is_some_and(|spans| spans.iter().any(|span| span.has(seq)))
}
