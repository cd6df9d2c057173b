//! The server under load: one that runs already, or a process of our own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use iris_edge::TokenSecret;
use iris_protocol::Versions;
use serde_json::Value;

use super::clock::Stopwatch;
use super::generator::Access;
use super::tls;
use super::transport::Endpoint;
use crate::cli::Load;
use crate::config::Limits;
use crate::material::{DevFiles, hexadecimal, random, read_private};
use crate::ready::Ready;
use crate::token::HOW_TO_MAKE_A_SECRET;

/// How long a server may take to be ready.
const START_S_MAX: f64 = 60.0;
/// How often another process is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// How long an answer of the admin listener may take.
const STATS_MAX: Duration = Duration::from_secs(2);

/// A server that serves.
pub(crate) struct Target {
    pub(crate) ready: Ready,
    own: Option<OwnServer>,
}

impl Target {
    /// The server that the arguments name, or a new one.
    pub(crate) fn open(load: &Load, overrides: &str) -> Result<Self> {
        if !load.spawn {
            return Ok(Self { ready: Ready::read(&DevFiles::new(&load.dir)?.ready())?, own: None });
        }
        let mut own = OwnServer::new(overrides)?;
        let ready = own.start()?;
        Ok(Self { ready, own: Some(own) })
    }

    pub(crate) fn access(&self, load: &Load, window: usize) -> Result<Access> {
        access(&self.ready, load.protocol, window)
    }

    /// The server of `--spawn`, to be restarted.
    pub(crate) fn own(&mut self) -> Option<&mut OwnServer> {
        self.own.as_mut()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.ready.pid
    }

    /// What `/stats` says.
    pub(crate) fn statistics(&self) -> Result<Value> {
        statistics(&self.ready)
    }
}

/// What a generator needs to log in; versions from the highest downwards, as a client of that version offers.
pub(crate) fn access(ready: &Ready, protocol: u8, window: usize) -> Result<Access> {
    let secret = read_private(&ready.secret_file, "token secret", HOW_TO_MAKE_A_SECRET)?;
    Ok(Access {
        endpoint: Endpoint { address: ready.address, tls: tls::client_config(&ready.ca_file)? },
        secret: TokenSecret::new(&secret)?,
        versions: if protocol == 1 { Versions::ONLY_1 } else { Versions::ALL },
        window,
    })
}

/// Asks the admin listener for `/stats`.
pub(crate) fn statistics(ready: &Ready) -> Result<Value> {
    let mut stream = TcpStream::connect_timeout(&ready.admin_address, STATS_MAX)
        .context("the admin listener does not answer")?;
    stream.set_read_timeout(Some(STATS_MAX))?;
    stream.write_all(b"GET /stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer to GET /stats")?;
    if !head.starts_with("HTTP/1.1 200") {
        bail!("GET /stats: {}", head.lines().next().unwrap_or_default());
    }
    serde_json::from_str(body).context("/stats is no JSON")
}

/// A server process with a directory of its own; both are gone when this is dropped, unless it is kept.
pub(crate) struct OwnServer {
    folder: PathBuf,
    child: Option<Child>,
    kept: bool,
}

impl OwnServer {
    /// Makes the directory. `overrides`: what differs from the defaults, as TOML.
    pub(crate) fn new(overrides: &str) -> Result<Self> {
        let name = format!("iris-bench-{}", &hexadecimal(&random::<6>()?[..])[..]);
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let own = Self { folder, child: None, kept: false };
        fs::write(own.overrides(), overrides)?;
        // Everybody comes from one address; `iris dev` sets them.
        eprintln!("limits of the server: {}", Limits::HIGH);
        Ok(own)
    }

    /// The directory of the development server.
    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.join("server")
    }

    /// Starts the process and waits until it serves.
    pub(crate) fn start(&mut self) -> Result<Ready> {
        self.launch()?;
        let clock = Stopwatch::start();
        loop {
            if let Some(ready) = self.ready() {
                return Ok(ready);
            }
            if let Some(status) = self.ended()? {
                bail!("the server ended at its start ({status}):\n{}", self.last_words());
            }
            if clock.seconds() > START_S_MAX {
                bail!("the server is not ready after {START_S_MAX} s:\n{}", self.last_words());
            }
            // poll: another process writes the file
            std::thread::park_timeout(LOOK);
        }
    }

    /// Starts the process and does not wait.
    pub(crate) fn launch(&mut self) -> Result<()> {
        let directory = self.directory();
        Ready::remove(&DevFiles::new(&directory)?.ready())?;
        let log = File::options().create(true).append(true).open(self.log())?;
        let child = Command::new(std::env::current_exe().context("where is this program?")?)
            .arg("dev")
            .arg("--dir")
            .arg(&directory)
            .args(["--listen", "127.0.0.1:0", "--overrides"])
            .arg(self.overrides())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start a server")?;
        self.child = Some(child);
        Ok(())
    }

    /// Where the process of this moment serves, if it does.
    pub(crate) fn ready(&self) -> Option<Ready> {
        let path = DevFiles::new(&self.directory()).ok()?.ready();
        let ready = if path.exists() { Ready::read(&path).ok()? } else { return None };
        (Some(ready.pid) == self.child.as_ref().map(Child::id)).then_some(ready)
    }

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        })
    }

    /// SIGKILL. Returns when the process is gone.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().context("cannot kill the server")?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM, and SIGKILL if it does not go.
    pub(crate) fn stop(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let clock = Stopwatch::start();
        while child.try_wait()?.is_none() && clock.seconds() < START_S_MAX {
            // poll: another process ends
            std::thread::park_timeout(LOOK);
        }
        self.kill()
    }

    /// Leaves the folder behind, for a person to look at.
    pub(crate) fn keep(&mut self) -> &Path {
        self.kept = true;
        &self.folder
    }

    /// The end of what the server said.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    /// What differs from the server's defaults, from the next start on.
    pub(crate) fn overrides(&self) -> PathBuf {
        self.folder.join("overrides.toml")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure.
        let _ = self.kill();
        if !self.kept {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Bytes of all files in a directory and below it.
pub(crate) fn directory_bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        // A file may go while it is looked at.
        let Ok(metadata) = entry.metadata() else { continue };
        sum += if metadata.is_dir() { directory_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}
