//! Carries out calls. Blocks; run by threads that may.

use iris_store::Engine;

use crate::{Call, CallResult};

/// Decoded blocks of runs, shared by the threads that carry out calls.
pub struct SharedCache {
    _bytes_max: usize,
}

impl SharedCache {
    /// A cache of at most so many bytes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { _bytes_max: bytes_max }
    }
}

/// Carries out one call, blocking until it is done.
#[must_use]
pub fn execute(call: Call, _engine: &Engine, _cache: &SharedCache) -> CallResult {
    match call.0 {}
}
