//! `iris bench crash`: the server is killed again and again under load, and during its starts.
//!
//! Senders are killed, too. Everything is written down below the clients' filter of duplicates; at the end every
//! user's inbox is synced from zero and every conversation read back, and the checkers of `iris-history` judge.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use iris_client_core::{ClientCore, Restored};
use iris_history::{Invariant, Message, Observation, ServerFact, Violation};
use iris_types::{Body, BodyKind, DeviceId, UserId};
use serde_json::Value;

use super::clock::Stopwatch;
use super::crowd::{run_name, seed};
use super::generator::Generator;
use super::load;
use super::machine;
use super::mark::Mark;
use super::progress::Progress;
use super::report::Report;
use super::schedule::Schedule;
use super::tally::Latency;
use super::target::{self, OwnServer};
use super::witness::Witness;
use crate::cli::Load;
use crate::ready::Ready;

const CONNECTIONS: usize = 40;
/// Sends per second over all users, when no rate is given.
const RATE: f64 = 1_000.0;
const WINDOW: usize = 64;
/// Everything small, so that segments, runs, merges, loads and evictions happen in every second.
const OVERRIDES: &str = "\
event_loops = 2
segment_bytes = 131072
[worker]
workers = 2
vnodes = 8
flush_bytes = 8192
flush_interval_ms = 100
log_tail_bytes = 524288
state_cache_bytes = 65536
block_cache_bytes = 262144
";
/// A server under load lives so long, in milliseconds.
const LIFE_MS: std::ops::Range<u64> = 150..1_500;
/// A start, or the end's settling, that takes longer has failed.
const PATIENCE_US: u64 = 60_000_000;
/// What one kill may take on average.
const SECONDS_PER_KILL_MAX: f64 = 5.0;
/// One in so many messages is sent once more at the end.
const REPEATED: u64 = 50;
const REPEATS_MAX: usize = 2_000;
/// Violations printed.
const SHOWN: usize = 20;

/// Kills the server as often as asked for.
pub(crate) fn crash(load: &Load) -> Result<Report> {
    load::check_body(load)?;
    let mut run = Run::start(load)?;
    while run.deeds.kills < u64::from(load.kills) {
        run.live()?;
        run.kill_under_load()?;
        run.restart_some_senders();
        run.come_back(u64::from(load.kills))?;
    }
    run.settle()?;
    run.read_back()?;
    run.repeat_some()?;
    run.report(load)
}

/// What was done to the server, and what it did.
#[derive(Clone, Copy, Debug, Default)]
struct Deeds {
    kills: u64,
    kills_in_recovery: u64,
    sender_restarts: u64,
    rolls: u64,
    runs: u64,
    merges: u64,
}

struct Run {
    clock: Stopwatch,
    server: OwnServer,
    ready: Ready,
    generator: Generator,
    witness: Witness,
    schedule: Schedule,
    progress: Progress,
    random: fastrand::Rng,
    users: Vec<UserId>,
    filling: Vec<u8>,
    numbers: BTreeMap<(usize, usize), u32>,
    deeds: Deeds,
    /// Segment numbers of each log, as last seen.
    logs: BTreeMap<String, u64>,
    starts: Latency,
    sending: bool,
    /// Sent once more at the end: by whom, what, to whom.
    samples: Vec<(usize, Message, UserId, Body)>,
    protocol: u8,
}

impl Run {
    fn start(load: &Load) -> Result<Self> {
        let seed = seed()?;
        let (clock, run) = (Stopwatch::start(), run_name()?);
        let mut server = OwnServer::new(OVERRIDES)?;
        let ready = server.start()?;
        let access = target::access(&ready, load.protocol, WINDOW)?;
        let mut generator = Generator::new(access, clock, seed)?;
        let mut witness = Witness::new(clock);
        witness.server(ServerFact::Started);
        witness.server(ServerFact::Ready);
        let device = DeviceId::new("bench")?;
        let users = (0..load.connections.unwrap_or(CONNECTIONS).max(2))
            .map(|number| UserId::new(&format!("bench-{run}-{number}")))
            .collect::<Result<Vec<_>, _>>()?;
        for user in &users {
            witness.add(user, &device);
            let who = generator.add(user.clone(), device.clone());
            generator.start(who, Restored::default());
        }
        let rate = load.rate.unwrap_or(RATE);
        Ok(Self {
            clock,
            server,
            ready,
            generator,
            witness,
            schedule: Schedule::new(rate, clock.micros()),
            progress: Progress::new(clock),
            random: fastrand::Rng::with_seed(seed),
            users,
            filling: vec![b'.'; load.body],
            numbers: BTreeMap::new(),
            deeds: Deeds::default(),
            logs: BTreeMap::new(),
            starts: Latency::new()?,
            sending: true,
            samples: Vec::new(),
            protocol: load.protocol,
        })
    }

