//! The web client's listeners of the real binary: pages, links, WebSockets; and what `iris serve` does not do.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use iris_protocol::client::{ClientConfig, ClientConnection, ClientEvent, Entry};
use iris_protocol::{Capabilities, Versions};
use iris_types::request::RequestId;
use iris_types::{DeviceId, InboxEntry, InboxItem, Monotonic, Offset, Timestamp};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use support::{DevServer, iris, run};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;

/// A whole response to a GET that closes behind it.
fn get(stream: &mut (impl Read + Write), host: &str, path: &str, more: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n").unwrap();
    stream.flush().unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn plain(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream
}

fn tls(address: &str, authority: &Path) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    rustls::StreamOwned::new(client, plain(address))
}

/// A browser's WebSocket with a login.
struct Browser<S> {
    socket: tungstenite::WebSocket<S>,
    machine: ClientConnection,
}

impl<S: Read + Write> Browser<S> {
    fn open(stream: S, host: &str, scheme: &str, token: &str) -> Self {
        let mut request = format!("ws://{host}/ws").into_client_request().unwrap();
        let origin = HeaderValue::from_str(&format!("{scheme}://{host}")).unwrap();
        request.headers_mut().insert("Origin", origin);
        let (socket, _) = tungstenite::client(request, stream).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let login = ClientConfig {
            versions: Versions::ALL,
            capabilities: Capabilities::ALL,
            token: token.to_owned().into_bytes().into(),
            device: DeviceId::new("browser").unwrap(),
            nonce: [7; 16],
            at: Timestamp(u64::try_from(now.as_millis()).unwrap()),
        };
        let mut browser = Self { socket, machine: ClientConnection::new(login, Monotonic(0)) };
        browser.wait(|event| matches!(event, ClientEvent::Ready { .. }));
        browser
    }

    fn wait(&mut self, wanted: impl Fn(&ClientEvent) -> bool) -> ClientEvent {
        loop {
            let mut frames = Vec::new();
            if self.machine.transmit(&mut frames) {
                self.socket.send(Message::binary(frames)).unwrap();
            }
            let frames = self.socket.read().unwrap().into_data();
            let mut events = Vec::new();
            self.machine.receive(&frames, Monotonic(0), &mut events);
            if let Some(event) = events.into_iter().find(&wanted) {
                return event;
            }
        }
    }

    /// The text of the one message that waits or comes.
    fn text(&mut self) -> String {
        self.machine.sync(RequestId(1), Offset::ZERO);
        let entries = self.wait(|event| matches!(event, ClientEvent::Entries { .. }));
        match entries {
            ClientEvent::Entries { entries, .. } => match entries.as_slice() {
                [Entry::Whole(InboxEntry { item: InboxItem::Message(message), .. })] => {
                    String::from_utf8_lossy(message.body.bytes()).into_owned()
                }
                other => panic!("{other:?}"),
            },
            _ => unreachable!(),
        }
    }
}

/// PRO-4: links log in demo users, over plain HTTP on this machine and over HTTPS.
#[test]
fn a_link_of_a_development_server_logs_in() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::start(&folder.path().join("dev"));
    let ready = server.ready();
    let address = ready["web_address"].as_str().unwrap();
    assert!(address.starts_with("127.0.0.1:"));
    let mode = std::fs::metadata(server.directory().join("ready.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it holds tokens");
    let mut tokens = Vec::new();
    for user in ["alice", "bob", "carol"] {
        let link = ready["web_links"][user].as_str().unwrap();
        let start = format!("http://{address}/#user={user}&token=");
        tokens.push(link.strip_prefix(&start).unwrap().to_owned());
        server.wait_for_line(link);
    }
    assert_eq!(ready["web_links"].as_object().unwrap().len(), 3);

    let page = get(&mut plain(address), address, "/", "");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("<!doctype html>"), "{page}");
    assert!(page.contains("\r\nContent-Security-Policy: default-src 'none'; script-src 'self' "), "{page}");
    let rebound = get(&mut plain(address), "evil.example", "/", "");
    assert!(rebound.starts_with("HTTP/1.1 403 "), "{rebound}");

    let mut carol = server.chat("carol", "phone");
    carol.wait_for("synced");
    carol.send("alice", "to a browser");
    carol.send("bob", "to another");
    carol.wait_for("sent");
    carol.wait_for("sent");
    let mut alice = Browser::open(plain(address), address, "http", &tokens[0]);
    assert_eq!(alice.text(), "to a browser");
    let https = ready["web_https_address"].as_str().unwrap();
    let authority = server.directory().join("ca.pem");
    let host = https.replace("127.0.0.1", "localhost");
    let mut bob = Browser::open(tls(https, &authority), &host, "https", &tokens[1]);
    assert_eq!(bob.text(), "to another");
    let stats = get(&mut plain(ready["admin_address"].as_str().unwrap()), "iris", "/stats", "");
    assert!(stats.contains("\"websockets\":2"), "{stats}");
}

/// A browser that reconnects finds the server where it was.
#[test]
fn a_restarted_server_is_where_its_pages_look_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = DevServer::start(&folder.path().join("dev"));
    let port = server.ready()["web_address"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    server.kill();
    let mut server = server.with(&["--http-port", &port]);
    server.restart();
    let ready = server.ready();
    let address = ready["web_address"].as_str().unwrap();
    assert!(address.ends_with(&format!(":{port}")));
    assert!(get(&mut plain(address), address, "/", "").starts_with("HTTP/1.1 200 "));
}

/// `iris serve` serves the page over HTTPS when it is told to, and over nothing else.
#[test]
fn a_server_serves_the_page_over_https_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = DevServer::start(&folder.path().join("dev"));
    assert_eq!(dev.stop(), Some(0));
    let (_, printed, _) = run(iris().args(["serve", "--print-config"]));
    let configured = |web: &str| {
        let text = printed
            .replace("\"0.0.0.0:7443\"", "\"127.0.0.1:0\"")
            .replace("\"127.0.0.1:7480\"", "\"127.0.0.1:0\"")
            .replace("# [web]\n", web);
        std::fs::write(dev.directory().join("iris.toml"), text).unwrap();
        let mut command = iris();
        command.args(["serve", "--config"]).arg(dev.directory().join("iris.toml"));
        command
    };
    let (code, _, error) = run(&mut configured("[web]\nlisten = \"127.0.0.1:0\"\nhttp_port = 0\n"));
    assert_eq!(code, Some(1));
    assert!(error.contains("unknown key `http_port`"), "{error}");

    for (web, is_served) in [("", false), ("[web]\nlisten = \"127.0.0.1:0\"\n", true)] {
        let mut server = configured(web).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("https://").nth(1).map(|rest| rest.split('/').next().unwrap());
        assert_eq!(address.is_some(), is_served, "{line}");
        if let Some(address) = address {
            let authority = dev.directory().join("ca.pem");
            let page = get(&mut tls(address, &authority), "localhost", "/", "");
            assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("<!doctype html>"), "{page}");
            let answer = get(&mut plain(address), address, "/", "");
            assert!(!answer.starts_with("HTTP"), "{answer}");
        }
        server.kill().unwrap();
        server.wait().unwrap();
    }
}
