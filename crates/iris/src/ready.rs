//! `ready.json`: where a development server can be reached, there only while it serves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::material::write_private;

/// Everything a client or script needs. Paths are absolute. Shown to nobody: it holds tokens.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) address: SocketAddr,
    pub(crate) admin_address: SocketAddr,
    /// Where browsers get the web client over plain HTTP, on this machine alone; and over HTTPS.
    pub(crate) web_address: SocketAddr,
    pub(crate) web_https_address: SocketAddr,
    /// By user: opens the web client, logged in until the token ends.
    pub(crate) web_links: BTreeMap<String, String>,
    pub(crate) ca_file: PathBuf,
    pub(crate) secret_file: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) pid: u32,
}

impl Ready {
    /// Written beside its place and renamed, so that whoever sees it sees all of it.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        write_private(path, text.as_bytes())
    }

    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("no server runs in {}: start one with `iris dev --dir {0}`", folder(path).display())
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// A file that an earlier server left behind, or this one's at its end.
    pub(crate) fn remove(path: &Path) -> Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}
