//! The client that was written from `docs/protocol.md` alone: the vectors, and a scenario in both versions against a
//! server of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::outcome::Outcome;
use crate::process;

const CLIENT: &str = "examples/python/iris_client.py";
const VECTORS: &str = "docs/protocol-vectors.json";
const START_LIMIT: Duration = Duration::from_secs(30);
const SCENARIO_LIMIT: Duration = Duration::from_secs(120);

/// A server that `iris dev` started; ended when dropped, with everything it wrote.
struct Server {
    binary: PathBuf,
    directory: PathBuf,
    child: Child,
}

/// What of `ready.json` is needed here.
#[derive(Deserialize)]
struct Ready {
    address: String,
    ca_file: PathBuf,
}

pub(crate) fn run(root: &Path) -> Result<Outcome> {
    if !process::is_present("python3", "--version") {
        return Ok(Outcome::Skipped("sudo apt-get install --yes python3".to_owned()));
    }
    let mut reading = client(root);
    reading.args(["vectors", VECTORS]);
    let vectors = process::run(reading, SCENARIO_LIMIT)?;
    let mut server = Server::start(root)?;
    let ready = server.ready()?;
    let first = scenario(root, &server, &ready, "1")?;
    Ok(vectors.and(first).and(scenario(root, &server, &ready, "2")?))
}

/// Two users of their own, so that both versions start from nothing.
fn scenario(root: &Path, server: &Server, ready: &Ready, version: &str) -> Result<Outcome> {
    let (user, peer) = (format!("python-{version}"), format!("peer-{version}"));
    let mut command = client(root);
    command
        .args(["--server", &ready.address, "--protocol", version, "--user", &user, "--ca"])
        .arg(&ready.ca_file);
    command.arg("--token-file").arg(server.token(&user)?);
    command.args(["selftest", "--peer", &peer, "--peer-token-file"]).arg(server.token(&peer)?);
    process::run(command, SCENARIO_LIMIT)
}

fn client(root: &Path) -> Command {
    let mut command = Command::new("python3");
    command.current_dir(root).env("PYTHONDONTWRITEBYTECODE", "1").arg(CLIENT);
    command
}

impl Server {
    fn start(root: &Path) -> Result<Self> {
        let built = Command::new("cargo")
            .current_dir(root)
            .args(["build", "--release", "--quiet", "--locked", "--package", "iris"])
            .status()?;
        if !built.success() {
            bail!("the server does not build");
        }
        let directory = std::env::temp_dir().join(format!("iris-python-{}", std::process::id()));
        let binary = binary(root);
        let child = Command::new(&binary)
            .args(["dev", "--listen", "127.0.0.1:0", "--dir"])
            .arg(&directory)
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start iris dev")?;
        Ok(Self { binary, directory, child })
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a tool: polls for a file of another process, with a deadline"
    )]
    fn ready(&mut self) -> Result<Ready> {
        let (file, end) = (self.directory.join("ready.json"), Instant::now() + START_LIMIT);
        while !file.exists() {
            if let Some(status) = self.child.try_wait()? {
                bail!("iris dev ended: {status}");
            }
            if Instant::now() > end {
                bail!("iris dev was not ready within {} s", START_LIMIT.as_secs());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(serde_json::from_slice(&fs::read(file)?)?)
    }

    /// A file with a token for a user.
    fn token(&self, user: &str) -> Result<PathBuf> {
        let output = Command::new(&self.binary)
            .args(["token", "--user", user, "--dir"])
            .arg(&self.directory)
            .output()?;
        if !output.status.success() {
            bail!("iris token: {}", String::from_utf8_lossy(&output.stderr));
        }
        let file = self.directory.join(format!("{user}.token"));
        fs::write(&file, output.stdout)?;
        Ok(file)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Where cargo puts the release binary.
fn binary(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("release/iris")
}
