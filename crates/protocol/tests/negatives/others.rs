//! Frames of groups, receipts, presence and settings.

use iris_protocol::ClientFrame;
use iris_protocol::block_user::Block;
use iris_protocol::change_group::Change;
use iris_protocol::create_group::Create;
use iris_protocol::mark_read::Mark;
use iris_protocol::presence::{AskPresence, Watch};
use iris_protocol::read_group::AskGroup;
use iris_protocol::read_receipts::AskReceipts;
use iris_protocol::read_roster::AskRoster;
use iris_protocol::set_flags::Set;
use iris_protocol::settings::{AdjustSettings, AskSettings};
use iris_protocol::typing::SayTyping;
use iris_types::limits::{GROUP_MEMBERS_HARD_MAX, WATCHED_MAX};
use iris_types::request::{BlockUser, MarkRead, ReadReceipts, ReadRoster, RequestId, SetFlags};
use iris_types::{
    ChangeGroup, ConversationId, CreateGroup, ErrorCode, Flags, GroupChange, GroupDescription, GroupTitle,
    Policy, Role, Seq, SettingsChange, Target, Watched,
};

use crate::scripted::{message_id, user};
use crate::{State, bytes, check, refuses, refuses_under, with_tail};

const GROUP: ConversationId = ConversationId([7; 16]);

fn change_group(change: GroupChange) -> ClientFrame {
    let change = ChangeGroup { id: message_id(1), group: GROUP, change };
    ClientFrame::ChangeGroup(Change { request: RequestId(1), change })
}

fn create_group(members: usize) -> ClientFrame {
    let create = CreateGroup {
        id: message_id(1),
        title: GroupTitle::new("Tea").unwrap(),
        description: GroupDescription::new("at five").unwrap(),
        policy: Policy::ADMINS_ADD,
        members: (0..members).map(|number| user(&format!("u{number}"))).collect(),
    };
    ClientFrame::CreateGroup(Create { request: RequestId(1), create })
}

fn watched(count: usize) -> Vec<Watched> {
    (0..count).map(|_| Watched { user: user("bob"), group: Some(GROUP) }).collect()
}

/// One of each.
pub(crate) fn frames(request: RequestId) -> Vec<ClientFrame> {
    let (target, after) = (Target::User(user("bob")), Some(user("bob")));
    let (mask, values) = (Flags::MUTED, Flags::MUTED);
    let change = SettingsChange { typing: Some(false), ..SettingsChange::default() };
    let roster = ReadRoster { group: GROUP, after: after.clone(), limit: 1 };
    let receipts = ReadReceipts { target: target.clone(), seq: Seq(1), after, limit: 1 };
    vec![
        create_group(1),
        change_group(GroupChange::Invite(user("bob"))),
        ClientFrame::ReadGroup(AskGroup { request, group: GROUP }),
        ClientFrame::ReadRoster(AskRoster { request, read: roster }),
        ClientFrame::MarkRead(Mark { request, mark: MarkRead { target: target.clone(), up_to: Seq(1) } }),
        ClientFrame::ReadReceipts(AskReceipts { request, read: receipts }),
        ClientFrame::SetFlags(Set { request, set: SetFlags { target, mask, values } }),
        ClientFrame::BlockUser(Block { request, block: BlockUser { user: user("bob"), on: true } }),
        ClientFrame::ReadSettings(AskSettings { request }),
        ClientFrame::ChangeSettings(AdjustSettings { request, change }),
        ClientFrame::Watch(Watch { request, watched: watched(1) }),
        ClientFrame::ReadPresence(AskPresence { request, watched: watched(1) }),
        ClientFrame::Typing(SayTyping { target: Target::Group(GROUP), on: true }),
    ]
}

/// The frame with the bytes at a place of its payload replaced.
fn with_bytes(frame: &ClientFrame, at: usize, new: &[u8]) -> Vec<u8> {
    let mut sent = bytes(frame);
    sent[3 + at..3 + at + new.len()].copy_from_slice(new);
    sent
}

