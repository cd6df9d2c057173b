//! Encryption at rest, as a layer over any engine.
//!
//! Everything that is kept is sealed with AES-256-GCM under a subkey of its own (HKDF-SHA256 of the data key; one
//! for each log, run and register). The nonce is what the thing is numbered by, the authenticated data say what
//! and where it is, so that nothing can be moved, swapped or cut unnoticed. Names, positions, lengths and register
//! keys are not hidden: they hold no user's name.
//!
//! # A sealed value, big-endian
//!
//! | bytes | field |
//! |---|---|
//! | 4 | key epoch |
//! | 12 | nonce, registers only; logs and runs derive it |
//! | n | ciphertext |
//! | 16 | tag |

mod cipher;
mod logs;
mod registers;
mod runs;

use std::sync::Arc;

use crate::Engine;
use crate::keys::{DataKey, KeyError};

/// Fills a buffer with random bytes: the operating system's, or a seeded stream in the simulator.
pub type Randomness = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Puts encryption over an engine.
///
/// What was sealed with another key, or changed since, is [`StoreError::Corrupt`](crate::StoreError::Corrupt)
/// when it is read.
///
/// # Errors
/// [`KeyError::Cipher`] when the cipher refuses the key.
pub fn sealed(engine: Engine, key: &DataKey, randomness: Randomness) -> Result<Engine, KeyError> {
    let keys = Arc::new(cipher::Keys::new(key));
    keys.check()?;
    Ok(Engine {
        logs: Arc::new(logs::SealedLogs::new(engine.logs, Arc::clone(&keys))),
        runs: Arc::new(runs::SealedRuns::new(engine.runs, Arc::clone(&keys))),
        registers: Arc::new(registers::SealedRegisters::new(engine.registers, keys, randomness)),
    })
}
