//! Tasks of the repository: `cargo xtask test | tidy | sim | fuzz | bench | web | screenshots | deny | advisories`.
//!
//! Not part of the product. Exit codes: 0 passed, 1 failed, 2 skipped because something is missing (the
//! command that installs it is printed).
//!
//! - [`steps`]: the table of what `test` does; adding a step is one line there.
//! - [`tidy`]: style and structure as checks over the text of the repository.
//! - [`deny`]: licences, bans and sources of dependencies.

mod deny;
mod figures;
mod outcome;
mod prerequisites;
mod process;
mod python;
mod steps;
mod tidy;
mod web;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use outcome::Outcome;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of the repository")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that has to pass; `--quick` is the part that takes under three minutes.
    Test {
        #[arg(long)]
        quick: bool,
    },
    /// Structure and style: crate edges, limits, file shape, links, words, requirements.
    Tidy,
    /// The simulator, with its own arguments: `cargo xtask sim --seeds 1000`.
    Sim(Passed),
    /// The fuzz targets, with their own arguments: `cargo xtask fuzz --target frames --seconds 600`.
    Fuzz(Passed),
    /// The load generator: `cargo xtask bench throughput --spawn --seconds 120`.
    Bench(Passed),
    /// Licences, bans and sources of every dependency, as `deny.toml` says.
    Deny,
    /// Known vulnerabilities of dependencies; needs cargo-deny and its database from the network.
    Advisories,
    /// Short benchmarks with the thresholds of the non-functional requirements.
    Figures,
    /// The client of `docs/protocol.md` in Python against a server of its own.
    Python,
    /// The TypeScript SDK and the web client, from source; `--check` compares with what is committed.
    Web {
        #[arg(long)]
        check: bool,
    },
    /// Pictures of the web client for the README, of a release build.
    Screenshots,
}

/// Arguments passed on as they are.
#[derive(clap::Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = repository_root();
    match run(&arguments.task, &root) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(task: &Task, root: &Path) -> anyhow::Result<Outcome> {
    match task {
        Task::Test { quick } => Ok(steps::test(root, *quick)),
        Task::Tidy => tidy::run(root),
        Task::Sim(passed) => process::cargo_run(root, "iris-sim", &passed.arguments),
        Task::Fuzz(passed) => process::cargo_run(root, "iris-fuzz", &passed.arguments),
        Task::Bench(passed) => process::cargo_run(root, "iris", &bench_arguments(&passed.arguments)),
        Task::Deny => deny::run(root),
        Task::Advisories => deny::advisories(root),
        Task::Figures => figures::run(root),
        Task::Python => python::run(root),
        Task::Web { check } => web::build(root, *check),
        Task::Screenshots => web::screenshots(root),
    }
}

fn bench_arguments(passed: &[String]) -> Vec<String> {
    std::iter::once("bench".to_owned()).chain(passed.iter().cloned()).collect()
}

/// The directory above this crate's.
fn repository_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
