//! What the engine needs of a disk, and no more.

use std::fmt;
use std::sync::Arc;

/// One directory tree. Names are relative to it, `/` separates, at most one directory deep.
///
/// Durability is explicit: bytes are durable after [`DiskFile::sync_data`], names (creations, renames, removals)
/// after [`Disk::sync_directory`] of their directory.
pub trait Disk: Send + Sync {
    /// Takes the tree for this process, until the disk is dropped.
    ///
    /// # Errors
    /// [`DiskError::Locked`] when another process has it.
    fn lock(&self) -> Result<(), DiskError>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// [`DiskError::NotFound`] or any.
    fn open(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError>;

    /// Creates an empty file.
    ///
    /// # Errors
    /// [`DiskError::Exists`] or any.
    fn create(&self, name: &str) -> Result<Arc<dyn DiskFile>, DiskError>;

    /// Creates a directory; one that exists is fine.
    ///
    /// # Errors
    /// Any.
    fn create_directory(&self, name: &str) -> Result<(), DiskError>;

    /// Gives a file another name; a file that has it already is replaced.
    ///
    /// # Errors
    /// Any.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file.
    ///
    /// # Errors
    /// Any.
    fn remove(&self, name: &str) -> Result<(), DiskError>;

    /// Names of the files of a directory, without it, ascending; "" is the top. A missing directory is empty.
    ///
    /// # Errors
    /// Any.
    fn list(&self, directory: &str) -> Result<Vec<String>, DiskError>;

    /// Makes the names in a directory durable; "" is the top.
    ///
    /// # Errors
    /// Any.
    fn sync_directory(&self, directory: &str) -> Result<(), DiskError>;

    /// How much space there is.
    ///
    /// # Errors
    /// Any.
    fn space(&self) -> Result<Space, DiskError>;
}

/// An open file. Reads and writes name their place; nothing is shared between calls.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// [`DiskError::Short`] when the file ends before, or any.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError>;

    /// Writes all of `bytes` at `offset`; the file grows as needed.
    ///
    /// # Errors
    /// [`DiskError::NoSpace`] or any; an unknown part may be written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes everything written durable (`fdatasync`).
    ///
    /// # Errors
    /// Any. What was written before is then gone or not, and nobody knows: never call it again for that.
    fn sync_data(&self) -> Result<(), DiskError>;

    /// Says that what is synced will hardly be read soon, so that the system's page cache need not keep it: what is
    /// kept for nobody costs memory, and fresh memory costs more than the write.
    fn forget_cached(&self) {}

    /// Bytes of the file.
    ///
    /// # Errors
    /// Any.
    fn length(&self) -> Result<u64, DiskError>;
}

/// Room of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub free_bytes: u64,
    pub total_bytes: u64,
}

/// Why the disk did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskError {
    NotFound,
    Exists,
    Short,
    NoSpace,
    /// The process or the machine has no descriptor left. Only opening and creating say so, before anything happened.
    TooManyFiles,
    Locked,
    Io(String),
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("no such file"),
            Self::Exists => f.write_str("the file exists already"),
            Self::Short => f.write_str("the file is too short"),
            Self::NoSpace => f.write_str("no space left"),
            Self::TooManyFiles => f.write_str("too many open files"),
            Self::Locked => f.write_str("another process uses the directory"),
            Self::Io(error) => f.write_str(error),
        }
    }
}

impl std::error::Error for DiskError {}
