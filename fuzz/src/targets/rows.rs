//! Rows of every kind: reading their keys and values is total. The first byte says which kind is tried.

use bytes::Bytes;
use iris_types::UserId;
use iris_vnode::{Devices, Event, Forward, Malformed, RevokedDevices, rows};

use super::events::some_events;
use crate::{behaviour, behaviour_of_text};

/// Bytes of the key in front of the value.
const KEY_BYTES: usize = 24;
/// Kinds of rows.
const KINDS: u8 = 10;

pub(crate) fn run(input: &[u8]) -> u64 {
    let Some((kind, rest)) = input.split_first() else { return 0 };
    let (key, value) = rest.split_at(KEY_BYTES.min(rest.len()));
    let outcome = read(kind % KINDS, key, Bytes::copy_from_slice(value));
    let keys = [
        rows::split_inbox_key(key).is_some(),
        rows::split_last_offset_key(key).is_some(),
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
        0 => rows::read_history(key, value, [&owner, &owner]).map(drop),
        1 => rows::read_inbox(key, value, &owner).map(drop),
        2 => rows::read_dedup(value).map(drop),
        3 => rows::read_conversation(value).map(drop),
        4 => rows::read_offset(value).map(drop),
        5 => rows::read_listed(value).map(drop),
        6 => rows::read_outgoing(value).map(drop),
        7 => Devices::decode(value).map(drop),
        8 => RevokedDevices::decode(value).map(drop),
        _ => Forward::decode(value).map(drop),
    }
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
            seeds.push([&[9; KEY_BYTES + 1][..], &forward].concat());
        }
    }
    seeds
}
