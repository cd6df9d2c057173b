use bytes::Bytes;
use iris_tables::Table;
use iris_types::{
    Audience, Change, ConversationId, ConversationState, DeviceLabel, Epoch, Flags, GroupDescription,
    GroupReceipt, GroupTitle, InboxItem, InboxMessage, Marks, Offset, Peer, Policy, Position, Receipt, Role,
    Seq, Settings, Standing, Target, Timestamp, VnodeId,
};
use iris_vnode::conversation::{Direct, SideState};
use iris_vnode::devices::Device;
use iris_vnode::events::{EntryEvent, GroupEntriesEvent, GroupEntry, MessageEvent, Written};
use iris_vnode::group::{Facts, Member, Membership, Place, Sent};
use iris_vnode::{
    ChunkReader, ChunkWriter, Devices, Event, Forward, Line, Recipient, RevokedDevices, Side, item, rows,
    settings,
};

use crate::{NOW, body, device, id, user};

const GROUP: ConversationId = ConversationId([4; 16]);

fn inbox_message(own: bool) -> InboxMessage {
    InboxMessage {
        conversation: ConversationId([3; 16]),
        seq: Seq(7),
        id: id(1, NOW),
        from: user(if own { "a" } else { "b" }),
        with: user("b").into(),
        origin: own.then(|| device("phone")),
        sent_at: Timestamp(NOW),
        body: body("hello"),
    }
}

fn group_message(text: &str) -> InboxMessage {
    let with = Peer::Group(GroupTitle::new("Tee 🍵").unwrap());
    InboxMessage { conversation: GROUP, with, origin: None, body: body(text), ..inbox_message(true) }
}

fn devices() -> Devices {
    let plain = Device {
        name: device("d"),
        label: None,
        registered_at: Timestamp(10),
        last_login: Timestamp(11),
        cursor: Offset(4),
        acknowledged: Offset(4),
    };
    let label = DeviceLabel::new("Büro").ok();
    Devices {
        list: vec![plain.clone(), Device { name: device("e"), label, ..plain }],
        given: Offset(3),
        last_seen: Timestamp(14),
        revoked_before: Timestamp(5),
        revoked: vec![([6; 16], Timestamp(7))],
        nonces_ahead: vec![([8; 16], Timestamp(9))],
    }
}

fn revoked() -> RevokedDevices {
    RevokedDevices { list: vec![(device("f"), Timestamp(12)), (device("gg"), Timestamp(13))] }
}

fn facts() -> Facts {
    Facts {
        title: GroupTitle::new("Tee 🍵").unwrap(),
        description: GroupDescription::new("um fünf\npünktlich").unwrap(),
        policy: Policy::ADMINS_ADD.with(Policy::OPEN_HISTORY),
        created_at: Timestamp(NOW),
    }
}

fn members() -> Vec<Member> {
    let marks = Marks { delivered: Seq(9), read: Seq(8) };
    let memberships =
        vec![Membership { first: Seq(1), last: Some(Seq(4)) }, Membership { first: Seq(6), last: None }];
    let joined = Member {
        place: Place::Joined(Role::Admin),
        since: Seq(6),
        marks,
        memberships,
        sent: Sent::default(),
    };
    let invited = Member { place: Place::Invited, since: Seq(5), ..Member::stranger() };
    vec![joined, invited, Member::stranger()]
}

fn line() -> Line {
    let mut line = Line::beginning(Seq(2), true);
    line.flags = Flags::PINNED;
    [5, 6, 9, 300].into_iter().for_each(|seq| line.write(Seq(seq)));
    line.mark(Seq(4));
    line
}

fn direct() -> Direct {
    let side = |delivered, read, blocks| SideState {
        marks: Marks { delivered: Seq(delivered), read: Seq(read) },
        blocks,
    };
    let sides = [side(5, 4, false), side(7, 6, true)];
    Direct { lower: user("a"), higher: user("b"), last_ids: [None, None], sides }
}

const SETTINGS: Settings = Settings { read_receipts: false, last_seen: Audience::Nobody, typing: true };

/// Everything that is an entry and no message.
fn items() -> Vec<InboxItem> {
    let (marks, at) = (Marks { delivered: Seq(9), read: Seq(8) }, Timestamp(NOW));
    vec![
        InboxItem::Receipt(Receipt { conversation: ConversationId([3; 16]), user: user("b"), marks, at }),
        InboxItem::GroupReceipt(GroupReceipt {
            group: GROUP,
            seq: Seq(9),
            delivered: 3,
            read: 2,
            members: 4,
            everybody: Marks { delivered: Seq(7), read: Seq(6) },
            at,
        }),
        InboxItem::State(ConversationState {
            conversation: GROUP,
            read: Seq(9),
            unread: 3,
            flags: Flags::MUTED,
            at,
        }),
        InboxItem::Settings(SETTINGS, at),
    ]
}

