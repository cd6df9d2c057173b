//! `iris bench fill`: many users and messages, and what the server is like afterwards.
//!
//! With `--spawn` the server is then stopped and killed and started again, and asked under load for what it can
//! no longer have in memory.

use anyhow::{Context, Result, bail};
use iris_client_core::Restored;
use iris_types::{DeviceId, UserId};
use serde_json::json;

use super::clock::Stopwatch;
use super::crowd::{run_name, seed};
use super::filler::{Filler, Recipients};
use super::generator::Generator;
use super::load;
use super::machine;
use super::process;
use super::progress::Progress;
use super::report::Report;
use super::schedule::Schedule;
use super::tally::Window;
use super::target::{Target, directory_bytes};
use crate::cli::Load;

/// Sends on their way over all senders.
const IN_FLIGHT: usize = 100_000;
/// Sends per second to random users after the restart, when no rate is given.
const RATE: f64 = 10_000.0;
/// First pages of conversations asked for per second, meanwhile.
const PAGES_PER_SECOND: f64 = 20.0;
/// Senders who come back after the restart.
const SENDERS_AFTER: usize = 1_000;
const LOGINS_AT_ONCE: usize = 128;
/// Seconds without any progress after which a run fails.
const PATIENCE_US: u64 = 60_000_000;

/// Fills a server; then, if it is our own, restarts it and measures.
pub(crate) fn fill(load: &Load) -> Result<Report> {
    load::check_body(load)?;
    if load.recipients == 0 || load.senders == 0 {
        bail!("--senders and --recipients: at least 1");
    }
    let target = Target::open(load, "")?;
    let mut run = Run::new(load, target)?;
    let mut report = Report::new("fill");
    run.fill(load, &mut report)?;
    if load.spawn {
        run.restart(&mut report)?;
        run.look(load, &mut report)?;
    }
    let tally = &run.filler.tally;
    report
        .put("body_bytes", load.body)
        .put("protocol", load.protocol)
        .put("recipients", load.recipients)
        .put("errors", tally.errors + tally.disconnects)
        .put("duplicated", run.filler.forgotten)
        .put("refusals", json!(tally.refusals))
        .put("machine", machine::describe(&run.target.ready.data_dir));
    Ok(report)
}

struct Run {
    clock: Stopwatch,
    target: Target,
    generator: Generator,
    filler: Filler,
    progress: Progress,
    names: Vec<UserId>,
    random: fastrand::Rng,
}

impl Run {
    fn new(load: &Load, target: Target) -> Result<Self> {
        let (clock, seed, run) = (Stopwatch::start(), seed()?, run_name()?);
        let senders = usize::try_from(load.senders)?;
        let names = (0..senders)
            .map(|number| UserId::new(&format!("bench-{run}-{number}")))
            .collect::<Result<Vec<_>, _>>()?;
        let recipients = Recipients { run, count: load.recipients };
        let window = (IN_FLIGHT / senders).clamp(1, load.window.max(1));
        let generator = Generator::new(target.access(load, window)?, clock, seed)?;
        let mut filler = Filler::new(clock, seed, recipients, senders, load.body)?;
        filler.window = window;
        let (progress, random) = (Progress::new(clock), fastrand::Rng::with_seed(seed));
        let mut run = Self { clock, target, generator, filler, progress, names, random };
        run.log_in(senders)?;
        Ok(run)
    }

    fn fill(&mut self, load: &Load, report: &mut Report) -> Result<()> {
        let cpu_before_us = process::cpu_us(self.target.pid())?;
        let from_us = self.clock.micros();
        self.filler.quota = load.messages;
        (0..self.names.len()).for_each(|who| self.generator.touch(who));
        let messages = load.messages;
        self.wait_until(
            "filling",
            |filler| filler.quota == 0 && filler.is_answered(),
            |filler| format!("{} of {messages} acknowledged", filler.tally.acked),
        )?;
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let (seconds, acked) = ((self.clock.micros() - from_us) as f64 / 1e6, self.filler.tally.acked as f64);
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let cpu_us = (process::cpu_us(self.target.pid())? - cpu_before_us) as f64;
        let statistics = self.target.statistics()?;
        report
            .put("seconds", seconds)
            .put("connections", self.names.len())
            .put("acked", self.filler.tally.acked)
            .put("acked_per_second", acked / seconds)
            .put("server_cpu_us_per_message", cpu_us / acked.max(1.0))
            .put("lost", messages - self.filler.tally.acked)
            .put("filled", self.disk_and_memory()?)
            .put("server", statistics.clone());
        load::put_storage(report, &statistics);
        Ok(())
    }

    /// Once stopped in peace, once killed.
    fn restart(&mut self, report: &mut Report) -> Result<()> {
        let own = self.target.own().context("not our own server")?;
        own.stop()?;
        let clock = Stopwatch::start();
        own.start()?;
        report.put("ready_seconds_after_stop", clock.seconds());
        own.kill()?;
        let clock = Stopwatch::start();
        let ready = own.start()?;
        report.put("ready_seconds_after_kill", clock.seconds());
        self.target.ready = ready;
        Ok(())
    }

