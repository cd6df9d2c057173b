//! Random lives of a group, with crashes, flushes, evictions, doubts and late calls. The history that one who never
//! leaves can read says what everybody else has to have.

use std::collections::BTreeMap;

use iris_store::Doubt;
use iris_store::memory::Landing;
use iris_types::limits::OWN_RANGES_MAX;
use iris_types::request::{Answer, HistoryFrom, MarkRead, ReadHistory, Request, RequestId};
use iris_types::{
    Change, ChangeGroup, ConversationId, GroupTitle, HistoryEntry, InboxItem, InboxMessage, Offset, Peer,
    Policy, Role, Seq, Standing, Target, UserId,
};
use iris_worker::WorkerLimits;

use crate::groups::roster;
use crate::world::*;

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len() as u64) as usize]
    }
}

/// Owns the group and stays.
const ROOT: &str = "root";
const NAMES: [&str; 7] = ["anna", "bert", "carl", "dora", "emil", "fred", "gina"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Gone,
    Invited,
    In,
}

/// Who is what after each message, and what the group is called.
struct Fold {
    places: BTreeMap<UserId, Is>,
    title: GroupTitle,
}

impl Fold {
    fn is(&self, user: &UserId) -> Is {
        self.places.get(user).copied().unwrap_or(Is::Gone)
    }

    fn apply(&mut self, entry: &HistoryEntry) {
        let Ok(change) = Change::from_body(&entry.body) else { return };
        let (user, is) = match change {
            Change::Invited(user) => (user, Is::Invited),
            Change::Added(user) => (user, Is::In),
            Change::Removed(user) => (user, Is::Gone),
            Change::Created(_) | Change::Joined => (entry.from.clone(), Is::In),
            Change::Left(_) => (entry.from.clone(), Is::Gone),
            Change::Renamed(title) => {
                self.title = title;
                return;
            }
            Change::Described(_) | Change::Role(..) | Change::Policy(_) => return,
        };
        self.places.insert(user, is);
    }
}

/// What one user has to have.
#[derive(Debug, Default, PartialEq, Eq)]
struct Expected {
    /// Seq and the group's title then.
    inbox: Vec<(u64, String)>,
    history: Vec<u64>,
}

fn expected(history: &[HistoryEntry], name: &str) -> (Expected, Fold) {
    let mut fold = Fold { places: BTreeMap::new(), title: GroupTitle::new("title").unwrap() };
    let (mut expected, user) = (Expected::default(), user(name));
    for entry in history {
        let before = fold.is(&user);
        fold.apply(entry);
        let after = fold.is(&user);
        if before == Is::In || after == Is::In {
            expected.history.push(entry.seq.0);
        }
        if before == Is::In || before != after {
            expected.inbox.push((entry.seq.0, fold.title.as_str().to_owned()));
        }
    }
    (expected, fold)
}