    /// The server works for a while.
    fn live(&mut self) -> Result<()> {
        let until_us = self.clock.micros() + self.random.u64(LIFE_MS) * 1_000;
        while self.clock.micros() < until_us {
            self.turn(until_us - self.clock.micros())?;
            self.server_must_run()?;
        }
        Ok(())
    }

    fn kill_under_load(&mut self) -> Result<()> {
        let statistics = target::statistics(&self.ready)?;
        let count = |pointer| statistics.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        self.deeds.runs += count("/worker/runs");
        self.deeds.merges += count("/worker/merges");
        self.look_at_segments()?;
        self.kill()
    }

    fn kill(&mut self) -> Result<()> {
        self.server.kill()?;
        self.deeds.kills += 1;
        self.witness.server(ServerFact::Killed);
        Ok(())
    }

    /// Starts the server; every second time it is killed before it serves, maybe again and again.
    fn come_back(&mut self, kills: u64) -> Result<()> {
        loop {
            self.witness.server(ServerFact::Started);
            self.server.launch()?;
            let launched_us = self.clock.micros();
            let dies = self.deeds.kills < kills && self.random.bool();
            let killed_at_us = dies.then(|| launched_us + self.moment_of_a_start());
            loop {
                self.turn(1_000)?;
                self.server_must_run()?;
                if let Some(ready) = self.server.ready() {
                    self.starts.record_us(self.clock.micros() - launched_us);
                    return self.serve_again(ready);
                }
                if killed_at_us.is_some_and(|at| at <= self.clock.micros()) {
                    self.kill()?;
                    self.deeds.kills_in_recovery += 1;
                    break;
                }
                if self.clock.micros() - launched_us > PATIENCE_US {
                    bail!("the server does not come back:\n{}", self.server.last_words());
                }
            }
        }
    }

    fn serve_again(&mut self, ready: Ready) -> Result<()> {
        self.witness.server(ServerFact::Ready);
        let access = target::access(&ready, self.protocol, WINDOW)?;
        self.generator.server_is_back(access.endpoint);
        self.ready = ready;
        Ok(())
    }