fn recipients() -> Vec<Recipient> {
    let author = Recipient { origin: Some(device("phone")), ..Recipient::member(user("a")) };
    let standing = |name, standing, begins| Recipient { standing, begins, ..Recipient::member(user(name)) };
    vec![
        author,
        standing("b", Standing::Member, true),
        standing("c", Standing::Invited, true),
        standing("d", Standing::Gone, false),
    ]
}

fn forwards() -> Vec<Forward> {
    let mut forwards = vec![
        Forward::Entry { to: user("b"), item: InboxItem::Message(inbox_message(false)) },
        Forward::Group { message: group_message("hello"), recipients: recipients() },
        Forward::Mark {
            user: user("a"),
            target: Target::User(user("b")),
            marks: Marks { delivered: Seq(9), read: Seq(8) },
        },
        Forward::Mark { user: user("a"), target: Target::Group(GROUP), marks: Marks::default() },
        Forward::Block { user: user("a"), other: user("b"), on: true },
    ];
    forwards.extend(items().into_iter().map(|item| Forward::Entry { to: user("b"), item }));
    forwards
}

fn written(message: &InboxMessage, written: Written) -> Event {
    Event::Message(MessageEvent {
        conversation: message.conversation,
        written,
        seq: message.seq,
        id: message.id,
        sent_at: message.sent_at,
        hash: [9; 16],
        body: message.body.clone(),
    })
}

/// One of each kind of a direct conversation and of users; the first entry shares the message's body.
fn direct_events() -> Vec<Event> {
    let message = inbox_message(true);
    let sides = Written::Direct { lower: user("a"), higher: user("b"), side: Side::Lower };
    let event = written(&message, sides);
    let from = Some((VnodeId(4), Position(5)));
    let entry =
        |offset, from, item| Event::Entry(EntryEvent { user: user("a"), offset: Offset(offset), from, item });
    let mut events = vec![
        event,
        entry(1, None, InboxItem::Message(message)),
        entry(2, from, InboxItem::Message(inbox_message(false))),
        Event::Stream { destination: VnodeId(6), last: Position(8), confirmed: Position(8) },
        Event::Taken { source: VnodeId(4), position: Position(6) },
        Event::Devices { user: user("a"), devices: devices().encode() },
        Event::RevokedDevices { user: user("a"), revoked: revoked().encode() },
        Event::Sides { conversation: ConversationId([3; 16]), sides: rows::sides_value(&direct()) },
        Event::Line { user: user("a"), conversation: GROUP, line: line().encode() },
        Event::Settings { user: user("a"), settings: settings::encode(SETTINGS) },
    ];
    events.extend((3..).zip(items()).map(|(offset, item)| entry(offset, from, item)));
    events.extend((9..).zip(forwards()).map(|(position, forward)| Event::Forward {
        destination: VnodeId(6),
        position: Position(position),
        confirmed: Position(7),
        forward: forward.encode(),
    }));
    events
}

/// One of each kind of a group, then a message whose body is long enough to be left out of its forwards.
fn group_events() -> Vec<Event> {
    let author = Written::Group { author: user("a") };
    let change = Change::Created(GroupTitle::new("Tee 🍵").unwrap()).to_body();
    let created = InboxMessage { body: change, ..group_message("hello") };
    let text = group_message(&"long ".repeat(20));
    let text = InboxMessage { seq: Seq(8), ..text };
    let entries = |message: &InboxMessage, from| {
        let entry = |(offset, recipient)| GroupEntry { offset: Offset(offset), recipient };
        let entries = (1..).zip(recipients()).map(entry).collect();
        Event::GroupEntries(GroupEntriesEvent { from, message: message.clone(), entries })
    };
    let mut events = vec![
        written(&created, author.clone()),
        entries(&created, None),
        Event::Group { group: GROUP, facts: facts().encode() },
    ];
    events.extend(["a", "b", "c"].into_iter().zip(members()).map(|(name, member)| Event::Member {
        group: GROUP,
        user: user(name),
        member: member.encode(),
    }));
    let sent = Sent { seq: Seq(8), delivered: 3, read: 2 };
    let forward = Forward::Group { message: text.clone(), recipients: recipients() }.encode();
    events.extend([
        written(&text, author),
        Event::LastSent { group: GROUP, user: user("a"), sent },
        Event::Forward { destination: VnodeId(6), position: Position(8), confirmed: Position(7), forward },
        entries(&group_message("other"), Some((VnodeId(4), Position(5)))),
    ]);
    events
}

