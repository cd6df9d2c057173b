//! The frames of groups, receipts, presence and settings that the vectors show.

use iris_protocol::block_user::Block;
use iris_protocol::change_group::Change as Asked;
use iris_protocol::create_group::Create;
use iris_protocol::entry::Entry;
use iris_protocol::mark_read::Mark;
use iris_protocol::presence::{AskPresence, Presences, Watch};
use iris_protocol::read_group::{AskGroup, Group};
use iris_protocol::read_receipts::{AskReceipts, Receipts};
use iris_protocol::read_roster::{AskRoster, Roster};
use iris_protocol::set_flags::Set;
use iris_protocol::settings::{AdjustSettings, AskSettings, SettingsAnswer};
use iris_protocol::typing::SayTyping;
use iris_protocol::{ClientFrame, ServerFrame};
use iris_types::request::{BlockUser, MarkRead, ReadReceipts, ReadRoster, RequestId, SetFlags};
use iris_types::{
    Audience, Change, ChangeGroup, ConversationState, CreateGroup, Flags, GroupChange, GroupDescription,
    GroupReceipt, GroupSummary, GroupTitle, InboxEntry, InboxItem, Marks, Offset, Peer, Policy, Presence,
    PresenceState, Receipt, ReceiptPage, Role, RosterItem, RosterPage, Seq, Settings, SettingsChange, Target,
    Timestamp, Typing, Watched,
};

use crate::frames::{START, conversation, group, id, message, text, title, user};

fn description() -> GroupDescription {
    GroupDescription::new("Every day at five.\nBring a cup.").unwrap()
}

fn create(request: u32, policy: Policy, description: &str, members: &[&str]) -> ClientFrame {
    let create = CreateGroup {
        id: id(30),
        title: title(),
        description: GroupDescription::new(description).unwrap(),
        policy,
        members: members.iter().map(|name| user(name)).collect(),
    };
    ClientFrame::CreateGroup(Create { request: RequestId(request), create })
}

fn change(request: u32, change: GroupChange) -> ClientFrame {
    let change = ChangeGroup { id: id(request as u8), group: group(), change };
    ClientFrame::ChangeGroup(Asked { request: RequestId(request), change })
}

fn roster(request: u32, after: Option<&str>) -> ClientFrame {
    let read = ReadRoster { group: group(), after: after.map(user), limit: 100 };
    ClientFrame::ReadRoster(AskRoster { request: RequestId(request), read })
}

fn mark(request: u32, target: Target) -> ClientFrame {
    let mark = MarkRead { target, up_to: Seq(44) };
    ClientFrame::MarkRead(Mark { request: RequestId(request), mark })
}

fn receipts(request: u32, target: Target, after: Option<&str>) -> ClientFrame {
    let read = ReadReceipts { target, seq: Seq(44), after: after.map(user), limit: 50 };
    ClientFrame::ReadReceipts(AskReceipts { request: RequestId(request), read })
}

fn flags(request: u32, target: Target, mask: Flags, values: Flags) -> ClientFrame {
    let set = SetFlags { target, mask, values };
    ClientFrame::SetFlags(Set { request: RequestId(request), set })
}

fn block(request: u32, on: bool) -> ClientFrame {
    let block = BlockUser { user: user("mallory"), on };
    ClientFrame::BlockUser(Block { request: RequestId(request), block })
}

fn settings(request: u32, change: SettingsChange) -> ClientFrame {
    ClientFrame::ChangeSettings(AdjustSettings { request: RequestId(request), change })
}

fn watched() -> Vec<Watched> {
    let by_group = Watched { user: user("carol"), group: Some(group()) };
    vec![Watched { user: user("bob"), group: None }, by_group]
}

