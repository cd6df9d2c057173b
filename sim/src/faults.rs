//! What goes wrong, when, and how it is healed.

use iris_history::Fact;
use iris_store_local::simulated::Call;

use crate::device::user_name;
use crate::network::LinkId;
use crate::world::{Event, World};

/// Milliseconds that a clock may be off.
const SKEW_MS_MAX: i64 = 30_000;
const DAY_MS: u64 = 24 * 3_600_000;

/// One kind of thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    ServerCrash,
    LinkCut,
    DeviceCrash,
    DiskError,
    DiskFull,
    Drain,
    ClockJump,
    Revocation,
    Days,
    DeviceRevocation,
}

impl Fault {
    const ALL: [Self; 10] = [
        Self::ServerCrash,
        Self::LinkCut,
        Self::DeviceCrash,
        Self::DiskError,
        Self::DiskFull,
        Self::Drain,
        Self::ClockJump,
        Self::Revocation,
        Self::Days,
        Self::DeviceRevocation,
    ];
}

impl World {
    pub(crate) fn plan_faults(&mut self) {
        Fault::ALL.into_iter().for_each(|fault| self.plan(fault));
    }

    /// Milliseconds between two of them, on average; 0: none.
    fn every_ms(&self, fault: Fault) -> u64 {
        let options = &self.options;
        match fault {
            Fault::ServerCrash => options.crash_every_ms,
            Fault::LinkCut => options.cut_every_ms,
            Fault::DeviceCrash => options.device_crash_every_ms,
            Fault::DiskError => options.disk_error_every_ms,
            Fault::DiskFull => options.full_every_ms,
            Fault::Drain => options.drain_every_ms,
            Fault::ClockJump => options.clock_jump_every_ms,
            Fault::Revocation => options.revoke_every_ms,
            Fault::Days => options.days_every_ms,
            Fault::DeviceRevocation => options.revoke_device_every_ms,
        }
    }

    fn plan(&mut self, fault: Fault) {
        let every_ms = self.every_ms(fault);
        if every_ms > 0 {
            let at = self.now + self.random.u64(1..=2 * every_ms);
            self.schedule(at, Event::Fault(fault));
        }
    }

    pub(crate) fn begin_fault(&mut self, fault: Fault) {
        if !self.is_traffic {
            return;
        }
        self.plan(fault);
        self.recorder.note(|| format!("fault: {fault:?}"));
        match fault {
            Fault::ServerCrash => self.server_crash(),
            Fault::LinkCut => self.cut_some_link(),
            Fault::DeviceCrash => {
                let index = self.random.usize(..self.devices.len());
                let back_in_ms = self.random.u64(1..1_500);
                self.crash_device(index, back_in_ms);
            }
            Fault::DiskError => {
                let calls =
                    [Call::SyncData, Call::SyncData, Call::SyncData, Call::Write, Call::SyncDirectory];
                let call = calls[self.random.usize(..calls.len())];
                self.storage.fail_next(call);
            }
            Fault::DiskFull => self.fill_disk(),
            Fault::Drain => self.drain_server(),
            Fault::ClockJump => self.jump_some_clock(),
            Fault::Revocation => {
                let user = self.random.usize(..usize::from(self.options.users));
                self.revoke(user_name(user));
            }
            Fault::DeviceRevocation => self.revoke_some_device(),
            Fault::Days => {
                // No connection outlives days without a byte.
                let links: Vec<LinkId> = self.network.links.keys().copied().collect();
                links.into_iter().for_each(|link| self.cut_link(link));
                let days = [1, 8, 20, 31, 40][self.random.usize(..5)];
                self.days_ms += days * DAY_MS + self.random.u64(..DAY_MS);
            }
        }
    }

    pub(crate) fn end_fault(&mut self, fault: Fault) {
        match fault {
            Fault::ServerCrash if self.storage.is_dead() || self.storage.power_is_about_to_go() => {
                self.crash_server(true);
            }
            Fault::DiskFull => self.storage.set_capacity(None),
            _ => {}
        }
    }

    /// Everything that is broken is repaired; what was lost stays lost.
    pub(crate) fn heal(&mut self) {
        self.is_traffic = false;
        self.options.disk_ms_max = self.options.disk_ms_max.min(4);
        self.options.slow_log_ms_max = 0;
        self.options.slow_read_ms_max = 0;
        self.options.unruly_frames = false;
        self.storage.set_capacity(None);
        // Faults that are planned end with the process that they were planned for.
        if self.storage.power_is_about_to_go() {
            self.crash_server(true);
        } else if self.storage.is_faulty {
            self.crash_server(false);
        }
        self.server.skew_ms = 0;
        for process in &mut self.devices {
            process.skew_ms = 0;
        }
        let cut: Vec<LinkId> =
            self.network.links.iter().filter(|(_, link)| link.cut).map(|(id, _)| *id).collect();
        for link in cut {
            self.schedule(self.now + 10, Event::DeviceSees { link });
            self.schedule(self.now + 10, Event::ServerSees { link });
        }
        self.recorder.fact(
            iris_history::Device::NOBODY,
            0,
            Fact::Observed(iris_history::Observation::Healed { bound_ms: crate::run::SETTLE_MS_MAX }),
        );
    }

    /// Mostly in the middle of what the disk does next: that is where it hurts.
    fn server_crash(&mut self) {
        if self.options.only_kills {
            return self.crash_server(false);
        }
        if self.random.u8(..5) == 0 {
            let power = self.random.bool();
            return self.crash_server(power);
        }
        let changes = self.random.u64(0..12);
        self.storage.cut_power_soon(changes);
        let at = self.now + self.random.u64(50..500);
        self.schedule(at, Event::FaultEnds(Fault::ServerCrash));
    }

    fn cut_some_link(&mut self) {
        let open: Vec<LinkId> =
            self.network.links.iter().filter(|(_, link)| !link.cut).map(|(id, _)| *id).collect();
        if open.is_empty() {
            return;
        }
        let id = open[self.random.usize(..open.len())];
        if self.random.bool() {
            return self.cut_link(id);
        }
        // The device loses its end only, and comes back while the server still works on what it sent.
        self.schedule(self.now, Event::DeviceSees { link: id });
    }

    fn cut_link(&mut self, id: LinkId) {
        if let Some(link) = self.network.links.get_mut(&id) {
            link.cut = true;
        }
        let device_at = self.now + self.random.u64(0..2_000);
        let server_at = self.now + self.random.u64(0..4_000);
        self.schedule(device_at, Event::DeviceSees { link: id });
        self.schedule(server_at, Event::ServerSees { link: id });
    }

    fn fill_disk(&mut self) {
        let used: u64 = self.storage.disk.files().iter().map(|(_, length)| *length).sum();
        let room = self.random.u64(0..60_000);
        self.storage.set_capacity(Some(used + room));
        let at = self.now + self.random.u64(200..2_500);
        self.schedule(at, Event::FaultEnds(Fault::DiskFull));
    }

    fn jump_some_clock(&mut self) {
        let skew_ms = self.random.i64(-SKEW_MS_MAX..=SKEW_MS_MAX);
        let index = self.random.usize(..=self.devices.len());
        match self.devices.get_mut(index) {
            // A device's clock may be off by a lot: only its first login relies on it.
            Some(process) => process.skew_ms = skew_ms * if skew_ms % 5 == 0 { 1_000 } else { 1 },
            None => self.server.skew_ms = skew_ms,
        }
    }
}
