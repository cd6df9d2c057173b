//! From options to an open TLS connection with a token.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use iris_types::UserId;
use iris_types::limits::HANDSHAKE_MS_MAX;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::transport::Transport;
use crate::{ConnectError, Options, TokenError, TokenSource, Trust};

/// Everything that is needed to open a connection, checked beforehand.
#[derive(Clone)]
pub(crate) struct Connector {
    server: String,
    name: ServerName<'static>,
    tls: TlsConnector,
    token: TokenSource,
    user: UserId,
}

impl Connector {
    /// Reads and checks what the options name. Blocks.
    pub(crate) fn new(options: &Options) -> Result<Self, ConnectError> {
        let tls =
            rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_root_certificates(roots(&options.trust)?)
                .with_no_client_auth();
        Ok(Self {
            server: options.server.clone(),
            name: server_name(&options.server)?,
            tls: TlsConnector::from(Arc::new(tls)),
            token: options.token.clone(),
            user: options.user.clone(),
        })
    }

    /// Opens a connection at that time.
    pub(crate) async fn connect(self, at: Instant) -> Result<(Transport, Bytes), ConnectError> {
        tokio::time::sleep_until(at.into()).await;
        let token = self.token().await?;
        let server = self.server.clone();
        let opened = tokio::time::timeout(Duration::from_millis(HANDSHAKE_MS_MAX), self.open());
        let after_ms = HANDSHAKE_MS_MAX;
        let transport = opened.await.map_err(|_| ConnectError::TimedOut { server, after_ms })??;
        Ok((transport, token))
    }

    #[allow(clippy::disallowed_methods, reason = "a token source may block")]
    async fn token(&self) -> Result<Bytes, TokenError> {
        let (source, user) = (self.token.clone(), self.user.clone());
        let asked = tokio::task::spawn_blocking(move || source.token(&user));
        asked.await.map_err(|error| TokenError::Provider(error.to_string()))?
    }

    async fn open(self) -> Result<Transport, ConnectError> {
        let Self { server, name, tls, .. } = self;
        let stream = TcpStream::connect(&server).await.and_then(|stream| {
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        let stream = stream.map_err(|error| ConnectError::Unreachable { server: server.clone(), error })?;
        let secured = tls.connect(name, stream).await;
        secured.map(Transport::new).map_err(|error| ConnectError::Handshake { server, error })
    }
}

/// The name that the server's certificate has to have: the host of `HOST:PORT`.
fn server_name(server: &str) -> Result<ServerName<'static>, ConnectError> {
    let wrong = || ConnectError::Address(server.to_owned());
    let (host, port) = server.rsplit_once(':').ok_or_else(wrong)?;
    port.parse::<u16>().map_err(|_| wrong())?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).map_err(|_| wrong())
}

fn roots(trust: &Trust) -> Result<RootCertStore, ConnectError> {
    let path = match trust {
        Trust::Roots(roots) => return Ok(roots.clone()),
        Trust::File(path) => path,
    };
    let failed = |reason: String| ConnectError::Trust { path: path.clone(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed(io::Error::from(io::ErrorKind::NotFound).to_string()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_name_is_the_host_without_port_and_brackets() {
        for (server, name) in
            [("localhost:7443", "localhost"), ("127.0.0.1:1", "127.0.0.1"), ("[::1]:1", "::1")]
        {
            assert_eq!(server_name(server).unwrap().to_str(), name);
        }
        for wrong in ["localhost", ":7443", "host:port", "host:70000", "a b:1"] {
            assert!(matches!(server_name(wrong), Err(ConnectError::Address(_))), "{wrong}");
        }
    }
}
