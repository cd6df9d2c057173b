//! Both machines together: groups, receipts, presence, settings, and the entries they bring.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod scripted;

use std::sync::Arc;

use iris_protocol::client::{ClientEvent, Entry};
use iris_protocol::server::{ServerConfig, ServerEvent};
use iris_protocol::{FrameTooLong, ServerLimits, Versions, opcode};
use iris_types::limits::{PAGE_REQUESTS_IN_FLIGHT_MAX, WATCHED_MAX};
use iris_types::request::{
    Answer, BlockUser, ConversationPage, HistoryFrom, MarkRead, ReadHistory, ReadReceipts, ReadRoster,
    Request, RequestId, SendMessage, Sent, SetFlags,
};
use iris_types::{
    Audience, ChangeGroup, ConversationId, ConversationState, ConversationSummary, CreateGroup, ErrorCode,
    Flags, GroupChange, GroupDescription, GroupReceipt, GroupTitle, InboxEntry, InboxItem, Marks, Offset,
    Peer, Policy, PresenceState, Preview, Receipt, Role, Seq, Settings, SettingsChange, Standing, Target,
    Timestamp, Watched,
};
use scripted::{Pair, START, conversation, message, message_id, text, user};

const BOTH: [Versions; 2] = [Versions::ONLY_1, Versions::ONLY_2];

fn with_limits(versions: Versions, limits: ServerLimits) -> Pair {
    let config = Arc::new(ServerConfig { limits, ..ServerConfig::default() });
    let mut pair = Pair::new(versions, &config);
    pair.settle();
    pair.client.sync(RequestId(1), Offset(0));
    pair.settle();
    pair.events.clear();
    pair
}

fn live(versions: Versions) -> Pair {
    with_limits(versions, ServerLimits::default())
}

fn group() -> ConversationId {
    ConversationId::group(&user("alice"), message_id(1))
}

fn create(members: &[&str]) -> CreateGroup {
    CreateGroup {
        id: message_id(1),
        title: GroupTitle::new("Tea").unwrap(),
        description: GroupDescription::new("at five").unwrap(),
        policy: Policy::default(),
        members: members.iter().map(|name| user(name)).collect(),
    }
}

fn change(number: u8, change: GroupChange) -> ChangeGroup {
    ChangeGroup { id: message_id(number), group: group(), change }
}

fn closed(pair: &Pair) -> Option<(ErrorCode, bool)> {
    match pair.events.last() {
        Some(ClientEvent::Closed { refusal, by_server }) => Some((refusal.code, *by_server)),
        _ => None,
    }
}

/// What a request was answered with.
fn answer(pair: &Pair, id: u32) -> &ClientEvent {
    let is_answer = |event: &&ClientEvent| match event {
        ClientEvent::Sent { request, .. }
        | ClientEvent::Done { request }
        | ClientEvent::Refused { request, .. }
        | ClientEvent::HistoryPage { request, .. }
        | ClientEvent::Group { request, .. }
        | ClientEvent::Roster { request, .. }
        | ClientEvent::Receipts { request, .. }
        | ClientEvent::Settings { request, .. }
        | ClientEvent::Presences { request, .. } => *request == RequestId(id),
        _ => false,
    };
    let mut answers = pair.events.iter().filter(is_answer);
    let first = answers.next().unwrap_or_else(|| panic!("{id} in {:?}", pair.events));
    assert_eq!(answers.next(), None, "one answer");
    first
}

fn entries(pair: &Pair) -> Vec<&Entry> {
    let entries = pair.events.iter().flat_map(|event| match event {
        ClientEvent::Entries { entries, .. } => entries.as_slice(),
        _ => &[],
    });
    entries.collect()
}

