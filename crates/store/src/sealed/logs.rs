//! Sealed commit logs. Nonce: 4 bytes of the chunk's id, then its position. Place: log id, position, chunk id.

use std::sync::Arc;

use iris_types::{ChunkId, LogId, Position};

use super::cipher::{Keys, Kind, NONCE_BYTES, Subkeys};
use crate::{Appended, Doubt, LogChunk, LogEnd, LogInfo, Logs, Resolved, StoreError};

pub(super) struct SealedLogs {
    inner: Arc<dyn Logs>,
    subkeys: Subkeys,
}

impl SealedLogs {
    pub(super) fn new(inner: Arc<dyn Logs>, keys: Arc<Keys>) -> Self {
        Self { inner, subkeys: Subkeys::new(keys, Kind::Log) }
    }

    fn seal_chunk(
        &self,
        log: LogId,
        at: Position,
        chunk: ChunkId,
        bytes: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let mut out = Vec::new();
        self.subkeys.of(log.0)?.seal(nonce(at, chunk), &place(log, at, chunk), &[], bytes, &mut out)?;
        Ok(out)
    }
}

impl Logs for SealedLogs {
    fn create(&self, log: LogId) -> Result<(), StoreError> {
        self.inner.create(log)
    }

    fn append(&self, log: LogId, at: Position, chunk: ChunkId, bytes: &[u8]) -> Appended {
        match self.seal_chunk(log, at, chunk, bytes) {
            Ok(sealed) => self.inner.append(log, at, chunk, &sealed),
            Err(error) => Appended::InDoubt(Doubt::Poisoned(error.to_string())),
        }
    }

    fn resolve(&self, log: LogId, at: Position, chunk: ChunkId) -> Result<Resolved, StoreError> {
        self.inner.resolve(log, at, chunk)
    }

    fn seal(&self, log: LogId) -> Result<LogEnd, StoreError> {
        self.inner.seal(log)
    }

    fn replay(
        &self,
        log: LogId,
        from: Position,
        visit: &mut dyn FnMut(LogChunk<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let subkey = self.subkeys.of(log.0)?;
        let mut buffer = Vec::new();
        self.inner.replay(log, from, &mut |sealed| {
            buffer.clear();
            buffer.extend_from_slice(sealed.bytes);
            let LogChunk { position, chunk, .. } = sealed;
            let opened = subkey.open(nonce(position, chunk), &place(log, position, chunk), 0, &mut buffer);
            let what = || format!("log {log}, position {position}: does not open with the data key");
            let bytes = opened.ok_or_else(|| StoreError::Corrupt { what: what() })?;
            visit(LogChunk { position, chunk, bytes })
        })
    }

    fn trim(&self, log: LogId, before: Position) -> Result<(), StoreError> {
        self.inner.trim(log, before)
    }

    fn list(&self) -> Result<Vec<LogInfo>, StoreError> {
        self.inner.list()
    }

    fn cut(&self) -> Result<std::collections::BTreeSet<LogId>, StoreError> {
        self.inner.cut()
    }
}

/// Unique under the log's key: a position holds one chunk for ever, and a repeated chunk has the same bytes. The
/// chunk's id stands guard should a writer ever break that contract.
fn nonce(at: Position, chunk: ChunkId) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    let (id, position) = nonce.split_at_mut(4);
    id.copy_from_slice(&chunk.0[..4]);
    position.copy_from_slice(&at.0.to_be_bytes());
    nonce
}

fn place(log: LogId, at: Position, chunk: ChunkId) -> [u8; 40] {
    let mut place = [0; 40];
    place[..16].copy_from_slice(&log.0);
    place[16..24].copy_from_slice(&at.0.to_be_bytes());
    place[24..].copy_from_slice(&chunk.0);
    place
}
