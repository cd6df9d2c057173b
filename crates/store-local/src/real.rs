//! The disk of the operating system.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use crate::{Disk, DiskError, DiskFile, Space};

/// Name of the file whose lock says that a process uses the directory.
const LOCK: &str = "lock";

/// A directory of the file system. Files are readable by their owner only and closed on exec.
pub struct RealDisk {
    root: PathBuf,
    locked: Mutex<Option<File>>,
    /// Directories by name, open since they were first used: making a name durable, in the middle of a change, must
    /// not fail for want of a descriptor.
    directories: Mutex<BTreeMap<String, Arc<File>>>,
}

struct RealFile(File);

impl RealDisk {
    /// Uses `root`, which is created if absent, with the directories it lies in: durably, and for their owner only.
    ///
    /// # Errors
    /// Any of the file system.
    pub fn open(root: &Path) -> Result<Self, DiskError> {
        for missing in missing(root) {
            match DirBuilder::new().mode(0o700).create(missing) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                done => done?,
            }
            sync_parent(missing)?;
        }
        // Whoever created it may have been stopped before its name was durable.
        sync_parent(root)?;
        let disk = Self { root: root.to_owned(), locked: Mutex::default(), directories: Mutex::default() };
        disk.directory("")?;
        Ok(disk)
    }

    fn directory(&self, name: &str) -> Result<Arc<File>, DiskError> {
        let mut directories = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = directories.get(name) {
            return Ok(Arc::clone(directory));
        }
        let directory = Arc::new(File::open(self.path(name))?);
        directories.insert(name.to_owned(), Arc::clone(&directory));
        Ok(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }

    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        options
    }
}

/// The directories that have to be created, each before what lies in it.
fn missing(root: &Path) -> Vec<&Path> {
    let is_missing = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
    let mut missing: Vec<&Path> = root.ancestors().take_while(is_missing).collect();
    missing.reverse();
    missing
}

/// Makes the name of a directory durable.
fn sync_parent(directory: &Path) -> Result<(), DiskError> {
    // A root has no parent, and a relative name lies in the working directory.
    let Some(parent) = directory.parent() else { return Ok(()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    Ok(File::open(parent)?.sync_all()?)
}

impl Disk for RealDisk {
    fn lock(&self) -> Result<(), DiskError> {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        if locked.is_some() {
            return Err(DiskError::Locked);
        }
        let file = Self::options().create(true).truncate(false).open(self.path(LOCK))?;
        match file.try_lock() {
            Ok(()) => *locked = Some(file),
            Err(TryLockError::WouldBlock) => return Err(DiskError::Locked),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        Ok(())
    }

    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(Arc::new(RealFile(Self::options().open(self.path(name))?)))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(Arc::new(RealFile(Self::options().create_new(true).open(self.path(name))?)))
    }

    fn create_directory(&self, name: &str) -> Result<(), DiskError> {
        match DirBuilder::new().mode(0o700).create(self.path(name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            done => done?,
        }
        self.directory(name).map(drop)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        Ok(std::fs::rename(self.path(from), self.path(to))?)
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        Ok(std::fs::remove_file(self.path(name))?)
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, DiskError> {
        let entries = match std::fs::read_dir(self.path(directory)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && !(directory.is_empty() && name == LOCK) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_directory(&self, directory: &str) -> Result<(), DiskError> {
        Ok(self.directory(directory)?.sync_all()?)
    }

    fn space(&self) -> Result<Space, DiskError> {
        let found = rustix::fs::statvfs(&self.root).map_err(io::Error::from)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { free_bytes: bytes(found.f_bavail), total_bytes: bytes(found.f_blocks) })
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        Ok(self.0.read_exact_at(buffer, offset)?)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        Ok(self.0.write_all_at(bytes, offset)?)
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        Ok(self.0.sync_data()?)
    }

    fn forget_cached(&self) {
        // A hint: where it fails, the page cache is larger, and nothing else.
        let _ = rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::DontNeed);
    }

    fn length(&self) -> Result<u64, DiskError> {
        Ok(self.0.metadata()?.len())
    }
}

impl From<io::Error> for DiskError {
    fn from(error: io::Error) -> Self {
        if matches!(Errno::from_io_error(&error), Some(Errno::MFILE | Errno::NFILE)) {
            return Self::TooManyFiles;
        }
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::AlreadyExists => Self::Exists,
            ErrorKind::UnexpectedEof => Self::Short,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_is_created_level_by_level_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let levels = ["a", "a/b", "a/b/c"].map(|level| folder.path().join(level));
        assert_eq!(missing(&levels[2]), levels);
        RealDisk::open(&levels[2]).unwrap();
        assert!(missing(&levels[2]).is_empty());
        for level in &levels {
            assert_eq!(std::fs::metadata(level).unwrap().permissions().mode() & 0o777, 0o700, "{level:?}");
        }
        RealDisk::open(&levels[2]).unwrap();
    }

    #[test]
    fn the_parent_of_a_relative_name_is_the_working_directory() {
        let name = Path::new("no-such-directory");
        assert_eq!(missing(&name.join("data")), [name, &name.join("data")]);
        assert_eq!(sync_parent(name), Ok(()));
        assert_eq!(sync_parent(Path::new("/")), Ok(()));
        assert_eq!(sync_parent(&name.join("data")), Err(DiskError::NotFound));
    }
}
