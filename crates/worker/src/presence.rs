//! Who is there: told to those who want to know and may. A subscription is a lease, renewed by the watcher's vnode, so
//! that nothing has to be cleaned up after a crash on either side.

use std::collections::{BTreeMap, BTreeSet};

use iris_types::limits::{HIDDEN_WATCHERS_MAX, LOOKUP_MS_MAX, LOOKUPS_MAX, WATCH_LEASE_MS, WATCHERS_MAX};
use iris_types::planted::{Bug, is_planted};
use iris_types::request::{Answer, SessionId};
use iris_types::{
    Audience, ConversationId, ErrorCode, Flags, Monotonic, Presence, PresenceState, Standing, UserId, Watched,
};
use iris_vnode::Stamp;

use crate::Output;
use crate::state::{Caller, UserCommand, UserSlot};
use crate::whisper::{Lookup, Watch, Whisper};
use crate::worker::Worker;

/// How often a lease is renewed in its time.
const RENEWALS: u64 = 2;

/// What one connection watches, and what it was told last.
#[derive(Debug)]
pub(crate) struct Watching {
    session: SessionId,
    items: Vec<(Watched, Option<PresenceState>)>,
}

/// Until when somebody wants to know of a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) until: Monotonic,
    /// Whether they may; otherwise they are told nothing, until they may.
    shows: bool,
}

/// Questions and renewals under way.
#[derive(Debug, Default)]
pub(crate) struct Presences {
    /// Users with connections that watch somebody, by when that has to be renewed.
    renewals: BTreeSet<(Monotonic, u32)>,
    lookups: BTreeMap<u64, Question>,
    last_lookup: u64,
}

/// A question that waits for the presence of several users.
#[derive(Debug)]
struct Question {
    caller: Caller,
    answers: Vec<(UserId, Option<PresenceState>)>,
    until: Monotonic,
}

/// What somebody wants to know, at their own vnode: whether they may, then it goes to the other's.
#[derive(Debug)]
pub(crate) struct Interest {
    pub(crate) watched: Watched,
    pub(crate) lookup: Option<Lookup>,
}

impl Presences {
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        let renewal = self.renewals.first().map(|(at, _)| *at);
        let lookup = self.lookups.values().next().map(|question| question.until);
        [renewal, lookup].into_iter().flatten().min()
    }
}

impl Worker {
    /// Replaces what a connection watches.
    pub(crate) fn watch(&mut self, slot: u32, caller: Caller, watched: Vec<Watched>) {
        let Some(user) = self.users.get_mut(slot) else { return };
        user.watching.retain(|watching| watching.session != caller.session);
        if !user.sessions.iter().any(|session| session.id == caller.session) {
            return self.refuse(&caller, ErrorCode::WrongState, Stamp::default());
        }
        let session = caller.session;
        if !watched.is_empty() {
            let items = watched.iter().map(|one| (one.clone(), None)).collect();
            user.watching.push(Watching { session, items });
            self.plan_renewal(slot);
        }
        self.answer(&caller, Answer::Done, Stamp::default());
        for watched in watched {
            self.interest(slot, Interest { watched, lookup: None });
        }
    }

    /// Asks once.
    pub(crate) fn read_presence(&mut self, slot: u32, caller: Caller, watched: Vec<Watched>) {
        if self.presences.lookups.len() >= LOOKUPS_MAX {
            return self.refuse(&caller, ErrorCode::Busy, Stamp::default());
        }
        self.presences.last_lookup += 1;
        let number = self.presences.last_lookup;
        let answers = watched.iter().map(|one| (one.user.clone(), None)).collect();
        let until = self.mono.plus_millis(LOOKUP_MS_MAX);
        self.presences.lookups.insert(number, Question { caller, answers, until });
        for (place, watched) in watched.into_iter().enumerate() {
            let lookup = Some(Lookup { number, place: u16::try_from(place).unwrap_or(u16::MAX) });
            self.interest(slot, Interest { watched, lookup });
        }
    }

    /// Whoever wants to know has to let the other know, too; then the other's vnode is asked.
    pub(crate) fn interest(&mut self, slot: u32, interest: Interest) {
        let Some(user) = self.users.get(slot).map(|user| user.user.clone()) else { return };
        let Interest { watched: Watched { user: other, group }, lookup } = &interest;
        let (other, group, lookup) = (other.clone(), *group, *lookup);
        match self.shows_to(slot, &other, group) {
            None => self.wait_with(slot, UserCommand::Interest(interest)),
            Some(false) => self.presence_told(&user, (&other, group), PresenceState::Hidden, lookup),
            Some(true) => {
                let home = self.config.vnodes.of_user(&other);
                let watch = Watch { watcher: user, user: other, group, lookup };
                self.whisper_to(home, Whisper::Watch(watch));
            }
        }
    }

