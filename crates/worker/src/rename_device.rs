//! A device gets a label.

use iris_types::request::{Answer, RenameDevice};
use iris_types::{ErrorCode, Refusal};
use iris_vnode::{Stamp, rename_device};

use crate::state::Caller;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn rename_device(&mut self, slot: u32, caller: &Caller, rename: &RenameDevice) {
        if let Some(refusal) = self.sheds_change() {
            return self.refuse(caller, refusal, Stamp::default());
        }
        let (now, stamp) = (self.now, self.log.stamp(&self.config.limits));
        let Some(user) = self.users.get_mut(slot) else { return };
        let vnode = user.vnode;
        let Some(inbox) = user.inbox.as_mut() else { return };
        match rename_device::decide(inbox, &caller.user, rename, now, stamp) {
            Ok(event) => {
                let after = inbox.devices_touched;
                if let Some(event) = event {
                    self.commit(vnode, event, None);
                }
                self.answer(caller, Answer::Done, after);
            }
            Err(code) => self.refuse_after_proof(caller, Refusal::new(code)),
        }
    }

    /// Why a change of a user's devices is not taken now: it would wait for room, or behind too much.
    pub(crate) fn sheds_change(&self) -> Option<Refusal> {
        if self.is_full {
            return Some(Refusal::after(
                ErrorCode::StorageFull,
                iris_types::limits::STORAGE_FULL_RETRY_AFTER_MS,
            ));
        }
        let is_busy = self.log.is_full(&self.config.limits);
        is_busy.then_some(Refusal::after(ErrorCode::Busy, iris_types::limits::BUSY_RETRY_AFTER_MS))
    }
}
