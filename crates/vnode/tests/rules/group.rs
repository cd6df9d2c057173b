//! A group to try things on. Every decision is checked for what must hold of any: its rows say the same as memory,
//! there is one owner, everybody concerned gets the change once.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use iris_tables::Table;
use iris_types::limits::GROUP_MEMBERS_MAX;
use iris_types::request::SendMessage;
use iris_types::{
    ChangeGroup, ConversationId, CreateGroup, Epoch, ErrorCode, GroupChange, GroupDescription, GroupTitle,
    MessageId, Policy, Role, Seq, Standing, Target, Timestamp, UserId, VnodeId,
};
use iris_vnode::change_group::{self, Changed, Decision};
use iris_vnode::group::{Place, Sent};
use iris_vnode::rows::{self, First};
use iris_vnode::send_message::{self, Lookups};
use iris_vnode::{
    Author, ChunkReader, ChunkWriter, Conversation, Event, Group, Members, Stamp, create_group,
};

use crate::{NOW, body, user};

pub(crate) struct Sample {
    pub(crate) one: Conversation,
    pub(crate) now: u64,
    pub(crate) members_max: usize,
    /// Whether a decision's chunk is committed at once.
    pub(crate) commits: bool,
    ids: u64,
    stamp: u64,
    /// Head rows that events have set.
    head: BTreeMap<Bytes, Bytes>,
    firsts: BTreeMap<(MessageId, UserId), First>,
}

/// What became of a request: the change, nothing, or the code of the refusal. The number: of a duplicate.
#[derive(Debug)]
pub(crate) enum Outcome {
    Made(Box<Changed>),
    Duplicate(u64),
    Nothing,
    Refused(ErrorCode),
}

impl Outcome {
    pub(crate) fn seq(&self) -> u64 {
        match self {
            Self::Made(changed) => changed.sent.seq.0,
            other => panic!("not made: {other:?}"),
        }
    }

    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(code) => *code,
            other => panic!("not refused: {other:?}"),
        }
    }
}

/// `invite x`, `add x`, `remove x`, `accept`, `leave`, `rename x`, `describe x`, `role x admin`, `policy 3`.
pub(crate) fn change(text: &str) -> GroupChange {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        ["invite", name] => GroupChange::Invite(user(name)),
        ["add", name] => GroupChange::Add(user(name)),
        ["remove", name] => GroupChange::Remove(user(name)),
        ["accept"] => GroupChange::Accept,
        ["leave"] => GroupChange::Leave,
        ["rename", title] => GroupChange::Rename(GroupTitle::new(title).unwrap()),
        ["describe", text] => GroupChange::Describe(GroupDescription::new(text).unwrap()),
        ["role", name, role] => GroupChange::SetRole(user(name), Role::from_name(role).unwrap()),
        ["policy", bits] => GroupChange::SetPolicy(Policy::from_bits(bits.parse().unwrap()).unwrap()),
        _ => panic!("no change: {text}"),
    }
}

pub(crate) fn creation(id: MessageId, policy: Policy, members: &[&str]) -> CreateGroup {
    CreateGroup {
        id,
        title: GroupTitle::new("title").unwrap(),
        description: GroupDescription::new("description").unwrap(),
        policy,
        members: members.iter().map(|name| user(name)).collect(),
    }
}

impl Sample {
    /// A group that nobody has made.
    pub(crate) fn unmade() -> Self {
        Self {
            one: Conversation::of(ConversationId([7; 16]), Members::Nobody, Seq::ZERO),
            now: NOW,
            members_max: GROUP_MEMBERS_MAX,
            commits: true,
            ids: 0,
            stamp: 0,
            head: BTreeMap::new(),
            firsts: BTreeMap::new(),
        }
    }

    pub(crate) fn made(creator: &str, policy: Policy, members: &[&str]) -> Self {
        let mut sample = Self::unmade();
        let id = sample.id();
        assert_eq!(sample.create(creator, &creation(id, policy, members)).seq(), 1);
        sample
    }