    /// Microseconds from a launch, at a moment when most starts are not done.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn moment_of_a_start(&mut self) -> u64 {
        let usual_us =
            if self.starts.count() == 0 { 50_000 } else { (self.starts.quantile_ms(0.5) * 1_000.0) as u64 };
        self.random.u64(..usual_us.max(1))
    }

    fn restart_some_senders(&mut self) {
        for _ in 0..self.random.u64(0..=3) {
            let who = self.random.usize(..self.users.len());
            self.generator.kill(who, &mut self.witness);
            let restored = self.witness.restart(who);
            self.generator.start(who, restored);
            self.deeds.sender_restarts += 1;
        }
    }

    fn server_must_run(&mut self) -> Result<()> {
        if let Some(status) = self.server.ended()? {
            bail!("the server ended by itself ({status}):\n{}", self.server.last_words());
        }
        Ok(())
    }

    /// Counts the segments that each log has begun after its first.
    fn look_at_segments(&mut self) -> Result<()> {
        for entry in fs::read_dir(self.ready.data_dir.join("logs")).context("no logs")? {
            let name = entry?.file_name();
            let parts = name.to_str().and_then(|name| name.strip_suffix(".seg")?.rsplit_once('-'));
            let Some((log, number)) = parts.filter(|(log, _)| *log != "spare") else { continue };
            let Ok(number) = u64::from_str_radix(number, 16) else { continue };
            let known = self.logs.entry(log.to_owned()).or_default();
            *known = (*known).max(number);
        }
        self.deeds.rolls = self.logs.values().map(|last| last.saturating_sub(1)).sum();
        Ok(())
    }

    fn turn(&mut self, wait_us: u64) -> Result<()> {
        let now_us = self.clock.micros();
        let mut wait_us = wait_us.min(50_000);
        if self.sending {
            while let Some(intended_us) = self.schedule.due(now_us) {
                self.send(intended_us);
            }
            wait_us = wait_us.min(self.schedule.wait_us(now_us));
        }
        self.generator.turn(now_us + wait_us, &mut self.witness)?;
        let (deeds, tally) = (self.deeds, self.witness.tally);
        self.progress.say(|| {
            format!(
                "kills {} ({} in recovery)  sender restarts {}  rolls {}  runs {}  merges {}  acked {} of {}  shown {}",
                deeds.kills,
                deeds.kills_in_recovery,
                deeds.sender_restarts,
                deeds.rolls,
                deeds.runs,
                deeds.merges,
                tally.acked,
                tally.attempted,
                tally.shown
            )
        });
        Ok(())
    }

    /// Somebody writes to somebody else.
    fn send(&mut self, intended_us: u64) {
        let from = self.random.usize(..self.users.len());
        let to = (from + self.random.usize(1..self.users.len())) % self.users.len();
        let number = self.numbers.entry((from, to)).or_default();
        let sender = u32::try_from(from).unwrap_or(u32::MAX);
        let mark = Mark { intended_us, sender, number: *number };
        let (Some(to_user), Some(body)) = (self.users.get(to).cloned(), mark.body(&self.filling)) else {
            return;
        };
        let now = self.generator.now();
        let Some(core) = self.generator.core(from) else { return };
        let Some(message) = self.witness.send(from, core, &to_user, &body, now) else { return };
        *number += 1;
        self.generator.touch(from);
        if self.witness.tally.attempted.is_multiple_of(REPEATED) && self.samples.len() < REPEATS_MAX {
            self.samples.push((from, message, to_user, body));
        }
    }

    /// No more sends and no more kills: everything has to arrive.
    fn settle(&mut self) -> Result<()> {
        self.sending = false;
        self.witness.observe(Observation::Healed { bound_ms: PATIENCE_US / 1_000 });
        let users = self.users.len();
        self.wait_until("the rest", |run| {
            let tally = &run.witness.tally;
            tally.synced == users
                && run.generator.cores().all(ClientCore::is_idle)
                && tally.shown >= tally.acked
        })?;
        self.witness.observe(Observation::Converged);
        for who in 0..users {
            let left = self.generator.core(who).map_or(0, |core| core.unsettled());
            self.witness.observe(Observation::OutboxLeft { count: left as u64 });
            self.witness.settle(who);
        }
        let tally = self.witness.tally;
        self.witness.observe(Observation::Counted {
            attempted: tally.attempted,
            acked: tally.acked,
            refused: tally.refused,
            indeterminate: tally.attempted - tally.acked - tally.refused,
        });
        Ok(())
    }

    /// A new device of every user syncs from zero, lists and reads.
    fn read_back(&mut self) -> Result<()> {
        let name = DeviceId::new("fresh")?;
        for user in self.users.clone() {
            self.witness.add_reader(&user, &name);
            let who = self.generator.add(user, name.clone());
            self.generator.start(who, Restored::default());
        }
        self.wait_until("reading everything back", |run| run.witness.has_read_all())?;
        (self.users.len()..self.witness.devices()).for_each(|who| self.witness.settle(who));
        Ok(())
    }

    /// Some messages once more under their ids, every other one with another body.
    fn repeat_some(&mut self) -> Result<()> {
        for (number, (from, message, to, body)) in std::mem::take(&mut self.samples).into_iter().enumerate() {
            let body = if number % 2 == 0 { body } else { Body::new(BodyKind(3), body.bytes().clone())? };
            // The other device of the same user: ids are the user's, not the device's.
            let who = self.users.len() + from;
            let now = self.generator.now();
            if let Some(core) = self.generator.core(who) {
                self.witness.repeat(who, core, (message, &to, &body), now);
                self.generator.touch(who);
            }
        }
        self.wait_until("repeats", |run| run.generator.cores().all(ClientCore::is_idle))
    }

    fn wait_until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) -> Result<()> {
        let mut moved = (0, self.clock.micros());
        while !done(self) {
            self.turn(10_000)?;
            self.server_must_run()?;
            let records = self.witness.history.records.len();
            if records != moved.0 {
                moved = (records, self.clock.micros());
            }
            if self.clock.micros() - moved.1 > PATIENCE_US {
                // What is missing is the checkers' to name.
                eprintln!("{what}: nothing moved for {} s", PATIENCE_US / 1_000_000);
                return Ok(());
            }
        }
        Ok(())
    }

    /// What a violation looks like in the history; the history and the server's files stay for a closer look.
    fn show(&mut self, violations: &[Violation]) -> Result<()> {
        let records = &self.witness.history.records;
        for violation in violations.iter().take(SHOWN) {
            eprintln!("{violation}");
            for (number, record) in violation.records.iter().filter_map(|at| Some((at, records.get(*at)?))) {
                eprintln!("    {number}: {record:?}");
            }
        }
        if !violations.is_empty() {
            let folder = self.server.keep();
            let path = folder.join("history.jsonl");
            let mut file = std::io::BufWriter::new(fs::File::create(&path)?);
            iris_history::json::write(&self.witness.history, &mut file)?;
            eprintln!("kept: {} and the server's files beside it", path.display());
        }
        Ok(())
    }

    fn report(mut self, load: &Load) -> Result<Report> {
        let seconds = self.clock.seconds();
        eprintln!("checking {} records", self.witness.history.records.len());
        let violations = iris_history::check_all(&self.witness.history);
        self.show(&violations)?;
        let (deeds, tally) = (self.deeds, self.witness.tally);
        let of = |which: &[Invariant]| count(&violations, which);
        let mut report = Report::new("crash");
        report
            .put("seconds", seconds)
            .put("connections", self.users.len())
            .put("body_bytes", load.body)
            .put("protocol", load.protocol)
            .put("kills", deeds.kills)
            .put("kills_in_recovery", deeds.kills_in_recovery)
            .put("sender_restarts", deeds.sender_restarts)
            .put("rolls", deeds.rolls)
            .put("runs", deeds.runs)
            .put("merges", deeds.merges)
            .put("start_ms", self.starts.json())
            .put("seconds_per_kill", seconds_per_kill(seconds, deeds.kills))
            .put("attempted", tally.attempted)
            .put("acked", tally.acked)
            .put("delivered", tally.shown)
            .put("errors", tally.refused)
            .put("lost", of(&[Invariant::AckedLoss, Invariant::SyncFromZero, Invariant::Density]))
            .put("duplicated", of(&[Invariant::DoubleShown, Invariant::Dedup, Invariant::Divergence]))
            .put("reordered", of(&[Invariant::CommonOrder, Invariant::SenderOrder, Invariant::RealTimeOrder]))
            .put("violations", violations.len())
            .put("records", self.witness.history.records.len())
            .put("machine", machine::describe(self.server.directory().as_path()));
        Ok(report)
    }
}

/// What a crash run has to have done to prove anything; names what it has not.
pub(crate) fn shortfall(report: &Report) -> Option<String> {
    let slow = report.number("seconds_per_kill").filter(|seconds| *seconds > SECONDS_PER_KILL_MAX);
    if let Some(seconds) = slow {
        return Some(format!("{seconds:.1} s per kill, allowed are {SECONDS_PER_KILL_MAX}"));
    }
    let missing = ["kills", "kills_in_recovery", "rolls", "runs", "merges", "acked"]
        .into_iter()
        .find(|key| report.count(key) == 0);
    missing.map(|key| format!("{key}: 0, so the run proves nothing about them"))
}

#[allow(clippy::cast_precision_loss)] // far below 2^52
fn seconds_per_kill(seconds: f64, kills: u64) -> f64 {
    seconds / kills.max(1) as f64
}

fn count(violations: &[Violation], which: &[Invariant]) -> usize {
    violations.iter().filter(|violation| which.contains(&violation.invariant)).count()
}
