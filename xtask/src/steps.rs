//! The table of what `cargo xtask test` does.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::outcome::Outcome;
use crate::prerequisites::{self, WASM_TARGET};
use crate::{deny, process, python, tidy, web};

/// What a step does.
enum Work {
    /// Something of this tool.
    Own(fn(&Path) -> Result<Outcome>),
    /// `cargo` with these arguments.
    Cargo(&'static [&'static str]),
}

/// When a step runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// Not with `--quick`.
    Full,
    /// Only with `--quick`, in place of something longer.
    Quick,
}

struct Step {
    name: &'static str,
    when: When,
    minutes_max: u64,
    work: Work,
}

use When::{Always, Full, Quick};
use Work::{Cargo, Own};

/// Every step, in order: what is quick to fail comes first. The simulator is built on its own, because only it
/// has the feature `planted-bugs` and cargo would hand that on to whatever is built along with it.
#[rustfmt::skip]
const STEPS: &[Step] = &[
    Step { name: "prerequisites", when: Always, minutes_max: 10, work: Own(prerequisites::install) },
    Step { name: "format", when: Always, minutes_max: 2, work: Cargo(&["fmt", "--all", "--check"]) },
    Step { name: "tidy", when: Always, minutes_max: 2, work: Own(tidy::run) },
    Step { name: "deny", when: Always, minutes_max: 5, work: Own(deny::run) },
    Step { name: "clippy", when: Always, minutes_max: 15, work: Cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"]) },
    Step { name: "tests", when: Always, minutes_max: 15, work: Cargo(&["test", "--workspace", "--exclude", "iris", "--exclude", "iris-sim", "--locked", "--quiet", "--no-fail-fast"]) },
    Step { name: "client rules for browsers", when: Always, minutes_max: 5, work: Cargo(&["check", "--package", "iris-client-core", "--target", WASM_TARGET, "--locked", "--quiet"]) },
    Step { name: "release build", when: Full, minutes_max: 15, work: Cargo(&["build", "--release", "--package", "iris", "--locked", "--quiet"]) },
    Step { name: "end to end", when: Full, minutes_max: 15, work: Cargo(&["test", "--release", "--package", "iris", "--locked", "--quiet", "--no-fail-fast"]) },
    Step { name: "python client", when: Full, minutes_max: 5, work: Own(python::run) },
    Step { name: "web client as committed", when: Full, minutes_max: 20, work: Own(web::check) },
    Step { name: "typescript client", when: Full, minutes_max: 15, work: Own(web::sdk) },
    Step { name: "browser", when: Full, minutes_max: 15, work: Own(web::browser) },
    Step { name: "20 kills under load", when: Full, minutes_max: 5, work: Cargo(&["run", "--release", "--package", "iris", "--locked", "--quiet", "--", "bench", "crash", "--kills", "20", "--spawn"]) },
    Step { name: "fuzz", when: Full, minutes_max: 10, work: Cargo(&["run", "--release", "--package", "iris-fuzz", "--locked", "--quiet", "--", "--inputs", "20000"]) },
    Step { name: "simulator's tests", when: Full, minutes_max: 15, work: Cargo(&["test", "--release", "--package", "iris-sim", "--locked", "--quiet", "--no-fail-fast"]) },
    Step { name: "1,000 seeds", when: Full, minutes_max: 10, work: Cargo(&["run", "--release", "--package", "iris-sim", "--locked", "--quiet", "--", "--seeds", "1000"]) },
    Step { name: "planted bugs", when: Full, minutes_max: 10, work: Cargo(&["run", "--release", "--package", "iris-sim", "--locked", "--quiet", "--", "--planted"]) },
    Step { name: "same seed, same trace", when: Full, minutes_max: 5, work: Cargo(&["run", "--release", "--package", "iris-sim", "--locked", "--quiet", "--", "--determinism"]) },
    Step { name: "fuzz, briefly", when: Quick, minutes_max: 3, work: Cargo(&["run", "--package", "iris-fuzz", "--locked", "--quiet", "--", "--inputs", "200"]) },
];

/// Benchmarks with thresholds: commands of their own, because a busy machine must not fail a test.
pub(crate) const COMMANDS: &[&str] = &["figures"];

/// Names of all steps, so that documents can refer to them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|step| step.name)
}

/// Runs every step, prints what each took, and at the end one line `N passed, M failed`.
pub(crate) fn test(root: &Path, quick: bool) -> Outcome {
    let unwanted = if quick { Full } else { Quick };
    let mut report = Vec::new();
    for step in STEPS.iter().filter(|step| step.when != unwanted) {
        println!("\n=== {} ===", step.name);
        let (outcome, taken) = timed(step, root);
        println!("=== {}: {} in {:.1} s", step.name, word(&outcome), taken.as_secs_f64());
        report.push((step.name, outcome, taken));
    }
    print_table(&report);
    total(report.into_iter().map(|(_, outcome, _)| outcome))
}

#[allow(clippy::disallowed_methods, reason = "a tool: each step is timed")]
fn timed(step: &Step, root: &Path) -> (Outcome, Duration) {
    let start = Instant::now();
    let outcome = work(step, root).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Outcome::FAILED
    });
    (outcome, start.elapsed())
}

fn work(step: &Step, root: &Path) -> Result<Outcome> {
    match step.work {
        Own(work) => work(root),
        Cargo(arguments) => {
            let mut command = Command::new("cargo");
            command.current_dir(root).args(arguments);
            process::run(command, Duration::from_secs(60 * step.minutes_max))
        }
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Ran { passed, failed: 0 } => format!("{passed} ok"),
        Outcome::Ran { passed, failed } => format!("{passed} ok, {failed} FAILED"),
        Outcome::Skipped(missing) => format!("SKIPPED, needs: {missing}"),
    }
}

fn print_table(report: &[(&str, Outcome, Duration)]) {
    println!("\n{:<28} {:>8}  result", "step", "seconds");
    for (name, outcome, taken) in report {
        println!("{name:<28} {:>8.1}  {}", taken.as_secs_f64(), word(outcome));
    }
}

/// Prints the sum alone on a line. A skip keeps the counts of what ran, but is not a pass.
fn total(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    let (mut passed, mut failed, mut sum) = (0, 0, Outcome::Ran { passed: 0, failed: 0 });
    for outcome in outcomes {
        if let Outcome::Ran { passed: p, failed: f } = outcome {
            passed += p;
            failed += f;
        }
        sum = sum.and(outcome);
    }
    println!("\n{passed} passed, {failed} failed");
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_among_passes_is_a_skip_and_a_failure_anywhere_fails() {
        let skipped = || Outcome::Skipped("x".to_owned());
        assert_eq!(total([Outcome::PASSED, skipped(), Outcome::PASSED].into_iter()), skipped());
        assert!(matches!(total([skipped(), Outcome::FAILED].into_iter()), Outcome::Ran { failed: 1, .. }));
    }

    #[test]
    fn only_the_simulator_is_built_with_planted_bugs() {
        for step in STEPS {
            if let Cargo(arguments) = step.work {
                let whole = arguments.contains(&"--workspace") && arguments.first() == Some(&"test");
                assert!(!whole || arguments.contains(&"iris-sim"), "{} must exclude iris-sim", step.name);
            }
        }
    }
}
