//! The `iris` binary: parses, starts tracing, runs one command, maps its outcome to an exit code.

mod admin;
mod admin_socket;
mod bench;
mod chat;
mod cli;
mod clock;
mod config;
mod descriptors;
mod dev;
mod doctor;
mod health;
mod material;
mod memory;
mod ready;
mod scrub;
mod serve;
mod server;
mod socket;
mod stats;
mod status;
mod storage;
mod token;
mod web;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let fills_screen = matches!(&cli.command, Command::Chat(arguments) if chat::is_full_screen(arguments));
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(if fills_screen { LevelFilter::OFF } else { LevelFilter::INFO })
        .with_target(false)
        .init();
    let outcome = match &cli.command {
        Command::Dev(arguments) => dev::run(arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Chat(arguments) => return chat::run(arguments),
        Command::Token(arguments) => token::run(arguments),
        Command::Admin(command) => admin::run(command),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Bench(command) => bench::run(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iris: {error:#}");
            ExitCode::FAILURE
        }
    }
}
