//! I36: when nothing has happened for long enough, every connected device was last told of each user whom it watches what
//! is so: online while one of the user's devices is connected, last seen otherwise, if both let others know, neither
//! blocks the other and they know each other as the watcher says; hidden in all other cases. Needs the observation `Quiet`.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::Index;
use crate::notice::{Notice, Shown, Wish};
use crate::record::{Conversation, Device, Fact, LoginFact, Observation, User};
use crate::violation::Findings;

const EVERYBODY: u8 = 0;
const NOBODY: u8 = 2;
const BLOCKED: u8 = 8;

const HIDDEN: u8 = 0;
const ONLINE: u8 = 1;
const LAST_SEEN: u8 = 2;

/// The world as far as the records go.
#[derive(Default)]
struct World {
    connected: BTreeSet<Device>,
    was_there: BTreeSet<User>,
    /// By user: offset and what the entry says.
    settings: BTreeMap<User, (u64, Shown)>,
    flags: BTreeMap<(User, Conversation), (u64, u8)>,
    /// What each connection watches.
    watching: BTreeMap<Device, BTreeMap<User, Option<Conversation>>>,
    /// By number of the attempt.
    asked: BTreeMap<u32, BTreeMap<User, Option<Conversation>>>,
    /// What each connection was told last.
    told: BTreeMap<(Device, User), u8>,
}

pub(super) fn check(index: &Index<'_>, findings: &mut Findings) {
    let mut world = World::default();
    for (number, record) in index.history.records.iter().enumerate() {
        if record.fact == Fact::Observed(Observation::Quiet) {
            world.judge(index, findings, number);
        } else if let Some(user) = index.history.user_of(record.process) {
            world.take(record.process, user, record.fact);
        }
    }
}

impl World {
    fn take(&mut self, device: Device, user: User, fact: Fact) {
        match fact {
            Fact::Login(LoginFact::Ok { .. }) => {
                self.connected.insert(device);
                self.was_there.insert(user);
            }
            Fact::Login(LoginFact::Closed) => {
                self.connected.remove(&device);
                self.watching.remove(&device);
                self.asked.clear();
                self.told.retain(|(of, _), _| *of != device);
            }
            Fact::Noticed { offset, notice: Notice::Settings(shown) } => {
                let last = self.settings.entry(user).or_default();
                *last = (*last).max((offset, shown));
            }
            Fact::Noticed { offset, notice: Notice::State { conversation, flags, .. } } => {
                let last = self.flags.entry((user, conversation)).or_default();
                *last = (*last).max((offset, flags));
            }
            Fact::Asked { number, wish: Wish::Watch } => {
                self.asked.insert(number, BTreeMap::new());
            }
            Fact::Watching { number, user, group } => {
                if let Some(asked) = self.asked.get_mut(&number) {
                    asked.insert(user, group);
                }
            }
            Fact::Answered { number, code: 0 } => {
                if let Some(watching) = self.asked.remove(&number) {
                    self.told.retain(|(of, _), _| *of != device);
                    self.watching.insert(device, watching);
                }
            }
            Fact::Presence { user, state, .. } => {
                self.told.insert((device, user), state);
            }
            _ => {}
        }
    }

    fn judge(&self, index: &Index<'_>, findings: &mut Findings, number: usize) {
        let online: BTreeSet<User> =
            self.connected.iter().filter_map(|device| index.history.user_of(*device)).collect();
        for (device, watching) in self.watching.iter().filter(|(device, _)| self.connected.contains(device)) {
            let Some(watcher) = index.history.user_of(*device) else { continue };
            for (user, group) in watching {
                let is_shown =
                    self.shows(index, watcher, *user, *group) && self.shows(index, *user, watcher, *group);
                let state = match () {
                    () if !is_shown => HIDDEN,
                    () if online.contains(user) => ONLINE,
                    () if self.was_there.contains(user) => LAST_SEEN,
                    () => HIDDEN,
                };
                let told = self.told.get(&(*device, *user)).copied();
                if told != Some(state) {
                    findings.add(&[number], || {
                        let device = index.device_name(*device);
                        let name = index.history.user_name(*user).map_or("?", |name| name.as_str());
                        format!("{device} was last told {told:?} of {name}, whose state is {state}")
                    });
                }
            }
        }
    }

