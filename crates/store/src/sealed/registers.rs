//! Sealed registers. Nonce: random, kept in front of the ciphertext, because a compare-and-set in doubt may be
//! tried again at the same version with other bytes. Place: version, key.

use std::sync::Arc;

use bytes::Bytes;

use super::Randomness;
use super::cipher::{EPOCH_BYTES, Keys, Kind, NONCE_BYTES};
use crate::{Change, Compared, Registers, StoreError, Value, Version};

pub(super) struct SealedRegisters {
    inner: Arc<dyn Registers>,
    keys: Arc<Keys>,
    randomness: Randomness,
}

impl SealedRegisters {
    pub(super) fn new(inner: Arc<dyn Registers>, keys: Arc<Keys>, randomness: Randomness) -> Self {
        Self { inner, keys, randomness }
    }

    fn seal_change(&self, change: &Change) -> Result<Change, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        (self.randomness)(&mut nonce);
        let subkey = self.keys.subkey(Kind::Register, change.key.as_bytes())?;
        let mut out = Vec::new();
        subkey.seal(nonce, &place(&change.key, change.version()), &nonce, &change.bytes, &mut out)?;
        Ok(Change { key: change.key.clone(), expected: change.expected, bytes: Bytes::from(out) })
    }

    fn open_value(&self, key: &str, value: Value) -> Result<Value, StoreError> {
        let what = || format!("register {key:?}: does not open with the data key");
        let mut sealed = Vec::from(value.bytes);
        let nonce = sealed.get(EPOCH_BYTES..EPOCH_BYTES + NONCE_BYTES).and_then(|at| at.try_into().ok());
        let nonce: [u8; NONCE_BYTES] = nonce.ok_or_else(|| StoreError::Corrupt { what: what() })?;
        let subkey = self.keys.subkey(Kind::Register, key.as_bytes())?;
        let opened = subkey.open(nonce, &place(key, value.version), NONCE_BYTES, &mut sealed);
        let length = opened.map(<[u8]>::len).ok_or_else(|| StoreError::Corrupt { what: what() })?;
        let from = EPOCH_BYTES + NONCE_BYTES;
        Ok(Value { version: value.version, bytes: Bytes::from(sealed).slice(from..from + length) })
    }
}

impl Registers for SealedRegisters {
    fn read(&self, key: &str) -> Result<Option<Value>, StoreError> {
        self.inner.read(key)?.map(|value| self.open_value(key, value)).transpose()
    }

    fn scan(&self, prefix: &str) -> Result<Vec<(String, Value)>, StoreError> {
        let open = |(key, value): (String, Value)| self.open_value(&key, value).map(|value| (key, value));
        self.inner.scan(prefix)?.into_iter().map(open).collect()
    }

    fn compare_and_set(&self, changes: &[Change]) -> Result<Compared, StoreError> {
        let sealed = changes.iter().map(|change| self.seal_change(change)).collect::<Result<Vec<_>, _>>()?;
        self.inner.compare_and_set(&sealed)
    }
}

fn place(key: &str, version: Version) -> Vec<u8> {
    [&version.0.to_be_bytes()[..], key.as_bytes()].concat()
}
