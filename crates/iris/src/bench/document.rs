//! `docs/performance.md`, written from the results of runs: nobody types a figure.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::report::{plain, rows};
use crate::cli::Document;

const INTRODUCTION: &str = "\
# Performance

Written by `iris bench document` from the files that `iris bench … --json FILE` leaves; do not edit it. Run the
benches on your machine and write your own: figures of different machines compare by their floors.

How to read the figures:

- Server and load generator share the cores named below, over the loopback network, with TLS 1.3 and tokens.
- *Acknowledged* means decided, written to the log and flushed with fdatasync. *Delivered* means shown by the
  recipient's client, once.
- Latencies count from the time at which a send was intended, not from when the generator got round to it.
- `storage_write_ms` is the server's: from the arrival of a request at its worker to the flush that made it
  durable, since the server's start.
- `server_cpu_us_per_message` is the processor time of the server's process per acknowledged message, its delivery
  and flushing included.
- Floors are measured right after the run: write of 4 KiB and fdatasync on the server's disk, a plain TCP echo at
  the run's rate, AES-256-GCM over one body.
- Of kernel memory, half is the server's: both ends of every connection are on this machine, with the same objects.
";

/// Writes the document.
pub(crate) fn write(arguments: &Document) -> Result<()> {
    let mut text = INTRODUCTION.to_owned();
    for path in &arguments.results {
        section(&mut text, &read(path)?)?;
    }
    std::fs::write(&arguments.to, text).with_context(|| format!("cannot write {}", arguments.to.display()))
}

fn read(path: &Path) -> Result<Map<String, Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no result", path.display()))
}

/// One run: its machine, its figures, and where the time went.
fn section(text: &mut String, result: &Map<String, Value>) -> Result<()> {
    let word = |key: &str| result.get(key).map(plain).unwrap_or_default();
    write!(text, "\n## {}\n\n", title(&word("scenario"), &word("rate"), &word("connections")))?;
    if let Some(Value::Object(machine)) = result.get("machine") {
        let part = |key: &str| machine.get(key).map(plain).unwrap_or_default();
        writeln!(
            text,
            "{}, {} cores ({}), {} GiB, Linux {}, disk {}; {} build; load average {}.\n",
            part("date"),
            part("cores"),
            part("processor"),
            part("memory_gib"),
            part("kernel"),
            part("disk"),
            part("build"),
            part("load_average")
        )?;
    }
    let shown = |key: &str| !matches!(key, "scenario" | "machine" | "server" | "profile");
    let figures: Vec<_> = result.iter().filter(|(key, _)| shown(key)).collect();
    text.push_str("| figure | value |\n|---|---|\n");
    for (name, value) in rows(figures.into_iter().map(|(name, value)| (name.as_str(), value))) {
        writeln!(text, "| {name} | {value} |")?;
    }
    if let Some(Value::Object(profile)) = result.get("profile") {
        text.push_str("\nWhere the server's processor time went, in percent of its samples:\n");
        for (name, shares) in profile {
            shares_table(text, &name.replace("percent_", "").replace('_', " "), shares)?;
        }
    }
    Ok(())
}

fn title(scenario: &str, rate: &str, connections: &str) -> String {
    match scenario {
        "throughput" => format!("Throughput, {connections} connections"),
        "latency" => format!("Latency at {rate} messages/s, {connections} connections"),
        "connections" => format!("{connections} connections at rest"),
        "crash" => "Crashes".to_owned(),
        other => other.to_owned(),
    }
}

fn shares_table(text: &mut String, name: &str, shares: &Value) -> Result<()> {
    write!(text, "\n| {name} | % |\n|---|---|\n")?;
    for pair in shares.as_array().into_iter().flatten() {
        let part = |at: usize| pair.get(at).map(plain).unwrap_or_default();
        // A function's name may hold anything; in a table of Markdown a bar ends the cell.
        writeln!(text, "| `{}` | {} |", part(0).replace('|', "\\|"), part(1))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_section_has_the_figures_and_the_profile_of_its_run() -> Result<()> {
        let result = json!({
            "scenario": "latency", "rate": 500.0, "connections": 10, "lost": 0, "server": {"x": 1},
            "send_to_ack_ms": {"p50": 1.5, "p99": 2.5}, "floors": null,
            "machine": {"date": "2026-01-02", "cores": 2},
            "profile": {"percent_by_thread": [["edge", 50.0]]},
        });
        let mut text = String::new();
        section(&mut text, result.as_object().context("an object")?)?;
        for part in [
            "## Latency at 500.00 messages/s, 10 connections",
            "2026-01-02, 2 cores",
            "| send_to_ack_ms | p50 1.50  p99 2.50 |",
            "| by thread | % |\n|---|---|\n| `edge` | 50.00 |",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("floors") && !text.contains("| server"), "{text}");
        Ok(())
    }
}