    pub(crate) fn id(&mut self) -> MessageId {
        self.ids += 1;
        let mut random = [7; 10];
        random[2..].copy_from_slice(&self.ids.to_be_bytes());
        MessageId::from_parts(Timestamp(self.now), random)
    }

    pub(crate) fn group(&self) -> &Group {
        self.one.group().unwrap()
    }

    pub(crate) fn place(&self, name: &str) -> Place {
        self.group().place(&user(name))
    }

    pub(crate) fn create(&mut self, who: &str, create: &CreateGroup) -> Outcome {
        let (lookups, times) = (self.lookups(who, create.id), self.times());
        let before = Standings::default();
        let decision =
            create_group::decide(&mut self.one, &user(who), create, self.members_max, lookups, times);
        self.settle(decision, &before)
    }

    /// With a fresh id.
    pub(crate) fn act(&mut self, who: &str, text: &str) -> Outcome {
        let id = self.id();
        self.act_as(who, id, change(text))
    }

    pub(crate) fn act_as(&mut self, who: &str, id: MessageId, change: GroupChange) -> Outcome {
        let (lookups, times) = (self.lookups(who, id), self.times());
        let before = self.standings();
        let request = ChangeGroup { id, group: self.one.id, change };
        let decision =
            change_group::decide(&mut self.one, &user(who), &request, self.members_max, lookups, times);
        self.settle(decision, &before)
    }

    /// A message, as the worker handles it.
    pub(crate) fn send(&mut self, who: &str, text: &str) -> Result<u64, ErrorCode> {
        let id = self.id();
        let send = SendMessage { id, to: Target::Group(self.one.id), previous: None, body: body(text) };
        let (lookups, (now, stamp)) = (self.lookups(who, id), self.times());
        let author = Author::Member(user(who));
        match send_message::decide(&mut self.one, &author, &send, lookups, now, stamp) {
            send_message::Decision::New { event, sent } => {
                let group = self.one.group_mut().unwrap();
                group.roster.get_mut(&user(who)).unwrap().sent = Sent { seq: sent.seq, ..Sent::default() };
                self.firsts.insert((id, user(who)), event.first());
                self.take(&[Event::Message(event)]);
                self.one.commit(sent.seq, stamp);
                self.check();
                Ok(sent.seq.0)
            }
            send_message::Decision::Duplicate { sent, .. } => Ok(sent.seq.0),
            send_message::Decision::Refused { code, .. } => Err(code),
        }
    }

    fn times(&mut self) -> (Timestamp, Stamp) {
        self.stamp += 1;
        (Timestamp(self.now), Stamp(self.stamp))
    }

    fn lookups(&self, who: &str, id: MessageId) -> Lookups {
        let first = self.firsts.get(&(id, user(who))).copied().filter(|_| self.commits);
        Lookups { first, ..Lookups::default() }
    }

    fn settle(&mut self, decision: Decision, before: &Standings) -> Outcome {
        match decision {
            Decision::New(changed) => {
                let Author::Member(author) = changed.event.written.author() else { panic!("no member") };
                self.firsts.insert((changed.event.id, author), changed.event.first());
                let mut events = vec![Event::Message(changed.event.clone())];
                events.extend(changed.events.clone());
                self.take(&events);
                if self.commits {
                    self.one.commit(changed.sent.seq, self.one.touched);
                }
                self.check();
                self.check_recipients(&changed, before);
                Outcome::Made(Box::new(changed))
            }
            Decision::Duplicate { sent, .. } => Outcome::Duplicate(sent.seq.0),
            Decision::Nothing { .. } => Outcome::Nothing,
            Decision::Refused { code, .. } => Outcome::Refused(code),
        }
    }