    /// Whether a user lets another know.
    fn shows(&self, index: &Index<'_>, user: User, other: User, group: Option<Conversation>) -> bool {
        let audience = self.settings.get(&user).map(|(_, shown)| *shown).unwrap_or_default().last_seen;
        let direct = index.history.direct(user, other);
        let flags = direct.and_then(|direct| self.flags.get(&(user, direct))).map_or(0, |(_, flags)| *flags);
        let is_contact = match group {
            Some(group) => {
                let place = index.groups.get(&group).and_then(|group| group.places.get(&user));
                place.is_some_and(|place| place.role > 0)
            }
            None => direct.is_some_and(|direct| {
                let authors: BTreeSet<User> =
                    index.authors.get(&direct).into_iter().flat_map(|all| all.values().copied()).collect();
                authors.len() > 1
            }),
        };
        audience != NOBODY && flags & BLOCKED == 0 && (is_contact || audience == EVERYBODY)
    }
}

#[cfg(test)]
mod tests {
    use crate::notice::{Notice, Shown};
    use crate::record::Observation::Quiet;
    use crate::story::Story;
    use crate::violation::Invariant::Presence;

    /// Both have written; alice watches bob, who is there.
    fn watched() -> Story {
        Story::new()
            .send("alice/a", "m1", "bob")
            .ok("alice/a", "m1", 1)
            .send("bob/b", "m2", "alice")
            .ok("bob/b", "m2", 2)
            .login("alice/a", 1, 0, 0)
            .login("bob/b", 2, 0, 0)
            .watch("alice/a", 7, &["bob"])
    }

    #[test]
    fn legal() {
        watched().presence("alice/a", "bob", 1).observed(Quiet).must_pass(Presence);
        watched()
            .presence("alice/a", "bob", 1)
            .closed("bob/b")
            .presence("alice/a", "bob", 2)
            .observed(Quiet)
            .must_pass(Presence);
        // Not yet quiet; nobody is told of a stranger.
        watched().must_pass(Presence);
        watched()
            .watch("alice/a", 8, &["carol"])
            .presence("alice/a", "carol", 0)
            .observed(Quiet)
            .must_pass(Presence);
        // A block hides without a message, too.
        Story::new()
            .login("alice/a", 1, 0, 0)
            .login("bob/b", 2, 0, 0)
            .noticed("bob/b", 3, Notice::Settings(Shown { last_seen: 0, ..Shown::default() }))
            .noticed("alice/a", 3, Notice::Settings(Shown { last_seen: 0, ..Shown::default() }))
            .state("bob/b", "alice", 9, (0, 8))
            .watch("alice/a", 7, &["bob"])
            .presence("alice/a", "bob", 0)
            .observed(Quiet)
            .must_pass(Presence);
        // Bob tells nobody.
        let nobody = Shown { last_seen: 2, ..Shown::default() };
        watched()
            .presence("alice/a", "bob", 1)
            .noticed("bob/b", 9, Notice::Settings(nobody))
            .presence("alice/a", "bob", 0)
            .observed(Quiet)
            .must_pass(Presence);
    }

    #[test]
    fn illegal() {
        watched().observed(Quiet).must_fail(Presence);
        watched().presence("alice/a", "bob", 0).observed(Quiet).must_fail(Presence);
        watched().presence("alice/a", "bob", 1).closed("bob/b").observed(Quiet).must_fail(Presence);
        let nobody = Shown { last_seen: 2, ..Shown::default() };
        watched()
            .noticed("bob/b", 9, Notice::Settings(nobody))
            .presence("alice/a", "bob", 1)
            .observed(Quiet)
            .must_fail(Presence);
        watched()
            .state("bob/b", "alice", 9, (0, 8))
            .presence("alice/a", "bob", 1)
            .observed(Quiet)
            .must_fail(Presence);
    }
}
