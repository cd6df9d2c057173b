//! Chunks of events: total, written back to the same meaning, and turned into rows without a panic.

use bytes::Bytes;
use iris_types::{
    Body, BodyKind, ConversationId, DeviceId, DeviceLabel, Epoch, GroupDescription, GroupTitle, InboxItem,
    InboxMessage, Marks, MessageId, Offset, Peer, Policy, Position, Receipt, Role, Seq, Settings, Standing,
    Target, Timestamp, UserId, VnodeId,
};
use iris_vnode::devices::Device;
use iris_vnode::events::{EntryEvent, GroupEntriesEvent, GroupEntry, MessageEvent, Written};
use iris_vnode::group::{Facts, Member, Membership, Place, Sent};
use iris_vnode::{
    ChunkReader, ChunkWriter, Devices, Event, Forward, Line, Malformed, Recipient, RevokedDevices, Side,
    rows, settings,
};

use crate::{behaviour, behaviour_of_text};

type Committed = (VnodeId, Epoch, Event);

pub(crate) fn run(input: &[u8]) -> u64 {
    match read(Bytes::copy_from_slice(input)) {
        Ok(events) => {
            let again = read(write(&events));
            assert!(again.as_ref() == Ok(&events), "events change when they are written again");
            let kinds: Vec<u64> = events.iter().take(4).map(|(_, _, event)| look_at(event)).collect();
            behaviour(&kinds)
        }
        Err(error) => behaviour_of_text(&error.to_string()),
    }
}

fn read(bytes: Bytes) -> Result<Vec<Committed>, Malformed> {
    let mut reader = ChunkReader::new(bytes)?;
    let mut events = Vec::new();
    while let Some(event) = reader.next_event()? {
        events.push(event);
    }
    Ok(events)
}

fn write(events: &[Committed]) -> Bytes {
    let mut writer = ChunkWriter::default();
    for (vnode, epoch, event) in events {
        writer.push(*vnode, *epoch, event);
    }
    writer.finish()
}

/// Makes the event's rows and reads what it carries further inside.
fn look_at(event: &Event) -> u64 {
    let (mut rows, mut bytes) = (0, 0);
    event.rows(&mut |_, _, key, value| {
        rows += 1;
        bytes += key.len() + value.len();
    });
    let has_recipients = !matches!(event, Event::GroupEntries(entries) if entries.entries.is_empty());
    assert!(!has_recipients || rows > 0 && bytes > 0, "an event that changes nothing");
    let inside = match event {
        Event::Forward { forward, .. } => Forward::decode(forward.clone()).map(|forward| {
            assert_eq!(Forward::decode(forward.encode()), Ok(forward.clone()), "a forward changes");
            1 + forward.users().count() as u64
        }),
        Event::Devices { devices, .. } => Devices::decode(devices.clone()).map(|_| 2),
        Event::RevokedDevices { revoked, .. } => RevokedDevices::decode(revoked.clone()).map(|_| 4),
        Event::Group { facts, .. } => Facts::decode(facts.clone()).map(|_| 5),
        Event::Member { member, .. } => Member::decode(member.clone()).map(|_| 6),
        Event::Line { line, .. } => Line::decode(line.clone()).map(|_| 7),
        Event::Sides { sides, .. } => rows::read_sides(sides.clone()).map(|_| 8),
        Event::Settings { settings, .. } => settings::decode(settings.clone()).map(|_| 9),
        Event::GroupEntries(entries) => Ok(10 + entries.entries.len() as u64),
        Event::Message(_)
        | Event::Entry(_)
        | Event::Stream { .. }
        | Event::LastSent { .. }
        | Event::Taken { .. } => Ok(3),
    };
    behaviour(&[rows, inside.unwrap_or_else(|error| behaviour_of_text(&error.to_string()))])
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let events = some_events().unwrap_or_default();
    let committed = |event: &Event| (VnodeId(3), Epoch(2), event.clone());
    let all: Vec<Committed> = events.iter().map(committed).collect();
    let mut seeds: Vec<Vec<u8>> = all.chunks(1).map(|event| write(event).to_vec()).collect();
    seeds.push(write(&all).to_vec());
    seeds
}

pub(crate) fn some_events() -> Option<Vec<Event>> {
    let mut events = direct_events()?;
    events.extend(group_events()?);
    Some(events)
}

