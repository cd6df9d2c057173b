//! Devices that end each other: who asks, what becomes of it, and the life after.

use std::collections::BTreeMap;

use iris_client_core::QueryNumber;
use iris_history::{Device, DeviceRevocationFact, Fact};
use iris_types::{DeviceLabel, ErrorCode, Refusal};

use crate::device::user_name;
use crate::world::World;

/// What a device knows of its own end, and of those that it has asked for.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Somebody asked for its end: nobody else does, so that each user keeps a device.
    is_targeted: bool,
    /// It was refused as revoked.
    pub(crate) is_revoked: bool,
    asked: BTreeMap<QueryNumber, Device>,
}

impl Standing {
    /// A question does not outlive the application.
    pub(crate) fn crash(&mut self) {
        self.asked.clear();
    }
}

impl World {
    /// One device of a user ends another, or itself. A user's last one is left alone.
    pub(crate) fn revoke_some_device(&mut self) {
        let user = user_name(self.random.usize(..usize::from(self.options.users)));
        let is_left = |index: &usize| {
            let process = self.devices.get(*index);
            process.is_some_and(|process| process.user == user && !process.standing.is_targeted)
        };
        let left: Vec<usize> = (0..self.devices.len()).filter(is_left).collect();
        if left.len() < 2 {
            return;
        }
        let (by, target) = (left[self.random.usize(..left.len())], left[self.random.usize(..left.len())]);
        let Some((name, ended)) = self.devices.get(target).map(|one| (one.name.clone(), one.device)) else {
            return;
        };
        let Some(process) = self.devices.get_mut(by) else { return };
        let (device, incarnation) = (process.device, process.incarnation);
        let Some(core) = &mut process.core else { return };
        // Too many questions is an answer, too.
        let _ = core.devices();
        if let Ok(label) = DeviceLabel::new("about to go") {
            let _ = core.rename_device(name.clone(), label);
        }
        let Ok(query) = core.revoke_device(name) else { return };
        process.standing.asked.insert(query, ended);
        if let Some(process) = self.devices.get_mut(target) {
            process.standing.is_targeted = true;
        }
        let fact = DeviceRevocationFact::Invoke { device: ended };
        self.recorder.fact(device, incarnation, Fact::DeviceRevocation(fact));
        self.device_turn(by);
    }

    /// A change is done; whether it was a revocation is known here.
    pub(super) fn change_done(&mut self, index: usize, query: QueryNumber) {
        let Some(process) = self.devices.get_mut(index) else { return };
        let (device, incarnation) = (process.device, process.incarnation);
        if let Some(ended) = process.standing.asked.remove(&query) {
            let fact = DeviceRevocationFact::Ok { device: ended };
            self.recorder.fact(device, incarnation, Fact::DeviceRevocation(fact));
        }
    }

    /// The machine goes no further. Its application tries again after a while: one that was revoked is refused for
    /// ever, whatever happens meanwhile, and gives up when the faults are over.
    pub(super) fn device_stopped(&mut self, index: usize, refusal: Refusal) {
        let Some(process) = self.devices.get_mut(index) else { return };
        process.standing.is_revoked |= refusal.code == ErrorCode::DeviceRevoked;
        let device = process.device;
        self.recorder.note(|| format!("device {} stops: {refusal}", device.0));
        let back_in_ms = self.random.u64(50..1_500);
        self.crash_device(index, back_in_ms);
    }
}
