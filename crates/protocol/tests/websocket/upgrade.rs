//! The request in front of a WebSocket: what opens one, what is refused and how.

use iris_protocol::http::{HeadError as H, HeadReader, RequestHead};
use iris_protocol::websocket::{Upgrade, UpgradeError as U};
use iris_types::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEAD_MS_MAX, HTTP_HEADERS_MAX};

use super::NOW;

const FIRST: &str = "GET /ws HTTP/1.1\r\n";
const HOST: &str = "Host: example.org\r\n";
/// The example of RFC 6455 section 1.3.
const REST: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn request() -> String {
    format!("{FIRST}{HOST}{REST}\r\n")
}

/// The head and what was not taken.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Option<(RequestHead, Vec<u8>)>, H> {
    let mut reader = HeadReader::new(NOW);
    let mut found: Option<(RequestHead, Vec<u8>)> = None;
    for piece in pieces {
        if let Some((_, rest)) = &mut found {
            rest.extend_from_slice(piece);
            continue;
        }
        let progress = reader.receive(piece)?;
        assert!(progress.head.is_some() || progress.consumed == piece.len());
        assert!(reader.heap_bytes() <= HTTP_HEAD_BYTES_MAX);
        found = progress.head.map(|head| (head, piece[progress.consumed..].to_vec()));
        assert!(found.is_none() || reader.heap_bytes() == 0);
    }
    Ok(found)
}

fn outcome(bytes: &[u8], pieces: usize) -> Result<String, U> {
    let Some((head, rest)) = read(bytes.chunks(pieces.max(1)))? else { return Ok("not whole".to_owned()) };
    let upgrade = Upgrade::of(&head)?;
    let rest = String::from_utf8_lossy(&rest).into_owned();
    Ok(format!("{} {} {:?} {rest}", upgrade.path, upgrade.host, upgrade.origin))
}

/// Reads a request whole and in pieces of every size.
fn check(name: &str, sent: &[u8], expected: &Result<&str, U>) {
    let sizes = (1..sent.len().min(300)).chain([sent.len()]);
    for size in sizes {
        let outcome = outcome(sent, size);
        assert_eq!(outcome.as_deref().map_err(|error| *error), *expected, "{name}, in pieces of {size}");
    }
}

