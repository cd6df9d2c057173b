//! `iris admin`: asks a running server through its socket, or mends a stopped one's directory.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use iris_types::UserId;
use serde::{Deserialize, Serialize};

use crate::cli::{Admin, Where};
use crate::config::Config;
use crate::material::DevFiles;
use crate::socket;

/// One question through the socket: a line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Question {
    RevokeUser { user: String },
    RevokeToken { token: String },
}

/// The answer: a line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Done { text: String },
    Refused { reason: String },
}

/// How long the server may take to answer: another question's turn and its own.
const ANSWER: Duration = Duration::from_secs(35);

pub(crate) fn run(command: &Admin) -> Result<()> {
    match command {
        Admin::Revoke { user, token, place } => revoke(user.as_ref(), token.as_deref(), place),
        Admin::Quarantine { file, accept_loss, place } => {
            crate::doctor::quarantine(&place.data()?, file, *accept_loss)
        }
    }
}

fn revoke(user: Option<&UserId>, token: Option<&str>, place: &Where) -> Result<()> {
    let question = match (user, token) {
        (Some(user), _) => Question::RevokeUser { user: user.to_string() },
        (None, Some(token)) => Question::RevokeToken { token: token.to_owned() },
        (None, None) => bail!("give --user or --token"),
    };
    match ask(&place.socket()?, &question)? {
        Reply::Done { text } => {
            println!("{text}");
            Ok(())
        }
        Reply::Refused { reason } => bail!("{reason}"),
    }
}

fn ask(path: &std::path::Path, question: &Question) -> Result<Reply> {
    let mut stream = socket::connect(path)
        .with_context(|| format!("no server answers at {}: is it running?", path.display()))?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    let mut line = serde_json::to_string(question)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).context("the server did not answer in time")?;
    serde_json::from_str(&answer).context("the server's answer makes no sense: another version?")
}

impl Where {
    /// The socket of the server concerned.
    pub(crate) fn socket(&self) -> Result<PathBuf> {
        Ok(match &self.config {
            Some(file) => Config::read(file)?.admin.socket,
            None => DevFiles::new(&self.dir)?.socket(),
        })
    }

    /// The data directory of the server concerned.
    pub(crate) fn data(&self) -> Result<PathBuf> {
        Ok(match &self.config {
            Some(file) => Config::read(file)?.storage.directory,
            None => DevFiles::new(&self.dir)?.data(),
        })
    }
}
