//! A start after an operator cut a log: some vnodes hold in their runs what others lost with it.

use std::collections::BTreeSet;
use std::sync::Arc;

use iris_store::{Appended, LogChunk, LogEnd, LogInfo, Logs, Resolved, StoreError};
use iris_types::request::{Answer, Request};
use iris_types::{ChunkId, ConversationId, ErrorCode, Policy, Position, Target, VnodeId};
use iris_worker::WorkerLimits;

use crate::groups::received;
use crate::world::*;

/// Logs of which one ends earlier than it did.
pub(crate) struct CutLogs {
    pub(crate) inner: Arc<dyn Logs>,
    pub(crate) log: iris_types::LogId,
    pub(crate) last: Position,
}

impl Logs for CutLogs {
    fn create(&self, log: iris_types::LogId) -> Result<(), StoreError> {
        self.inner.create(log)
    }

    fn append(&self, log: iris_types::LogId, at: Position, chunk: ChunkId, bytes: &[u8]) -> Appended {
        self.inner.append(log, at, chunk, bytes)
    }

    fn resolve(&self, log: iris_types::LogId, at: Position, chunk: ChunkId) -> Result<Resolved, StoreError> {
        self.inner.resolve(log, at, chunk)
    }

    fn seal(&self, log: iris_types::LogId) -> Result<LogEnd, StoreError> {
        let end = self.inner.seal(log)?;
        let is_cut = log == self.log && end.last > self.last;
        Ok(if is_cut { LogEnd { last: self.last, ..end } } else { end })
    }

