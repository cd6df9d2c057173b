//! `iris doctor`: looks at the machine and the data, and says what to do about what it finds.

mod checks;
mod verify;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::cli::{Doctor, Where};
use crate::config::Config;
use crate::material::DevFiles;

pub(crate) use verify::quarantine;

/// One thing looked at.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) what: &'static str,
    pub(crate) verdict: Verdict,
    /// What was seen, with units.
    pub(crate) seen: String,
    /// What to do about it; empty when all is well.
    pub(crate) advice: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Good,
    Warning,
    Bad,
}

impl Finding {
    pub(crate) fn good(what: &'static str, seen: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Good, seen: seen.into(), advice: String::new() }
    }

    pub(crate) fn warning(what: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Warning, seen: seen.into(), advice: advice.into() }
    }

    pub(crate) fn bad(what: &'static str, seen: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Bad, seen: seen.into(), advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Good => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Bad => "bad    ",
        };
        write!(f, "{mark}  {:<14} {}", self.what, self.seen)?;
        if !self.advice.is_empty() {
            write!(f, "\n         {:<14} -> {}", "", self.advice)?;
        }
        Ok(())
    }
}

/// The places of one server.
pub(crate) struct Places {
    pub(crate) data: PathBuf,
    pub(crate) certificate: PathBuf,
    /// Where clients connect, and browsers.
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) running: bool,
}

impl Places {
    fn of(place: &Where) -> Result<Self> {
        let mut places = match &place.config {
            Some(file) => {
                let config = Config::read(file)?;
                Self {
                    data: config.storage.directory,
                    certificate: config.tls.certificate_file,
                    listen: [Some(config.server.listen), config.web.map(|web| web.listen)]
                        .into_iter()
                        .flatten()
                        .collect(),
                    running: crate::socket::connect(&config.admin.socket).is_ok(),
                }
            }
            None => {
                let files = DevFiles::new(&place.dir)?;
                let listen = crate::ready::Ready::read(&files.ready()).map_or_else(
                    |_| crate::cli::Dev::DEFAULT_ADDRESSES.to_vec(),
                    |ready| vec![ready.address, ready.web_https_address, ready.web_address],
                );
                Self {
                    data: files.data(),
                    certificate: files.certificate(),
                    listen,
                    running: crate::socket::connect(&files.socket()).is_ok(),
                }
            }
        };
        places.data = std::path::absolute(&places.data)?;
        Ok(places)
    }
}

pub(crate) fn run(arguments: &Doctor) -> Result<()> {
    let places = Places::of(&arguments.place)?;
    let mut findings = checks::machine(&places);
    if arguments.verify {
        findings.push(verify::data(&places));
    } else if places.data.exists() {
        findings
            .push(Finding::good("data", format!("{} (add --verify to read it all)", places.data.display())));
    }
    for finding in &findings {
        println!("{finding}");
    }
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    if bad > 0 {
        bail!("{bad} of {} findings need attention", findings.len());
    }
    Ok(())
}

/// The nearest folder that exists: a data directory may not have been made yet.
pub(crate) fn existing(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"))
}
