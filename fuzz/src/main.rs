//! Runs the fuzz targets: `cargo xtask fuzz [--target NAME] [--inputs N | --seconds S]`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use iris_fuzz::runner::{self, Failure};
use iris_fuzz::{Target, corpus, targets};

#[derive(Parser)]
#[command(name = "cargo xtask fuzz", about = "Fuzz targets for every decoder and for whole sessions")]
struct Arguments {
    /// Only this target.
    #[arg(long)]
    target: Option<String>,
    /// Inputs per target.
    #[arg(long, default_value_t = 20_000)]
    inputs: u64,
    /// Seconds per target, instead of a number of inputs.
    #[arg(long)]
    seconds: Option<u64>,
    /// The same seed tries the same inputs.
    #[arg(long, env = "TEST_SEED", default_value_t = 1)]
    seed: u64,
    /// Runs one input that failed.
    #[arg(long)]
    replay: Option<PathBuf>,
    /// Writes what showed something new into the corpus.
    #[arg(long)]
    write_corpus: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let wanted = |target: &&Target| arguments.target.as_deref().is_none_or(|name| name == target.name);
    let mut targets = targets::ALL.iter().filter(wanted).peekable();
    targets.peek().context("no such target")?;
    let mut passed = true;
    for target in targets {
        passed &= match &arguments.replay {
            Some(path) => replay(target, path)?,
            None => fuzz(target, arguments)?,
        };
    }
    Ok(passed)
}

fn replay(target: &Target, path: &PathBuf) -> Result<bool> {
    let outcome = runner::try_one(target, &std::fs::read(path)?);
    println!("{}: {outcome:?}", target.name);
    Ok(outcome.is_ok())
}

#[allow(clippy::disallowed_methods, reason = "how long a run takes is shown, and may bound it")]
fn fuzz(target: &Target, arguments: &Arguments) -> Result<bool> {
    let start = Instant::now();
    let limit = arguments.seconds.map(Duration::from_secs);
    let report = runner::run(target, arguments.seed, |inputs| match limit {
        Some(limit) => start.elapsed() < limit,
        None => inputs < arguments.inputs,
    })?;
    let (name, behaviours) = (target.name, report.population.len());
    println!(
        "{name:<20} {:>9} inputs {behaviours:>5} behaviours {:>6.1} s",
        report.inputs,
        start.elapsed().as_secs_f64()
    );
    if arguments.write_corpus {
        println!("{name:<20} {:>9} inputs in the corpus", corpus::write(name, report.population.clone())?);
    }
    report.failure.as_ref().map_or(Ok(true), |failure| tell(target, failure, arguments.seed))
}

fn tell(target: &Target, failure: &Failure, seed: u64) -> Result<bool> {
    let path = corpus::keep_failure(target.name, &failure.input)?;
    eprintln!("{} FAILED with seed {seed}: {}", target.name, failure.message);
    eprintln!("again: cargo xtask fuzz --target {} --replay {}", target.name, path.display());
    Ok(false)
}
