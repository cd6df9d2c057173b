//! Manifests: which runs a vnode has. They name no keys, for keys name users.
//!
//! ```text
//!  0  4  crc32c over every byte from 4 on
//!  4  1  version, 1
//!  5  4  number of runs
//!  9     50 bytes per run, ascending by table, window and age:
//!        name 16, table 1, level 1, window 4, age 8, blocks 4, bytes 8, rows 8
//! ```

use std::collections::BTreeSet;

use iris_types::RunName;

use crate::codec::Reader;
use crate::{ManifestError, MergePlan, Table, Window};

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 9;
const RUN_BYTES: usize = 50;

/// What is known of a run without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunMeta {
    pub name: RunName,
    pub table: Table,
    pub window: Window,
    /// 0 from memory, one more than its inputs' from a merge.
    pub level: u8,
    /// Greater is newer: the value of the newest run that has a key counts.
    pub age: u64,
    /// Blocks of rows and of the tail together.
    pub blocks: u32,
    /// Bytes of all blocks.
    pub bytes: u64,
    pub rows: u64,
}

/// The runs of one vnode, ascending by table, window and age; no name occurs twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    runs: Vec<RunMeta>,
}

impl Manifest {
    #[must_use]
    pub fn runs(&self) -> &[RunMeta] {
        &self.runs
    }

    #[must_use]
    pub fn run(&self, name: RunName) -> Option<&RunMeta> {
        self.runs.iter().find(|run| run.name == name)
    }

    /// The age for runs that are newer than all of these.
    #[must_use]
    pub fn next_age(&self) -> u64 {
        self.runs.iter().map(|run| run.age).max().unwrap_or(0).saturating_add(1)
    }

    /// Bytes of all runs.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).sum()
    }

    /// The same without some runs and with others. A run under a name that is already there replaces it.
    #[must_use]
    pub fn change(&self, drop: &[RunName], add: impl IntoIterator<Item = RunMeta>) -> Self {
        let add: Vec<RunMeta> = add.into_iter().collect();
        let gone: BTreeSet<RunName> = drop.iter().copied().chain(add.iter().map(|run| run.name)).collect();
        let mut runs: Vec<RunMeta> =
            self.runs.iter().filter(|run| !gone.contains(&run.name)).copied().collect();
        let mut added = BTreeSet::new();
        runs.extend(add.into_iter().filter(|run| added.insert(run.name)));
        runs.sort_by_key(order);
        Self { runs }
    }

    /// The same with a merge's result in the place of its inputs. `None` when not all of these are there any
    /// more (their window expired meanwhile): the result is then garbage.
    #[must_use]
    pub fn replace(&self, plan: &MergePlan, by: Option<RunMeta>) -> Option<Self> {
        let is_whole = plan.inputs.iter().all(|input| self.run(*input).is_some());
        is_whole.then(|| self.change(&plan.inputs, by))
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.runs.len() * RUN_BYTES);
        bytes.extend_from_slice(&[0, 0, 0, 0, VERSION]);
        bytes.extend_from_slice(&(self.runs.len() as u32).to_be_bytes());
        for run in &self.runs {
            encode_run(&mut bytes, run);
        }
        let sum = crc32c::crc32c(bytes.get(4..).unwrap_or_default());
        if let Some(field) = bytes.first_chunk_mut() {
            *field = sum.to_be_bytes();
        }
        bytes
    }

    /// # Errors
    /// [`ManifestError`] unless the bytes are exactly what [`Self::encode`] gives.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let length = ManifestError::Length(bytes.len());
        let mut reader = Reader::new(bytes);
        let sum = reader.u32().ok_or(length)?;
        if sum != crc32c::crc32c(bytes.get(4..).unwrap_or_default()) {
            return Err(ManifestError::Checksum);
        }
        let version = reader.u8().ok_or(length)?;
        if version != VERSION {
            return Err(ManifestError::Version(version));
        }
        let count = reader.u32().ok_or(length)? as usize;
        if bytes.len() != HEADER_BYTES.saturating_add(count.saturating_mul(RUN_BYTES)) {
            return Err(length);
        }
        let runs = (0..count).map(|_| decode_run(&mut reader, length)).collect::<Result<Vec<_>, _>>()?;
        let names: BTreeSet<RunName> = runs.iter().map(|run| run.name).collect();
        if names.len() != count || !runs.is_sorted_by_key(order) {
            return Err(ManifestError::Order);
        }
        Ok(Self { runs })
    }
}

fn order(run: &RunMeta) -> (Table, Window, u64, RunName) {
    (run.table, run.window, run.age, run.name)
}

fn encode_run(bytes: &mut Vec<u8>, run: &RunMeta) {
    bytes.extend_from_slice(&run.name.0);
    bytes.extend_from_slice(&[run.table.number(), run.level]);
    bytes.extend_from_slice(&run.window.0.to_be_bytes());
    bytes.extend_from_slice(&run.age.to_be_bytes());
    bytes.extend_from_slice(&run.blocks.to_be_bytes());
    bytes.extend_from_slice(&run.bytes.to_be_bytes());
    bytes.extend_from_slice(&run.rows.to_be_bytes());
}

fn decode_run(reader: &mut Reader<'_>, length: ManifestError) -> Result<RunMeta, ManifestError> {
    let name = RunName(reader.array().ok_or(length)?);
    let number = reader.u8().ok_or(length)?;
    Ok(RunMeta {
        name,
        table: Table::from_number(number).ok_or(ManifestError::Table(number))?,
        level: reader.u8().ok_or(length)?,
        window: Window(reader.u32().ok_or(length)?),
        age: reader.u64().ok_or(length)?,
        blocks: reader.u32().ok_or(length)?,
        bytes: reader.u64().ok_or(length)?,
        rows: reader.u64().ok_or(length)?,
    })
}
