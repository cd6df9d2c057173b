//! Subkeys, nonces and authenticated data.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use zeroize::Zeroize as _;

use crate::StoreError;
use crate::keys::{DataKey, KEY_BYTES, KeyEpoch, KeyError};

pub(super) const EPOCH_BYTES: usize = 4;
pub(super) const NONCE_BYTES: usize = 12;
pub(super) const TAG_BYTES: usize = 16;

/// What is sealed; the first byte of the derivation's info and of the authenticated data.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Log = 1,
    Run = 2,
    Register = 3,
}

/// The data key, ready to derive from.
pub(super) struct Keys {
    secret: Prk,
    epoch: KeyEpoch,
}

/// A cipher for one log, run or register.
pub(super) struct Subkey {
    cipher: LessSafeKey,
    epoch: KeyEpoch,
    kind: Kind,
}

/// Ciphers of the logs or runs used lately: deriving one costs as much as opening a few kilobytes.
pub(super) struct Subkeys {
    keys: Arc<Keys>,
    kind: Kind,
    ready: Mutex<BTreeMap<[u8; 16], Arc<Subkey>>>,
}

/// Ciphers kept ready, about 600 bytes each.
const SUBKEYS_MAX: usize = iris_types::limits::CIPHERS_MAX;

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

impl Keys {
    pub(super) fn new(key: &DataKey) -> Self {
        let salt = Salt::new(HKDF_SHA256, b"iris at rest 1");
        Self { secret: salt.extract(key.bytes()), epoch: key.epoch() }
    }

    pub(super) fn check(&self) -> Result<(), KeyError> {
        self.subkey(Kind::Log, &[]).map(drop).map_err(|_| KeyError::Cipher)
    }

    /// The cipher of the thing of this kind with this id.
    pub(super) fn subkey(&self, kind: Kind, id: &[u8]) -> Result<Subkey, StoreError> {
        let mut bytes = [0; KEY_BYTES];
        let info: [&[u8]; 2] = [&[kind as u8], id];
        let derived = self.secret.expand(&info, KeyLength).and_then(|okm| okm.fill(&mut bytes));
        let cipher = derived.and_then(|()| UnboundKey::new(&AES_256_GCM, &bytes)).map(LessSafeKey::new);
        bytes.zeroize();
        let cipher = cipher.map_err(|_| StoreError::Io("the cipher refused a derived key".to_owned()))?;
        Ok(Subkey { cipher, epoch: self.epoch, kind })
    }
}

impl Subkeys {
    pub(super) fn new(keys: Arc<Keys>, kind: Kind) -> Self {
        Self { keys, kind, ready: Mutex::default() }
    }

    /// The cipher of the thing with this id.
    pub(super) fn of(&self, id: [u8; 16]) -> Result<Arc<Subkey>, StoreError> {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(subkey) = ready.get(&id) {
            return Ok(Arc::clone(subkey));
        }
        let subkey = Arc::new(self.keys.subkey(self.kind, &id)?);
        if ready.len() >= SUBKEYS_MAX {
            ready.clear();
        }
        ready.insert(id, Arc::clone(&subkey));
        Ok(subkey)
    }
}

impl Subkey {
    /// Appends key epoch, `prefix`, ciphertext and tag to `out`.
    pub(super) fn seal(
        &self,
        nonce: [u8; NONCE_BYTES],
        place: &[u8],
        prefix: &[u8],
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        out.reserve(EPOCH_BYTES + prefix.len() + plain.len() + TAG_BYTES);
        out.extend_from_slice(&self.epoch.0.to_be_bytes());
        out.extend_from_slice(prefix);
        let body = out.len();
        out.extend_from_slice(plain);
        let aad = Aad::from(self.authenticated(place));
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = out
            .get_mut(body..)
            .ok_or(())
            .and_then(|text| self.cipher.seal_in_place_separate_tag(nonce, aad, text).map_err(|_| ()));
        let tag = sealed.map_err(|()| StoreError::Io("the cipher refused to seal".to_owned()))?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens what [`Self::seal`] made; `sealed` starts with the key epoch. `None` when it was not made with this
    /// key, for this place, with these bytes.
    pub(super) fn open<'a>(
        &self,
        nonce: [u8; NONCE_BYTES],
        place: &[u8],
        prefix_bytes: usize,
        sealed: &'a mut [u8],
    ) -> Option<&'a [u8]> {
        let (epoch, rest) = sealed.split_at_mut_checked(EPOCH_BYTES)?;
        if *epoch != self.epoch.0.to_be_bytes() {
            return None;
        }
        let (_, body) = rest.split_at_mut_checked(prefix_bytes)?;
        let aad = Aad::from(self.authenticated(place));
        let opened = self.cipher.open_in_place(Nonce::assume_unique_for_key(nonce), aad, body);
        opened.ok().map(|plain| &*plain)
    }

    /// Kind, key epoch, then the place: every part but the last has a fixed length, so no two places look alike.
    fn authenticated(&self, place: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + EPOCH_BYTES + place.len());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.epoch.0.to_be_bytes());
        bytes.extend_from_slice(place);
        bytes
    }
}
