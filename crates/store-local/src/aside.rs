//! The quarantine: what was copied or moved aside, and what later starts learn from it.
//!
//! Nothing in it is ever replaced: a file keeps its name, and when that is taken, `.2`, `.3` and so on follow it.

use std::collections::BTreeSet;

use iris_store::Quarantined;
use iris_types::LogId;

use crate::durable;
use crate::run_file;
use crate::segment;
use crate::{Disk, DiskError};

/// Where damaged and torn bytes are kept.
pub(crate) const QUARANTINE: &str = "quarantine";

/// Keeps a copy of bytes, durably; gives its name.
pub(crate) fn keep(disk: &dyn Disk, short: &str, bytes: &[u8]) -> Result<String, DiskError> {
    disk.create_directory(QUARANTINE)?;
    let taken = taken(disk)?;
    // An earlier attempt at the same repair may have left the same bytes, maybe in the page cache only.
    let is_same = |name: &String| {
        let found = segment::read_all(disk, &format!("{QUARANTINE}/{name}"));
        taken.contains(name) && found.is_ok_and(|found| found == bytes)
    };
    let mut tried = names(short).take_while(|name| taken.contains(name));
    let (name, file) = if let Some(same) = tried.find(is_same) {
        let name = format!("{QUARANTINE}/{same}");
        let file = disk.open(&name)?;
        (name, file)
    } else {
        let name = free(&taken, short);
        let file = disk.create(&name)?;
        (name, file)
    };
    file.write_at(0, bytes)?;
    durable::sync_data(&*file)?;
    durable::sync_directory(disk, QUARANTINE)?;
    Ok(name)
}

/// Moves files, durably; gives their names in the quarantine.
pub(crate) fn move_files(
    disk: &dyn Disk,
    directory: &str,
    shorts: &[String],
) -> Result<Vec<String>, DiskError> {
    disk.create_directory(QUARANTINE)?;
    let taken = taken(disk)?;
    let mut moved = Vec::with_capacity(shorts.len());
    for short in shorts {
        let name = if directory.is_empty() { short.clone() } else { format!("{directory}/{short}") };
        let aside = free(&taken, short);
        disk.rename(&name, &aside)?;
        moved.push(aside);
    }
    durable::sync_directory(disk, QUARANTINE)?;
    durable::sync_directory(disk, directory)?;
    Ok(moved)
}

/// Sees to it that something of this name lies in the quarantine, when there are no bytes to be kept; gives its name.
pub(crate) fn keep_name(disk: &dyn Disk, short: &str) -> Result<String, DiskError> {
    match taken(disk)?.iter().find(|name| original(name) == short) {
        Some(name) => Ok(format!("{QUARANTINE}/{name}")),
        None => keep(disk, short, &[]),
    }
}

/// Logs of which a segment lies in the quarantine: damaged, missing, or vanished from the end. (A torn tail has its
/// place behind its name.)
pub(crate) fn cut_logs(disk: &dyn Disk) -> Result<BTreeSet<LogId>, DiskError> {
    Ok(taken(disk)?
        .iter()
        .filter_map(|name| segment::parse_name(original(name)))
        .map(|(log, _)| log)
        .collect())
}

/// Runs whose file lies in the quarantine, as far as the files can tell.
pub(crate) fn moved_runs(disk: &dyn Disk) -> Result<Quarantined, DiskError> {
    let mut found = Quarantined::default();
    for name in taken(disk)?.iter().filter(|name| run_file::parse_name(original(name)).is_some()) {
        match run_file::read(disk, &format!("{QUARANTINE}/{name}"))? {
            Ok(index) => found.names.extend(index.runs.iter().map(|run| run.name)),
            Err(_) => found.is_partly_unknown = true,
        }
    }
    Ok(found)
}

/// The highest number of a run file in the quarantine; 0 when there is none.
pub(crate) fn last_run_file(disk: &dyn Disk) -> Result<u64, DiskError> {
    let numbers = taken(disk)?.iter().filter_map(|name| run_file::parse_name(original(name))).max();
    Ok(numbers.unwrap_or_default())
}

fn taken(disk: &dyn Disk) -> Result<BTreeSet<String>, DiskError> {
    Ok(disk.list(QUARANTINE)?.into_iter().collect())
}

fn free(taken: &BTreeSet<String>, short: &str) -> String {
    let name = names(short).find(|name| !taken.contains(name)).unwrap_or_default();
    format!("{QUARANTINE}/{name}")
}

/// The names that a file may have in the quarantine, in the order in which they are tried.
fn names(short: &str) -> impl Iterator<Item = String> {
    let numbered = format!("{short}.");
    std::iter::once(short.to_owned()).chain((2_u64..).map(move |number| format!("{numbered}{number}")))
}

/// The name that a file of the quarantine had.
fn original(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((short, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => short,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::SimDisk;

    #[test]
    fn nothing_is_replaced() {
        let disk = SimDisk::new(1);
        for (bytes, name) in [("one", "a.seg"), ("two", "a.seg.2"), ("one", "a.seg"), ("three", "a.seg.3")] {
            assert_eq!(keep(&disk, "a.seg", bytes.as_bytes()), Ok(format!("quarantine/{name}")));
            assert_eq!(segment::read_all(&disk, &format!("quarantine/{name}")), Ok(bytes.into()));
        }
        disk.create("logs/a.seg").unwrap();
        let moved = move_files(&disk, "logs", &["a.seg".to_owned()]);
        assert_eq!(moved, Ok(vec!["quarantine/a.seg.4".to_owned()]));
        assert_eq!(keep_name(&disk, "a.seg"), Ok("quarantine/a.seg".to_owned()));
    }

    #[test]
    fn a_number_behind_a_name_is_no_part_of_it() {
        assert_eq!(original("0000000000000001.runs.2"), "0000000000000001.runs");
        assert_eq!(original("0000000000000001.runs"), "0000000000000001.runs");
        assert_eq!(original("a-00000001.seg-1024.3"), "a-00000001.seg-1024");
        assert_eq!(original("mark"), "mark");
    }
}
