//! What the tests need besides the toolchain, and how it gets there.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::outcome::Outcome;
use crate::process::is_present;

/// A program that some step needs, the question that shows it is there, and its Debian package.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("make", "--version", "make"),
    ("strace", "--version", "strace"),
    ("python3", "--version", "python3"),
    ("node", "--version", "nodejs"),
    ("npm", "--version", "npm"),
    ("chromium", "--version", "chromium"),
];

/// Target of the check that the client's rules compile for browsers.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Installs what is missing when it may, else names the command.
pub(crate) fn install(root: &Path) -> Result<Outcome> {
    let packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(name, ask, _)| !is_present(name, ask))
        .map(|(_, _, package)| *package)
        .collect();
    let programs = if packages.is_empty() { Outcome::PASSED } else { install_packages(&packages) };
    Ok(programs.and(install_wasm_target(root)))
}

fn install_packages(packages: &[&str]) -> Outcome {
    let by_hand = format!("sudo apt-get install --yes {}", packages.join(" "));
    if !is_root() {
        return Outcome::Skipped(by_hand);
    }
    let _ = apt(&["update", "--quiet"]);
    let arguments: Vec<&str> =
        ["install", "--yes", "--no-install-recommends"].iter().chain(packages).copied().collect();
    if apt(&arguments) { Outcome::PASSED } else { Outcome::Skipped(by_hand) }
}

fn apt(arguments: &[&str]) -> bool {
    let status = Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(arguments).status();
    status.is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let answer = Command::new("id").arg("-u").output();
    answer.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn install_wasm_target(root: &Path) -> Outcome {
    let status = Command::new("rustup").current_dir(root).args(["target", "add", WASM_TARGET]).status();
    if status.is_ok_and(|status| status.success()) {
        Outcome::PASSED
    } else {
        Outcome::Skipped(format!("rustup target add {WASM_TARGET}"))
    }
}
