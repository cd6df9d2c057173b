//! The client that was written from `docs/protocol.md` alone, against a server of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::outcome::Outcome;
use crate::process;

/// The scenario of the client: log in, send, receive, sync and page history in both versions.
const SCENARIO: &str = "clients/python/check.py";
const START_LIMIT: Duration = Duration::from_secs(30);
const SCENARIO_LIMIT: Duration = Duration::from_secs(120);

/// Starts `iris dev` in a directory of its own, runs the scenario against it, and ends the server.
pub(crate) fn run(root: &Path) -> Result<Outcome> {
    if !process::is_present("python3", "--version") {
        return Ok(Outcome::Skipped("sudo apt-get install --yes python3".to_owned()));
    }
    let directory = std::env::temp_dir().join(format!("iris-python-{}", std::process::id()));
    let mut server = start(root, &directory)?;
    let outcome = wait_until_ready(&mut server, &directory).and_then(|()| scenario(root, &directory));
    let _ = server.kill();
    let _ = server.wait();
    let _ = fs::remove_dir_all(&directory);
    outcome
}

fn start(root: &Path, directory: &Path) -> Result<Child> {
    let built = Command::new("cargo")
        .current_dir(root)
        .args(["build", "--release", "--quiet", "--locked", "--package", "iris"])
        .status()?;
    if !built.success() {
        bail!("the server does not build");
    }
    Command::new(binary(root))
        .args(["dev", "--listen", "127.0.0.1:0", "--dir"])
        .arg(directory)
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start iris dev")
}

/// Where cargo puts the release binary.
fn binary(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release/iris")
}

#[allow(clippy::disallowed_methods, reason = "a tool: polls for a file of another process, with a deadline")]
fn wait_until_ready(server: &mut Child, directory: &Path) -> Result<()> {
    let end = Instant::now() + START_LIMIT;
    while !directory.join("ready.json").exists() {
        if let Some(status) = server.try_wait()? {
            bail!("iris dev ended: {status}");
        }
        if Instant::now() > end {
            bail!("iris dev was not ready within {} s", START_LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn scenario(root: &Path, directory: &Path) -> Result<Outcome> {
    let mut command = Command::new("python3");
    command.current_dir(root).arg(SCENARIO).arg("--dir").arg(directory).env("IRIS", binary(root));
    process::run(command, SCENARIO_LIMIT)
}
