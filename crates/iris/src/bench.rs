//! `iris bench`: load and measurement.
//!
//! The generator is the client machine of the SDKs, many times, in one thread over epoll, with real TLS and real
//! tokens ([`generator`]). Each scenario is a file: [`load`] (throughput, latency), [`connections`], [`crash`],
//! [`fill`], [`group`], [`presence`]. [`document`] writes `docs/performance.md` from their results.

mod clock;
mod connections;
mod crash;
mod crowd;
mod database;
mod document;
mod echo;
mod fill;
mod filler;
mod floors;
mod frames;
mod generator;
mod group;
mod kernel_memory;
mod load;
mod machine;
mod mark;
mod order;
mod presence;
mod probe;
mod process;
mod profile;
mod progress;
mod report;
mod schedule;
mod tally;
mod target;
mod tls;
mod traffic;
mod transport;
mod witness;

use anyhow::{Result, bail};

use self::report::Report;
use crate::cli::{Bench, Load};

pub(crate) fn run(command: &Bench) -> Result<()> {
    let (load, scenario): (&Load, fn(&Load) -> Result<Report>) = match command {
        Bench::Throughput(load) => (load, load::throughput),
        Bench::Latency(load) => (load, load::latency),
        Bench::Connections(load) => (load, connections::connections),
        Bench::Crash(load) => (load, crash::crash),
        Bench::Fill(load) => (load, fill::fill),
        Bench::Group(load) => (load, group::group),
        Bench::Presence(load) => (load, presence::presence),
        Bench::Document(arguments) => return document::write(arguments),
    };
    let report = scenario(load)?;
    report.publish(load.json.as_deref())?;
    judge(&report)?;
    match (command, crash::shortfall(&report)) {
        (Bench::Crash(_), Some(shortfall)) => bail!(shortfall),
        _ => Ok(()),
    }
}

/// A run in which a promise was broken has failed.
fn judge(report: &Report) -> Result<()> {
    let broken: Vec<_> = ["lost", "duplicated", "reordered", "unanswered", "violations"]
        .into_iter()
        .filter(|key| report.count(key) > 0)
        .map(|key| format!("{key}: {}", report.count(key)))
        .collect();
    if !broken.is_empty() {
        bail!("{}", broken.join(", "));
    }
    Ok(())
}