    /// Events go through the bytes of a chunk into rows.
    fn take(&mut self, events: &[Event]) {
        let mut writer = ChunkWriter::default();
        events.iter().for_each(|event| writer.push(VnodeId(1), Epoch(2), event));
        let mut reader = ChunkReader::new(writer.finish()).unwrap();
        for event in events {
            assert_eq!(reader.next_event().unwrap().unwrap(), (VnodeId(1), Epoch(2), event.clone()));
            event.rows(&mut |table, _, key, value| {
                if table == Table::Head {
                    self.head.insert(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
                }
            });
        }
        assert_eq!(reader.next_event(), Ok(None));
    }

    /// The group as its rows say.
    pub(crate) fn stored(&self) -> Option<Group> {
        let keys = rows::roster_keys(self.one.id);
        let found = self.head.range(keys.start..keys.end);
        rows::read_roster(found.map(|(key, value)| (key.clone(), value.clone())).collect()).unwrap()
    }

    fn check(&self) {
        let (group, stored) = (self.group(), self.stored().unwrap());
        assert_eq!((&group.facts, &group.roster), (&stored.facts, &stored.roster));
        assert_eq!((group.joined, group.invited), (stored.joined, stored.invited));
        let head = self.head.get(&rows::conversation_key(self.one.id)).cloned().unwrap();
        assert_eq!(rows::read_conversation(head), Ok((self.one.last, None)));
        let places = || group.roster.values().map(|member| member.place);
        let owners = places().filter(|place| *place == Place::Joined(Role::Owner)).count();
        assert_eq!(owners, usize::from(group.joined > 0), "one owner as long as there is a member");
        assert_eq!(places().filter(|place| matches!(place, Place::Joined(_))).count(), group.joined);
        assert_eq!(places().filter(|place| *place == Place::Invited).count(), group.invited);
        for (user, member) in &group.roster {
            let is_open = |last: Option<Seq>| last.is_none();
            let open = member.memberships.iter().filter(|one| is_open(one.last)).count();
            assert_eq!(open, usize::from(matches!(member.place, Place::Joined(_))), "{user}");
            assert!(member.memberships.iter().rev().skip(1).all(|one| one.last.is_some()), "{user}");
            assert!(member.memberships.iter().all(|one| one.last.is_none_or(|last| one.first <= last)));
            let is_behind = |pair: &[iris_vnode::group::Membership]| pair[0].last.unwrap() < pair[1].first;
            assert!(member.memberships.windows(2).all(is_behind), "{user}");
            assert!(member.since <= self.one.last && member.sent.seq <= self.one.last);
        }
    }

    fn standings(&self) -> Standings {
        let roster = self.one.group().map(|group| &group.roster);
        roster.into_iter().flatten().map(|(user, member)| (user.clone(), member.place)).collect()
    }

    /// Members of before and after get the change, and whoever was invited, let in or sent away with it; each once,
    /// in the order of names but for a creator.
    fn check_recipients(&self, changed: &Changed, before: &Standings) {
        let after = self.standings();
        let was = |user: &UserId| before.get(user).copied().unwrap_or_default();
        let is_concerned = |user: &UserId| {
            let (was, is) = (was(user), after[user]);
            was != is || matches!(is, Place::Joined(_))
        };
        let expected: BTreeSet<&UserId> = after.keys().filter(|user| is_concerned(user)).collect();
        let found: Vec<&UserId> = changed.recipients.iter().map(|one| &one.user).collect();
        assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>()), (expected.len(), expected));
        for one in &changed.recipients {
            let (standing, begins) = match (was(&one.user), after[&one.user]) {
                (Place::Joined(_), Place::Joined(_)) => (Standing::Member, false),
                (_, Place::Joined(_)) => (Standing::Member, true),
                (_, Place::Invited) => (Standing::Invited, true),
                (Place::Joined(_), Place::Gone) => (Standing::Gone, false),
                // What was said since the invitation is not theirs.
                (_, Place::Gone) => (Standing::Gone, true),
            };
            assert_eq!((one.standing, one.begins, &one.origin), (standing, begins, &None), "{}", one.user);
        }
    }
}

type Standings = BTreeMap<UserId, Place>;
