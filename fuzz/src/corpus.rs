//! Inputs on disk: `fuzz/corpus/<target>/` is committed, `fuzz/artifacts/` holds what failed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Inputs of one target that are committed.
const KEPT_MAX: usize = 64;
/// Bytes of an input that is committed.
const KEPT_BYTES_MAX: usize = 4_096;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The committed inputs of a target, in a fixed order.
///
/// # Errors
/// When the directory is there but cannot be read.
pub fn read(target: &str) -> Result<Vec<Vec<u8>>> {
    let directory = root().join("corpus").join(target);
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut paths: Vec<PathBuf> =
        fs::read_dir(&directory)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    paths.sort();
    paths.iter().map(|path| fs::read(path).with_context(|| path.display().to_string())).collect()
}

/// Writes inputs to be committed, small ones first, and removes those that were there.
///
/// # Errors
/// When the disk refuses.
pub fn write(target: &str, mut inputs: Vec<Vec<u8>>) -> Result<usize> {
    let directory = root().join("corpus").join(target);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory)?;
    inputs.retain(|input| input.len() <= KEPT_BYTES_MAX);
    inputs.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    inputs.truncate(KEPT_MAX);
    for input in &inputs {
        fs::write(directory.join(name(input)), input)?;
    }
    Ok(inputs.len())
}

/// Keeps an input that failed; gives its path.
///
/// # Errors
/// When the disk refuses.
pub fn keep_failure(target: &str, input: &[u8]) -> Result<PathBuf> {
    let directory = root().join("artifacts");
    fs::create_dir_all(&directory)?;
    let path = directory.join(format!("{target}-{}", name(input)));
    fs::write(&path, input)?;
    Ok(path)
}

fn name(input: &[u8]) -> String {
    format!("{:08x}-{}", crc32c::crc32c(input), input.len())
}
