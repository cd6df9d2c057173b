//! Chunks of events: total, written back to the same meaning, and turned into rows without a panic.

use bytes::Bytes;
use iris_types::{
    Body, BodyKind, ConversationId, DeviceId, DeviceLabel, Epoch, InboxMessage, MessageId, Offset, Position,
    Seq, Timestamp, UserId, VnodeId,
};
use iris_vnode::devices::Device;
use iris_vnode::events::{EntryEvent, MessageEvent};
use iris_vnode::{ChunkReader, ChunkWriter, Devices, Event, Forward, Malformed, RevokedDevices, Side};

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
    assert!(rows > 0 && bytes > 0, "an event that changes nothing");
    let inside = match event {
        Event::Forward { forward, .. } => Forward::decode(forward.clone()).map(|_| 1),
        Event::Devices { devices, .. } => Devices::decode(devices.clone()).map(|_| 2),
        Event::RevokedDevices { revoked, .. } => RevokedDevices::decode(revoked.clone()).map(|_| 4),
        Event::Message(_) | Event::Entry(_) | Event::Stream { .. } => Ok(3),
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
    let message = some_message()?;
    let (alice, bob) = (message.from.clone(), message.with.clone());
    let forward = Forward { to: bob.clone(), message: message.clone() }.encode();
    Some(vec![
        Event::Message(MessageEvent {
            conversation: message.conversation,
            lower: alice.clone(),
            higher: bob,
            side: Side::from_number(0)?,
            seq: message.seq,
            id: message.id,
            sent_at: message.sent_at,
            hash: [6; 16],
            body: message.body.clone(),
        }),
        Event::Entry(EntryEvent { user: alice.clone(), offset: Offset(9), from: None, message }),
        Event::Forward { destination: VnodeId(4), position: Position(3), confirmed: Position(2), forward },
        Event::Stream { destination: VnodeId(4), last: Position(3), confirmed: Position(3) },
        Event::Devices { user: alice.clone(), devices: Devices::default().encode() },
        Event::Devices { user: alice.clone(), devices: some_devices()?.encode() },
        Event::RevokedDevices { user: alice, revoked: some_revoked()?.encode() },
    ])
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
        with: bob,
        origin: DeviceId::new("phone").ok(),
        sent_at: Timestamp(1_700_000_000_001),
        body: Body::new(BodyKind(0), Bytes::from_static(b"hello")).ok()?,
    })
}
