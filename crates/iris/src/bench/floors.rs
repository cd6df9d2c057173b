//! What the machine can do at best, measured in the same run, so that figures of different days compare.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::{Value, json};

use super::clock::Stopwatch;
use super::echo;
use super::tally::Latency;

/// Bytes of a write before each flush: a block.
const BLOCK_BYTES: usize = 4 * 1_024;
/// Blocks of the file, written before, as the segments of the log are.
const BLOCKS: u64 = 256;
const FLUSHES: u64 = 400;
const SEALS: u32 = 100_000;

/// All floors. `directory`: on the server's disk. The echo runs at that rate over so many connections.
pub(crate) fn measure(directory: &Path, body_bytes: usize, rate: f64, connections: usize) -> Result<Value> {
    Ok(json!({
        "flush_ms": flush(directory)?.json(),
        "echo": echo::measure(body_bytes, rate, connections)?,
        "aead_ns": aead_ns(body_bytes)?,
    }))
}

/// Write of one block and fdatasync, in a file that was written before.
fn flush(directory: &Path) -> Result<Latency> {
    let path = directory.join(format!("flush-floor-{}", std::process::id()));
    let result = flush_in(&path);
    let removed = fs::remove_file(&path);
    let latency = result.with_context(|| format!("cannot measure flushes in {}", directory.display()))?;
    removed?;
    Ok(latency)
}

fn flush_in(path: &Path) -> Result<Latency> {
    let file = File::options().create_new(true).write(true).open(path)?;
    let block = [0x5a; BLOCK_BYTES];
    for at in 0..BLOCKS {
        file.write_all_at(&block, at * BLOCK_BYTES as u64)?;
    }
    file.sync_all()?;
    let mut latency = Latency::new()?;
    for round in 0..FLUSHES {
        let clock = Stopwatch::start();
        file.write_all_at(&block, round % BLOCKS * BLOCK_BYTES as u64)?;
        file.sync_data()?;
        latency.record_us(clock.micros());
    }
    Ok(latency)
}

/// Nanoseconds to seal one body with AES-256-GCM.
fn aead_ns(body_bytes: usize) -> Result<u64> {
    let failed = |_| anyhow::anyhow!("AES-256-GCM fails");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(failed)?);
    let mut bytes = vec![1; body_bytes];
    let clock = Stopwatch::start();
    for round in 0..SEALS {
        let mut nonce = [0; 12];
        nonce[..4].copy_from_slice(&round.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        // Only the time it takes is wanted.
        let _ = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut bytes).map_err(failed)?;
    }
    Ok(clock.micros() * 1_000 / u64::from(SEALS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_are_measured_and_leave_nothing_behind() -> Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(flush(folder.path())?.count(), FLUSHES);
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);
        assert!(aead_ns(200)? > 0);
        Ok(())
    }
}