    /// At the user who is watched.
    pub(crate) fn watched(&mut self, slot: u32, watch: Watch) {
        let Some(shows) = self.shows_to(slot, &watch.watcher, watch.group) else {
            return self.wait_with(slot, UserCommand::Watched(watch));
        };
        let mono = self.mono;
        let until = mono.plus_millis(WATCH_LEASE_MS);
        let Some(user) = self.users.get_mut(slot) else { return };
        let state = if shows { user.presence() } else { PresenceState::Hidden };
        let Watch { watcher, user: of, group, lookup } = watch;
        if lookup.is_none() {
            user.lease((watcher.clone(), group), Lease { until, shows }, mono);
        }
        let home = self.config.vnodes.of_user(&watcher);
        self.whisper_to(home, Whisper::Presence { to: watcher, of, group, state, lookup });
    }

    /// Whether a loaded user lets another know when they are there; `None` while the rows that say so are loaded.
    fn shows_to(&mut self, slot: u32, other: &UserId, group: Option<ConversationId>) -> Option<bool> {
        let user = self.users.get(slot)?;
        let audience = user.inbox.as_ref()?.settings.last_seen;
        if audience == Audience::Nobody {
            return Some(false);
        }
        let direct = ConversationId::direct(&user.user, other);
        let all = [Some(direct), group];
        let all: Vec<ConversationId> = all.into_iter().flatten().collect();
        if !self.ensure_lines(slot, &all) {
            return None;
        }
        let user = self.users.get(slot)?;
        let known = |conversation| user.lines.get(&conversation).and_then(Option::as_ref);
        if known(direct).is_some_and(|known| known.line.flags.has(Flags::BLOCKED)) {
            return Some(false);
        }
        let is_contact = match group {
            Some(group) => known(group)
                .and_then(|known| known.listed)
                .is_some_and(|listed| listed.standing == Standing::Member),
            None => known(direct)
                .is_some_and(|known| known.listed.is_some_and(|listed| known.line.is_mutual(listed.last))),
        };
        Some(is_contact || audience == Audience::Everybody)
    }

    /// Somebody learns of a user's presence. It goes to those connections alone that asked the same way: what a group
    /// shows, a direct conversation may not.
    pub(crate) fn presence_told(
        &mut self,
        to: &UserId,
        (of, group): (&UserId, Option<ConversationId>),
        state: PresenceState,
        lookup: Option<Lookup>,
    ) {
        if let Some(lookup) = lookup {
            return self.answer_lookup(lookup, state);
        }
        let Some(slot) = self.user_index.get(to).copied() else { return };
        // The other's vnode does not know yet what the watcher has changed since.
        let is_mutual = state == PresenceState::Hidden || self.shows_to(slot, of, group) != Some(false);
        let state = if is_mutual { state } else { PresenceState::Hidden };
        let Some(user) = self.users.get_mut(slot) else { return };
        let mut outputs = Vec::new();
        for watching in &mut user.watching {
            let is_it = |watched: &Watched| watched.user == *of && watched.group == group;
            for (watched, last) in watching.items.iter_mut().filter(|(watched, _)| is_it(watched)) {
                if *last != Some(state) {
                    *last = Some(state);
                    let presence = Presence { user: watched.user.clone(), state };
                    outputs.push(Output::Presence { session: watching.session, presence });
                }
            }
        }
        self.outputs.extend(outputs);
    }

    fn answer_lookup(&mut self, lookup: Lookup, state: PresenceState) {
        let Some(question) = self.presences.lookups.get_mut(&lookup.number) else { return };
        if let Some((_, answer)) = question.answers.get_mut(usize::from(lookup.place)) {
            *answer = Some(state);
        }
        if question.answers.iter().any(|(_, answer)| answer.is_none()) {
            return;
        }
        let Some(Question { caller, answers, .. }) = self.presences.lookups.remove(&lookup.number) else {
            return;
        };
        let answers = answers.into_iter().filter_map(|(user, state)| Some(Presence { user, state: state? }));
        self.answer(&caller, Answer::Presence(answers.collect()), Stamp::default());
    }

    /// The user has come, or is gone, or lets others know no more.
    pub(crate) fn tell_watchers(&mut self, slot: u32) {
        let mono = self.mono;
        let Some(user) = self.users.get_mut(slot) else { return };
        user.watchers.retain(|_, lease| lease.until > mono);
        let (of, state) = (user.user.clone(), user.presence());
        let may_know = |(key, lease): (&(UserId, _), &Lease)| lease.shows.then(|| key.clone());
        let watchers: Vec<_> = user.watchers.iter().filter_map(may_know).collect();
        for (to, group) in watchers {
            let home = self.config.vnodes.of_user(&to);
            self.whisper_to(home, Whisper::Presence { to, of: of.clone(), group, state, lookup: None });
        }
    }

