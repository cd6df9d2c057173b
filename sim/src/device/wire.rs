//! What a device's machine has to say goes to the network; when it wants to be looked at.

use iris_client_core::ClientCore;

use crate::network::pieces;
use crate::tap::Owner;
use crate::world::{Event, World};

impl World {
    pub(super) fn transmit(&mut self, index: usize) {
        let mut bytes = Vec::new();
        let Some(process) = self.devices.get_mut(index) else { return };
        let Some(core) = &mut process.core else { return };
        if !core.transmit(&mut bytes) {
            return;
        }
        let Some(id) = process.link else { return };
        let Some(link) = self.network.links.get_mut(&id).filter(|link| link.device_open) else { return };
        let owner = Owner {
            device: process.device,
            incarnation: process.incarnation,
            user: &process.user,
            issued_at: link.issued_at,
        };
        link.tap.outgoing(&bytes, &owner, &mut self.recorder);
        for bytes in pieces(bytes, &mut self.random) {
            let delay = self.latency();
            let Some(link) = self.network.links.get_mut(&id) else { return };
            let at = link.to_server(self.now, delay);
            self.schedule(at, Event::ToServer { link: id, bytes });
        }
    }

    pub(super) fn schedule_device_tick(&mut self, index: usize) {
        let now = self.now;
        let Some(process) = self.devices.get_mut(index) else { return };
        let Some(deadline) = process.core.as_ref().and_then(ClientCore::deadline) else { return };
        // A deadline that has passed is looked at once per millisecond.
        let at = deadline.0.max(now + 1);
        if process.tick_at.is_none_or(|planned| planned > at) {
            process.tick_at = Some(at);
            self.schedule(at, Event::DeviceTick { device: index });
        }
    }
}
