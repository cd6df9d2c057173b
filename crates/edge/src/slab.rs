//! The connections of one event loop: slots that are used again under a new generation.

use crate::connection::Connection;

/// Connections by slot. A slot costs 16 bytes, its connection is boxed: growing moves little.
#[derive(Default)]
pub(crate) struct Slab {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

/// Address of a connection in its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

impl Key {
    /// As it travels through epoll.
    pub(crate) fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    pub(crate) fn from_u64(value: u64) -> Self {
        Self { slot: value as u32, generation: (value >> 32) as u32 }
    }
}

impl Slab {
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// Puts in what `make` makes for the key; `None` when it makes nothing, or 2^32 slots are taken.
    pub(crate) fn insert(&mut self, make: impl FnOnce(Key) -> Option<Connection>) -> Option<Key> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot::default());
                slot
            }
        };
        let place = self.slots.get_mut(slot as usize)?;
        // 0 belongs to the loop's own descriptors.
        place.generation = place.generation.wrapping_add(1).max(1);
        let key = Key { slot, generation: place.generation };
        match make(key) {
            Some(connection) => place.connection = Some(Box::new(connection)),
            None => {
                self.free.push(slot);
                return None;
            }
        }
        Some(key)
    }

    pub(crate) fn at(&mut self, key: Key) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(key.slot as usize).filter(|slot| slot.generation == key.generation)?;
        slot.connection.as_deref_mut()
    }

    /// The connection in a slot, whatever its generation.
    pub(crate) fn in_slot(&mut self, slot: usize) -> Option<(Key, &mut Connection)> {
        let place = self.slots.get_mut(slot)?;
        let key = Key { slot: u32::try_from(slot).ok()?, generation: place.generation };
        place.connection.as_deref_mut().map(|connection| (key, connection))
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Box<Connection>> {
        let slot = self.slots.get_mut(key.slot as usize).filter(|slot| slot.generation == key.generation)?;
        let connection = slot.connection.take()?;
        self.free.push(key.slot);
        Some(connection)
    }
}
