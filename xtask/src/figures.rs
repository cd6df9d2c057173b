//! Short benchmarks with thresholds: what the non-functional requirements allow (NFR-1, NFR-6, NFR-7).
//!
//! They hold the figures in kind on any machine; the long runs behind `docs/performance.md` are separate.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::outcome::Outcome;
use crate::process;

/// One run of `iris bench`, and what its result has to keep to.
struct Bench {
    arguments: &'static [&'static str],
    thresholds: &'static [Threshold],
}

/// The sum of some figures of a result, each named by its keys, is at most `most`.
struct Threshold {
    requirement: &'static str,
    figures: &'static [&'static str],
    most: f64,
}

const BENCHES: &[Bench] = &[
    Bench {
        arguments: &["connections", "--spawn", "--connections", "10000", "--rate", "100"],
        thresholds: &[
            Threshold { requirement: "NFR-1", figures: &["connect_ms.p99"], most: 100.0 },
            Threshold {
                requirement: "NFR-7",
                figures: &["server_bytes_per_connection", "kernel_bytes_per_connection"],
                most: 10_000.0,
            },
        ],
    },
    Bench {
        arguments: &["latency", "--spawn", "--connections", "200", "--rate", "4000", "--seconds", "10"],
        thresholds: &[
            Threshold { requirement: "NFR-6", figures: &["storage_write_ms.p99"], most: 50.0 },
            Threshold { requirement: "MSG-4", figures: &["lost", "duplicated", "reordered"], most: 0.0 },
        ],
    },
];
const LIMIT: Duration = Duration::from_secs(240);

pub(crate) fn run(root: &Path) -> Result<Outcome> {
    let results = std::env::temp_dir().join(format!("iris-figures-{}.json", std::process::id()));
    let mut sum = Outcome::Ran { passed: 0, failed: 0 };
    for bench in BENCHES {
        sum = sum.and(measure(root, bench, &results)?);
    }
    let _ = fs::remove_file(&results);
    Ok(sum)
}

fn measure(root: &Path, bench: &Bench, results: &Path) -> Result<Outcome> {
    let mut command = Command::new("cargo");
    command.current_dir(root).args([
        "run",
        "--release",
        "--quiet",
        "--locked",
        "--package",
        "iris",
        "--",
        "bench",
    ]);
    command.args(bench.arguments).arg("--json").arg(results);
    let ran = process::run(command, LIMIT)?;
    if ran != Outcome::PASSED {
        return Ok(ran);
    }
    let result: Value = serde_json::from_slice(&fs::read(results)?)?;
    let mut sum = Outcome::Ran { passed: 0, failed: 0 };
    for threshold in bench.thresholds {
        sum = sum.and(judge(threshold, &result)?);
    }
    Ok(sum)
}

fn judge(threshold: &Threshold, result: &Value) -> Result<Outcome> {
    let mut figure = 0.0;
    for name in threshold.figures {
        let value = name.split('.').try_fold(result, |value, key| value.get(key));
        figure += value.and_then(Value::as_f64).with_context(|| format!("the result has no {name}"))?;
    }
    let keeps = figure <= threshold.most;
    let (word, names) = (if keeps { "ok  " } else { "FAIL" }, threshold.figures.join(" + "));
    println!("{word} {}: {names} is {figure}, at most {}", threshold.requirement, threshold.most);
    Ok(if keeps { Outcome::PASSED } else { Outcome::FAILED })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(result: &str) -> Result<Outcome> {
        let threshold = Threshold { requirement: "NFR-0", figures: &["a.p99", "b"], most: 10.0 };
        judge(&threshold, &serde_json::from_str(result)?)
    }

    #[test]
    fn a_figure_above_its_threshold_fails_and_a_missing_one_is_an_error() -> Result<()> {
        assert_eq!(judged(r#"{"a": {"p99": 4}, "b": 6.0}"#)?, Outcome::PASSED);
        assert_eq!(judged(r#"{"a": {"p99": 4.5}, "b": 6}"#)?, Outcome::FAILED);
        assert!(judged(r#"{"a": {"p50": 4.5}, "b": 6}"#).is_err());
        Ok(())
    }
}