#[test]
fn a_group_is_made_changed_and_written_to() {
    for versions in BOTH {
        let mut pair = live(versions);
        pair.client.create_group(RequestId(2), &create(&["bob"])).unwrap();
        pair.settle();
        let changes = [
            GroupChange::Invite(user("carol")),
            GroupChange::Invite(user("carol")),
            GroupChange::Rename(GroupTitle::new("Coffee").unwrap()),
            GroupChange::SetRole(user("bob"), Role::Admin),
            GroupChange::Remove(user("nobody")),
        ];
        for (at, one) in changes.into_iter().enumerate() {
            pair.client.change_group(RequestId(3 + at as u32), &change(3 + at as u8, one));
        }
        let to = Target::Group(group());
        pair.client.send(RequestId(8), &SendMessage { to: to.clone(), ..message(8, "hi all") });
        pair.settle();
        let entry = pair.core.commit_to_group("bob", None, message_id(9), text("hi alice"));
        pair.server.push(&entry);
        pair.settle();
        for (request, seq) in [(2, 1), (3, 2), (5, 3), (6, 4)] {
            let sent = |event: &ClientEvent| match event {
                ClientEvent::Sent { sent, .. } => (sent.conversation, sent.seq.0, sent.offset),
                other => panic!("{other:?}"),
            };
            assert_eq!(sent(answer(&pair, request)), (group(), seq, None));
        }
        assert_eq!(answer(&pair, 4), &ClientEvent::Done { request: RequestId(4) }, "invited already");
        assert!(matches!(answer(&pair, 7), ClientEvent::Refused { refusal, .. }
            if refusal.code == ErrorCode::UnknownMember));
        // The changes come as entries with everything in them, though this very device made them; the own message
        // comes as the place in its result.
        assert_eq!(pair.texts(), ["(created)", "(invited)", "(renamed)", "(role)", "hi alice"]);
        assert_eq!(pair.given(), [1, 2, 3, 4, 5, 6]);
        let titles: Vec<_> = entries(&pair)
            .into_iter()
            .map(|entry| match entry {
                Entry::Whole(InboxEntry { item: InboxItem::Message(message), .. }) => &message.with,
                other => panic!("{other:?}"),
            })
            .map(|with| match with {
                Peer::Group(title) => title.as_str(),
                Peer::User(_) => "",
            })
            .collect();
        assert_eq!(titles, ["Tea", "Tea", "Coffee", "Coffee", "Coffee"]);
        assert_eq!(pair.core.cursor, Offset(6));

        pair.events.clear();
        let read = ReadHistory { with: to, from: HistoryFrom::Latest, limit: 2 };
        pair.client.read_history(RequestId(20), &read);
        pair.client.read_group(RequestId(21), group());
        let roster = ReadRoster { group: group(), after: Some(user("alice")), limit: 1 };
        pair.client.read_roster(RequestId(22), &roster);
        pair.settle();
        assert!(matches!(answer(&pair, 20), ClientEvent::HistoryPage { page, .. }
            if page.conversation == group() && page.entries.len() == 2 && page.more));
        assert!(matches!(answer(&pair, 21), ClientEvent::Group { group, .. }
            if (group.title.as_str(), group.members, group.invited, group.last_seq) == ("Coffee", 1, 2, Seq(6))));
        assert!(matches!(answer(&pair, 22), ClientEvent::Roster { page, .. }
            if page.more && page.items[0].user == user("bob") && page.items[0].role.is_none()));
    }
}

#[test]
fn a_message_to_a_group_that_this_device_sent_comes_without_its_body() {
    for versions in BOTH {
        let mut pair = live(versions);
        pair.core.folds_offsets = false;
        pair.client.create_group(RequestId(2), &create(&[])).unwrap();
        pair.client.send(RequestId(3), &SendMessage { to: Target::Group(group()), ..message(3, "hi") });
        pair.settle();
        assert_eq!(pair.texts(), ["(created)", "(own)"]);
        let own = entries(&pair)[1];
        assert!(matches!(own, Entry::OwnSent(own) if (own.conversation, own.seq) == (group(), Seq(2))));
        // Those of the user's other devices have it.
        let entry = pair.core.commit_to_group("alice", Some("laptop"), message_id(4), text("from elsewhere"));
        pair.server.push(&entry);
        pair.settle();
        assert_eq!(pair.texts(), ["(created)", "(own)", "from elsewhere"]);
    }
}

/// One of each kind that is no message.
fn items() -> [InboxItem; 4] {
    let at = Timestamp(START);
    let marks = Marks { delivered: Seq(3), read: Seq(2) };
    let receipt = Receipt { conversation: conversation(), user: user("bob"), marks, at };
    let everybody = Marks { delivered: Seq(1), read: Seq(1) };
    let group_receipt =
        GroupReceipt { group: group(), seq: Seq(3), delivered: 2, read: 1, members: 2, everybody, at };
    let (read, unread, flags) = (Seq(2), 1, Flags::PINNED);
    let state = ConversationState { conversation: conversation(), read, unread, flags, at };
    [
        InboxItem::Receipt(receipt),
        InboxItem::GroupReceipt(group_receipt),
        InboxItem::State(state),
        InboxItem::Settings(Settings::default(), at),
    ]
}

