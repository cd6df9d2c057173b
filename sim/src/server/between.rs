//! What workers say to each other, and how it goes astray.

use iris_worker::{Input, Whisper, WorkerIndex};

use crate::world::{Event, World};

impl World {
    /// Between workers a message may come late, twice, overtaken by later ones, or never.
    pub(super) fn send_between(&mut self, to: WorkerIndex, input: Input, again: impl Fn() -> Input) {
        let (life, worker) = (self.server.life, usize::from(to.0));
        let unruly = self.options.unruly_frames;
        let delay = if unruly { self.random.u64(0..30) } else { 0 };
        let twice = unruly && self.random.u8(..4) == 0;
        if !unruly {
            return self.send_to_worker(worker, input);
        }
        if self.random.u8(..16) > 0 {
            self.schedule(self.now + delay, Event::ToWorker { life, worker, input });
        }
        if twice {
            let delay = self.random.u64(0..60);
            self.schedule(self.now + delay, Event::ToWorker { life, worker, input: again() });
        }
    }

    /// Between workers a whisper may come late, overtaken by later ones, or never.
    pub(super) fn whisper(&mut self, to: WorkerIndex, whisper: Whisper) {
        let (life, worker) = (self.server.life, usize::from(to.0));
        let input = Input::Whisper(whisper);
        if !self.options.unruly_frames {
            return self.send_to_worker(worker, input);
        }
        let delay = self.random.u64(0..30);
        if self.random.u8(..16) > 0 {
            self.schedule(self.now + delay, Event::ToWorker { life, worker, input });
        }
    }

    pub(super) fn send_to_worker(&mut self, worker: usize, input: Input) {
        let delay = self.random.u64(0..=1);
        let (life, now) = (self.server.life, self.now);
        let Some(process) = &mut self.server.process else { return };
        let Some(at) = process.to_worker_at.get_mut(worker) else { return };
        *at = (*at).max(now + delay);
        let at = *at;
        self.schedule(at, Event::ToWorker { life, worker, input });
    }
}