fn history_of(world: &mut World, name: &str, group: ConversationId) -> Vec<HistoryEntry> {
    let (mut all, mut after): (Vec<HistoryEntry>, _) = (Vec::new(), Seq::ZERO);
    loop {
        let (with, from) = (Target::Group(group), HistoryFrom::After(after));
        match world.ask(name, Request::ReadHistory(ReadHistory { with, from, limit: 20 })) {
            Answer::HistoryPage(page) => {
                after = page.entries.last().map_or(after, |entry| entry.seq);
                all.extend(page.entries);
                if !page.more {
                    return all;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Whether there is a gap, and messages of the group behind it.
fn received(world: &mut World, name: &str, group: ConversationId) -> (bool, Vec<InboxMessage>) {
    let of_group = |item: InboxItem| match item {
        InboxItem::Message(message) if message.conversation == group => Some(message),
        _ => None,
    };
    let (gap, entries) = world.inbox_after(name, 0);
    let messages = entries.into_iter().filter_map(|entry| of_group(entry.item.clone())).collect();
    (gap.is_some(), messages)
}

/// Requests that change something, until they are answered.
#[derive(Default)]
struct Asked {
    open: Vec<(RequestId, &'static str, Request)>,
    /// Seq and the request's id of what was answered with a seq.
    sent: Vec<(u64, iris_types::MessageId)>,
}

impl Asked {
    fn settle(&mut self, world: &World) {
        let sent = &mut self.sent;
        self.open.retain(|(id, _, _)| match world.answer(*id) {
            Some(Answer::Sent(one)) => {
                sent.push((one.seq.0, one.id));
                false
            }
            Some(_) => false,
            None => true,
        });
    }
}

fn some_request(random: &mut Random, world: &mut World, group: ConversationId) -> (&'static str, Request) {
    let all: Vec<&'static str> = NAMES.into_iter().chain([ROOT]).collect();
    let (who, other, id) = (random.of(&all), random.of(&NAMES), world.id());
    // Whoever may do most does most.
    let who = if random.below(3) == 0 { ROOT } else { who };
    let change = match random.below(32) {
        0..=1 => format!("invite {other}"),
        2..=5 => format!("add {other}"),
        6..=7 => format!("remove {other}"),
        8..=10 => "accept".to_owned(),
        11 => "leave".to_owned(),
        12 => format!("rename {}", random.of(&["tea", "coffee", "milk"])),
        13 => format!("role {other} {}", random.of(&["admin", "member"])),
        14 => format!("policy {}", random.below(16)),
        15..=18 => {
            let up_to = Seq(random.below(60) + 1);
            return (who, Request::MarkRead(MarkRead { target: Target::Group(group), up_to }));
        }
        _ => {
            let text = format!("{who} {id}");
            return (who, Request::SendMessage(to_group(id, group, &text)));
        }
    };
    // She would not be the one who never leaves.
    let who = if who == ROOT && change == "leave" { other } else { who };
    (who, Request::ChangeGroup(ChangeGroup { id, group, change: change_of(&change) }))
}

fn disturb(random: &mut Random, world: &mut World) {
    match random.below(10) {
        0..=1 => world.pass(random.below(40_000)),
        2 => world.restart(),
        3..=4 => {
            let calls = ["append", "flush", "load", "compare and set", "merge"];
            world.hold = vec![calls[random.below(5) as usize]];
        }
        5..=6 => world.release(),
        7 => {
            let landing = [Landing::Landed, Landing::Late, Landing::Lost][random.below(3) as usize];
            world.engine.doubt_next_append(landing, Doubt::NoAnswer);
        }
        8 => {
            let (name, up_to) = (random.of(&NAMES), Offset(random.below(40)));
            world.begin_any(name, Request::Acknowledge { up_to });
        }
        _ => {
            let name = random.of(&NAMES);
            let login = world.login(name, "d");
            let index = world.worker_with(world.count().of_user(&user(name)));
            world.tell(index, iris_worker::Input::Attach { session: session(name), login });
        }
    }
}

fn run(seed: u64, workers: u16, limits: WorkerLimits) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut world = World::new(workers, limits);
    let group = world.group(ROOT, Policy::ADMINS_ADD.with(Policy::MEMBERS_INVITE), &[]);
    for name in &NAMES[..5] {
        assert_eq!(refused(world.change(ROOT, group, &format!("add {name}"))), None);
    }
    let mut asked = Asked::default();
    for _ in 0..300 {
        if random.below(5) == 0 {
            disturb(&mut random, &mut world);
        } else if random.below(10) == 0 && !asked.open.is_empty() {
            // A retry of something in doubt.
            let place = random.below(asked.open.len() as u64) as usize;
            let (_, who, request) = asked.open[place].clone();
            let id = world.begin_any(who, request.clone());
            asked.open.push((id, who, request));
        } else {
            let (who, request) = some_request(&mut random, &mut world, group);
            let id = world.begin_any(who, request.clone());
            asked.open.push((id, who, request));
        }
        world.run();
        asked.settle(&world);
    }
    world.release();
    world.pass(3_000);
    world.restart();
    for _ in 0..3 {
        world.pass(3_000);
    }
    asked.settle(&world);
    for (_, who, request) in std::mem::take(&mut asked.open) {
        let id = world.begin_any(who, request.clone());
        world.run();
        world.pass(300);
        asked.open.push((id, who, request));
    }
    asked.settle(&world);
    assert!(asked.open.is_empty(), "TEST_SEED={seed}: {} are not answered", asked.open.len());
    world.pass(3_000);
    for _ in 0..2 {
        check(&mut world, group, &asked, seed);
        world.settle();
        world.restart();
    }
}

fn check(world: &mut World, group: ConversationId, asked: &Asked, seed: u64) {
    let history = history_of(world, ROOT, group);
    assert!(history.iter().map(|entry| entry.seq.0).eq(1..=history.len() as u64), "TEST_SEED={seed}");
    assert!(history.len() > 30, "TEST_SEED={seed}: nothing happened");
    for (seq, id) in &asked.sent {
        assert_eq!(history[*seq as usize - 1].id, *id, "TEST_SEED={seed}: {seq}");
    }
    let members = roster(world, ROOT, group, 3);
    for name in NAMES.into_iter().chain([ROOT]) {
        let (expected, fold) = expected(&history, name);
        let (has_gap, messages) = received(world, name, group);
        let title = |message: &InboxMessage| match &message.with {
            Peer::Group(title) => (message.seq.0, title.as_str().to_owned()),
            Peer::User(_) => panic!("a group"),
        };
        let inbox: Vec<(u64, String)> = messages.iter().map(title).collect();
        // What all devices have is gone.
        let gone = if has_gap { expected.inbox.len() - inbox.len() } else { 0 };
        assert_eq!(inbox, expected.inbox[gone..], "TEST_SEED={seed}: {name}");
        for message in &messages {
            let entry = &history[message.seq.0 as usize - 1];
            let same = (message.id, &message.from, message.sent_at, &message.body);
            assert_eq!(same, (entry.id, &entry.from, entry.sent_at, &entry.body));
        }
        let is = fold.is(&user(name));
        let role = members.iter().find(|(member, _)| member == name).map(|(_, role)| *role);
        let as_roster = match role {
            None => Is::Gone,
            Some(None) => Is::Invited,
            Some(Some(_)) => Is::In,
        };
        assert_eq!(as_roster, is, "TEST_SEED={seed}: {name}");
        if fold.places.contains_key(&user(name)) {
            let seqs: Vec<u64> = history_of(world, name, group).iter().map(|entry| entry.seq.0).collect();
            assert_eq!(seqs, expected.history, "TEST_SEED={seed}: {name}");
        }
        check_line(world, name, is, (&expected, &history), seed);
    }
    let owners = members.iter().filter(|(_, role)| *role == Some(Role::Owner)).count();
    assert_eq!(owners, 1, "TEST_SEED={seed}");
}

/// The list says of the group what the user got of it.
fn check_line(world: &mut World, name: &str, is: Is, of: (&Expected, &[HistoryEntry]), seed: u64) {
    let (list, (expected, history)) = (world.list(name, 9), of);
    assert_eq!(list.len(), usize::from(!expected.inbox.is_empty()), "TEST_SEED={seed}: {name}");
    for one in list {
        let standing = match is {
            Is::Gone => Standing::Gone,
            Is::Invited => Standing::Invited,
            Is::In => Standing::Member,
        };
        let is_own = |seq: u64| history[seq as usize - 1].from == user(name);
        let seqs: Vec<u64> = expected.inbox.iter().map(|(seq, _)| *seq).collect();
        let unread = seqs.iter().filter(|seq| **seq > one.read.0 && !is_own(**seq)).count() as u64;
        let runs = seqs.chunk_by(|one, other| is_own(*one) == is_own(*other));
        let own_runs = runs.filter(|run| is_own(run[0])).count();
        assert_eq!(
            (one.standing, Some(&one.last_seq.0)),
            (standing, seqs.last()),
            "TEST_SEED={seed}: {name}"
        );
        // Of more own messages it is not known which are read.
        let is_right = if own_runs > OWN_RANGES_MAX { one.unread >= unread } else { one.unread == unread };
        assert!(is_right, "TEST_SEED={seed}: {name}, read {}: {} and {unread}", one.read, one.unread);
    }
}

#[test]
fn a_groups_history_says_what_everybody_has() {
    let first: u64 = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + 8 {
        let limits = match seed % 4 {
            0 => WorkerLimits::default(),
            1 => WorkerLimits { linger_ms: 2, flush_bytes: 2_000, log_tail_bytes_max: 5_000, ..small() },
            2 => WorkerLimits { chunk_bytes_max: 2_000, ..small() },
            _ => small(),
        };
        run(seed, 1 + u16::try_from(seed % 3).unwrap(), limits);
    }
}
