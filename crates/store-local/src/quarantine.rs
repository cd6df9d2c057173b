//! Moving a damaged file aside, on an operator's word: `iris admin quarantine`.
//!
//! Nothing is deleted: damaged bytes go to the quarantine as they are. What follows them in their log goes with
//! them, and the log is sealed at the last good chunk. What lies in the quarantine is how a later start knows that
//! a run is missing, or a log short, with the operator's knowledge.

use std::collections::BTreeSet;

use iris_store::LogEnd;
use iris_types::{LogId, Position};

use crate::aside;
use crate::catalog::LogEntry;
use crate::durable::{self, Health};
use crate::found_log::FoundLog;
use crate::inspect::{Inspection, inspect};
use crate::journal::REGISTERS;
use crate::mark::{MARK, Mark, Marked};
use crate::record::Record;
use crate::run_file;
use crate::scan::{Scan, Step};
use crate::segment::{self, LOGS, SegmentHeader};
use crate::verify::verify;
use crate::{Config, Disk, DiskError, Finding, OpenError, block};

/// What was done, and what is gone with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Files of the quarantine that hold the damaged bytes.
    pub kept: Vec<String>,
    /// What is lost to the server, one sentence each.
    pub lost: Vec<String>,
}

/// Why nothing was moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuarantineError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0} is not damaged")]
    NotDamaged(String),
    #[error("the first damage of this log is elsewhere: {0}")]
    Elsewhere(Finding),
    #[error(
        "the registers say which logs and runs belong together: restore the whole data directory from a backup"
    )]
    Registers,
    #[error("{0} is no file of a store")]
    Unknown(String),
    #[error("the disk: {0}")]
    Disk(String),
}

/// Moves the damaged file `name` (as a [`Finding`] names it) aside, so that a start can proceed without it.
///
/// # Errors
/// Any [`QuarantineError`].
pub fn quarantine(disk: &dyn Disk, config: &Config, name: &str) -> Result<Loss, QuarantineError> {
    let report = verify(disk)?;
    if name == REGISTERS || report.findings.iter().any(|finding| finding.file == REGISTERS) {
        return Err(QuarantineError::Registers);
    }
    let Some(finding) = report.findings.iter().find(|finding| finding.file == name) else {
        return Err(QuarantineError::NotDamaged(name.to_owned()));
    };
    let inspection = inspect(disk)?;
    let short = name.rsplit('/').next().unwrap_or(name);
    if name == MARK {
        replace_mark(disk, &inspection)
    } else if run_file::parse_name(short).is_some() {
        move_runs(disk, name, short)
    } else if let Some((log, number)) = segment::parse_name(short) {
        cut_log(disk, config, inspection, log, number, finding)
    } else {
        Err(QuarantineError::Unknown(name.to_owned()))
    }
}

fn replace_mark(disk: &dyn Disk, inspection: &Inspection) -> Result<Loss, QuarantineError> {
    let mut loss = Loss::default();
    if disk.list("")?.iter().any(|short| short == MARK) {
        loss.kept.extend(keep_damaged(disk, "", MARK)?);
    }
    name_short_logs(disk, inspection, &mut loss)?;
    Mark::create(disk, inspection.journal.store)?;
    durable::sync_directory(disk, "")?;
    loss.lost.push(
        "the knowledge how far the logs were durable: if whole chunks have vanished from the end of an open log, \
         this start cannot tell"
            .to_owned(),
    );
    Ok(loss)
}

/// Logs that end before the mark go on without what has vanished; by a name in the quarantine a start knows of it.
fn name_short_logs(disk: &dyn Disk, inspection: &Inspection, loss: &mut Loss) -> Result<(), DiskError> {
    for (log, durable) in &inspection.mark.marked.logs {
        let found = inspection.logs.iter().find(|found| found.log == *log);
        let Some(found) = found.filter(|found| found.end.last.0 < *durable) else { continue };
        let last = found.segments.last().map_or(1, |segment| segment.number);
        loss.kept.push(aside::keep_name(disk, &segment::short_name(*log, last))?);
        loss.lost.push(format!("log {log}: the positions from {} to {durable}", found.end.last.0 + 1));
    }
    Ok(())
}

fn move_runs(disk: &dyn Disk, name: &str, short: &str) -> Result<Loss, QuarantineError> {
    let lost = match run_file::read(disk, name)? {
        Ok(index) => {
            index.runs.iter().map(|run| format!("run {} of vnode {}", run.name, run.vnode)).collect()
        }
        Err(_) => vec![format!("every run in {name}: its index cannot be read")],
    };
    let kept = aside::move_files(disk, run_file::RUNS, &[short.to_owned()])?;
    Ok(Loss { kept, lost })
}

/// The good part of a log in front of the damage.
struct Good {
    last: u64,
    end: LogEnd,
    /// Bytes of the damaged segment with blank blocks from the damage on; `None` when nothing of it is good.
    cut: Option<Vec<u8>>,
}

