//! Connections: bytes in order, in pieces, late, and gone at any moment.

use std::collections::BTreeMap;

use crate::tap::Tap;

/// A connection's number; ascending, never used twice.
pub(crate) type LinkId = u32;

/// One connection.
pub(crate) struct Link {
    pub(crate) device: usize,
    /// The life of the server process that accepted it.
    pub(crate) life: u32,
    /// When the last bytes of each direction arrive: the next ones not before.
    to_server_at: u64,
    to_device_at: u64,
    /// Bytes on their way are lost.
    pub(crate) cut: bool,
    pub(crate) device_open: bool,
    pub(crate) server_open: bool,
    /// What passes, frame by frame, below the device's filter of duplicates.
    pub(crate) tap: Tap,
    /// When the token of the login was issued.
    pub(crate) issued_at: u64,
}

#[derive(Default)]
pub(crate) struct Network {
    pub(crate) links: BTreeMap<LinkId, Link>,
    next: LinkId,
}

impl Network {
    pub(crate) fn open(&mut self, device: usize, life: u32, issued_at: u64) -> LinkId {
        let id = self.next;
        self.next += 1;
        let link = Link {
            device,
            life,
            to_server_at: 0,
            to_device_at: 0,
            cut: false,
            device_open: true,
            server_open: true,
            tap: Tap::default(),
            issued_at,
        };
        self.links.insert(id, link);
        id
    }

    /// Forgets connections that both ends have closed.
    pub(crate) fn sweep(&mut self, id: LinkId) {
        if self.links.get(&id).is_some_and(|link| !link.device_open && !link.server_open) {
            self.links.remove(&id);
        }
    }
}

#[allow(clippy::wrong_self_convention)] // directions, not conversions
impl Link {
    /// When bytes sent to the server now arrive there.
    pub(crate) fn to_server(&mut self, now: u64, delay: u64) -> u64 {
        self.to_server_at = self.to_server_at.max(now + delay);
        self.to_server_at
    }

    pub(crate) fn to_device(&mut self, now: u64, delay: u64) -> u64 {
        self.to_device_at = self.to_device_at.max(now + delay);
        self.to_device_at
    }
}

/// Cuts bytes in up to three pieces, at any byte.
pub(crate) fn pieces(bytes: Vec<u8>, random: &mut fastrand::Rng) -> Vec<Vec<u8>> {
    if bytes.len() < 2 || random.u8(..3) > 0 {
        return vec![bytes];
    }
    let mut first = bytes;
    let mut second = first.split_off(random.usize(1..first.len()));
    if second.len() < 2 || random.bool() {
        return vec![first, second];
    }
    let third = second.split_off(random.usize(1..second.len()));
    vec![first, second, third]
}
