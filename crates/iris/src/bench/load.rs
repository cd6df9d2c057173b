//! `iris bench throughput` and `iris bench latency`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use iris_client_core::ClientCore;
use serde_json::{Value, json};

use super::crowd::Crowd;
use super::floors;
use super::machine;
use super::mark::Mark;
use super::process;
use super::profile::Profile;
use super::report::Report;
use super::schedule::Schedule;
use super::tally::Window;
use super::target::Target;
use crate::cli::Load;

const CONNECTIONS: usize = 1_000;
/// Sends per second of `latency`, when no rate is given.
const RATE: f64 = 10_000.0;
/// Sends on their way per user in an open loop: what the client machine allows by default.
const OPEN_WINDOW: usize = 256;

/// How sends are paced.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pace {
    /// A new send for each acknowledged one.
    Closed { window: usize },
    /// So many a second, whatever happens.
    Open { per_second: f64 },
}

/// As many durable messages as it takes, window by window.
pub(crate) fn throughput(load: &Load) -> Result<Report> {
    run(load, "throughput", Pace::Closed { window: load.window.max(1) })
}

/// Latency at a rate.
pub(crate) fn latency(load: &Load) -> Result<Report> {
    run(load, "latency", Pace::Open { per_second: load.rate.unwrap_or(RATE) })
}

fn run(load: &Load, scenario: &str, pace: Pace) -> Result<Report> {
    check_body(load)?;
    let connections = load.connections.unwrap_or(CONNECTIONS).max(1);
    let target = Target::open(load, "")?;
    let window = if let Pace::Closed { window } = pace { window } else { OPEN_WINDOW };
    let mut crowd = Crowd::new(target.access(load, window)?, connections, load.body)?;
    crowd.log_in(None)?;

    let start_us = crowd.clock.micros();
    let mut schedule = None;
    match pace {
        Pace::Closed { window } => crowd.keep_sending(window),
        Pace::Open { per_second } => schedule = Some(Schedule::new(per_second, start_us)),
    }
    let from_us = start_us + warm_up_seconds(load.seconds) * 1_000_000;
    let until_us = from_us + load.seconds * 1_000_000;
    crowd.traffic.tally.window = Window::new(from_us, until_us)?;
    crowd.run("warm-up", from_us, schedule.as_mut())?;
    let cpu_before_us = (process::cpu_us(target.pid())?, process::cpu_us(std::process::id())?);
    let profile = load.profile.then(|| Profile::start(target.pid(), load.seconds)).transpose()?;
    crowd.run("measuring", until_us, schedule.as_mut())?;
    let server_cpu_us = process::cpu_us(target.pid())? - cpu_before_us.0;
    let generator_cpu_us = process::cpu_us(std::process::id())? - cpu_before_us.1;
    crowd.drain()?;

    let mut report = Report::new(scenario);
    let statistics = target.statistics()?;
    put_load(&mut report, load, &crowd, &statistics);
    let acked = crowd.traffic.tally.window.acked;
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let per_message = |cpu_us: u64| cpu_us as f64 / acked.max(1) as f64;
    report
        .put("server_cpu_us_per_message", per_message(server_cpu_us))
        .put("generator_cpu_us_per_message", per_message(generator_cpu_us));
    match pace {
        Pace::Closed { window } => report.put("window", window),
        Pace::Open { per_second } => report.put("rate", per_second),
    };
    if let Some(profile) = profile {
        report.put("profile", profile.finish()?);
    }
    report.put("server", statistics);
    let rate = crowd.traffic.tally.window.per_second(acked);
    drop(crowd);
    put_surroundings(&mut report, &target, load, rate, connections)?;
    Ok(report)
}

/// What the generator counted, and the server's storage.
pub(crate) fn put_load(report: &mut Report, load: &Load, crowd: &Crowd, statistics: &Value) {
    let (tally, connections) = (&crowd.traffic.tally, crowd.generator.cores().count());
    let window = &tally.window;
    report
        .put("seconds", window.seconds())
        .put("connections", connections)
        .put("body_bytes", load.body)
        .put("protocol", load.protocol)
        .put("acked_per_second", window.per_second(window.acked))
        .put("delivered_per_second", window.per_second(window.shown))
        .put("send_to_ack_ms", window.send_to_ack.json())
        .put("send_to_receive_ms", window.send_to_receive.json())
        .put("acked", tally.acked)
        .put("delivered", tally.shown);
    put_faults(report, crowd);
    put_storage(report, statistics);
}

pub(crate) fn put_faults(report: &mut Report, crowd: &Crowd) {
    let tally = &crowd.traffic.tally;
    report
        .put("errors", tally.errors + tally.disconnects)
        .put("lost", crowd.traffic.lost())
        .put("duplicated", tally.duplicated)
        .put("reordered", tally.reordered)
        .put("redelivered", tally.redelivered)
        .put("refusals", json!(tally.refusals))
        .put("unanswered", crowd.generator.cores().map(ClientCore::unsettled).sum::<usize>());
}

/// From arrival at the worker to the chunk durable, since the server's start.
pub(crate) fn put_storage(report: &mut Report, statistics: &Value) {
    let mut figures = statistics.pointer("/worker/storage_write_ms").cloned().unwrap_or(Value::Null);
    if let Value::Object(figures) = &mut figures {
        figures.remove("count");
    }
    report.put("storage_write_ms", figures);
}

/// The machine and its floors, measured when the load is gone.
pub(crate) fn put_surroundings(
    report: &mut Report,
    target: &Target,
    load: &Load,
    rate: f64,
    connections: usize,
) -> Result<()> {
    // Beside the data directory: on the same disk, and not among its files.
    let disk = target.ready.data_dir.parent().unwrap_or(Path::new("/")).to_owned();
    eprintln!("measuring the machine's floors");
    let floors = floors::measure(&disk, load.body, rate, connections).context("the machine's floors")?;
    report.put("floors", floors).put("machine", machine::describe(&disk));
    Ok(())
}

pub(crate) fn check_body(load: &Load) -> Result<()> {
    let most = iris_types::limits::BODY_BYTES_MAX;
    if !(Mark::BYTES..=most).contains(&load.body) {
        bail!("--body: {} to {most} bytes; the first {0} tell messages apart", Mark::BYTES);
    }
    Ok(())
}

fn warm_up_seconds(seconds: u64) -> u64 {
    (seconds / 10).clamp(2, 10)
}
