//! The HTTP request in front of a WebSocket: bounded, the same in any cuts, and what is accepted is what it seems.

use iris_protocol::http::{HeadError, HeadReader, RequestHead};
use iris_protocol::websocket::{Upgrade, UpgradeError};
use iris_types::Monotonic;
use iris_types::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};

use crate::{behaviour, behaviour_of_text};

const NOW: Monotonic = Monotonic(1_000);

/// The first byte says into what pieces the rest is cut.
pub(crate) fn run(input: &[u8]) -> u64 {
    let Some((piece, bytes)) = input.split_first() else { return 0 };
    let whole = outcome(bytes, bytes.len().max(1));
    assert_eq!(whole, outcome(bytes, usize::from(piece % 64) + 1), "a cut changes the outcome");
    match whole {
        Ok(None) => 1,
        Ok(Some((origin, consumed))) => behaviour(&[2, u64::from(origin), (consumed < bytes.len()).into()]),
        Err(error) => behaviour(&[3, behaviour_of_text(&error.to_string())]),
    }
}

/// Whether there is an origin, and the length of the head.
fn outcome(bytes: &[u8], piece: usize) -> Result<Option<(bool, usize)>, UpgradeError> {
    let Some((head, length)) = head(bytes, piece)? else { return Ok(None) };
    let raw = bytes.get(..length).unwrap_or_default();
    assert!(raw.ends_with(b"\r\n\r\n") && length <= HTTP_HEAD_BYTES_MAX, "a head has an end");
    let lines = raw.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines <= HTTP_HEADERS_MAX + 2 && lines == raw.iter().filter(|byte| **byte == b'\r').count());
    assert!(head.path().starts_with('/') && !head.host().is_empty());
    let upgrade = Upgrade::of(&head)?;
    assert_eq!(head.method(), "GET", "only GET opens a WebSocket");
    let mut response = Vec::new();
    upgrade.accept(&mut response);
    assert!(response.starts_with(b"HTTP/1.1 101 ") && response.ends_with(b"=\r\n\r\n"));
    Ok(Some((upgrade.origin.is_some(), length)))
}

fn head(bytes: &[u8], piece: usize) -> Result<Option<(RequestHead, usize)>, HeadError> {
    let mut reader = HeadReader::new(NOW);
    let mut length = 0;
    for piece in bytes.chunks(piece) {
        let progress = reader.receive(piece)?;
        assert!(reader.heap_bytes() <= HTTP_HEAD_BYTES_MAX, "{} bytes held", reader.heap_bytes());
        length += progress.consumed;
        if let Some(head) = progress.head {
            return Ok(Some((head, length)));
        }
        assert_eq!(progress.consumed, piece.len(), "something is left over");
    }
    Ok(None)
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    const REQUEST: &str = "GET /ws?a=b HTTP/1.1\r\nHost: example.org:8443\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let more = [
        "",
        "Origin: https://example.org\r\n",
        "Content-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Host: b\r\n",
        " folded\r\n",
        "Bare: x\n",
    ];
    let mut seeds: Vec<Vec<u8>> = more
        .iter()
        .map(|more| [&[5][..], REQUEST.as_bytes(), more.as_bytes(), b"\r\nframes"].concat())
        .collect();
    for (from, to) in [
        ("GET", "POST"),
        ("/ws", "*"),
        ("1.1", "1.0"),
        ("13", "8"),
        ("websocket\r", "h2c\r"),
        ("dGhl", "d"),
        ("Host", "X"),
    ] {
        let changed = REQUEST.replacen(from, to, 1);
        seeds.push([&[1][..], changed.as_bytes(), b"\r\n"].concat());
    }
    seeds
}
