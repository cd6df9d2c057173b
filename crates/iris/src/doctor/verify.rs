//! The data directory, read to the last byte; and a damaged part of it, moved aside.

use std::path::Path;

use anyhow::{Context, Result, bail};
use iris_store_local::{Config, OpenError, RealDisk};

use super::{Finding, Places};

const WHAT: &str = "data";

/// Reads and checks everything; needs no key.
pub(super) fn data(places: &Places) -> Finding {
    let folder = places.data.display();
    if !places.data.exists() {
        return Finding::good(WHAT, format!("{folder} has not been made yet"));
    }
    let disk = match RealDisk::open(&places.data) {
        Ok(disk) => disk,
        Err(error) => {
            return Finding::bad(WHAT, format!("{folder}: {error}"), "mend the directory or its permissions");
        }
    };
    let report = match iris_store_local::verify(&disk) {
        Ok(report) => report,
        Err(OpenError::Locked) => {
            return Finding::warning(
                WHAT,
                format!("{folder} is in use"),
                "stop the server to verify its data",
            );
        }
        Err(error) => return Finding::bad(WHAT, format!("{folder}: {error}"), "mend the disk"),
    };
    let seen = format!("{} files, {} bytes in {folder}", report.files, report.bytes);
    if report.findings.is_empty() {
        return Finding::good(WHAT, seen);
    }
    let findings: Vec<String> =
        report.findings.iter().map(|finding| format!("\n           {finding}")).collect();
    Finding::bad(
        WHAT,
        format!("{seen}; damaged:{}", findings.concat()),
        "restore a backup, or move a file aside with `iris admin quarantine --file NAME --accept-loss`",
    )
}

/// Moves a damaged file aside and says what is lost with it.
pub(crate) fn quarantine(directory: &Path, file: &str, accept_loss: bool) -> Result<()> {
    let disk = RealDisk::open(directory).with_context(|| format!("cannot use {}", directory.display()))?;
    if !accept_loss {
        bail!(
            "what is in {file} will be missing afterwards: back up {} first, then add --accept-loss",
            directory.display()
        );
    }
    // The store keeps its own id; this one would only name a new store.
    let loss = iris_store_local::quarantine(&disk, &Config::new([0; 16]), file)?;
    for kept in &loss.kept {
        println!("kept: {}", directory.join(kept).display());
    }
    for lost in &loss.lost {
        println!("lost: {lost}");
    }
    println!("A start can go on without it.");
    Ok(())
}
