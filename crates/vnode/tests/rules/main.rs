//! The domain's rules as data: a state, a command, what is decided.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod creations;
mod devices;
mod group;
mod histories;
mod layouts;
mod lists;
mod logins;
mod matrix;
mod places;
mod random_changes;
mod sends;
mod streams;

use bytes::Bytes;
use iris_types::{Body, BodyKind, DeviceId, MessageId, Timestamp, UserId};

/// The time at which everything is decided.
pub(crate) const NOW: u64 = 1_790_000_000_000;

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn device(name: &str) -> DeviceId {
    DeviceId::new(name).unwrap()
}

pub(crate) fn id(number: u8, at: u64) -> MessageId {
    MessageId::from_parts(Timestamp(at), [number; 10])
}

pub(crate) fn body(text: &str) -> Body {
    Body::new(BodyKind::TEXT, Bytes::copy_from_slice(text.as_bytes())).unwrap()
}