fn chunk(events: &[Event]) -> Bytes {
    let mut writer = ChunkWriter::default();
    events.iter().for_each(|event| writer.push(VnodeId(2), Epoch(3), event));
    writer.finish()
}

fn read(bytes: Bytes) -> Result<Vec<Event>, iris_vnode::Malformed> {
    let (mut reader, mut events) = (ChunkReader::new(bytes)?, Vec::new());
    while let Some((vnode, epoch, event)) = reader.next_event()? {
        assert_eq!((vnode, epoch), (VnodeId(2), Epoch(3)));
        events.push(event);
    }
    Ok(events)
}

fn count(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text).count()
}

#[test]
fn a_chunk_reads_back() {
    for events in [direct_events(), group_events()] {
        assert_eq!(read(chunk(&events)), Ok(events));
    }
    assert!(ChunkWriter::default().is_empty());
    // Bodies are in it once per message, not once per inbox, and of a long one not once per forward.
    let direct = chunk(&direct_events());
    assert_eq!(count(&direct, b"hello"), 4, "of the message, the second entry and two forwards");
    assert_eq!(count(&chunk(&group_events()), b"long long"), 19, "of the message");
}

#[test]
fn a_forward_without_its_body_is_nothing() {
    let events = group_events();
    let Some(place) = events.iter().position(|event| matches!(event, Event::Forward { .. })) else {
        panic!("no forward")
    };
    let whole = chunk(&events[place - 2..=place]);
    assert_eq!(read(whole.clone()), Ok(events[place - 2..=place].to_vec()));
    // Only the message says which body it is.
    let message = chunk(&events[place - 2..place - 1]);
    let rest = Bytes::from([&whole[..1], &whole[message.len()..]].concat());
    assert!(read(rest).is_err());
}

#[test]
fn short_bodies_and_other_ends_stay_in_forwards() {
    let message = group_message(&"x".repeat(63));
    let author = Written::Group { author: user("a") };
    let forward = |message: &InboxMessage| Event::Forward {
        destination: VnodeId(6),
        position: Position(8),
        confirmed: Position(7),
        forward: Forward::Group { message: message.clone(), recipients: recipients() }.encode(),
    };
    let bytes_of = |first: &InboxMessage, second: &InboxMessage| {
        let events = [written(first, author.clone()), forward(second)];
        assert_eq!(read(chunk(&events)), Ok(events.to_vec()));
        chunk(&events).len() - chunk(&events[..1]).len() - chunk(&[]).len() + 1
    };
    let (long, other) = (group_message(&"x".repeat(64)), group_message(&"y".repeat(64)));
    assert_eq!(bytes_of(&message, &message), bytes_of(&long, &long) + 63);
    assert_eq!(bytes_of(&long, &other), bytes_of(&long, &long) + 64);
    assert_eq!(bytes_of(&other, &other), bytes_of(&long, &long));
}

