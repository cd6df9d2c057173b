//! What a client is made with.

use std::path::PathBuf;

use iris_protocol::Versions;
use iris_types::{DeviceId, UserId};

use crate::TokenSource;

/// Where the server is, who the device is, and where it keeps its state.
#[derive(Clone, Debug)]
pub struct Options {
    /// `HOST:PORT` or `ADDRESS:PORT`; an IPv6 address in brackets. The server's certificate has to name it.
    pub server: String,
    pub trust: Trust,
    pub token: TokenSource,
    /// Has to be the one that the token names.
    pub user: UserId,
    pub device: DeviceId,
    /// Directory of the local database, made if it is missing: one for each (user, device), used by one process
    /// at a time.
    pub state_dir: PathBuf,
    /// The protocol versions to offer.
    pub versions: Versions,
}

/// Who may vouch for the server.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The certificates in a PEM file.
    File(PathBuf),
    Roots(rustls::RootCertStore),
}
