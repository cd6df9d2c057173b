//! A web listener's HTTP: bounded, the same in any cuts, nothing behind the last response, and nothing but files of the
//! table.

use std::sync::Arc;

use bytes::Bytes;
use iris_protocol::http::{Asset, Assets, Audience, HttpConnection, Site};
use iris_types::limits::{HTTP_HEAD_BYTES_MAX, HTTP_RESPONSES_MAX};
use iris_types::{Monotonic, Timestamp};

use crate::behaviour;

const NOW: Monotonic = Monotonic(1_000);
const BODY: &str = "the body of the only file";

/// The first byte says into what pieces the rest is cut.
pub(crate) fn run(input: &[u8]) -> u64 {
    let Some((piece, bytes)) = input.split_first() else { return 0 };
    let whole = outcome(bytes, bytes.len().max(1));
    assert!(whole == outcome(bytes, usize::from(piece % 64) + 1), "a cut changes the outcome");
    let statuses = whole.told.split("HTTP/1.1 ").skip(1).filter_map(|one| one.get(..3)?.parse().ok());
    let seen: Vec<u64> =
        statuses.chain([whole.is_closing.into(), whole.upgraded_at.is_some().into()]).collect();
    behaviour(&seen)
}

#[derive(PartialEq, Eq)]
struct Outcome {
    told: String,
    is_closing: bool,
    upgraded_at: Option<usize>,
}

fn outcome(bytes: &[u8], piece: usize) -> Outcome {
    let file =
        Asset { path: "index.html".to_owned(), bytes: Bytes::from_static(BODY.as_bytes()), gzip: None };
    let site = Site { assets: Arc::new(Assets::new([file])), audience: Audience::secure(Vec::new()) };
    let (mut connection, mut out) = (HttpConnection::new(NOW), Vec::new());
    let (mut taken, mut upgraded_at) = (0, None);
    for piece in bytes.chunks(piece) {
        let progress = connection.receive(piece, &site, Timestamp(0));
        assert!(connection.heap_bytes() <= HTTP_HEAD_BYTES_MAX + 4 * HTTP_RESPONSES_MAX * size_of::<Bytes>());
        taken += progress.consumed;
        if progress.is_upgraded {
            upgraded_at = Some(taken);
            break;
        }
        assert_eq!(progress.consumed, piece.len(), "something is left over");
    }
    while connection.transmit(97, NOW, &mut out) {}
    assert_eq!(connection.pending_output_bytes(), 0);
    let told = String::from_utf8(out).unwrap_or_default();
    let responses = told.matches("HTTP/1.1 ").count();
    assert!(responses <= HTTP_RESPONSES_MAX + 1, "{responses} responses");
    assert!(told.matches(BODY).count() <= told.matches("HTTP/1.1 200 OK\r\n").count());
    assert!(bytes.is_empty() || told.is_empty() || told.starts_with("HTTP/1.1 "));
    Outcome { told, is_closing: connection.is_closing(), upgraded_at }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let get = |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: example.org\r\n{more}\r\n");
    let websocket = get(
        "/ws",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    );
    let requests = [
        get("/", ""),
        get("/index.html", "If-None-Match: *\r\nAccept-Encoding: gzip, br\r\n"),
        get("/", "Connection: close\r\n"),
        get("/nothing", "").replace("GET", "HEAD"),
        get("/", "").replace("GET", "POST"),
        get("/", "Content-Length: 4\r\n"),
        get("/", "").repeat(12),
        get("/", "") + &websocket,
        websocket + "frames",
        "GET / HTTP/1.1\r\n".to_owned(),
    ];
    requests.iter().map(|request| [&[9][..], request.as_bytes()].concat()).collect()
}
