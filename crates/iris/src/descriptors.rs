//! How many files and sockets this process may have open.

use anyhow::{Result, bail};
use iris_types::limits::DESCRIPTORS_RESERVED;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as this user may, and gives the connections that it leaves room for.
///
/// # Errors
/// When a server would have no room for any.
pub(crate) fn connections_max() -> Result<usize> {
    let limit = raised();
    match limit.saturating_sub(DESCRIPTORS_RESERVED) {
        0 => bail!(
            "only {limit} files may be open, {DESCRIPTORS_RESERVED} of them are needed beside connections\n  \
             raise the limit: LimitNOFILE in a systemd unit, or ulimit -n"
        ),
        connections => Ok(usize::try_from(connections).unwrap_or(usize::MAX)),
    }
}

/// The soft limit is low for the sake of programs with `select`; this is none of them.
fn raised() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    // None: no limit.
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