    /// Who may know is not the same any more, perhaps: those who watch the user are told anew what they may know, all or
    /// the one that it is about; and as it goes both ways, so is what the user watches.
    pub(crate) fn judge_watchers(&mut self, slot: u32, about: Option<&UserId>) {
        let mono = self.mono;
        let Some(user) = self.users.get_mut(slot) else { return };
        let concerned = |other: &UserId| about.is_none_or(|about| about == other);
        let name = user.user.clone();
        user.watchers.retain(|_, lease| lease.until > mono);
        let mut watchers = Vec::new();
        for ((watcher, group), lease) in &mut user.watchers {
            if concerned(watcher) {
                // Until it is judged: what that needs may have to be read.
                lease.shows = false;
                let (watcher, user) = (watcher.clone(), name.clone());
                watchers.push(Watch { watcher, user, group: *group, lookup: None });
            }
        }
        for watch in watchers {
            self.watched(slot, watch);
        }
        let Some(user) = self.users.get(slot) else { return };
        let items = user.watching.iter().flat_map(|watching| &watching.items);
        let watched: Vec<Watched> =
            items.map(|(watched, _)| watched.clone()).filter(|one| concerned(&one.user)).collect();
        for watched in watched {
            self.interest(slot, Interest { watched, lookup: None });
        }
    }

    /// Renews leases, and gives up on questions that got no answer.
    pub(crate) fn maintain_presence(&mut self) {
        while let Some((at, slot)) = self.presences.renewals.first().copied()
            && at <= self.mono
        {
            self.presences.renewals.pop_first();
            if let Some(user) = self.users.get_mut(slot) {
                user.renews = false;
            }
            self.renew_watches(slot);
        }
        while let Some((number, question)) = self.presences.lookups.first_key_value()
            && question.until <= self.mono
        {
            let number = *number;
            if let Some(Question { caller, .. }) = self.presences.lookups.remove(&number) {
                self.refuse(&caller, ErrorCode::Unavailable, Stamp::default());
            }
        }
    }

    fn renew_watches(&mut self, slot: u32) {
        let Some(user) = self.users.get(slot) else { return };
        let mut all = Vec::new();
        for watching in &user.watching {
            all.extend(watching.items.iter().map(|(watched, _)| watched.clone()));
        }
        if all.is_empty() || is_planted(Bug::LeaseNotRenewed) {
            return;
        }
        self.plan_renewal(slot);
        for watched in all {
            self.interest(slot, Interest { watched, lookup: None });
        }
    }

    /// One renewal of a user is ahead at most, however often connections say what they watch.
    fn plan_renewal(&mut self, slot: u32) {
        let at = self.mono.plus_millis(WATCH_LEASE_MS / RENEWALS);
        if let Some(user) = self.users.get_mut(slot)
            && !std::mem::replace(&mut user.renews, true)
        {
            self.presences.renewals.insert((at, slot));
        }
    }
}

impl UserSlot {
    pub(crate) fn presence(&self) -> PresenceState {
        if !self.sessions.is_empty() {
            return PresenceState::Online;
        }
        let stored =
            self.inbox.as_ref().and_then(|inbox| inbox.devices.as_ref()).map(|devices| devices.last_seen);
        match self.seen.max(stored.unwrap_or_default()) {
            seen if seen.0 > 0 => PresenceState::LastSeen(seen),
            _ => PresenceState::Hidden,
        }
    }

    /// Whether somebody is to be told when the user comes or goes.
    pub(crate) fn is_watched(&self) -> bool {
        self.watchers.values().any(|lease| lease.shows)
    }

    /// Beyond the bounds a watcher is told with each renewal only. There are few of those who may not know: anybody
    /// can ask, in the name of any group.
    fn lease(&mut self, key: (UserId, Option<ConversationId>), lease: Lease, mono: Monotonic) {
        if !self.watchers.contains_key(&key) {
            let count = self.watchers.len();
            if count >= WATCHERS_MAX || count.is_power_of_two() {
                self.watchers.retain(|_, lease| lease.until > mono);
            }
            let bound = if lease.shows { WATCHERS_MAX } else { HIDDEN_WATCHERS_MAX };
            if self.watchers.len() >= bound {
                return;
            }
        }
        self.watchers.insert(key, lease);
    }

    /// A connection has ended: it watches nobody.
    pub(crate) fn end_watching(&mut self, session: SessionId) {
        self.watching.retain(|watching| watching.session != session);
    }
}
