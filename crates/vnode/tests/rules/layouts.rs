use bytes::Bytes;
use iris_tables::Table;
use iris_types::{ConversationId, Epoch, InboxMessage, Offset, Position, Seq, Timestamp, VnodeId};
use iris_vnode::devices::Device;
use iris_vnode::events::{EntryEvent, MessageEvent};
use iris_vnode::{ChunkReader, ChunkWriter, Devices, Event, Forward, Side, rows};

use crate::{NOW, body, device, id, user};

fn inbox_message(own: bool) -> InboxMessage {
    InboxMessage {
        conversation: ConversationId([3; 16]),
        seq: Seq(7),
        id: id(1, NOW),
        from: user(if own { "a" } else { "b" }),
        with: user("b"),
        origin: own.then(|| device("phone")),
        sent_at: Timestamp(NOW),
        body: body("hello"),
    }
}

fn devices() -> Devices {
    Devices {
        list: vec![Device { name: device("d"), cursor: Offset(4), acknowledged: Offset(4) }],
        revoked_before: Timestamp(5),
        revoked: vec![([6; 16], Timestamp(7))],
        nonces_ahead: vec![([8; 16], Timestamp(9))],
    }
}

/// One of each kind; the first entry shares the message's body.
fn events() -> Vec<Event> {
    let message = inbox_message(true);
    let shared = message.body.clone();
    let event = MessageEvent {
        conversation: message.conversation,
        lower: user("a"),
        higher: user("b"),
        side: Side::Lower,
        seq: Seq(7),
        id: message.id,
        sent_at: message.sent_at,
        hash: [9; 16],
        body: shared,
    };
    let from = Some((VnodeId(4), Position(5)));
    let forward = Forward { to: user("b"), message: inbox_message(false) }.encode();
    vec![
        Event::Message(event),
        Event::Entry(EntryEvent { user: user("a"), offset: Offset(1), from: None, message }),
        Event::Entry(EntryEvent { user: user("a"), offset: Offset(2), from, message: inbox_message(false) }),
        Event::Forward { destination: VnodeId(6), position: Position(8), confirmed: Position(7), forward },
        Event::Stream { destination: VnodeId(6), last: Position(8), confirmed: Position(8) },
        Event::Devices { user: user("a"), devices: devices().encode() },
    ]
}

fn chunk() -> Bytes {
    let mut writer = ChunkWriter::default();
    events().iter().for_each(|event| writer.push(VnodeId(2), Epoch(3), event));
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

#[test]
fn a_chunk_reads_back() {
    assert_eq!(read(chunk()), Ok(events()));
    assert!(ChunkWriter::default().is_empty());
    // Bodies are in it once per message, not once per inbox.
    let bodies = chunk().windows(5).filter(|window| *window == b"hello").count();
    assert_eq!(bodies, 3, "of the message, the second entry and the forward");
}

#[test]
fn cut_or_flipped_chunks_never_panic() {
    let whole = chunk();
    for length in 0..whole.len() {
        let read = read(whole.slice(..length));
        assert!(read.is_err() || read.is_ok_and(|events| events.len() < 6), "{length}");
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

/// Persisted: these bytes must never change.
#[test]
fn rows_keep_their_layout() {
    let mut found = Vec::new();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for event in events() {
        event.rows(&mut |table, window, key, value| {
            found.push(format!("{table:?} {} {} {}", window.0, hex(key), hex(value)));
        });
    }
    let expected = include_str!("rows.txt");
    assert_eq!(found.join("\n"), expected.trim_end(), "the rows in tests/rules/rows.txt");
    assert_eq!(hex(&chunk()), include_str!("chunk.txt").trim_end());
}

#[test]
fn rows_read_back() {
    for own in [true, false] {
        let message = inbox_message(own);
        let key = rows::inbox_key(&user("a"), Offset(9));
        let entry = rows::read_inbox(&key, rows::inbox_value(&message), &user("a")).unwrap();
        assert_eq!((entry.offset, &entry.item), (Offset(9), &iris_types::InboxItem::Message(message)));
    }
    assert_eq!(Devices::decode(devices().encode()), Ok(devices()));
    let forward = Forward { to: user("zed"), message: inbox_message(false) };
    assert_eq!(Forward::decode(forward.encode()), Ok(forward));
    assert_eq!(rows::split_inbox_key(&rows::inbox_key(&user("a"), Offset(9))), Some((&b"a"[..], Offset(9))));
    let mut tables = Vec::new();
    events().iter().for_each(|event| event.rows(&mut |table, _, _, _| tables.push(table)));
    assert!(tables.contains(&Table::Stream) && tables.contains(&Table::Dedup));
}