fn cut_log(
    disk: &dyn Disk,
    config: &Config,
    inspection: Inspection,
    log: LogId,
    number: u32,
    finding: &Finding,
) -> Result<Loss, QuarantineError> {
    let Some(entry) = inspection.journal.catalog.logs.get(&log).copied() else {
        return move_segments(disk, log, number, vec![format!("everything in {}", finding.file)]);
    };
    let numbers = numbers(disk, log)?;
    match FoundLog::inspect(disk, inspection.journal.store, log, entry, &numbers)? {
        Err(first) if first.file != finding.file => return Err(QuarantineError::Elsewhere(first)),
        Err(_) => {}
        Ok(_) => return Err(QuarantineError::NotDamaged(finding.file.clone())),
    }
    let good = good_part(disk, log, entry, number)?;
    let mut loss = Loss::default();
    let name = segment::name(log, number);
    let short = segment::short_name(log, number);
    if numbers.contains(&number) {
        loss.kept.extend(keep_damaged(disk, LOGS, &short)?);
    } else {
        // There is nothing to keep, but the name: by it a start knows that the log is short with somebody's knowledge.
        loss.kept.push(aside::keep_name(disk, &short)?);
    }
    let sealed_at = entry.sealed.map_or("an unknown one".to_owned(), |end| end.last.to_string());
    loss.lost.push(format!("log {log}: the positions from {} to {sealed_at}", good.last + 1));
    // What follows goes first: once the log is sealed in front of it, a start takes it for a leftover and removes it.
    // Until then, each start and each attempt at this finds the damage where it is.
    let behind = move_segments(disk, log, number.saturating_add(1), Vec::new())?;
    loss.kept.extend(behind.kept);
    shorten(disk, config, inspection, log, number, entry, &good)?;
    match &good.cut {
        Some(bytes) => {
            let file = disk.open(&name)?;
            file.write_at(0, bytes)?;
            durable::sync_data(&*file)?;
        }
        None => durable::remove(disk, &name)?,
    }
    Ok(loss)
}

/// Keeps a copy of a damaged file, or, where the disk cannot read it, the file itself.
fn keep_damaged(disk: &dyn Disk, directory: &str, short: &str) -> Result<Vec<String>, DiskError> {
    let name = if directory.is_empty() { short.to_owned() } else { format!("{directory}/{short}") };
    match segment::read(disk, &name)? {
        Ok(bytes) => Ok(vec![aside::keep(disk, short, &bytes)?]),
        Err(_) => aside::move_files(disk, directory, &[short.to_owned()]),
    }
}

/// Moves the segments from `number` on.
fn move_segments(
    disk: &dyn Disk,
    log: LogId,
    number: u32,
    lost: Vec<String>,
) -> Result<Loss, QuarantineError> {
    let shorts: Vec<String> =
        numbers(disk, log)?.range(number..).map(|number| segment::short_name(log, *number)).collect();
    let kept = if shorts.is_empty() { Vec::new() } else { aside::move_files(disk, LOGS, &shorts)? };
    Ok(Loss { kept, lost })
}

fn numbers(disk: &dyn Disk, log: LogId) -> Result<BTreeSet<u32>, DiskError> {
    let parsed = disk.list(LOGS)?;
    Ok(parsed
        .iter()
        .filter_map(|short| segment::parse_name(short))
        .filter(|(of, _)| *of == log)
        .map(|(_, n)| n)
        .collect())
}

fn good_part(disk: &dyn Disk, log: LogId, entry: LogEntry, number: u32) -> Result<Good, DiskError> {
    let none = LogEnd { last: Position(entry.first.0 - 1), chunk: None };
    let mut good = Good { last: none.last.0, end: none, cut: None };
    for before in entry.first_segment..=number {
        let name = segment::name(log, before);
        let mut bytes = match segment::read(disk, &name) {
            Err(DiskError::NotFound) => break,
            bytes => match bytes? {
                Ok(bytes) => bytes,
                Err(_) => break,
            },
        };
        let Ok(header) = SegmentHeader::decode(&name, &bytes, bytes.len() as u64) else { break };
        if header.first != good.last + 1 || header.owner.log != log.0 || header.owner.segment != before {
            break;
        }
        let mut scan = Scan::new(&name, &bytes, &header);
        while matches!(scan.step(), Ok(Step::Frame(_))) {}
        let (tail, last, chunk) = (scan.tail, scan.last, scan.last_chunk);
        good.last = last;
        good.end = LogEnd { last: Position(last), chunk: chunk.or(good.end.chunk) };
        if before == number {
            let from = segment::offset(tail) as usize;
            block::write_blank(bytes.get_mut(from..).unwrap_or_default(), tail);
            good.cut = Some(bytes);
        }
    }
    Ok(good)
}

/// Seals the log at its good end, in the registers and in the mark.
fn shorten(
    disk: &dyn Disk,
    config: &Config,
    inspection: Inspection,
    log: LogId,
    number: u32,
    entry: LogEntry,
    good: &Good,
) -> Result<(), QuarantineError> {
    let marked = Marked {
        registers: inspection.mark.marked.registers,
        logs: inspection.mark.marked.logs.iter().filter(|(of, _)| *of != log).copied().collect(),
    };
    let mut records = vec![Record::LogSealed { log, end: good.end }];
    if good.last < entry.first.0 {
        let first = Position(good.last + 1);
        records.push(Record::LogTrimmed { log, first_segment: number.saturating_add(1), first });
    }
    // The mark first: in between, the damage itself refuses a start, and not a mark above the log's new end.
    Mark::renew(disk, inspection.journal.store, &inspection.mark, &marked)?;
    let mut journal = inspection.journal.rewrite(disk, config.journal_bytes)?;
    let committed = journal.commit(disk, &Health::default(), &records);
    committed.map_err(|error| QuarantineError::Disk(error.to_string()))
}

impl From<DiskError> for QuarantineError {
    fn from(error: DiskError) -> Self {
        Self::Disk(error.to_string())
    }
}
