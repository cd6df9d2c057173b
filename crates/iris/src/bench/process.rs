//! What the kernel says of a process: processor time and memory.

use std::fs;

use anyhow::{Context, Result};

/// Microseconds of a tick as Linux tells processes (USER_HZ is 100 wherever this runs).
const TICK_US: u64 = 10_000;

/// Processor time of all threads so far, user and kernel together, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    stat_cpu_ticks(&text).map(|ticks| ticks * TICK_US).context("a strange stat file")
}

/// Resident memory, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    kilobytes(&text, "VmRSS:").map(|kilobytes| kilobytes * 1_024).context("a strange status file")
}

/// The value of a line such as `VmRSS:   123 kB`.
pub(crate) fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Fields 14 and 15: the name before them, in brackets, may hold anything.
fn stat_cpu_ticks(text: &str) -> Option<u64> {
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_reads_in_spite_of_the_name() {
        let line = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 25 17 0 0 20 0 9 0 55 0 0";
        assert_eq!(stat_cpu_ticks(line), Some(42));
        assert_eq!(stat_cpu_ticks("7 (a) S 1"), None);
        assert_eq!(kilobytes("VmPeak:\t 9 kB\nVmRSS:\t  123 kB\n", "VmRSS:"), Some(123));
    }

    #[test]
    fn this_process_has_used_time_and_memory() -> Result<()> {
        let pid = std::process::id();
        assert!(cpu_us(pid)? < 1_000_000_000 && resident_bytes(pid)? > 100_000);
        Ok(())
    }
}
