//! `iris-sim`: runs seeds, replays one, shows that planted bugs are caught and that a seed repeats exactly.

use std::process::ExitCode;

use clap::Parser;
use iris_sim::{Report, campaign, run};

/// Runs the production crates in a simulated world, seed by seed, and checks what its clients saw.
#[derive(Parser)]
#[command(name = "iris-sim")]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Leave a rule out, by its name in iris_types::planted::Bug.
    #[arg(long)]
    bug: Option<String>,
    /// Run one seed and print how it ended, with its last events.
    #[arg(long)]
    replay: Option<u64>,
    /// With --replay: how many of the last events to print.
    #[arg(long, default_value_t = 200)]
    lines: usize,
    /// With --replay: write the whole history as JSON lines.
    #[arg(long)]
    history: Option<std::path::PathBuf>,
    /// Leave every rule out in turn; each must be noticed within 200 seeds.
    #[arg(long)]
    planted: bool,
    /// Run seeds twice, in this process and in another, and compare their traces.
    #[arg(long)]
    determinism: bool,
    /// Print the trace of each seed and nothing else.
    #[arg(long)]
    traces: bool,
    /// Worlds that run side by side.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Seeds within which a planted bug must be noticed.
const PLANTED_SEEDS_MAX: u64 = 200;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let bug = match &arguments.bug {
        Some(name) => Some(
            campaign::bug_named(name).ok_or_else(|| anyhow::anyhow!("no planted bug is called {name}"))?,
        ),
        None => None,
    };
    let passed = if let Some(seed) = arguments.replay {
        replay(&run(seed, bug, arguments.lines), &arguments)?
    } else if arguments.planted {
        planted(&arguments)
    } else if arguments.determinism {
        determinism(&arguments)?
    } else if arguments.traces {
        traces(&arguments);
        true
    } else {
        many(&arguments, bug)
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn many(arguments: &Arguments, bug: Option<iris_types::planted::Bug>) -> bool {
    let summary = campaign::seeds(arguments.from, arguments.seeds, bug, arguments.threads, false);
    println!(
        "{} seeds: {} simulated hours, {} events, {} acknowledged sends",
        summary.seeds,
        summary.simulated_ms / 3_600_000,
        summary.events,
        summary.acked
    );
    println!("server, all lives: {:?}", summary.tally);
    for (seed, problem) in summary.failures.iter().take(10) {
        println!("seed {seed}: {problem}\n  replay: {}", replay_command(*seed, arguments));
    }
    println!("{} seeds failed", summary.failures.len());
    summary.failures.is_empty()
}

fn replay(report: &Report, arguments: &Arguments) -> anyhow::Result<bool> {
    report.lines.iter().for_each(|line| println!("{line}"));
    println!(
        "seed {}, {} events, {} ms, trace {:016x}",
        report.seed, report.events, report.simulated_ms, report.trace
    );
    println!("{}", report.options);
    println!("{:?}\nevents by kind: {:?}", report.tally, report.kinds);
    if let Some(path) = &arguments.history {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        iris_history::json::write(&report.history, &mut file)?;
    }
    if let Some(defect) = &report.defect {
        println!("defect: {defect}");
    }
    report.violations.iter().for_each(|violation| println!("violated: {violation}"));
    println!("replay: {}", replay_command(report.seed, arguments));
    Ok(report.is_clean())
}

fn replay_command(seed: u64, arguments: &Arguments) -> String {
    let bug = arguments.bug.as_ref().map_or_else(String::new, |name| format!(" --bug {name}"));
    format!("cargo run --release -p iris-sim -- --replay {seed}{bug}")
}

fn planted(arguments: &Arguments) -> bool {
    let mut missed = 0;
    for bug in campaign::BUGS {
        match campaign::catch(*bug, PLANTED_SEEDS_MAX, arguments.threads) {
            Some((seed, problem)) => println!("{bug:?}: caught by seed {seed}: {problem}"),
            None => {
                missed += 1;
                println!("{bug:?}: NOT caught within {PLANTED_SEEDS_MAX} seeds");
            }
        }
    }
    println!("{} planted bugs caught, {missed} missed", campaign::BUGS.len() - missed);
    missed == 0
}

fn traces(arguments: &Arguments) {
    for seed in arguments.from..arguments.from + arguments.seeds {
        println!("{seed} {:016x}", run(seed, None, 0).trace);
    }
}

fn determinism(arguments: &Arguments) -> anyhow::Result<bool> {
    let different = campaign::unrepeatable(arguments.from, arguments.seeds);
    different.iter().for_each(|seed| println!("seed {seed}: two runs in one process differ"));
    let command = || {
        std::process::Command::new(std::env::current_exe()?)
            .args([
                "--traces",
                "--seeds",
                &arguments.seeds.to_string(),
                "--from",
                &arguments.from.to_string(),
            ])
            .output()
    };
    let (one, other) = (command()?, command()?);
    let same = one.status.success() && one.stdout == other.stdout && !one.stdout.is_empty();
    if !same {
        println!("two processes differ");
    }
    println!(
        "{} seeds run four times each: {}",
        arguments.seeds,
        if same && different.is_empty() { "equal" } else { "DIFFERENT" }
    );
    Ok(same && different.is_empty())
}