#[test]
fn cut_or_flipped_chunks_never_panic() {
    for events in [direct_events(), group_events()] {
        let whole = chunk(&events);
        for length in 0..whole.len() {
            let read = read(whole.slice(..length));
            assert!(read.is_err() || read.is_ok_and(|some| some.len() < events.len()), "{length}");
        }
        for place in 0..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[place] ^= 0x5a;
            let mut reader = match ChunkReader::new(bytes.into()) {
                Ok(reader) => reader,
                Err(_) => continue,
            };
            while let Ok(Some((_, _, event))) = reader.next_event() {
                event.rows(&mut |_, _, _, _| {});
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Persisted: these bytes must never change.
#[test]
fn rows_keep_their_layout() {
    let cases = [
        (direct_events(), include_str!("rows.txt"), include_str!("chunk.txt"), ("rows.txt", "chunk.txt")),
        (
            group_events(),
            include_str!("group_rows.txt"),
            include_str!("group_chunk.txt"),
            ("group_rows.txt", "group_chunk.txt"),
        ),
    ];
    for (events, expected_rows, expected_chunk, names) in cases {
        let mut found = Vec::new();
        for event in &events {
            event.rows(&mut |table, window, key, value| {
                found.push(format!("{table:?} {} {} {}", window.0, hex(key), hex(value)));
            });
        }
        assert_eq!(found.join("\n"), expected_rows.trim_end(), "the rows in tests/rules/{}", names.0);
        assert_eq!(hex(&chunk(&events)), expected_chunk.trim_end(), "tests/rules/{}", names.1);
    }
}

#[test]
fn rows_read_back() {
    let key = rows::inbox_key(&user("a"), Offset(9));
    let messages = [inbox_message(true), inbox_message(false), group_message("hello")];
    for item in messages.into_iter().map(InboxItem::Message).chain(items()) {
        let entry = rows::read_inbox(&key, item::encode(&item), &user("a")).unwrap();
        assert_eq!((entry.offset, &entry.item), (Offset(9), &item));
        assert!(item::encode(&item).len() <= item::bytes_of(&item));
    }
    assert_eq!(Devices::decode(devices().encode()), Ok(devices()));
    assert_eq!(RevokedDevices::decode(revoked().encode()), Ok(revoked()));
    assert_eq!(RevokedDevices::decode(RevokedDevices::default().encode()), Ok(RevokedDevices::default()));
    for forward in forwards() {
        assert_eq!(Forward::decode(forward.encode()), Ok(forward));
    }
    for member in members() {
        assert_eq!(Member::decode(member.encode()), Ok(member));
    }
    assert_eq!(Facts::decode(facts().encode()), Ok(facts()));
    assert_eq!(Line::decode(line().encode()), Ok(line()));
    assert_eq!(settings::decode(settings::encode(SETTINGS)), Ok(SETTINGS));
    assert_eq!(rows::read_sides(rows::sides_value(&direct())), Ok(direct().sides));
    assert_eq!(rows::split_inbox_key(&key), Some((&b"a"[..], Offset(9))));
    for part in [rows::ListPart::Listed, rows::ListPart::Line] {
        let key = rows::list_key(&user("a"), GROUP, part);
        assert_eq!(rows::split_list_key(&key), Some((&b"a"[..], GROUP, part)));
    }
    let mut tables = Vec::new();
    direct_events().iter().for_each(|event| event.rows(&mut |table, _, _, _| tables.push(table)));
    assert!(tables.contains(&Table::Stream) && tables.contains(&Table::Dedup));
}

#[test]
fn a_group_is_read_whole_or_not_at_all() {
    let mut found = Vec::new();
    for event in group_events() {
        event.rows(&mut |table, _, key, value| {
            if table == Table::Head && key.first() == Some(&b'g') {
                found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            }
        });
    }
    found.sort();
    // Of the last message's two rows the later one counts.
    found.dedup_by(|later, row| later.0 == row.0);
    let group = rows::read_roster(found.clone()).unwrap().unwrap();
    assert_eq!((group.facts.clone(), group.roster.len()), (facts(), 3));
    assert_eq!((group.joined, group.invited), (1, 1));
    assert_eq!(rows::read_roster(Vec::new()), Ok(None));
    assert!(rows::read_roster(found[1..].to_vec()).is_err(), "what the group is, is missing");
    for broken in [&b"g"[..], b"g0123456789abcdef\x03", b"g0123456789abcdef\x01", b"g0123456789abcdef\x00"] {
        let mut rows = found.clone();
        rows.push((Bytes::copy_from_slice(broken), found[1].1.clone()));
        assert!(rows::read_roster(rows).is_err(), "{broken:?}");
    }
}

#[test]
fn keys_of_one_group_are_one_range() {
    let keys = rows::roster_keys(GROUP);
    let names = ["a", "zzzz", "~"];
    let own = [rows::group_key(GROUP)].into_iter().chain(names.into_iter().flat_map(|name| {
        [rows::member_key(GROUP, name.as_bytes()), rows::last_sent_key(GROUP, name.as_bytes())]
    }));
    assert!(own.into_iter().all(|key| keys.contains(&key)));
    for other in [ConversationId([3; 16]), ConversationId([5; 16])] {
        assert!(!keys.contains(&rows::group_key(other)) && !keys.contains(&rows::member_key(other, b"~")));
    }
    assert!(!keys.contains(&rows::conversation_key(GROUP)));
}

#[test]
fn recipients_without_sense_are_refused() {
    let forward = Forward::Group { message: group_message("hello"), recipients: recipients() }.encode();
    // How the first recipient gets it.
    assert_eq!(forward[5], 1);
    for how in [12, 16, 255] {
        let mut bytes = forward.to_vec();
        bytes[5] = how;
        assert!(Forward::decode(bytes.into()).is_err(), "{how}");
    }
}