pub(crate) fn client() -> Vec<ClientFrame> {
    let (bob, carol) = (user("bob"), user("carol"));
    let (direct, of_group) = (Target::User(bob.clone()), Target::Group(group()));
    let request = RequestId;
    vec![
        create(30, Policy::default(), "", &[]),
        create(30, Policy::ADMINS_ADD.with(Policy::OPEN_HISTORY), "Every day at five.", &["bob", "carol"]),
        change(31, GroupChange::Invite(bob.clone())),
        change(32, GroupChange::Add(carol.clone())),
        change(33, GroupChange::Remove(bob.clone())),
        change(34, GroupChange::Accept),
        change(35, GroupChange::Leave),
        change(36, GroupChange::Rename(GroupTitle::new("Coffee").unwrap())),
        change(37, GroupChange::Describe(description())),
        change(38, GroupChange::SetRole(carol, Role::Admin)),
        change(39, GroupChange::SetPolicy(Policy::MEMBERS_INVITE)),
        ClientFrame::ReadGroup(AskGroup { request: request(40), group: group() }),
        roster(41, None),
        roster(42, Some("bob")),
        mark(43, direct.clone()),
        mark(44, of_group.clone()),
        receipts(45, direct.clone(), None),
        receipts(46, of_group.clone(), Some("bob")),
        flags(47, direct.clone(), Flags::MUTED, Flags::MUTED),
        flags(48, of_group.clone(), Flags::SETTABLE, Flags::ARCHIVED),
        block(49, true),
        block(50, false),
        ClientFrame::ReadSettings(AskSettings { request: request(51) }),
        settings(52, SettingsChange { read_receipts: Some(false), ..SettingsChange::default() }),
        settings(
            53,
            SettingsChange {
                read_receipts: Some(true),
                last_seen: Some(Audience::Nobody),
                typing: Some(true),
            },
        ),
        ClientFrame::Watch(Watch { request: request(54), watched: Vec::new() }),
        ClientFrame::Watch(Watch { request: request(55), watched: watched() }),
        ClientFrame::ReadPresence(AskPresence { request: request(56), watched: watched() }),
        ClientFrame::Typing(SayTyping { target: direct, on: true }),
        ClientFrame::Typing(SayTyping { target: of_group, on: false }),
    ]
}

fn entry(offset: u64, item: InboxItem) -> Entry {
    Entry::Whole(InboxEntry { offset: Offset(offset), item })
}

/// One of each kind that says how long it is in a Batch, and a change of a group.
pub(crate) fn entries() -> Vec<Entry> {
    let at = Timestamp(START + 4_000);
    let marks = Marks { delivered: Seq(44), read: Seq(40) };
    let receipt = Receipt { conversation: conversation(), user: user("bob"), marks, at };
    let group_receipt = GroupReceipt {
        group: group(),
        seq: Seq(44),
        delivered: 3,
        read: 2,
        members: 4,
        everybody: Marks { delivered: Seq(41), read: Seq(39) },
        at,
    };
    let flags = Flags::PINNED.changed(Flags::BLOCKED, Flags::BLOCKED);
    let state = ConversationState { conversation: conversation(), read: Seq(40), unread: 3, flags, at };
    let settings = Settings { read_receipts: false, last_seen: Audience::Everybody, typing: true };
    let group = || Peer::Group(title());
    vec![
        message(25, "bob", group(), text("tea?")),
        message(26, "alice", group(), Change::Role(Role::Admin, user("carol")).to_body()),
        entry(27, InboxItem::Receipt(receipt)),
        entry(28, InboxItem::GroupReceipt(group_receipt)),
        entry(29, InboxItem::State(state)),
        entry(30, InboxItem::Settings(settings, at)),
    ]
}

fn presences() -> Vec<Presence> {
    let presence = |name, state| Presence { user: user(name), state };
    vec![
        presence("bob", PresenceState::Online),
        presence("carol", PresenceState::LastSeen(Timestamp(START))),
        presence("mallory", PresenceState::Hidden),
    ]
}

fn group_answer(request: u32, role: Option<Role>) -> ServerFrame {
    let summary = GroupSummary {
        group: group(),
        title: title(),
        description: description(),
        policy: Policy::ADMINS_ADD,
        created_at: Timestamp(START),
        members: 3,
        invited: 1,
        role,
        last_seq: Seq(44),
    };
    ServerFrame::Group(Group { request: RequestId(request), summary })
}

pub(crate) fn server() -> Vec<ServerFrame> {
    let item = |name, role, since| RosterItem { user: user(name), role, since: Seq(since) };
    let items =
        vec![item("alice", Some(Role::Owner), 1), item("bob", Some(Role::Member), 3), item("carol", None, 5)];
    let by = vec![
        (user("bob"), Marks { delivered: Seq(44), read: Seq(44) }),
        (user("carol"), Marks { delivered: Seq(45), read: Seq(12) }),
    ];
    let page = ReceiptPage { delivered: 2, read: 1, members: 3, by, more: true };
    let typing = |on| ServerFrame::TypingNotice(Typing { conversation: group(), user: user("bob"), on });
    let mut frames: Vec<_> = entries().into_iter().map(ServerFrame::Entry).collect();
    frames.extend([
        group_answer(40, Some(Role::Owner)),
        group_answer(40, None),
        ServerFrame::Roster(Roster { request: RequestId(41), page: RosterPage { items, more: true } }),
        ServerFrame::Receipts(Receipts { request: RequestId(45), page }),
        ServerFrame::Settings(SettingsAnswer { request: RequestId(51), settings: Settings::default() }),
        ServerFrame::Presences(Presences { request: RequestId(56), items: presences() }),
        typing(true),
        typing(false),
    ]);
    frames.extend(presences().into_iter().map(ServerFrame::Presence));
    frames
}