    fn replay(
        &self,
        log: iris_types::LogId,
        from: Position,
        visit: &mut dyn FnMut(LogChunk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let is_left = |chunk: &LogChunk<'_>| log != self.log || chunk.position <= self.last;
        self.inner.replay(log, from, &mut |chunk| if is_left(&chunk) { visit(chunk) } else { Ok(()) })
    }

    fn trim(&self, log: iris_types::LogId, before: Position) -> Result<(), StoreError> {
        self.inner.trim(log, before)
    }

    fn list(&self) -> Result<Vec<LogInfo>, StoreError> {
        self.inner.list()
    }

    fn cut(&self) -> Result<BTreeSet<iris_types::LogId>, StoreError> {
        Ok(BTreeSet::from([self.log]))
    }
}

fn home(world: &World, name: &str) -> VnodeId {
    world.count().of_user(&user(name))
}

/// A user on another vnode than those.
fn name_apart(world: &World, prefix: &str, others: &[VnodeId]) -> String {
    (0..).map(|index| format!("{prefix}{index}")).find(|name| !others.contains(&home(world, name))).unwrap()
}

/// Makes a user's vnode flush by messages to oneself, and no other one.
fn flush_vnode_of(world: &mut World, name: &str) {
    let before = world.statistics(|statistics| statistics.flushes);
    while world.statistics(|statistics| statistics.flushes) == before {
        world.send(name, name, &"x".repeat(2_000));
    }
}

/// The log ends at a place where it has been; the next start knows that.
fn cut_at(world: &mut World, last: Position) {
    let log = Logs::list(&world.engine).unwrap().into_iter().find(|log| !log.sealed).unwrap().log;
    world.cut = Some((log, last));
    world.restart();
}

/// Owner and member of a group on vnodes of their own, with a group on a third one.
fn three_vnodes() -> (World, String, String) {
    let mut world = World::new(1, WorkerLimits { flush_bytes: 32_768, ..small() });
    let owner = name_apart(&world, "owner", &[]);
    let member = name_apart(&world, "member", &[home(&world, &owner)]);
    let homes = [home(&world, &owner), home(&world, &member)];
    // So that the next group is on a third vnode.
    while homes.contains(&world.count().of_group(ConversationId::group(&user(&owner), world.next_id()))) {
        world.id();
    }
    (world, owner, member)
}

fn seqs(world: &mut World, name: &str, group: ConversationId) -> Vec<u64> {
    let entries = world.inbox_entries(name);
    let of_group = |entry: &std::sync::Arc<iris_types::InboxEntry>| match &entry.item {
        iris_types::InboxItem::Message(message) if message.conversation == group => Some(message.seq.0),
        _ => None,
    };
    entries.iter().filter_map(of_group).collect()
}

#[test]
fn a_group_that_lost_messages_goes_on_behind_those_that_members_hold() {
    let (mut world, owner, member) = three_vnodes();
    let group = world.group(&owner, Policy::ADMINS_ADD, &[&member]);
    assert_eq!(world.say(&owner, group, "2").unwrap().seq.0, 2);
    world.settle();
    let reached = Position(world.statistics(|statistics| statistics.chunks));
    for text in ["lost 3", "lost 4"] {
        world.say(&owner, group, text).unwrap();
    }
    // Their vnodes hold what the group's vnode is about to lose.
    flush_vnode_of(&mut world, &member);
    cut_at(&mut world, reached);
    assert_eq!(seqs(&mut world, &member, group), [1, 2, 3, 4]);
    // No seq is given to two messages, and members are members.
    assert_eq!(world.say(&member, group, "5").unwrap().seq.0, 5);
    assert_eq!(world.say(&owner, group, "6").unwrap().seq.0, 6);
    world.pass(2_000);
    assert_eq!(seqs(&mut world, &member, group), [1, 2, 3, 4, 5, 6]);
    assert!(seqs(&mut world, &owner, group).ends_with(&[5, 6]));
    let [line] = <[_; 1]>::try_from(
        world.list(&member, 9).into_iter().filter(|one| one.conversation == group).collect::<Vec<_>>(),
    )
    .unwrap();
    assert_eq!(line.last_seq.0, 6);
}

#[test]
fn a_group_that_is_lost_altogether_can_be_made_again_by_its_creators_retry() {
    let (mut world, owner, member) = three_vnodes();
    let reached = Position(world.statistics(|statistics| statistics.chunks));
    let create = creation(world.id(), Policy::ADMINS_ADD, &[&member]);
    let group = ConversationId::group(&user(&owner), create.id);
    assert_eq!(sent(world.ask(&owner, Request::CreateGroup(create.clone()))).unwrap().seq.0, 1);
    for text in ["2", "3"] {
        world.say(&owner, group, text).unwrap();
    }
    world.pass(300);
    flush_vnode_of(&mut world, &member);
    cut_at(&mut world, reached);
    // What the member holds of it stays, the group does not know anybody.
    assert_eq!(seqs(&mut world, &member, group), [1, 2, 3]);
    for who in [&owner, &member] {
        assert_eq!(world.say(who, group, "x"), Err(ErrorCode::NotMember));
        assert_eq!(refused(world.ask(who, Request::ReadGroup { group })), Some(ErrorCode::NotMember));
    }
    world.restart();
    assert_eq!(sent(world.ask(&owner, Request::CreateGroup(create))).unwrap().seq.0, 4);
    assert_eq!(world.say(&member, group, "5").unwrap().seq.0, 5);
    world.pass(2_000);
    assert_eq!(seqs(&mut world, &member, group), [1, 2, 3, 4, 5]);
    let history = world.history_of(&member, Target::Group(group), 9);
    assert_eq!(history, [(4, "<created>".to_owned()), (5, "5".to_owned())]);
}

#[test]
fn streams_of_a_groups_messages_are_joined_again() {
    // Which of both ends is flushed and keeps what the other one loses.
    for keeps_source in [true, false] {
        let (mut world, owner, member) = three_vnodes();
        let group = world.group(&owner, Policy::ADMINS_ADD, &[&member]);
        let keeper = (0..)
            .map(|index| format!("keeper{index}"))
            .find(|name| home(&world, name) == world.count().of_group(group))
            .unwrap();
        world.settle();
        let reached = Position(world.statistics(|statistics| statistics.chunks));
        for text in ["2", "3"] {
            world.say(&owner, group, text).unwrap();
        }
        flush_vnode_of(&mut world, if keeps_source { &keeper } else { &member });
        cut_at(&mut world, reached);
        let next = world.say(&owner, group, "next").unwrap().seq.0;
        assert_eq!(next, 4, "source kept: {keeps_source}");
        world.say(&member, group, "and on").unwrap();
        for _ in 0..3 {
            world.pass(2_000);
        }
        assert_eq!(world.stops, []);
        for name in [&owner, &member] {
            let found = received(&mut world, name);
            let found: Vec<&str> =
                found.iter().map(String::as_str).filter(|text| !text.starts_with('x')).collect();
            assert!(found.ends_with(&["next", "and on"]), "{name}: {found:?}");
        }
        let answer = world.change(&owner, group, "rename other");
        assert!(matches!(answer, Answer::Sent(sent) if sent.seq.0 == 6), "{answer:?}");
    }
}

#[test]
fn lines_and_groups_confuse_no_direct_conversation() {
    let (mut world, owner, member) = three_vnodes();
    let reached = Position(world.statistics(|statistics| statistics.chunks));
    let group = world.group(&owner, Policy::ADMINS_ADD, &[&member]);
    // A line without a message, a line with one, a group, and the direct conversation of both.
    let block = iris_types::request::BlockUser { user: user("foe"), on: true };
    assert_eq!(world.ask(&member, Request::BlockUser(block)), Answer::Done);
    world.send(&owner, &member, "1");
    world.send(&member, &owner, "2");
    world.pass(300);
    let lost = if owner < member { &owner } else { &member };
    let kept = if owner < member { &member } else { &owner };
    flush_vnode_of(&mut world, kept);
    cut_at(&mut world, reached);
    assert_eq!(world.send(lost, kept, "3").seq.0, 3);
    let texts: Vec<String> = received(&mut world, kept);
    assert_eq!(texts.iter().filter(|text| text.len() == 1).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(world.say(&owner, group, "x"), Err(ErrorCode::NotMember));
    assert_eq!(world.stops, []);
}
