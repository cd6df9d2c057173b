//! `iris bench`: load and measurement.

use anyhow::{Result, bail};

use crate::cli::Bench;

pub(crate) fn run(_command: &Bench) -> Result<()> {
    bail!("no benches in this build")
}
