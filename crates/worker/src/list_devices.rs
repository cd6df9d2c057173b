//! A user's devices.

use iris_types::request::Answer;
use iris_vnode::list_devices;

use crate::state::Caller;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn list_devices(&mut self, slot: u32, caller: &Caller) {
        let Some(user) = self.users.get(slot) else { return };
        let Some(inbox) = user.inbox.as_ref() else { return };
        let is_online = |name: &_| user.sessions.iter().any(|session| session.device == *name);
        let (items, seen) = (list_devices::list(inbox, is_online), inbox.devices_touched);
        self.answer(caller, Answer::Devices(items), seen);
    }
}