fn direct_events() -> Option<Vec<Event>> {
    let message = some_message()?;
    let (alice, bob) = (message.from.clone(), message.with.user()?.clone());
    let (conversation, marks) = (message.conversation, Marks { delivered: message.seq, read: message.seq });
    let written = Written::Direct { lower: alice.clone(), higher: bob.clone(), side: Side::from_number(0)? };
    let receipt = InboxItem::Receipt(Receipt { conversation, user: bob.clone(), marks, at: message.sent_at });
    let settings = Settings::default();
    let entry = |item| Event::Entry(EntryEvent { user: alice.clone(), offset: Offset(9), from: None, item });
    let (source, destination, confirmed) = (VnodeId(5), VnodeId(4), Position(2));
    let forwards = [
        Forward::Entry { to: bob.clone(), item: receipt.clone() },
        Forward::Mark { user: alice.clone(), target: Target::User(bob.clone()), marks },
        Forward::Block { user: alice.clone(), other: bob, on: true },
    ];
    let forwards = forwards.into_iter().map(|forward| forward.encode());
    let mut line = Line::beginning(Seq(2), true);
    line.write(Seq(5));
    let mut events = vec![
        written_by(&message, written),
        entry(InboxItem::Message(message.clone())),
        entry(receipt),
        entry(InboxItem::Settings(settings, message.sent_at)),
        Event::Stream { destination, last: Position(3), confirmed: Position(3) },
        Event::Taken { source, position: Position(3) },
        Event::Devices { user: alice.clone(), devices: Devices::default().encode() },
        Event::Devices { user: alice.clone(), devices: some_devices()?.encode() },
        Event::RevokedDevices { user: alice.clone(), revoked: some_revoked()?.encode() },
        Event::Line { user: alice.clone(), conversation, line: line.encode() },
        Event::Sides { conversation, sides: Bytes::from_static(&[0; 34]) },
        Event::Settings { user: alice.clone(), settings: settings::encode(settings) },
    ];
    events.extend(forwards.map(|forward| Event::Forward {
        destination,
        position: Position(3),
        confirmed,
        forward,
    }));
    Some(events)
}

fn group_events() -> Option<Vec<Event>> {
    let title = GroupTitle::new("Tea").ok()?;
    let body = Body::new(BodyKind(9), Bytes::from_static(&[b'x'; 80])).ok()?;
    let message = InboxMessage { with: Peer::Group(title.clone()), origin: None, body, ..some_message()? };
    let (group, alice) = (message.conversation, message.from.clone());
    let author = Recipient { origin: DeviceId::new("phone").ok(), ..Recipient::member(alice.clone()) };
    let other = Recipient {
        standing: Standing::Invited,
        begins: true,
        ..Recipient::member(UserId::new("bob").ok()?)
    };
    let recipients = vec![author, other];
    let entries = recipients
        .iter()
        .map(|recipient| GroupEntry { offset: Offset(7), recipient: recipient.clone() })
        .collect();
    let facts = Facts {
        title,
        description: GroupDescription::new("at five").ok()?,
        policy: Policy::ADMINS_ADD,
        created_at: message.sent_at,
    };
    let memberships =
        vec![Membership { first: Seq(1), last: Some(Seq(2)) }, Membership { first: Seq(4), last: None }];
    let member = Member { place: Place::Joined(Role::Admin), memberships, ..Member::stranger() };
    let forward = Forward::Group { message: message.clone(), recipients }.encode();
    let from = Some((VnodeId(5), Position(6)));
    Some(vec![
        written_by(&message, Written::Group { author: alice.clone() }),
        Event::Forward { destination: VnodeId(4), position: Position(3), confirmed: Position(2), forward },
        Event::GroupEntries(GroupEntriesEvent { from, message, entries }),
        Event::Group { group, facts: facts.encode() },
        Event::Member { group, user: alice.clone(), member: member.encode() },
        Event::LastSent { group, user: alice, sent: Sent { seq: Seq(5), delivered: 3, read: 2 } },
    ])
}

fn written_by(message: &InboxMessage, written: Written) -> Event {
    Event::Message(MessageEvent {
        conversation: message.conversation,
        written,
        seq: message.seq,
        id: message.id,
        sent_at: message.sent_at,
        hash: [6; 16],
        body: message.body.clone(),
    })
}

fn some_devices() -> Option<Devices> {
    let device = Device {
        name: DeviceId::new("phone").ok()?,
        label: DeviceLabel::new("Alice's phone").ok(),
        registered_at: Timestamp(1_700_000_000_000),
        last_login: Timestamp(1_700_000_000_001),
        cursor: Offset(3),
        acknowledged: Offset(3),
    };
    Some(Devices { list: vec![device], ..Devices::default() })
}

fn some_revoked() -> Option<RevokedDevices> {
    Some(RevokedDevices { list: vec![(DeviceId::new("old").ok()?, Timestamp(1_700_000_000_002))] })
}

pub(crate) fn some_message() -> Option<InboxMessage> {
    let (alice, bob) = (UserId::new("alice").ok()?, UserId::new("bob").ok()?);
    Some(InboxMessage {
        conversation: ConversationId::direct(&alice, &bob),
        seq: Seq(5),
        id: MessageId::from_parts(Timestamp(1_700_000_000_000), [7; 10]),
        from: alice,
        with: bob.into(),
        origin: DeviceId::new("phone").ok(),
        sent_at: Timestamp(1_700_000_000_001),
        body: Body::new(BodyKind(0), Bytes::from_static(b"hello")).ok()?,
    })
}