#[test]
fn every_kind_of_entry_comes_by_page_and_by_push_alike() {
    for versions in BOTH {
        let mut pair = Pair::new(versions, &Arc::new(ServerConfig::default()));
        let early: Vec<_> = items().map(|item| pair.core.put(item)).into();
        pair.core.page_items = 3;
        pair.settle();
        pair.client.sync(RequestId(1), Offset(0));
        pair.settle();
        items().into_iter().for_each(|item| pair.happens(item));
        pair.settle();
        assert_eq!(pair.texts(), ["(receipt)", "(group receipt)", "(state)", "(settings)"].repeat(2));
        assert_eq!(pair.given(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(pair.core.cursor, Offset(8));
        for (entry, put) in entries(&pair).into_iter().zip(early.iter()) {
            assert_eq!(entry, &Entry::Whole(InboxEntry::clone(put)));
        }
    }
}

#[test]
fn every_kind_of_entry_counts_for_the_window() {
    for versions in BOTH {
        for (at, item) in items().into_iter().enumerate() {
            let limits = ServerLimits { window_entries_max: 3, ..ServerLimits::default() };
            let mut pair = with_limits(versions, limits);
            pair.acknowledges = false;
            (0..5).for_each(|_| pair.happens(item.clone()));
            pair.settle();
            assert_eq!(pair.given(), [1, 2, 3], "{versions:?}, item {at}");
            assert_eq!(pair.events.last(), Some(&ClientEvent::SyncNeeded));
            // As many bytes as the fields of three of them have.
            let bytes = [52, 68, 49, 19][at];
            let limits = ServerLimits { window_bytes_max: 3 * bytes, ..ServerLimits::default() };
            let mut pair = with_limits(versions, limits);
            pair.acknowledges = false;
            (0..5).for_each(|_| pair.happens(item.clone()));
            pair.settle();
            assert_eq!(pair.given(), [1, 2, 3], "{versions:?}, item {at}");
        }
    }
}

/// What a server of a later version may say: an entry as a frame of its own, and in a batch.
fn later_frame(offset: u64) -> Vec<u8> {
    [&[*opcode::LATER_ENTRIES.end(), 0, 10][..], &offset.to_be_bytes(), &[7, 7]].concat()
}

fn later_batch(kind: u8, offset: u64) -> Vec<u8> {
    [&[opcode::BATCH, 0, 15, 0, 1, kind, 0, 10][..], &offset.to_be_bytes(), &[7, 7]].concat()
}

#[test]
fn an_entry_of_a_later_version_takes_its_place() {
    let mut pair = live(Versions::ONLY_2);
    for bytes in [later_frame(1), later_batch(21, 2), later_batch(255, 3)] {
        pair.client.receive(&bytes, pair.now, &mut pair.events);
    }
    assert_eq!((pair.given(), pair.texts()), (vec![1, 2, 3], vec!["(later)".to_owned(); 3]));
    pair.client.acknowledge(Offset(3));
    assert!(pair.client.is_ready());
    // It is counted like any other: a hole in front of it is one.
    for bytes in [later_frame(5), later_batch(21, 5)] {
        let mut pair = live(Versions::ONLY_2);
        pair.client.receive(&bytes, pair.now, &mut pair.events);
        assert_eq!(closed(&pair), Some((ErrorCode::WrongState, false)));
    }
    // Kinds below 16 have no length, so an unknown one cannot be skipped.
    let mut pair = live(Versions::ONLY_2);
    pair.client.receive(&later_batch(15, 1), pair.now, &mut pair.events);
    assert_eq!(closed(&pair), Some((ErrorCode::BadFrame, false)));
    // Version 1 has the frames, too.
    let mut pair = live(Versions::ONLY_1);
    pair.client.receive(&later_frame(1), pair.now, &mut pair.events);
    assert_eq!(pair.given(), [1]);
}

#[test]
fn a_hole_in_front_of_any_entry_is_noticed() {
    for item in items() {
        let mut pair = live(Versions::ALL);
        let frame = iris_protocol::ServerFrame::Entry(Entry::Whole(InboxEntry { offset: Offset(2), item }));
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        pair.client.receive(&bytes, pair.now, &mut pair.events);
        assert_eq!(closed(&pair), Some((ErrorCode::WrongState, false)));
    }
}

#[test]
fn what_a_user_sets_is_done_and_told_as_an_entry() {
    for versions in BOTH {
        let mut pair = live(versions);
        let target = Target::User(user("bob"));
        let mark = MarkRead { target: target.clone(), up_to: Seq(3) };
        let set = SetFlags { target, mask: Flags::SETTABLE, values: Flags::MUTED };
        pair.client.mark_read(RequestId(2), &mark);
        pair.client.set_flags(RequestId(3), &set);
        pair.client.block_user(RequestId(4), &BlockUser { user: user("bob"), on: true });
        let change =
            SettingsChange { last_seen: Some(Audience::Nobody), typing: Some(false), ..Default::default() };
        pair.client.change_settings(RequestId(5), change);
        pair.client.read_settings(RequestId(6));
        pair.settle();
        for request in 2..=5 {
            assert_eq!(answer(&pair, request), &ClientEvent::Done { request: RequestId(request) });
        }
        let settings = Settings { read_receipts: true, last_seen: Audience::Nobody, typing: false };
        assert_eq!(answer(&pair, 6), &ClientEvent::Settings { request: RequestId(6), settings });
        assert_eq!(pair.texts(), ["(state)", "(state)", "(state)", "(settings)"]);
        let states: Vec<_> = entries(&pair)
            .iter()
            .filter_map(|entry| match entry {
                Entry::Whole(InboxEntry { item: InboxItem::State(state), .. }) => {
                    Some((state.read, state.flags))
                }
                _ => None,
            })
            .collect();
        assert_eq!(states, [(Seq(3), Flags::default()), (Seq(2), Flags::MUTED), (Seq(2), Flags::BLOCKED)]);
    }
}

#[test]
fn who_has_a_message_and_who_is_there_is_asked() {
    for versions in BOTH {
        let mut pair = live(versions);
        let target = Target::User(user("bob"));
        let read = ReadReceipts { target, seq: Seq(9), after: None, limit: 10 };
        pair.client.read_receipts(RequestId(2), &read);
        let watched = |name| Watched { user: user(name), group: Some(group()) };
        pair.client.read_presence(RequestId(3), &["carol", "bob", "mallory"].map(watched)).unwrap();
        pair.client.watch(RequestId(4), &[watched("bob")]).unwrap();
        pair.settle();
        assert!(matches!(answer(&pair, 2), ClientEvent::Receipts { page, .. }
            if page.by == [(user("bob"), Marks { delivered: Seq(9), read: Seq(1) })] && page.members == 2));
        let ClientEvent::Presences { items, .. } = answer(&pair, 3) else { panic!("no presences") };
        assert_eq!(
            items.iter().map(|item| item.user.as_str()).collect::<Vec<_>>(),
            ["carol", "bob", "mallory"]
        );
        assert_eq!(items[1].state, PresenceState::Online);
        assert_eq!(answer(&pair, 4), &ClientEvent::Done { request: RequestId(4) });
    }
}

#[test]
fn an_answer_that_nobody_asked_for_is_wrong() {
    let page = ConversationPage { items: Vec::new(), more: false };
    let sent = |offset| {
        let (id, seq) = (message_id(1), Seq(1));
        Answer::Sent(Sent { id, conversation: group(), seq, sent_at: Timestamp(START), offset })
    };
    let told = [
        Answer::Done,
        Answer::Settings(Settings::default()),
        Answer::Presence(Vec::new()),
        Answer::Conversations(page),
    ];
    for answer in told {
        let mut pair = live(Versions::ALL);
        pair.client.read_group(RequestId(2), group());
        pair.client.transmit(&mut Vec::new());
        pair.server.answer(RequestId(2), answer.clone());
        pair.settle();
        assert_eq!(closed(&pair), Some((ErrorCode::WrongState, false)), "{answer:?}");
    }
    // A change of a group comes as an entry of its own, never in its result.
    for (offset, expected) in [(Some(Offset(1)), Some((ErrorCode::WrongState, false))), (None, None)] {
        let mut pair = live(Versions::ALL);
        pair.client.change_group(RequestId(2), &change(2, GroupChange::Leave));
        pair.client.transmit(&mut Vec::new());
        pair.server.answer(RequestId(2), sent(offset));
        pair.settle();
        assert_eq!(closed(&pair), expected);
    }
    // Nor is a question answered with a result.
    let mut pair = live(Versions::ALL);
    pair.client.read_group(RequestId(2), group());
    pair.client.transmit(&mut Vec::new());
    pair.server.answer(RequestId(2), sent(None));
    pair.settle();
    assert_eq!(closed(&pair), Some((ErrorCode::WrongState, false)));
}

#[test]
fn a_missing_answer_makes_the_client_ping_soon() {
    let mut pair = live(Versions::ALL);
    let before = pair.client.deadline();
    pair.client.read_group(RequestId(2), group());
    assert!(pair.client.deadline() < before);
    pair.settle();
    assert_eq!(pair.client.deadline(), before, "refused is answered");
}

#[test]
fn what_does_not_fit_a_frame_is_not_sent() {
    let mut pair = live(Versions::ALL);
    let many: Vec<_> = (0..1_100).map(|number| format!("{number:0>64}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(pair.client.create_group(RequestId(2), &create(&many)), Err(FrameTooLong));
    let watched: Vec<_> =
        many.iter().map(|name| Watched { user: user(name), group: Some(group()) }).collect();
    assert_eq!(pair.client.watch(RequestId(3), &watched), Err(FrameTooLong));
    assert_eq!(pair.client.read_presence(RequestId(4), &watched), Err(FrameTooLong));
    assert_eq!(pair.client.pending_output_bytes(), 0);
    // As many members as a group has by default fit, whatever they are called.
    pair.client.create_group(RequestId(5), &create(&many[..499])).unwrap();
    pair.client.watch(RequestId(6), &watched[..WATCHED_MAX]).unwrap();
    pair.settle();
    assert!(matches!(answer(&pair, 5), ClientEvent::Sent { .. }));
    assert!(matches!(answer(&pair, 6), ClientEvent::Done { .. }));
}

#[test]
fn a_page_of_conversations_has_as_many_as_fit() {
    let mut pair = live(Versions::ALL);
    let item = |number: u8| ConversationSummary {
        conversation: ConversationId([number; 16]),
        with: Peer::Group(GroupTitle::new(&"x".repeat(100)).unwrap()),
        standing: Standing::Member,
        last_seq: Seq(9),
        read: Seq(8),
        unread: 1,
        flags: Flags::default(),
        last: Preview::of(user(&"u".repeat(64)), Timestamp(START), &text(&"y".repeat(1_000))),
    };
    let items: Vec<_> = (0..=255).map(item).collect();
    let list = iris_types::request::ListConversations { after: None, limit: 256 };
    pair.client.list_conversations(RequestId(2), &list);
    pair.client.transmit(&mut Vec::new());
    pair.server
        .answer(RequestId(2), Answer::Conversations(ConversationPage { items: items.clone(), more: false }));
    pair.settle();
    let [ClientEvent::Conversations { page, .. }] = &pair.events[..] else { panic!("{:?}", pair.events) };
    assert!(page.more && page.items.len() >= 150, "{}", page.items.len());
    assert_eq!(page.items, items[..page.items.len()]);
}

#[test]
fn pages_about_others_are_bounded_together() {
    let mut pair = live(Versions::ALL);
    let target = Target::User(user("bob"));
    let receipts = ReadReceipts { target, seq: Seq(1), after: None, limit: u16::MAX };
    let roster = ReadRoster { group: group(), after: None, limit: u16::MAX };
    let watched = [Watched { user: user("bob"), group: None }];
    for round in 0..PAGE_REQUESTS_IN_FLIGHT_MAX as u32 {
        let id = |part| RequestId(10 * (round + 1) + part);
        match round % 4 {
            0 => pair.client.read_roster(id(0), &roster),
            1 => pair.client.read_receipts(id(0), &receipts),
            2 => pair.client.read_presence(id(0), &watched).unwrap(),
            _ => pair.client.watch(id(0), &watched).unwrap(),
        }
    }
    pair.client.read_roster(RequestId(901), &roster);
    pair.client.read_receipts(RequestId(902), &receipts);
    pair.client.read_presence(RequestId(903), &watched).unwrap();
    pair.client.watch(RequestId(904), &watched).unwrap();
    pair.client.read_group(RequestId(905), group());
    let (mut bytes, mut asked) = (Vec::new(), Vec::new());
    pair.client.transmit(&mut bytes);
    pair.server.receive(&bytes, pair.now, &mut asked);
    assert_eq!(asked.len(), PAGE_REQUESTS_IN_FLIGHT_MAX + 1, "and one that is small");
    for event in &asked {
        let limit = match event {
            ServerEvent::Request { request: Request::ReadRoster(read), .. } => read.limit,
            ServerEvent::Request { request: Request::ReadReceipts(read), .. } => read.limit,
            _ => 256,
        };
        assert_eq!(limit, 256, "no page is larger");
    }
    pair.server_flight();
    for request in 901..=904 {
        assert!(matches!(answer(&pair, request), ClientEvent::Refused { refusal, .. }
            if refusal.code == ErrorCode::Busy));
    }
}
