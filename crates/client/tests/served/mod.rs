//! A server on a real socket with real TLS: the protocol's machine and the plain domain of the machine's tests.

#![allow(dead_code, clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "../../../client-core/tests/world/server.rs"]
mod domain;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use domain::Server;
use iris_client::{DeviceId, DeviceSummary, Options, TokenSource, Trust, UserId, Versions};
use iris_protocol::server::{ServerConfig, ServerConnection, ServerEvent};
use iris_types::request::Answer;
use iris_types::{Monotonic, Offset, Timestamp};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// A server that can be stopped like a process that is killed, and started again with what it had committed.
pub(crate) struct Served {
    pub(crate) dir: tempfile::TempDir,
    address: std::net::SocketAddr,
    acceptor: TlsAcceptor,
    domain: Arc<Mutex<Server>>,
    task: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(dir.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let tls =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
                .with_protocol_versions(&[&rustls::version::TLS13])
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let domain = Arc::new(Mutex::new(Server::new(wall(), 3)));
        let mut served =
            Self { dir, address, acceptor: TlsAcceptor::from(Arc::new(tls)), domain, task: None };
        served.listen(listener);
        served
    }

    pub(crate) fn options(&self, name: &str, device: &str) -> Options {
        let claims = format!(r#"{{"sub":"{name}"}}"#);
        let token = format!("e30.{}.c2ln", base64_url(claims.as_bytes()));
        Options {
            server: format!("localhost:{}", self.address.port()),
            trust: Trust::File(self.dir.path().join("ca.pem")),
            token: TokenSource::Provider(Arc::new(move || Ok(token.clone()))),
            user: user(name),
            device: DeviceId::new(device).unwrap(),
            state_dir: self.state_dir(name, device),
            versions: Versions::ALL,
        }
    }

    /// The user has a device of this name, wherever it is.
    pub(crate) fn has_device(&self, name: &str) {
        self.domain.lock().unwrap().devices.push(DeviceSummary {
            device: DeviceId::new(name).unwrap(),
            label: None,
            registered_at: wall(),
            last_login: wall(),
            online: false,
        });
    }

    pub(crate) fn state_dir(&self, name: &str, device: &str) -> PathBuf {
        self.dir.path().join(format!("{name}-{device}"))
    }

    /// Every connection breaks, and nobody listens any more.
    pub(crate) async fn kill(&mut self) {
        let task = self.task.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn revive(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.listen(listener);
    }

    fn listen(&mut self, listener: TcpListener) {
        let (acceptor, domain) = (self.acceptor.clone(), Arc::clone(&self.domain));
        self.task = Some(tokio::spawn(async move {
            let (news, _) = watch::channel(());
            // Connections end with the listener.
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let connection = serve(acceptor.clone(), stream, Arc::clone(&domain), news.clone());
                connections.spawn(connection);
            }
        }));
    }
}

/// One connection, until it breaks.
async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    domain: Arc<Mutex<Server>>,
    news: watch::Sender<()>,
) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let start = Instant::now();
    let mut machine = ServerConnection::new(&Arc::new(ServerConfig::default()), Monotonic(0));
    let mut changes = news.subscribe();
    let mut who: Option<(UserId, DeviceId)> = None;
    let mut pushed = Offset::ZERO;
    let mut buffer = vec![0; 4_096];
    loop {
        let mut events = Vec::new();
        tokio::select! {
            read = stream.read(&mut buffer) => {
                let Ok(length @ 1..) = read else { return };
                let now = Monotonic(start.elapsed().as_millis() as u64);
                machine.receive(&buffer[..length], now, &mut events);
            }
            _ = changes.changed() => {}
        }
        {
            let mut domain = domain.lock().unwrap();
            domain.now = wall();
            for event in events {
                match event {
                    ServerEvent::Authenticate { token, device, .. } => {
                        let owner = subject(&token);
                        let attached = domain.attach(&owner, &device);
                        pushed = attached.last;
                        who = Some((owner, device));
                        machine.accept_login(attached);
                    }
                    ServerEvent::Request { id, request } => {
                        let (owner, device) = who.as_ref().unwrap();
                        let (answer, pushes) = domain.handle(owner, device, request);
                        answer.into_iter().for_each(|answer: Answer| machine.answer(id, answer));
                        if !pushes.is_empty() {
                            news.send_replace(());
                        }
                    }
                    ServerEvent::Close => {}
                }
            }
            if let Some((owner, _)) = &who {
                for entry in domain.entries_after(owner, pushed) {
                    machine.push(&entry);
                    pushed = entry.offset;
                }
            }
        }
        let mut bytes = Vec::new();
        machine.transmit(&mut bytes);
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() || machine.is_closing() {
            return;
        }
    }
}

fn wall() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64)
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The user that a token names. That it is a valid one is another crate's test.
fn subject(token: &[u8]) -> UserId {
    use base64::Engine;
    let text = std::str::from_utf8(token).unwrap();
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    user(claims["sub"].as_str().unwrap())
}
