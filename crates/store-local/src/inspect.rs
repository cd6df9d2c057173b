//! Looking at a directory without changing it: what is there, and what must not be.

use std::collections::{BTreeMap, BTreeSet};

use iris_types::LogId;

use crate::aside;
use crate::found_log::FoundLog;
use crate::journal::{FoundJournal, REGISTERS};
use crate::mark::{self, MARK};
use crate::run_file::{self, RUNS, RunIndex};
use crate::segment::{self, LOGS, SegmentHeader};
use crate::{Disk, DiskError, Finding, Reason};

/// All that a start needs to know.
#[derive(Default)]
pub(crate) struct Inspection {
    /// There is no store yet, and nothing of one.
    pub(crate) is_absent: bool,
    pub(crate) journal: FoundJournal,
    pub(crate) mark: mark::Found,
    pub(crate) logs: Vec<FoundLog>,
    pub(crate) runs: BTreeMap<u64, RunIndex>,
    /// The highest number of a run file that is in use or in the quarantine: a file of the same number would be taken
    /// for the one there.
    pub(crate) last_run_file: u64,
    /// Files that a crash left and nobody needs.
    pub(crate) leftovers: Vec<String>,
    pub(crate) findings: Vec<Finding>,
}

/// Segments of each log by number, as their names say.
pub(crate) type SegmentNames = BTreeMap<LogId, BTreeSet<u32>>;

/// Reads everything a start reads: the journal, the mark, every kept segment, headers and indexes of run files.
pub(crate) fn inspect(disk: &dyn Disk) -> Result<Inspection, DiskError> {
    let mut found = Inspection::default();
    let segments = found.list_segments(disk)?;
    let run_files = found.list_run_files(disk)?;
    found.last_run_file = aside::last_run_file(disk)?.max(run_files.last().copied().unwrap_or_default());
    let mark = mark::Found::read(disk)?;
    match FoundJournal::read(disk)? {
        Ok(journal) => found.journal = journal,
        Err(finding) => {
            let marked = mark.is_ok_and(|mark| mark.marked.registers > 0);
            found.is_absent = finding.reason == Reason::MissingFile
                && segments.is_empty()
                && run_files.is_empty()
                && !marked;
            found.findings.extend((!found.is_absent).then_some(finding));
            return Ok(found);
        }
    }
    match mark {
        Ok(mark) => found.mark = mark,
        Err(finding) => found.findings.push(finding),
    }
    found.inspect_logs(disk, &segments)?;
    found.inspect_runs(disk, &run_files)?;
    found.check_mark();
    Ok(found)
}

impl Inspection {
    fn list_segments(&mut self, disk: &dyn Disk) -> Result<SegmentNames, DiskError> {
        let mut segments = SegmentNames::new();
        for short in disk.list(LOGS)? {
            if let Some((log, number)) = segment::parse_name(&short) {
                segments.entry(log).or_default().insert(number);
            } else if segment::is_spare(&short) {
                self.leftovers.push(format!("{LOGS}/{short}"));
            }
        }
        Ok(segments)
    }

    fn list_run_files(&mut self, disk: &dyn Disk) -> Result<Vec<u64>, DiskError> {
        let mut numbers = Vec::new();
        for short in disk.list(RUNS)? {
            match run_file::parse_name(&short) {
                Some(number) => numbers.push(number),
                None if short == "new" => self.leftovers.push(format!("{RUNS}/{short}")),
                None => {}
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn inspect_logs(&mut self, disk: &dyn Disk, segments: &SegmentNames) -> Result<(), DiskError> {
        let none = BTreeSet::new();
        let logs = self.journal.catalog.logs.clone();
        for (log, entry) in &logs {
            let numbers = segments.get(log).unwrap_or(&none);
            match FoundLog::inspect(disk, self.journal.store, *log, *entry, numbers)? {
                Ok(found) => {
                    self.check_registers(found.registers, &segment::name(*log, entry.first_segment));
                    self.leftovers.extend(found.leftovers.iter().cloned());
                    self.logs.push(found);
                }
                Err(finding) => self.findings.push(finding),
            }
        }
        for (log, numbers) in segments.iter().filter(|(log, _)| !logs.contains_key(*log)) {
            for number in numbers {
                self.inspect_unknown(disk, &segment::name(*log, *number))?;
            }
        }
        Ok(())
    }

    /// A segment of a log that the catalog does not know: a crash while the log was created leaves it, without a
    /// chunk; anything else is a sign that the registers are older than it.
    fn inspect_unknown(&mut self, disk: &dyn Disk, name: &str) -> Result<(), DiskError> {
        let bytes = match segment::read(disk, name)? {
            Ok(bytes) => bytes,
            Err(finding) => {
                self.findings.push(finding);
                return Ok(());
            }
        };
        let finding = match SegmentHeader::decode(name, &bytes, bytes.len() as u64) {
            Ok(header) if crate::scan::is_unused(name, &bytes, &header) => {
                self.check_registers(header.registers, name);
                self.leftovers.push(name.to_owned());
                return Ok(());
            }
            Ok(_) => Finding::new(Reason::RegistersTooOld, name, 0, "the registers do not know this log"),
            Err(finding) => finding,
        };
        self.findings.push(finding);
        Ok(())
    }

    fn inspect_runs(&mut self, disk: &dyn Disk, numbers: &[u64]) -> Result<(), DiskError> {
        for number in numbers {
            let name = run_file::name(*number);
            match run_file::read(disk, &name)? {
                Ok(index) if index.store != self.journal.store => {
                    self.findings.push(Finding::new(
                        Reason::WrongStore,
                        &name,
                        8,
                        "the runs are of another store",
                    ));
                }
                Ok(index) => {
                    self.check_registers(index.registers, &name);
                    self.runs.insert(*number, index);
                }
                Err(finding) => self.findings.push(finding),
            }
        }
        Ok(())
    }

    /// Every file says how far the registers were when it was written; registers that are not that far any more
    /// have been put back, or have lost commits.
    fn check_registers(&mut self, position: u64, name: &str) {
        if position > self.journal.position {
            let detail =
                format!("{name} was written at commit {position}, they end at {}", self.journal.position);
            self.findings.push(Finding::new(Reason::RegistersTooOld, REGISTERS, 0, detail));
        }
    }

    fn check_mark(&mut self) {
        if self.mark.sequence > 0 && self.mark.store != self.journal.store {
            self.findings.push(Finding::new(Reason::WrongStore, MARK, 0, "the mark is of another store"));
        }
        self.check_registers(self.mark.marked.registers, MARK);
        let ends: BTreeMap<LogId, u64> = self.logs.iter().map(|log| (log.log, log.end.last.0)).collect();
        for (log, position) in &self.mark.marked.logs {
            let damaged = self.journal.catalog.logs.contains_key(log) && !ends.contains_key(log);
            let end = ends.get(log).copied().unwrap_or_default();
            if !damaged && end < *position {
                let detail = format!("log {log} was durable up to {position} and ends at {end}");
                self.findings.push(Finding::new(Reason::MarkAboveEnd, MARK, 0, detail));
            }
        }
    }
}
