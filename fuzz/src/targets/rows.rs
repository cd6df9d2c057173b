//! Rows of every kind: reading their keys and values is total, and what can be written again is the same. The first byte
//! says which kind is tried.

use std::fmt::Debug;

use bytes::Bytes;
use iris_types::{Seq, UserId};
use iris_vnode::group::{Facts, Member};
use iris_vnode::list_conversations::Gathering;
use iris_vnode::rows::Listed;
use iris_vnode::{Devices, Event, Forward, Line, Malformed, RevokedDevices, item, rows, settings};

use super::events::some_events;
use crate::{behaviour, behaviour_of_text};

/// Bytes of the key in front of the value.
const KEY_BYTES: usize = 24;
/// Kinds of rows.
const KINDS: u8 = 18;

pub(crate) fn run(input: &[u8]) -> u64 {
    let Some((kind, rest)) = input.split_first() else { return 0 };
    let (key, value) = rest.split_at(KEY_BYTES.min(rest.len()));
    let outcome = read(kind % KINDS, key, Bytes::copy_from_slice(value));
    let keys = [
        rows::split_inbox_key(key).is_some(),
        rows::split_last_offset_key(key).is_some(),
        rows::split_list_key(key).is_some(),
        rows::split_vnode_key(key).is_some(),
        rows::split_stream_key(key).is_some(),
    ];
    let keys = keys.iter().fold(0, |bits, known| bits << 1 | u64::from(*known));
    let outcome = outcome.map_or_else(|error| behaviour_of_text(&error.to_string()), |()| 1);
    behaviour(&[u64::from(kind % KINDS), outcome, keys])
}

fn read(kind: u8, key: &[u8], value: Bytes) -> Result<(), Malformed> {
    let Ok(owner) = UserId::new("alice") else { return Ok(()) };
    match kind {
        0 => rows::read_history(key, value, Some([&owner, &owner])).map(drop),
        1 => rows::read_history(key, value, None).map(drop),
        2 => again(item::decode(value, &owner)?, item::encode, |value| item::decode(value, &owner)),
        3 => rows::read_dedup(value).map(drop),
        4 => rows::read_conversation(value).map(drop),
        5 => rows::read_offset(value).map(drop),
        6 => again(Listed::decode(value)?, Listed::encode, Listed::decode),
        7 => rows::read_outgoing(value).map(drop),
        8 => Devices::decode(value).map(drop),
        9 => RevokedDevices::decode(value).map(drop),
        10 => again(Forward::decode(value)?, Forward::encode, Forward::decode),
        11 => read_line(value),
        12 => again(Facts::decode(value)?, Facts::encode, Facts::decode),
        13 => again(Member::decode(value)?, Member::encode, Member::decode),
        14 => rows::read_sides(value).map(drop),
        15 => again(settings::decode(value)?, |one| settings::encode(*one), settings::decode),
        16 => again(rows::read_last_sent(value)?, |sent| rows::last_sent_value(*sent), rows::read_last_sent),
        _ => read_lists(key, &value),
    }
}

fn again<T: Debug + PartialEq>(
    read: T,
    write: impl Fn(&T) -> Bytes,
    decode: impl Fn(Bytes) -> Result<T, Malformed>,
) -> Result<(), Malformed> {
    assert_eq!(decode(write(&read)).as_ref(), Ok(&read), "a row changes when it is written again");
    Ok(())
}

/// A line is counted with, whatever it says.
fn read_line(value: Bytes) -> Result<(), Malformed> {
    let mut line = Line::decode(value)?;
    again(line.clone(), Line::encode, Line::decode)?;
    let (read, unread) = (line.read, line.unread(Seq(u64::MAX)));
    line.mark(Seq(read.0.saturating_add(7)));
    assert!(line.read >= read && line.unread(Seq(u64::MAX)) <= unread, "a mark makes more unread");
    line.write(Seq(u64::MAX));
    Ok(())
}

/// The value as rows of a group and of a list, cut in pieces.
fn read_lists(key: &[u8], value: &Bytes) -> Result<(), Malformed> {
    let piece = |start: usize| value.slice(start.min(value.len())..(start + 40).min(value.len()));
    let row = |start| (Bytes::copy_from_slice(key), piece(start));
    let found: Vec<(Bytes, Bytes)> = (0..value.len()).step_by(40).map(row).collect();
    let request = iris_types::request::ListConversations { after: None, limit: 3 };
    let mut gathering = Gathering::new(&request);
    let asked = gathering.rows();
    if gathering.take(found.clone(), asked).is_ok() {
        assert!(gathering.finish().items.len() <= 3);
    }
    rows::read_roster(found).map(drop)
}

/// The rows that some events make, under every kind.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for event in some_events().unwrap_or_default() {
        event.rows(&mut |_, _, key, value| {
            let mut key = key.to_vec();
            key.resize(KEY_BYTES, 0);
            seeds.extend((0..KINDS).map(|kind| [&[kind][..], &key, value].concat()));
        });
        if let Event::Forward { forward, .. } = event {
            seeds.push([&[10; KEY_BYTES + 1][..], &forward].concat());
        }
    }
    seeds
}
