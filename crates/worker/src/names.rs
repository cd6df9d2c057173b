//! Names of logs, chunks and runs: a hash of the seed and a count.

use iris_types::{ChunkId, LogId, RunName};
use sha2::{Digest, Sha256};

/// Gives names that no other seed gives.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    seed: [u8; 32],
    count: u64,
}

impl Names {
    pub(crate) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, count: 0 }
    }

    pub(crate) fn log(&mut self) -> LogId {
        LogId(self.next_16())
    }

    pub(crate) fn chunk(&mut self) -> ChunkId {
        ChunkId(self.next_16())
    }

    pub(crate) fn run(&mut self) -> RunName {
        RunName(self.next_16())
    }

    /// A source of names of its own, for work elsewhere.
    pub(crate) fn branch(&mut self) -> Self {
        Self::new(self.next())
    }

    fn next_16(&mut self) -> [u8; 16] {
        let digest = self.next();
        let mut name = [0; 16];
        name.copy_from_slice(&digest[..16]);
        name
    }

    fn next(&mut self) -> [u8; 32] {
        self.count += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.count.to_be_bytes());
        hash.finalize().into()
    }
}
