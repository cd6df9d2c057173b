//! Sealed runs. Nonce: the block's number. Place: run name, block number.

use std::sync::Arc;

use bytes::Bytes;
use iris_types::RunName;

use super::cipher::{EPOCH_BYTES, Keys, Kind, NONCE_BYTES, Subkeys};
use crate::{NewRun, Quarantined, RunInfo, Runs, StoreError};

pub(super) struct SealedRuns {
    inner: Arc<dyn Runs>,
    subkeys: Subkeys,
}

impl SealedRuns {
    pub(super) fn new(inner: Arc<dyn Runs>, keys: Arc<Keys>) -> Self {
        Self { inner, subkeys: Subkeys::new(keys, Kind::Run) }
    }

    fn seal_run(&self, run: &NewRun) -> Result<NewRun, StoreError> {
        let subkey = self.subkeys.of(run.name.0)?;
        let seal = |(number, plain): (u32, &Bytes)| {
            let mut out = Vec::new();
            subkey.seal(nonce(number), &place(run.name, number), &[], plain, &mut out)?;
            Ok(Bytes::from(out))
        };
        let blocks = (0..).zip(&run.blocks).map(seal).collect::<Result<_, StoreError>>()?;
        Ok(NewRun { vnode: run.vnode, name: run.name, blocks })
    }
}

impl Runs for SealedRuns {
    fn put(&self, runs: &[NewRun]) -> Result<(), StoreError> {
        let sealed = runs.iter().map(|run| self.seal_run(run)).collect::<Result<Vec<_>, _>>()?;
        self.inner.put(&sealed)
    }

    fn get(&self, run: RunName, block: u32) -> Result<Bytes, StoreError> {
        let mut sealed = Vec::from(self.inner.get(run, block)?);
        let opened = self.subkeys.of(run.0)?.open(nonce(block), &place(run, block), 0, &mut sealed);
        let what = || format!("run {run}, block {block}: does not open with the data key");
        let length = opened.map(<[u8]>::len).ok_or_else(|| StoreError::Corrupt { what: what() })?;
        // Opened in place behind the key epoch: no second copy.
        Ok(Bytes::from(sealed).slice(EPOCH_BYTES..EPOCH_BYTES + length))
    }

    fn list(&self) -> Result<Vec<RunInfo>, StoreError> {
        self.inner.list()
    }

    fn drop_runs(&self, names: &[RunName]) -> Result<(), StoreError> {
        self.inner.drop_runs(names)
    }

    fn quarantined(&self) -> Result<Quarantined, StoreError> {
        self.inner.quarantined()
    }

    fn compact(&self) -> Result<(), StoreError> {
        self.inner.compact()
    }
}

fn nonce(block: u32) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce[8..].copy_from_slice(&block.to_be_bytes());
    nonce
}

fn place(run: RunName, block: u32) -> [u8; 20] {
    let mut place = [0; 20];
    place[..16].copy_from_slice(&run.0);
    place[16..].copy_from_slice(&block.to_be_bytes());
    place
}