#[test]
fn the_example_of_the_rfc_is_accepted() {
    let (head, rest) = read([request().as_bytes()].into_iter()).unwrap().unwrap();
    assert!(rest.is_empty());
    let mut out = Vec::new();
    Upgrade::of(&head).unwrap().accept(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
}

#[test]
fn what_opens_a_websocket() {
    let is = |path: &str, host: &str, origin: &str, rest: &str| format!("{path} {host} {origin} {rest}");
    let plain = is("/ws", "example.org", "None", "");
    let cases = [
        ("as it should be", request(), plain.clone()),
        ("frames right behind", request() + "frames", is("/ws", "example.org", "None", "frames")),
        ("cases", request().replace("Host", "hOST").replace(": websocket", ": WebSocket"), plain.clone()),
        ("more cases", request().replace("Sec-WebSocket-Key", "SEC-WEBSOCKET-KEY"), plain.clone()),
        (
            "lists",
            request()
                .replace("Connection: Upgrade", "Connection: keep-alive,  UPGRADE")
                .replace("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: x , websocket"),
            plain.clone(),
        ),
        ("spaces around values", request().replace(": ", ": \t ").replace("13\r", "13 \t\r"), plain.clone()),
        ("no spaces", request().replace(": ", ":"), plain.clone()),
        (
            "an origin",
            request().replace(HOST, "Origin: https://example.org\r\nHost: [::1]:8443\r\n"),
            is("/ws", "[::1]:8443", "Some(\"https://example.org\")", ""),
        ),
        (
            "a query",
            request().replace("/ws ", "/a%20b?c=/d?e "),
            is("/a%20b", "example.org", "None", ""),
        ),
        (
            "what nobody asked for",
            request().replace(
                HOST,
                "Host: example.org\r\nCookie: a=\u{fc}; b\r\nSec-WebSocket-Protocol: x\r\nEmpty:\r\nContent-Length: 0\r\n\
                 Sec-WebSocket-Extensions: permessage-deflate\r\n",
            ),
            plain,
        ),
        ("less than all", request()[..60].to_owned(), "not whole".to_owned()),
    ];
    for (name, sent, expected) in &cases {
        check(name, sent.as_bytes(), &Ok(expected));
    }
}

#[test]
fn what_does_not() {
    let change = |from: &str, to: &str| {
        let changed = request().replacen(from, to, 1);
        assert_ne!(changed, request(), "{from}");
        changed
    };
    let cases: &[(String, U)] = &[
        (change("GET", "POST"), U::Method),
        (change("GET", "get"), U::Method),
        (change("GET", ""), H::RequestLine.into()),
        (change("GET ", " GET "), H::RequestLine.into()),
        (change("GET ", "GET  "), H::RequestLine.into()),
        (change("GET", "G\u{e9}T"), H::RequestLine.into()),
        (change("/ws", "ws"), H::RequestLine.into()),
        (change("/ws", "https://example.org/ws"), H::RequestLine.into()),
        (change("/ws", "*"), H::RequestLine.into()),
        (change("/ws", "/ws#top"), H::RequestLine.into()),
        (change("/ws", "/w\u{e9}s"), H::RequestLine.into()),
        (change("HTTP/1.1", "HTTP/1.0"), H::RequestLine.into()),
        (change("HTTP/1.1", "HTTP/1.1 "), H::RequestLine.into()),
        (change("HTTP/1.1", "http/1.1"), H::RequestLine.into()),
        (format!("\r\n{}", request()), H::RequestLine.into()),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), H::RequestLine.into()),
        (change("\r\n", "\n"), H::LineBreak.into()),
        (change("org\r\n", "org\n"), H::LineBreak.into()),
        (change("org\r\n", "org\r\r\n"), H::LineBreak.into()),
        (change("org\r\n", "org\rX: y\r\n"), H::LineBreak.into()),
        (request().replace("\r\n", "\n"), H::LineBreak.into()),
        (change("websocket", "web\0socket"), H::ControlCharacter.into()),
        (change("websocket", "web\u{b}socket"), H::ControlCharacter.into()),
        (change("websocket", "web\u{7f}socket"), H::ControlCharacter.into()),
        ("\u{16}\u{3}\u{1}".to_owned(), H::ControlCharacter.into()),
        (change("Upgrade: websocket", "Upgrade: x,\r\n websocket"), H::Header.into()),
        (change("Upgrade: websocket", "Upgrade: x,\r\n\twebsocket"), H::Header.into()),
        (change("Host:", "Host :"), H::Header.into()),
        (change("Host:", " Host:"), H::Header.into()),
        (change("Host:", ":"), H::Header.into()),
        (change("Host: ", "Host "), H::Header.into()),
        (change("Host: ", "Ho(st: "), H::Header.into()),
        (change(HOST, ""), H::Host.into()),
        (change("example.org", ""), H::Host.into()),
        (change("example.org", "example.org, example.com"), H::Host.into()),
        (change("example.org", "user@example.org"), H::Host.into()),
        (change(HOST, "Host: example.org\r\nhost: example.org\r\n"), H::Host.into()),
        (change(HOST, "Host: example.org\r\nContent-Length: 5\r\n"), H::Body.into()),
        (change(HOST, "Host: example.org\r\nContent-Length: +0\r\n"), H::Body.into()),
        (change(HOST, "Host: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n"), H::Repeated.into()),
        (change(HOST, "Host: example.org\r\nTransfer-Encoding: chunked\r\n"), H::Body.into()),
        (change(HOST, "Host: example.org\r\nTransfer-Encoding:\r\n"), H::Body.into()),
        (change(HOST, "Host: a\r\nOrigin: https://a\r\nOrigin: https://b\r\n"), H::Repeated.into()),
        (change("Upgrade: websocket\r\n", ""), U::NotAnUpgrade),
        (change("Upgrade: websocket", "Upgrade: websockets"), U::NotAnUpgrade),
        (change("Connection: Upgrade\r\n", ""), U::NotAnUpgrade),
        (change("Connection: Upgrade", "Connection: keep-alive"), U::NotAnUpgrade),
        (change("Sec-WebSocket-Version: 13\r\n", ""), U::Version),
        (change("Version: 13", "Version: 8"), U::Version),
        (change("Version: 13", "Version: 13, 8"), U::Version),
        (change("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13"), H::Repeated.into()),
        (change("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), U::Key),
        (change("dGhlIHNhbXBsZSBub25jZQ==", ""), U::Key),
        (change("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ"), U::Key),
        (change("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZR=="), U::Key),
        (change("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"), U::Key),
        (change("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ*="), U::Key),
        (change("Version", "Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version"), H::Repeated.into()),
    ];
    for (sent, error) in cases {
        check(&format!("{sent:?}"), sent.as_bytes(), &Err(*error));
    }
    let origin = [FIRST, HOST, "Origin: "].concat().into_bytes();
    let sent = [origin, vec![0xff, b'\r', b'\n'], REST.as_bytes().to_vec(), b"\r\n".to_vec()].concat();
    check("an origin that is not text", &sent, &Err(U::Origin));
}

#[test]
fn heads_are_bounded() {
    let filled = |bytes: usize| {
        let rest = format!("{REST}X: ");
        let padding = "x".repeat(bytes - FIRST.len() - HOST.len() - rest.len() - 4);
        format!("{FIRST}{HOST}{rest}{padding}\r\n\r\n")
    };
    assert_eq!(filled(HTTP_HEAD_BYTES_MAX).len(), HTTP_HEAD_BYTES_MAX);
    check("as long as allowed", filled(HTTP_HEAD_BYTES_MAX).as_bytes(), &Ok("/ws example.org None "));
    check("one byte longer", filled(HTTP_HEAD_BYTES_MAX + 1).as_bytes(), &Err(H::TooLong.into()));
    check("without end", &[b'A'; HTTP_HEAD_BYTES_MAX + 1], &Err(H::TooLong.into()));
    let headers = |count: usize| format!("{FIRST}{HOST}{REST}{}\r\n", "X: y\r\n".repeat(count - 5));
    check("as many as allowed", headers(HTTP_HEADERS_MAX).as_bytes(), &Ok("/ws example.org None "));
    check("one more", headers(HTTP_HEADERS_MAX + 1).as_bytes(), &Err(H::TooManyHeaders.into()));
    assert_eq!(HeadReader::new(NOW).deadline(), NOW.plus_millis(HTTP_HEAD_MS_MAX));
}

#[test]
fn refusals_name_what_is_missing() {
    let refused = |error: U| {
        let mut out = Vec::new();
        error.refuse(&mut out);
        String::from_utf8(out).unwrap()
    };
    let cases = [
        (U::Head(H::TooLong), "431 Request Header Fields Too Large", "close", ""),
        (U::Head(H::TooManyHeaders), "431 Request Header Fields Too Large", "close", ""),
        (U::Head(H::LineBreak), "400 Bad Request", "close", ""),
        (U::Key, "400 Bad Request", "close", ""),
        (U::Origin, "400 Bad Request", "close", ""),
        (U::Forbidden, "403 Forbidden", "close", ""),
        (U::Pipelined, "400 Bad Request", "close", ""),
        (U::Method, "405 Method Not Allowed", "close", "Allow: GET\r\n"),
        (
            U::NotAnUpgrade,
            "426 Upgrade Required",
            "close, Upgrade",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        ),
        (
            U::Version,
            "426 Upgrade Required",
            "close, Upgrade",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        ),
    ];
    for (error, status, connection, more) in cases {
        let expected =
            format!("HTTP/1.1 {status}\r\nConnection: {connection}\r\n{more}Content-Length: 0\r\n\r\n");
        assert_eq!(refused(error), expected);
    }
}

#[test]
fn random_heads_are_survived() {
    let alphabet = b"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n: \t,";
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = request().into_bytes();
        for _ in 0..random.usize(1..5) {
            let at = random.usize(..bytes.len());
            bytes[at] = if random.bool() { random.u8(..) } else { alphabet[random.usize(..alphabet.len())] };
        }
        assert_eq!(outcome(&bytes, bytes.len()), outcome(&bytes, random.usize(1..9)), "seed {seed}");
    }
}

#[test]
fn nothing_shows_cookies_or_links() {
    let sent = request().replace("/ws", "/ws?secret").replace(HOST, "Host: a\r\nCookie: secret\r\n");
    let mut reader = HeadReader::new(NOW);
    reader.receive(&sent.as_bytes()[..100]).unwrap();
    let (head, _) = read([sent.as_bytes()].into_iter()).unwrap().unwrap();
    assert_eq!((head.method(), head.target()), ("GET", "/ws?secret"));
    let shown = format!("{reader:?} {head:?} {:?}", Upgrade::of(&head).unwrap());
    assert!(!shown.contains("secret") && !shown.contains("dGhl"), "{shown}");
}