    /// Sends to random users, looks back at cold conversations, repeats old ids.
    fn look(&mut self, load: &Load, report: &mut Report) -> Result<()> {
        self.generator = Generator::new(self.target.access(load, 256)?, self.clock, self.random.u64(..))?;
        self.filler.forget_devices();
        let senders = self.names.len().min(SENDERS_AFTER);
        self.log_in(senders)?;
        let from_us = self.clock.micros();
        self.filler.tally.window = Window::new(from_us, from_us + load.seconds * 1_000_000)?;
        let resident_max = self.mixed_load(load, senders)?;
        self.wait_for_answers()?;
        let again = self.repeat_remembered(senders)?;
        let window = &self.filler.tally.window;
        report.put(
            "after_restart",
            json!({
                "seconds": window.seconds(),
                "connections": senders,
                "acked_per_second": window.per_second(window.acked),
                "send_to_ack_ms": window.send_to_ack.json(),
                "server_resident_bytes_max": resident_max,
                "cold_page_ms": self.filler.pages.json(),
                "cold_pages_empty": self.filler.empty_pages,
                "old_ids_repeated": again,
                "old_ids_forgotten": self.filler.forgotten,
                "disk_and_memory": self.disk_and_memory()?,
            }),
        );
        Ok(())
    }

    fn mixed_load(&mut self, load: &Load, senders: usize) -> Result<u64> {
        let start_us = self.clock.micros();
        let mut sends = Schedule::new(load.rate.unwrap_or(RATE), start_us);
        let mut pages = Schedule::new(PAGES_PER_SECOND, start_us);
        let (mut resident_max, mut cold) = (0, self.of_senders(senders));
        while self.clock.micros() < start_us + load.seconds * 1_000_000 {
            let now_us = self.clock.micros();
            while let Some(intended_us) = sends.due(now_us) {
                let who = self.random.usize(..senders);
                let now = self.generator.now();
                if let Some(core) = self.generator.core(who) {
                    self.filler.send(who, core, intended_us, now);
                    self.generator.touch(who);
                }
            }
            // Every conversation is asked for once: the second time it would not be cold.
            while pages.due(now_us).is_some() {
                let Some((who, which)) = cold.pop() else { break };
                if let Some(core) = self.generator.core(who) {
                    self.filler.look_back(which, core);
                    self.generator.touch(who);
                }
            }
            self.generator.turn(now_us + sends.wait_us(now_us), &mut self.filler)?;
            let (pid, tally) = (self.target.pid(), &self.filler.tally);
            self.progress.say(|| {
                resident_max = process::resident_bytes(pid).unwrap_or(0).max(resident_max);
                format!("{} acknowledged, server has {} MiB", tally.acked, resident_max >> 20)
            });
        }
        Ok(resident_max)
    }

    /// Everything remembered of those who are logged in, in a random order.
    fn of_senders(&mut self, senders: usize) -> Vec<(usize, usize)> {
        let numbered = self.filler.remembered.iter().enumerate();
        let mut list: Vec<_> = numbered
            .filter(|(_, message)| message.sender < senders)
            .map(|(which, message)| (message.sender, which))
            .collect();
        self.random.shuffle(&mut list);
        list
    }

    fn repeat_remembered(&mut self, senders: usize) -> Result<usize> {
        let list = self.of_senders(senders);
        for (who, which) in &list {
            let now = self.generator.now();
            if let Some(core) = self.generator.core(*who) {
                self.filler.repeat(*which, core, now);
                self.generator.touch(*who);
            }
        }
        self.wait_for_answers()?;
        Ok(list.len())
    }

    fn wait_for_answers(&mut self) -> Result<()> {
        self.wait_until("waiting for answers", Filler::is_answered, |_| "waiting for answers".to_owned())
    }

    fn log_in(&mut self, senders: usize) -> Result<()> {
        let device = DeviceId::new("bench")?;
        let mut started = 0;
        while self.filler.synced < senders {
            while started < senders && started - self.filler.synced.min(started) < LOGINS_AT_ONCE {
                let Some(name) = self.names.get(started) else { break };
                let who = self.generator.add(name.clone(), device.clone());
                self.generator.start(who, Restored::default());
                started += 1;
            }
            self.turn(20_000)?;
            let synced = self.filler.synced;
            self.progress.say(|| format!("logged in {synced} of {senders}"));
        }
        Ok(())
    }

    fn wait_until(
        &mut self,
        what: &str,
        done: impl Fn(&Filler) -> bool,
        line: impl Fn(&Filler) -> String,
    ) -> Result<()> {
        let mut moved = (0, self.clock.micros());
        // Whether all is answered is asked once a tick: it looks at every sender.
        while !done(&self.filler) {
            let tick_us = self.clock.micros() + 20_000;
            while self.clock.micros() < tick_us {
                self.turn(20_000)?;
            }
            let filler = &self.filler;
            self.progress.say(|| line(filler));
            let progress = filler.tally.acked + filler.pages.count();
            if progress != moved.0 {
                moved = (progress, self.clock.micros());
            }
            if self.clock.micros() - moved.1 > PATIENCE_US {
                bail!(
                    "{what}: nothing moved for {} s ({} errors)",
                    PATIENCE_US / 1_000_000,
                    filler.tally.errors
                );
            }
        }
        Ok(())
    }

    fn turn(&mut self, wait_us: u64) -> Result<()> {
        self.generator.turn(self.clock.micros() + wait_us, &mut self.filler)
    }

    fn disk_and_memory(&self) -> Result<serde_json::Value> {
        let data = &self.target.ready.data_dir;
        Ok(json!({
            "log_bytes": directory_bytes(&data.join("logs"))?,
            "data_bytes": directory_bytes(data)?,
            "server_resident_bytes": process::resident_bytes(self.target.pid())?,
        }))
    }
}
