//! The time between the last fault and the inventory: everybody watches everybody, somebody goes and comes back, and
//! nothing else happens, so that each device must have been told what is so.

use iris_client_core::Question;
use iris_history::Observation;

use crate::device::{DeviceProcess, user_name};
use crate::world::{Event, World};

/// Milliseconds after which everybody must know who is there, whatever became of connections and processes.
const KNOWN_MS: u64 = 32_000;
/// Milliseconds in which a change must be known when nothing is broken.
const TOLD_MS: u64 = 2_000;

impl World {
    /// `false` when something does not settle.
    pub(crate) fn quiet_time(&mut self) -> bool {
        let watchers: Vec<usize> = (0..self.devices.len()).collect();
        for index in watchers {
            let watched = self.everybody_else(index);
            self.ask(index, Question::Watch(watched));
            // A group that nobody looks at after a restart tells its authors later.
            for group in self.groups.clone() {
                self.ask(index, Question::Group(group));
            }
            self.device_turn(index);
        }
        if !self.settle() {
            return false;
        }
        // Long enough for leases to need renewing, or not.
        let until = self.now + self.random.u64(1_000..40_000);
        self.pass(until);
        let user = user_name(self.random.usize(..usize::from(self.options.users)));
        let is_theirs = |process: &DeviceProcess| process.user == user && !process.is_retired();
        let theirs: Vec<usize> =
            (0..self.devices.len()).filter(|index| self.devices.get(*index).is_some_and(is_theirs)).collect();
        theirs.iter().for_each(|index| self.sleep_device(*index));
        self.pass(self.now + KNOWN_MS);
        self.recorder.observe(Observation::Quiet);
        for index in theirs {
            if let Some(process) = self.devices.get_mut(index) {
                process.is_asleep = false;
            }
            self.schedule(self.now, Event::DeviceStart { device: index });
        }
        if !self.settle() {
            return false;
        }
        self.pass(self.now + TOLD_MS);
        self.recorder.observe(Observation::Quiet);
        if self.options.tells_everything() {
            self.recorder.observe(Observation::Told);
        }
        true
    }

    fn pass(&mut self, until: u64) {
        while self.may_go_on() && self.step(until) {}
    }

    /// The application is closed and nobody opens it.
    fn sleep_device(&mut self, index: usize) {
        self.close_device_end(index);
        if let Some(process) = self.devices.get_mut(index) {
            process.core = None;
            process.is_asleep = true;
            process.incarnation += 1;
        }
    }
}
