//! Ready-made cipher contexts of the connections that are busy.
//!
//! A context costs 120 ns to set up and about 600 bytes to keep, so an idle connection keeps only its raw key and
//! the loop keeps the contexts that it used last.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Algorithm, CHACHA20_POLY1305, LessSafeKey, UnboundKey};
use rustls::ConnectionTrafficSecrets;

/// Contexts kept per event loop, a power of two: 2.4 MiB when all are used, none when the loop is idle.
const CONTEXTS_MAX: usize = iris_types::limits::CIPHER_CONTEXTS_MAX;

/// Names one key of one direction of one connection; never used twice in a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyNumber(u64);

/// The contexts of one event loop, each in the place that its key's number gives it.
#[derive(Debug)]
pub(crate) struct Ciphers {
    contexts: Vec<Option<Context>>,
    next: u64,
}

#[derive(Debug)]
struct Context {
    number: KeyNumber,
    key: LessSafeKey,
    used: bool,
}

impl Ciphers {
    pub(crate) fn new() -> Self {
        Self { contexts: Vec::new(), next: 0 }
    }

    pub(crate) fn number(&mut self) -> KeyNumber {
        self.next += 1;
        KeyNumber(self.next)
    }

    /// The context of a key; `None` when the key does not fit its algorithm, which rustls does not give out.
    pub(crate) fn context(
        &mut self,
        number: KeyNumber,
        secrets: &ConnectionTrafficSecrets,
    ) -> Option<&LessSafeKey> {
        if self.contexts.is_empty() {
            self.contexts.resize_with(CONTEXTS_MAX, || None);
        }
        let place = self.contexts.get_mut(number.0 as usize % CONTEXTS_MAX)?;
        if place.as_ref().is_none_or(|context| context.number != number) {
            let (algorithm, key) = algorithm_and_key(secrets)?;
            let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
            *place = Some(Context { number, key, used: true });
        }
        let context = place.as_mut()?;
        context.used = true;
        Some(&context.key)
    }

    /// Forgets what was not used since the last call.
    pub(crate) fn forget_unused(&mut self) {
        for place in &mut self.contexts {
            *place = place.take_if(|context| std::mem::take(&mut context.used));
        }
        if self.kept() == 0 {
            self.contexts = Vec::new();
        }
    }

    /// Contexts that are ready.
    pub(crate) fn kept(&self) -> usize {
        self.contexts.iter().flatten().count()
    }
}

fn algorithm_and_key(secrets: &ConnectionTrafficSecrets) -> Option<(&'static Algorithm, &[u8])> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, .. } => Some((&AES_128_GCM, key.as_ref().get(..16)?)),
        ConnectionTrafficSecrets::Aes256Gcm { key, .. } => Some((&AES_256_GCM, key.as_ref())),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, .. } => Some((&CHACHA20_POLY1305, key.as_ref())),
        _ => None,
    }
}
