//! The data key of a store, wrapped by the operator's master key.
//!
//! # The wrapped-key file, 80 bytes, all fields big-endian
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | magic `IRISKEY1` |
//! | 8 | 4 | key epoch: the number of the data key, 1 for the first |
//! | 12 | 8 | zero |
//! | 20 | 12 | nonce, random |
//! | 32 | 48 | data key, AES-256-GCM under the master key, tag behind it; bytes 0 to 20 are authenticated too |

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize as _, Zeroizing};

/// Bytes of a master key and of a data key.
pub const KEY_BYTES: usize = 32;
/// Bytes of the wrapped-key file.
pub const WRAPPED_KEY_BYTES: usize = 80;

const MAGIC: &[u8; 8] = b"IRISKEY1";
const NONCE_AT: usize = 20;
const SEALED_AT: usize = 32;

/// The operator's key, from a file or the environment. Wraps data keys and nothing else.
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

/// The key that everything at rest is encrypted with, by way of subkeys.
#[derive(Clone)]
pub struct DataKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    epoch: KeyEpoch,
}

/// The number of a data key; stands in front of every sealed value, so that keys can be rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyEpoch(pub u32);

/// Why a wrapped data key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("not a wrapped data key: wrong length, magic or padding")]
    Malformed,
    #[error("the data key does not open: another master key wrapped it, or the file is damaged")]
    WrongMasterKey,
    #[error("the cipher refused the key")]
    Cipher,
}

impl MasterKey {
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn cipher(&self) -> Result<LessSafeKey, KeyError> {
        UnboundKey::new(&AES_256_GCM, self.0.as_slice()).map(LessSafeKey::new).map_err(|_| KeyError::Cipher)
    }
}

impl DataKey {
    /// `bytes` come from the operating system's generator, or from a seed in the simulator.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES], epoch: KeyEpoch) -> Self {
        Self { bytes: Zeroizing::new(bytes), epoch }
    }

    #[must_use]
    pub fn epoch(&self) -> KeyEpoch {
        self.epoch
    }

    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// The content of the wrapped-key file. `nonce` is random and used once.
    ///
    /// # Errors
    /// [`KeyError::Cipher`].
    pub fn wrap(&self, master: &MasterKey, nonce: [u8; 12]) -> Result<[u8; WRAPPED_KEY_BYTES], KeyError> {
        let mut file = [0; WRAPPED_KEY_BYTES];
        file[..8].copy_from_slice(MAGIC);
        file[8..12].copy_from_slice(&self.epoch.0.to_be_bytes());
        file[NONCE_AT..SEALED_AT].copy_from_slice(&nonce);
        let (head, sealed) = file.split_at_mut(SEALED_AT);
        let (key, tag) = sealed.split_at_mut(KEY_BYTES);
        key.copy_from_slice(self.bytes.as_slice());
        let made = master
            .cipher()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(&head[..NONCE_AT]),
                key,
            )
            .map_err(|_| KeyError::Cipher)?;
        tag.copy_from_slice(made.as_ref());
        Ok(file)
    }

    /// Opens the content of a wrapped-key file.
    ///
    /// # Errors
    /// Any [`KeyError`].
    pub fn unwrap(file: &[u8], master: &MasterKey) -> Result<Self, KeyError> {
        let file: &[u8; WRAPPED_KEY_BYTES] = file.try_into().map_err(|_| KeyError::Malformed)?;
        let (head, sealed) = file.split_at(SEALED_AT);
        let (fields, nonce) = head.split_at(NONCE_AT);
        if &fields[..8] != MAGIC || fields[12..] != [0; 8] {
            return Err(KeyError::Malformed);
        }
        let epoch = KeyEpoch(u32::from_be_bytes([fields[8], fields[9], fields[10], fields[11]]));
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Malformed)?;
        let mut sealed = sealed.to_vec();
        let opened = master.cipher()?.open_in_place(nonce, Aad::from(fields), &mut sealed);
        let opened = opened
            .map_err(|_| KeyError::WrongMasterKey)
            .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(&*bytes).map_err(|_| KeyError::Malformed));
        sealed.zeroize();
        opened.map(|bytes| Self { bytes: Zeroizing::new(bytes), epoch })
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(redacted)")
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey(redacted, {:?})", self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped() -> Result<[u8; WRAPPED_KEY_BYTES], KeyError> {
        DataKey::new([7; 32], KeyEpoch(3)).wrap(&MasterKey::new([9; 32]), [1; 12])
    }

    #[test]
    fn a_wrapped_key_opens_with_its_master_key_only() -> Result<(), KeyError> {
        let file = wrapped()?;
        let opened = DataKey::unwrap(&file, &MasterKey::new([9; 32]))?;
        assert_eq!((opened.bytes(), opened.epoch()), (&[7; 32], KeyEpoch(3)));
        let other = DataKey::unwrap(&file, &MasterKey::new([8; 32]));
        assert_eq!(other.err(), Some(KeyError::WrongMasterKey));
        Ok(())
    }

    #[test]
    fn every_flipped_byte_and_every_truncation_is_refused() -> Result<(), KeyError> {
        let file = wrapped()?;
        let master = MasterKey::new([9; 32]);
        for at in 0..file.len() {
            let mut bad = file;
            bad[at] ^= 0x40;
            assert!(DataKey::unwrap(&bad, &master).is_err(), "byte {at}");
            assert!(DataKey::unwrap(&file[..at], &master).is_err(), "length {at}");
        }
        Ok(())
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?} {:?}", MasterKey::new([9; 32]), DataKey::new([7; 32], KeyEpoch(3)));
        assert_eq!(shown, "MasterKey(redacted) DataKey(redacted, KeyEpoch(3))");
    }
}
