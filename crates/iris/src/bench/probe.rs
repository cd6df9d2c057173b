//! Devices whose news a scenario looks at itself.

use std::collections::VecDeque;

use anyhow::{Result, bail};
use iris_client_core::{ClientEvent, QueryNumber, Question, Restored};
use iris_protocol::ServerFrame;
use iris_types::UserId;

use super::clock::Stopwatch;
use super::crowd::{add_users, seed};
use super::generator::{Access, Application, Generator};
use crate::cli::Load;

/// Seconds that a scenario waits for what has to come.
const PATIENCE_US: u64 = 60_000_000;
/// Logins on their way at once.
const LOGINS_AT_ONCE: usize = 128;

/// Everything on the side of the clients.
pub(crate) struct Probe {
    pub(crate) clock: Stopwatch,
    pub(crate) generator: Generator,
    pub(crate) names: Vec<UserId>,
    pub(crate) random: fastrand::Rng,
    pub(crate) news: News,
}

/// What the devices were told and nobody has looked at.
#[derive(Default)]
pub(crate) struct News {
    pub(crate) events: VecDeque<Told>,
    pub(crate) synced: usize,
    pub(crate) refused: u64,
    pub(crate) disconnects: u64,
}

/// An event of a device and when it came, in microseconds of the clock.
pub(crate) struct Told {
    pub(crate) who: usize,
    pub(crate) event: ClientEvent,
    pub(crate) at_us: u64,
}

impl Application for News {
    const SEES_SENT_FRAMES: bool = false;

    fn arrived(&mut self, _who: usize, frame: &ServerFrame) {
        self.refused += u64::from(matches!(frame, ServerFrame::Refused(_)));
    }

    fn event(&mut self, who: usize, event: &ClientEvent, at_us: u64) {
        match event {
            ClientEvent::Synced => self.synced += 1,
            ClientEvent::Disconnected => self.disconnects += 1,
            _ => {}
        }
        self.events.push_back(Told { who, event: event.clone(), at_us });
    }
}

impl Probe {
    /// Users with names that no earlier run has used, each with one device.
    pub(crate) fn new(access: Access, size: usize) -> Result<Self> {
        let (clock, seed) = (Stopwatch::start(), seed()?);
        let mut generator = Generator::new(access, clock, seed)?;
        let names = add_users(&mut generator, size)?;
        let random = fastrand::Rng::with_seed(seed);
        Ok(Self { clock, generator, names, random, news: News::default() })
    }

    pub(crate) fn log_in(&mut self) -> Result<()> {
        let (size, until_us) = (self.names.len(), self.clock.micros() + PATIENCE_US);
        let mut started = 0;
        while self.news.synced < size {
            while started < size && started - self.news.synced.min(started) < LOGINS_AT_ONCE {
                self.generator.start(started, Restored::default());
                started += 1;
            }
            self.turn(10_000)?;
            if self.clock.micros() > until_us {
                bail!("{} of {size} users logged in within a minute", self.news.synced);
            }
        }
        eprintln!("logged in {size} of {size}");
        Ok(())
    }

    /// Serves the devices for so long at most.
    pub(crate) fn turn(&mut self, wait_us: u64) -> Result<()> {
        self.generator.turn(self.clock.micros() + wait_us, &mut self.news)
    }

    pub(crate) fn ask(&mut self, who: usize, question: Question) -> Result<QueryNumber> {
        let Some(core) = self.generator.core(who) else { bail!("device {who} is not there") };
        let number = core.ask(question)?;
        self.generator.touch(who);
        Ok(number)
    }

    /// Serves the devices until an event gives an answer; the others up to then are gone.
    pub(crate) fn wait_for<T>(&mut self, what: &str, mut look: impl FnMut(&Told) -> Option<T>) -> Result<T> {
        let until_us = self.clock.micros() + PATIENCE_US;
        loop {
            while let Some(told) = self.news.events.pop_front() {
                if let ClientEvent::QueryFailed { refusal, .. } = &told.event {
                    bail!("{what}: refused with {refusal}");
                }
                if let Some(found) = look(&told) {
                    return Ok(found);
                }
            }
            if self.clock.micros() > until_us {
                bail!("{what}: nothing came for a minute");
            }
            self.turn(10_000)?;
        }
    }
}

/// How many users a scenario has.
pub(crate) fn size(wanted: Option<usize>, default: usize) -> usize {
    wanted.unwrap_or(default).max(2)
}

/// Bytes of bodies and the like are as for other loads.
pub(crate) fn check(load: &Load) -> Result<()> {
    super::load::check_body(load)
}