#[test]
fn broken_rules_of_groups_refuse_one_request() {
    let create = create_group(2);
    refuses(&with_bytes(&create, 4 + 6, &[0x41]), ErrorCode::InvalidId);
    refuses(&with_bytes(&create, 20, &[64]), ErrorCode::InvalidGroup);
    refuses(&with_bytes(&create, 22, b"T\na"), ErrorCode::InvalidGroup);
    refuses(&with_bytes(&create, 22, b"T\xffa"), ErrorCode::InvalidGroup);
    refuses(&with_bytes(&create, 27, b"at\tfive"), ErrorCode::InvalidGroup);
    refuses(&with_bytes(&create, 37, b" "), ErrorCode::InvalidName);
    let (full, fits) = (GROUP_MEMBERS_HARD_MAX, GROUP_MEMBERS_HARD_MAX - 1);
    refuses(&bytes(&create_group(full)), ErrorCode::GroupFull);
    check(State::Ready, &bytes(&create_group(fits)), None);

    let bob = || user("bob");
    let invite = change_group(GroupChange::Invite(bob()));
    refuses(&with_bytes(&invite, 4 + 6, &[0x41]), ErrorCode::InvalidId);
    refuses(&with_bytes(&invite, 38, b"b/b"), ErrorCode::InvalidName);
    refuses(&with_bytes(&invite, 36, &[0]), ErrorCode::BadFrame);
    refuses(&with_bytes(&invite, 36, &[10]), ErrorCode::BadFrame);
    let rename = change_group(GroupChange::Rename(GroupTitle::new("Tea").unwrap()));
    refuses(&with_bytes(&rename, 38, b"T\x7fa"), ErrorCode::InvalidGroup);
    let describe = change_group(GroupChange::Describe(GroupDescription::new("Tea").unwrap()));
    refuses(&with_bytes(&describe, 39, b"T\ra"), ErrorCode::InvalidGroup);
    let role = change_group(GroupChange::SetRole(bob(), Role::Admin));
    refuses(&with_bytes(&role, 37, &[4]), ErrorCode::BadFrame);
    refuses(&with_bytes(&role, 37, &[0]), ErrorCode::BadFrame);
    let policy = change_group(GroupChange::SetPolicy(Policy::default()));
    refuses(&with_bytes(&policy, 37, &[64]), ErrorCode::InvalidGroup);
    // Titles and descriptions of a length that the layout holds and the rule does not.
    let front = &bytes(&rename)[..3 + 37];
    for title in [0_u8, 101] {
        let frame = [front, &[title], &vec![b'x'; usize::from(title)]].concat();
        refuses(&with_tail(&frame, &[]), ErrorCode::InvalidGroup);
    }
    let front = &bytes(&describe)[..3 + 37];
    let frame = [front, &513_u16.to_be_bytes(), &[b'x'; 513]].concat();
    refuses(&with_tail(&frame, &[]), ErrorCode::InvalidGroup);
}

#[test]
fn broken_rules_about_others_refuse_one_request() {
    let [_, _, _, roster, mark, receipts, flags, block, _, settings, watch, presence, _] =
        &frames(RequestId(1))[..]
    else {
        panic!("other frames");
    };
    refuses(&with_bytes(roster, 21, b"b b"), ErrorCode::InvalidName);
    refuses(&with_bytes(roster, 24, &[0, 0]), ErrorCode::BadFrame);
    refuses(&with_bytes(mark, 5, b"b b"), ErrorCode::InvalidName);
    refuses(&with_bytes(receipts, 5, b"b b"), ErrorCode::InvalidName);
    refuses(&with_bytes(receipts, 17, b"b b"), ErrorCode::InvalidName);
    refuses(&with_bytes(receipts, 20, &[0, 0]), ErrorCode::BadFrame);
    refuses(&with_bytes(flags, 5, b"b b"), ErrorCode::InvalidName);
    // Blocking is not a flag that is set like others, and the next bit means nothing yet.
    for bit in [8, 16, 0x80] {
        refuses(&with_bytes(flags, 8, &[bit]), ErrorCode::BadFrame);
        refuses(&with_bytes(flags, 9, &[bit]), ErrorCode::BadFrame);
    }
    refuses(&with_bytes(block, 5, b"b b"), ErrorCode::InvalidName);
    for fields in [[8, 0, 0, 0], [4, 1, 0, 0], [4, 0, 1, 0], [1, 0, 0, 1], [2, 0, 3, 0]] {
        refuses(&with_bytes(settings, 4, &fields), ErrorCode::BadFrame);
    }
    for frame in [watch, presence] {
        refuses(&with_bytes(frame, 7, b"b b"), ErrorCode::InvalidName);
    }
    let request = RequestId(1);
    let (none, fits, many) = (Vec::new(), watched(WATCHED_MAX), watched(WATCHED_MAX + 1));
    let watch = |watched: &[_]| bytes(&ClientFrame::Watch(Watch { request, watched: watched.to_vec() }));
    let read =
        |watched: &[_]| bytes(&ClientFrame::ReadPresence(AskPresence { request, watched: watched.to_vec() }));
    check(State::Ready, &watch(&none), None);
    refuses(&read(&none), ErrorCode::BadFrame);
    for frame in [&watch as &dyn Fn(&[_]) -> Vec<u8>, &read] {
        check(State::Ready, &frame(&fits), None);
        refuses(&frame(&many), ErrorCode::BadFrame);
    }
    // Typing has no request: it is refused like an acknowledgement.
    let typing = ClientFrame::Typing(SayTyping { target: Target::User(user("bob")), on: true });
    refuses_under(RequestId(0), &with_bytes(&typing, 1, b"b b"), ErrorCode::InvalidName);
}

#[test]
fn flags_of_others_that_are_neither_0_nor_1_close() {
    let [.., block, _, settings, watch, presence, typing] = &frames(RequestId(1))[..] else {
        panic!("other frames");
    };
    for (frame, at) in [(block, 8), (settings, 5), (settings, 7), (watch, 10), (presence, 10), (typing, 17)] {
        check(State::Ready, &with_bytes(frame, at, &[2]), Some(ErrorCode::BadFrame));
    }
}
