//! Unix sockets at paths of any length.
//!
//! A socket address holds 107 bytes, a directory's path may have more. A path through `/proc/self/fd` is short
//! wherever the directory lies.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Listens at `path` with mode 0600. A socket that a dead server left there is replaced; a live one is an error.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    through_folder(path, |short| {
        if UnixStream::connect(short).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there"));
        }
        match std::fs::remove_file(short) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Nobody may connect between bind and chmod: the mask makes the socket private from its first moment.
        let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
        let listener = UnixListener::bind(short);
        rustix::process::umask(mask);
        let listener = listener?;
        std::fs::set_permissions(short, std::fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    })
}

pub(crate) fn connect(path: &Path) -> io::Result<UnixStream> {
    through_folder(path, |short| UnixStream::connect(short))
}

fn through_folder<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "a socket needs a path with a name");
    let (folder, name) = (path.parent().ok_or_else(invalid)?, path.file_name().ok_or_else(invalid)?);
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let handle = std::fs::File::open(folder)?;
    act(&Path::new("/proc/self/fd").join(handle.as_raw_fd().to_string()).join(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_long_path_works_and_only_the_owner_gets_in() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(120));
        std::fs::create_dir(&long).unwrap();
        let path = long.join("admin.sock");
        let listener = bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        connect(&path).unwrap();
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        bind(&path).unwrap();
    }
}
