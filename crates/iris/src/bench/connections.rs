//! `iris bench connections`: connect time, and the memory of connections that rest.

use anyhow::{Context, Result};
use serde_json::json;

use super::crowd::Crowd;
use super::kernel_memory::KernelMemory;
use super::load;
use super::process;
use super::report::Report;
use super::target::Target;
use crate::cli::Load;

const CONNECTIONS: usize = 1_000;
/// Connects per second, when no rate is given.
const RATE: f64 = 100.0;
/// How long the connections rest before their memory is looked at.
const IDLE_US: u64 = 10_000_000;
/// Sends of a user on their way; each sends one message.
const WINDOW: usize = 1;

/// Logs in at a rate, lets every user write one message, waits, and looks at the server's and the kernel's memory.
pub(crate) fn connections(load: &Load) -> Result<Report> {
    load::check_body(load)?;
    let connections = load.connections.unwrap_or(CONNECTIONS).max(1);
    let rate = load.rate.unwrap_or(RATE);
    let target = Target::open(load, "")?;
    // The generator's own things are made before the first look.
    let mut crowd = Crowd::new(target.access(load, WINDOW)?, connections, load.body)?;
    let (server_before, kernel_before) = (process::resident_bytes(target.pid())?, KernelMemory::look()?);
    let cpu_before_us = process::cpu_us(target.pid())?;
    crowd.log_in(Some(rate))?;
    let server_logged_in = process::resident_bytes(target.pid())?;
    let login_cpu_us = process::cpu_us(target.pid())? - cpu_before_us;
    crowd.one_message_each();
    crowd.drain()?;
    crowd.run("resting", crowd.clock.micros() + IDLE_US, None)?;
    let (server, kernel) = (process::resident_bytes(target.pid())?, KernelMemory::look()?);

    let mut report = Report::new("connections");
    let statistics = target.statistics()?;
    let count = connections as u64;
    let server_each = server.saturating_sub(server_before) / count;
    let kernel_growth = kernel.since(&kernel_before, count);
    let kernel_each = kernel_growth.bytes_per_connection;
    let logins = crowd.traffic.logins.as_ref().context("nobody logged in")?;
    report
        .put("seconds", crowd.clock.seconds())
        .put("connections", connections)
        .put("body_bytes", load.body)
        .put("protocol", load.protocol)
        .put("rate", rate)
        .put("connect_ms", logins.latency.json())
        .put("server_bytes_per_connection", server_each)
        .put("kernel_bytes_per_connection", kernel_each)
        .put("bytes_per_connection", server_each + kernel_each)
        .put(
            "server_resident_bytes",
            json!({"before": server_before, "logged_in": server_logged_in, "after": server}),
        )
        .put("kernel_growth", kernel_growth.details)
        .put("server_cpu_us_per_login", login_cpu_us / count);
    load::put_faults(&mut report, &crowd);
    load::put_storage(&mut report, &statistics);
    report.put("server", statistics);
    drop(crowd);
    load::put_surroundings(&mut report, &target, load, rate, connections)?;
    Ok(report)
}
