//! Keys and values of every kind of row. Integers are big-endian; names contain no zero byte, so a zero ends
//! them in keys.
//!
//! | table   | key                                    | value |
//! |---------|----------------------------------------|-------|
//! | History | conversation 16, seq 8                 | author, id 16, sent-at 8, kind 1, body |
//! | Inbox   | user, 0, offset 8                      | [`crate::item`] |
//! | Dedup   | id 16, conversation 16, author         | seq 8, sent-at 8, hash 16 |
//! | Head    | `c`, conversation 16                   | last seq 8, lower name (1 + n), higher name (1 + n); of a group: last seq 8, 0 |
//! | Head    | `k`, conversation 16                   | of a direct one, both sides: delivered 8, read 8, blocks 1 |
//! | Head    | `g`, group 16, 0                       | [`crate::group::Facts`] |
//! | Head    | `g`, group 16, 1, user                 | [`crate::group::Member`] |
//! | Head    | `g`, group 16, 2, user                 | seq 8 of the last message that is not a change, told of it: delivered 4, read 4 |
//! | Head    | `o`, user                              | last offset 8 |
//! | Head    | `t`, user                              | trimmed-to 8: entries up to here are gone |
//! | Head    | `d`, user                              | [`crate::Devices`] |
//! | Head    | `v`, user                              | [`crate::RevokedDevices`]; none for nearly everybody |
//! | Head    | `e`, user                              | [`crate::settings`]; none for who changed nothing |
//! | Head    | `x`, user, 0, conversation 16, 0       | [`Listed`] |
//! | Head    | `x`, user, 0, conversation 16, 1       | [`crate::Line`]; none before the user wrote, read or set something |
//! | Head    | `s`, destination vnode 2               | last position given 8, last position confirmed 8 |
//! | Head    | `w`, source vnode 2                    | last position taken 8 |
//! | Stream  | destination vnode 2, position 8        | [`crate::Forward`] |
//!
//! An author is the side (1) of a direct conversation, 0 or 1, or 2 and a name (1 + n). A dedup key begins with the id
//! because ids begin with their time: a new id lies outside of every older run.

mod conversation;
mod inbox;

pub use conversation::*;
pub use inbox::*;

use bytes::{BufMut, Bytes};
use iris_tables::{Table, Window};
use iris_types::{Body, Offset, Position, UserId, VnodeId};

use crate::codec::{Malformed, Reader};
use crate::events::PutRow;

/// Room for all of a row but its body.
const ROOM_BYTES: usize = 512; // layout

/// One row after the other of an event.
#[derive(Debug, Default)]
pub struct RowBuffer {
    bytes: Vec<u8>,
    key_bytes: usize,
}

impl RowBuffer {
    #[must_use]
    pub fn for_body(body: &Body) -> Self {
        Self { bytes: Vec::with_capacity(ROOM_BYTES + body.bytes().len()), key_bytes: 0 }
    }

    /// Begins a row with the key that `write` puts.
    pub fn key(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.bytes.clear();
        write(&mut self.bytes);
        self.key_bytes = self.bytes.len();
    }

    /// Then the value that `write` puts.
    pub fn value(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
    }

    /// The row is whole.
    pub fn hand_to(&self, put: &mut PutRow<'_>, table: Table, window: Window) {
        let (key, value) = self.bytes.split_at(self.key_bytes);
        put(table, window, key, value);
    }
}

fn cut(capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = Vec::with_capacity(capacity);
    write(&mut bytes);
    Bytes::from(bytes)
}

#[must_use]
pub fn last_offset_key(user: &UserId) -> Bytes {
    head_key(b'o', user.as_bytes())
}

pub fn put_last_offset_key(bytes: &mut Vec<u8>, user: &UserId) {
    put_head_key(bytes, b'o', user.as_bytes());
}

#[must_use]
pub fn trimmed_key(user: &[u8]) -> Bytes {
    head_key(b't', user)
}

#[must_use]
pub fn devices_key(user: &UserId) -> Bytes {
    head_key(b'd', user.as_bytes())
}

#[must_use]
pub fn revoked_devices_key(user: &UserId) -> Bytes {
    head_key(b'v', user.as_bytes())
}

#[must_use]
pub fn settings_key(user: &UserId) -> Bytes {
    head_key(b'e', user.as_bytes())
}

/// Name of the user when the key is that of a last offset.
#[must_use]
pub fn split_last_offset_key(key: &[u8]) -> Option<&[u8]> {
    key.strip_prefix(b"o")
}

#[must_use]
pub fn offset_value(offset: Offset) -> Bytes {
    Bytes::copy_from_slice(&offset.0.to_be_bytes())
}

pub fn read_offset(value: Bytes) -> Result<Offset, Malformed> {
    let mut reader = Reader::new(value, "offset row");
    let offset = reader.offset()?;
    reader.end()?;
    Ok(offset)
}

#[must_use]
pub fn outgoing_key(destination: VnodeId) -> Bytes {
    head_key(b's', &destination.0.to_be_bytes())
}

#[must_use]
pub fn outgoing_value(last: Position, confirmed: Position) -> Bytes {
    cut(16, |bytes| put_outgoing_value(bytes, last, confirmed))
}

pub fn put_outgoing_value(bytes: &mut Vec<u8>, last: Position, confirmed: Position) {
    bytes.put_u64(last.0);
    bytes.put_u64(confirmed.0);
}

pub fn read_outgoing(value: Bytes) -> Result<(Position, Position), Malformed> {
    let mut reader = Reader::new(value, "outgoing stream row");
    let positions = (reader.position()?, reader.position()?);
    reader.end()?;
    Ok(positions)
}

#[must_use]
pub fn watermark_key(source: VnodeId) -> Bytes {
    head_key(b'w', &source.0.to_be_bytes())
}

pub fn read_watermark(value: Bytes) -> Result<Position, Malformed> {
    read_offset(value).map(|value| Position(value.0))
}

/// The vnode that an outgoing-stream or watermark key names.
#[must_use]
pub fn split_vnode_key(key: &[u8]) -> Option<VnodeId> {
    let vnode: [u8; 2] = key.get(1..)?.try_into().ok()?;
    Some(VnodeId(u16::from_be_bytes(vnode)))
}

#[must_use]
pub fn stream_key(destination: VnodeId, position: Position) -> Bytes {
    cut(10, |bytes| put_stream_key(bytes, destination, position))
}

pub fn put_stream_key(bytes: &mut Vec<u8>, destination: VnodeId, position: Position) {
    bytes.put_u16(destination.0);
    bytes.put_u64(position.0);
}

/// Destination and position of a stream row's key.
#[must_use]
pub fn split_stream_key(key: &[u8]) -> Option<(VnodeId, Position)> {
    let mut reader = Reader::new(Bytes::copy_from_slice(key), "stream key");
    Some((reader.vnode().ok()?, reader.position().ok()?))
}

fn head_key(kind: u8, name: &[u8]) -> Bytes {
    cut(1 + name.len(), |bytes| put_head_key(bytes, kind, name))
}

fn put_head_key(bytes: &mut Vec<u8>, kind: u8, name: &[u8]) {
    bytes.put_u8(kind);
    bytes.put_slice(name);
}
