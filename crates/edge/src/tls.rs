//! TLS settings: version 1.3 only, one stateless ticket, no early data.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What every TLS connection of a server has in common.
#[derive(Clone, Debug)]
pub struct TlsConfig(pub(crate) Arc<rustls::ServerConfig>);

/// Why key material cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsMaterialError {
    #[error("the certificate file holds no certificate in PEM form")]
    NoCertificate,
    #[error("the key file holds no private key in PEM form")]
    NoKey,
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

impl TlsConfig {
    /// Certificate chain (the server's own first) and private key, both PEM.
    ///
    /// # Errors
    /// [`TlsMaterialError`] when either is missing, or the key is not the certificate's.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsMaterialError> {
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TlsMaterialError::NoCertificate)?;
        if chain.is_empty() {
            return Err(TlsMaterialError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsMaterialError::NoKey)?;
        Self::new(chain, key)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsMaterialError> {
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.send_tls13_tickets = 1;
        config.max_early_data_size = 0;
        // The record layer takes the keys over after the handshake: see `record`.
        config.enable_secret_extraction = true;
        Ok(Self(Arc::new(config)))
    }
}

/// aws-lc-rs, named here so that no other crate's features can choose one. Clients pick the key exchange:
/// the hybrid with ML-KEM when they have it, else X25519.
fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    }
}
