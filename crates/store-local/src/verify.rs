//! Reading every byte of a store, without keys: `iris doctor --verify`.

use iris_store::StoreError;

use crate::inspect::inspect;
use crate::run_file::{self, RUNS};
use crate::runs::read_block;
use crate::segment::{self, LOGS};
use crate::{Disk, DiskError, Finding, OpenError, Reason, block};

/// What a verification saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub files: u64,
    pub bytes: u64,
    /// Everything that is damaged or missing; empty when all is well.
    pub findings: Vec<Finding>,
}

/// Reads and checks everything, as a start does, and each block of each run file besides. Changes nothing. Takes the
/// disk until it is dropped, so that nobody writes meanwhile.
///
/// # Errors
/// [`OpenError::Locked`] while a server runs, [`OpenError::Disk`]. Damage is no error: it is in the report.
pub fn verify(disk: &dyn Disk) -> Result<Report, OpenError> {
    disk.lock()?;
    let inspection = inspect(disk)?;
    let mut report = Report { findings: inspection.findings, ..Report::default() };
    let whole = report.findings.is_empty();
    for directory in ["", LOGS, RUNS] {
        for short in disk.list(directory)? {
            let name = if directory.is_empty() { short.clone() } else { format!("{directory}/{short}") };
            report.read(disk, &name, whole)?;
        }
    }
    Ok(report)
}

impl Report {
    /// Counts a file; checks what the inspection did not.
    fn read(&mut self, disk: &dyn Disk, name: &str, inspected: bool) -> Result<(), DiskError> {
        self.files += 1;
        self.bytes += disk.open(name)?.length()?;
        if name.ends_with(".runs") {
            self.read_runs(disk, name)
        } else if name.ends_with(".seg") && !inspected {
            self.read_blocks(disk, name)
        } else {
            Ok(())
        }
    }

    fn read_runs(&mut self, disk: &dyn Disk, name: &str) -> Result<(), DiskError> {
        // A damaged index is among the findings of the inspection, unless it did not get that far.
        let index = match run_file::read(disk, name)? {
            Ok(index) => index,
            Err(finding) => {
                self.add(finding);
                return Ok(());
            }
        };
        let file = disk.open(name)?;
        for run in &index.runs {
            for (number, place) in run.blocks.iter().enumerate() {
                if let Err(error) = read_block(&*file, *place) {
                    let is_read = matches!(error, StoreError::Corrupt { .. });
                    let reason = if is_read { Reason::CorruptRuns } else { Reason::Unreadable };
                    let detail = format!("run {}, block {number}: {error}", run.name);
                    self.add(Finding::new(reason, name, place.offset, detail));
                }
            }
        }
        Ok(())
    }

    /// Checks blocks one by one where nothing tells which log they should belong to.
    fn read_blocks(&mut self, disk: &dyn Disk, name: &str) -> Result<(), DiskError> {
        let bytes = match segment::read(disk, name)? {
            Ok(bytes) => bytes,
            Err(finding) => {
                self.add(finding);
                return Ok(());
            }
        };
        for (number, block) in (0..).zip(bytes.chunks(block::BLOCK_BYTES)) {
            if block::read(block, number).is_none()
                && !self.findings.iter().any(|finding| finding.file == name)
            {
                let offset = segment::offset(number);
                self.add(Finding::new(Reason::CorruptBlock, name, offset, "the block is damaged"));
            }
        }
        Ok(())
    }

    fn add(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}
