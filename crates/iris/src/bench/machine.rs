//! Where and when figures were taken.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::process::kilobytes;
use crate::clock::wall;

/// Cores, processor, kernel, memory, disk below a path, date.
pub(crate) fn describe(path: &Path) -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name.to_owned()));
    let gibibytes = kilobytes(&read("/proc/meminfo"), "MemTotal:").unwrap_or(0).div_ceil(1_024 * 1_024);
    json!({
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "processor": processor,
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "memory_gib": gibibytes,
        "disk": disk(path, &read("/proc/self/mounts")),
        // Of the last minute: the run's own load, and whatever else the machine did.
        "load_average": read("/proc/loadavg").split(' ').next(),
        "date": date(wall().0 / 1_000),
        "build": if cfg!(debug_assertions) { "debug" } else { "release" },
    })
}

/// Device and file system of the longest mount point that the path begins with.
fn disk(path: &Path, mounts: &str) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let mount = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        Some((words.next()?, words.next()?, words.next()?))
    };
    let (device, _, kind) = mounts
        .lines()
        .filter_map(mount)
        .filter(|(_, point, _)| path.starts_with(point))
        .max_by_key(|(_, point, _)| point.len())?;
    Some(format!("{device} ({kind})"))
}

/// Days since 1970 as a date (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [(0, "1970-01-01"), (951_782_400, "2000-02-29"), (4_107_542_399, "2100-02-28")]
        {
            assert_eq!(date(seconds), text);
        }
    }

    #[test]
    fn a_disk_is_that_of_the_nearest_mount() {
        let mounts = "/dev/a / ext4 rw 0 0\n/dev/b /data xfs rw 0 0\n";
        assert_eq!(disk(Path::new("/data/x"), mounts).as_deref(), Some("/dev/b (xfs)"));
        assert_eq!(disk(Path::new("/database"), mounts).as_deref(), Some("/dev/a (ext4)"));
    }
}
