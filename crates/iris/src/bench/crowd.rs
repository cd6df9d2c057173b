//! Users who are logged in, and the loop that keeps them at work.

use anyhow::{Result, bail};
use iris_client_core::{ClientCore, Restored};
use iris_types::{DeviceId, UserId};

use super::clock::Stopwatch;
use super::generator::{Access, Generator};
use super::progress::Progress;
use super::schedule::Schedule;
use super::tally::{Latency, Tally};
use super::traffic::{Logins, Traffic};
use crate::material::{hexadecimal, random};

/// Logins on their way at once, when they are not paced by a rate.
const LOGINS_AT_ONCE: usize = 128;
/// Seconds without any progress after which a run fails.
const PATIENCE_S: u64 = 60;

/// Everything on the side of the clients.
pub(crate) struct Crowd {
    pub(crate) clock: Stopwatch,
    pub(crate) generator: Generator,
    pub(crate) traffic: Traffic,
    pub(crate) progress: Progress,
    /// Chooses senders.
    random: fastrand::Rng,
    size: usize,
}

impl Crowd {
    /// Users with names that no earlier run has used.
    pub(crate) fn new(access: Access, size: usize, body_bytes: usize) -> Result<Self> {
        let clock = Stopwatch::start();
        let seed = seed()?;
        let mut generator = Generator::new(access, clock, seed)?;
        let names = add_users(&mut generator, size)?;
        let traffic = Traffic::new(&names, body_bytes, clock)?;
        let random = fastrand::Rng::with_seed(seed);
        Ok(Self { clock, generator, traffic, progress: Progress::new(clock), random, size })
    }

    /// Logs everybody in: at a rate, or as fast as the server takes them.
    pub(crate) fn log_in(&mut self, rate: Option<f64>) -> Result<()> {
        self.traffic.logins = Some(Logins { intended_us: vec![None; self.size], latency: Latency::new()? });
        let mut schedule = Schedule::new(rate.unwrap_or(f64::INFINITY), self.clock.micros());
        let (mut started, mut patience) = (0, Patience::new(self.clock));
        while self.traffic.synced < self.size {
            let at_once = if rate.is_some() { self.size } else { LOGINS_AT_ONCE };
            while started < self.size && started - self.traffic.synced.min(started) < at_once {
                let Some(intended_us) = schedule.due(self.clock.micros()) else { break };
                // Without a rate a login is intended when there is room for it.
                let intended_us = if rate.is_some() { intended_us } else { self.clock.micros() };
                if let Some(logins) = &mut self.traffic.logins
                    && let Some(login) = logins.intended_us.get_mut(started)
                {
                    *login = Some(intended_us);
                }
                self.generator.start(started, Restored::default());
                started += 1;
            }
            self.turn(if started < self.size { schedule.wait_us(self.clock.micros()) } else { 100_000 })?;
            let (synced, size) = (self.traffic.synced, self.size);
            self.progress.say(|| format!("logged in {synced} of {size}"));
            patience.test(synced as u64, "logins", &self.traffic.tally)?;
        }
        Ok(())
    }

    /// Goes on until then; sends on schedule, if there is one.
    pub(crate) fn run(
        &mut self,
        phase: &str,
        until_us: u64,
        mut schedule: Option<&mut Schedule>,
    ) -> Result<()> {
        let mut patience = Patience::new(self.clock);
        while self.clock.micros() < until_us {
            let now_us = self.clock.micros();
            let mut wait_us = until_us - now_us;
            if let Some(schedule) = &mut schedule {
                while let Some(intended_us) = schedule.due(now_us) {
                    self.send_from_anybody(intended_us);
                }
                wait_us = wait_us.min(schedule.wait_us(now_us));
            }
            self.turn(wait_us.min(100_000))?;
            self.progress.show(phase, &self.traffic.tally);
            if schedule.is_some() || self.traffic.window.is_some() {
                patience.test(self.traffic.tally.acked, "messages", &self.traffic.tally)?;
            }
        }
        Ok(())
    }

    /// Every user writes one message.
    pub(crate) fn one_message_each(&mut self) {
        for who in 0..self.size {
            self.send_from(who, self.clock.micros());
        }
    }

    /// Sends nothing more, and waits until everything acknowledged was shown. What is missing then is lost.
    pub(crate) fn drain(&mut self) -> Result<()> {
        self.traffic.window = None;
        let mut patience = Patience::new(self.clock);
        while !(self.traffic.is_delivered() && self.generator.cores().all(ClientCore::is_idle)) {
            self.turn(20_000)?;
            self.progress.show("draining", &self.traffic.tally);
            let tally = &self.traffic.tally;
            if patience.test(tally.acked + tally.shown, "the rest", tally).is_err() {
                eprintln!("no progress for {PATIENCE_S} s: what is missing now counts as lost");
                break;
            }
        }
        Ok(())
    }

    /// Begins to keep so many sends of each user on their way.
    pub(crate) fn keep_sending(&mut self, window: usize) {
        self.traffic.window = Some(window);
        (0..self.size).for_each(|who| self.generator.touch(who));
    }

    fn send_from_anybody(&mut self, intended_us: u64) {
        let who = self.random.usize(..self.size);
        self.send_from(who, intended_us);
    }

    fn send_from(&mut self, who: usize, intended_us: u64) {
        let now = self.generator.now();
        if let Some(core) = self.generator.core(who) {
            self.traffic.send(who, core, intended_us, now);
            self.generator.touch(who);
        }
    }

    fn turn(&mut self, wait_us: u64) -> Result<()> {
        self.generator.turn(self.clock.micros() + wait_us, &mut self.traffic)
    }
}

/// Ends a run in which nothing moves any more.
pub(crate) struct Patience {
    clock: Stopwatch,
    moved: (u64, u64),
}

impl Patience {
    pub(crate) fn new(clock: Stopwatch) -> Self {
        Self { clock, moved: (clock.micros(), 0) }
    }

    pub(crate) fn test(&mut self, progress: u64, what: &str, tally: &Tally) -> Result<()> {
        let now_us = self.clock.micros();
        if progress != self.moved.1 {
            self.moved = (now_us, progress);
        }
        if now_us - self.moved.0 > PATIENCE_S * 1_000_000 {
            bail!(
                "{what}: nothing moved for {PATIENCE_S} s ({} errors, {} disconnects)",
                tally.errors,
                tally.disconnects
            );
        }
        Ok(())
    }
}

/// Seed of everything drawn: from TEST_SEED, so that a run can be repeated, or from the system.
pub(crate) fn seed() -> Result<u64> {
    let seed = match std::env::var("TEST_SEED") {
        Ok(text) => text.trim().parse()?,
        Err(_) => u64::from_be_bytes(*random::<8>()?),
    };
    eprintln!("TEST_SEED={seed}");
    Ok(seed)
}

/// Users with names that no earlier run has used, each with one device; nobody is logged in yet.
pub(crate) fn add_users(generator: &mut Generator, size: usize) -> Result<Vec<UserId>> {
    let (run, device) = (run_name()?, DeviceId::new("bench")?);
    let name = |number| Ok(UserId::new(&format!("bench-{run}-{number}"))?);
    let names = (0..size).map(name).collect::<Result<Vec<_>>>()?;
    for name in &names {
        generator.add(name.clone(), device.clone());
    }
    Ok(names)
}

/// Names the users of this run, so that they are nobody else's.
pub(crate) fn run_name() -> Result<String> {
    Ok(hexadecimal(&random::<4>()?[..]).to_string())
}
