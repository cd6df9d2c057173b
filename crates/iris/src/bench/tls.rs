//! TLS of the generator: version 1.3, with the server's certificate and signature checked.
//!
//! Fifteen thousand clients on one machine would check one and the same chain fifteen thousand times, which is
//! the generator's cost and nobody else's. So the chain is checked once and compared afterwards; the proof that
//! the server holds the key is checked in every handshake. No handshake is resumed.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Settings for clients that trust the authorities in a PEM file.
pub(crate) fn client_config(authorities: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let read = || format!("cannot read the authority {}", authorities.display());
    for certificate in CertificateDer::pem_file_iter(authorities).with_context(read)? {
        roots.add(certificate.with_context(read)?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let checked =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let verifier = Arc::new(CheckedOnce { checked, known: Mutex::default() });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous() // the verifier below leaves nothing out
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Accepts exactly what the verifier behind it accepted before, without asking it again.
#[derive(Debug)]
struct CheckedOnce {
    checked: Arc<WebPkiServerVerifier>,
    known: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for CheckedOnce {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() == Some(end_entity.as_ref()) {
            return Ok(ServerCertVerified::assertion());
        }
        let verified =
            self.checked.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        *known = Some(end_entity.to_vec());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.checked.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.checked.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.checked.supported_verify_schemes()
    }
}
