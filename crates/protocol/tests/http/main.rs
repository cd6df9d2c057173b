//! A web listener's HTTP, from outside: what is asked for, in any cuts, and every byte of what is answered.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::Arc;

use bytes::Bytes;
use iris_protocol::http::{Asset, Assets, Audience, HttpConnection, Site};
use iris_types::limits::{
    HTTP_CONNECTION_MS_MAX, HTTP_HEAD_BYTES_MAX, HTTP_HEAD_MS_MAX, HTTP_HEADERS_MAX, HTTP_RESPONSES_MAX,
};
use iris_types::{Monotonic, Timestamp};

const NOW: Monotonic = Monotonic(1_000);
/// Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
const WALL: Timestamp = Timestamp(784_111_777_000);
const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const SECURITY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self'; img-src 'self' data:; connect-src 'self' wss://iris.test; font-src 'self'; \
     manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
     X-Content-Type-Options: nosniff\r\n\
     X-Frame-Options: DENY\r\n\
     Referrer-Policy: no-referrer\r\n\
     Cross-Origin-Opener-Policy: same-origin\r\n\
     Cross-Origin-Embedder-Policy: require-corp\r\n\
     Cross-Origin-Resource-Policy: same-origin\r\n\
     Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n";
const WEBSOCKET: &str = "GET /ws HTTP/1.1\r\nHost: iris.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// SHA-1 of `<p>`.
const INDEX: &str = "\"63ada55c0ba212a5b1f8d5a70890788f00972bf4\"";

fn site() -> Site {
    let file = |path: &str, bytes: &'static str, gzip: Option<&'static str>| Asset {
        path: path.to_owned(),
        bytes: Bytes::from_static(bytes.as_bytes()),
        gzip: gzip.map(|gzip| Bytes::from_static(gzip.as_bytes())),
    };
    let assets = Assets::new([
        file("index.html", "<p>", None),
        file("assets/app-7XQ2MN4K.js", "let application;", Some("(short)")),
        file("assets/terminal-listener.css", "p{}", Some("longer than plain")),
        file("assets/core_bg.wasm", "\0asm", None),
        file("data.unknown", "?", None),
    ]);
    Site { assets: Arc::new(assets), audience: Audience::secure(Vec::new()) }
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: iris.test\r\n{more}\r\n")
}

/// Everything that is answered to `sent`, in pieces of `size`; whether the connection closes behind it.
fn answered(sent: &str, size: usize) -> (String, bool) {
    let (site, mut connection, mut out) = (site(), HttpConnection::new(NOW), Vec::new());
    for piece in sent.as_bytes().chunks(size) {
        let progress = connection.receive(piece, &site, WALL);
        assert!(!progress.is_upgraded && progress.consumed == piece.len());
        assert!(connection.heap_bytes() <= HTTP_HEAD_BYTES_MAX + 2_000, "{connection:?}");
    }
    while connection.transmit(7, NOW, &mut out) {}
    assert_eq!(connection.pending_output_bytes(), 0);
    (String::from_utf8(out).unwrap(), connection.is_closing())
}

fn check(sent: &str, status: &str, headers: &str, body: &str) {
    let expected = format!("HTTP/1.1 {status}\r\n{DATE}{SECURITY}{headers}\r\n{body}");
    for size in [1, 7, sent.len()] {
        let (told, is_closing) = answered(sent, size);
        assert_eq!(told, expected, "{sent}");
        assert!(!is_closing);
    }
}

#[test]
fn a_file_comes_with_every_header() {
    let html = "Content-Type: text/html; charset=utf-8\r\nContent-Length: 3\r\n";
    let headers = format!("ETag: {}\r\nCache-Control: no-cache\r\n{html}", digest("/"));
    check(&get("/", ""), "200 OK", &headers, "<p>");
    check(&get("/index.html", ""), "200 OK", &headers, "<p>");
    check(&get("/?a=b", "Accept-Encoding: gzip\r\n"), "200 OK", &headers, "<p>");
    check(&get("/", "").replace("GET", "HEAD"), "200 OK", &headers, "");
}

#[test]
fn a_compressed_variant_comes_to_those_who_take_it() {
    let etag = digest("/assets/app-7XQ2MN4K.js");
    let gzip = etag.replace("\"", "") + "-gzip";
    let cache = "Cache-Control: public, max-age=31536000, immutable\r\nVary: Accept-Encoding\r\n";
    let script = "Content-Type: text/javascript; charset=utf-8\r\n";
    let path = "/assets/app-7XQ2MN4K.js";
    for accepted in ["gzip", "br, GZIP", "deflate,gzip , br"] {
        check(
            &get(path, &format!("Accept-Encoding: {accepted}\r\n")),
            "200 OK",
            &format!("ETag: \"{gzip}\"\r\n{cache}Content-Encoding: gzip\r\n{script}Content-Length: 7\r\n"),
            "(short)",
        );
    }
    for accepted in ["", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0\r\n"] {
        let headers = format!("ETag: {etag}\r\n{cache}{script}Content-Length: 16\r\n");
        check(&get(path, accepted), "200 OK", &headers, "let application;");
    }
    // What is not smaller is no use; a name without digest is not kept.
    let (told, _) = answered(&get("/assets/terminal-listener.css", "Accept-Encoding: gzip\r\n"), 9);
    assert!(told.ends_with("\r\n\r\np{}") && told.contains("no-cache") && !told.contains("Vary"), "{told}");
}

#[test]
fn what_a_browser_has_is_not_sent_again() {
    let etag = digest("/");
    let headers = format!("ETag: {etag}\r\nCache-Control: no-cache\r\n");
    for known in [&etag, "*", &format!("W/{etag}"), &format!("\"x\", {etag}")] {
        check(&get("/", &format!("If-None-Match: {known}\r\n")), "304 Not Modified", &headers, "");
    }
    for other in ["\"x\"", "", "78ccc3dd", &etag.replace("\"", "")] {
        assert!(
            answered(&get("/", &format!("If-None-Match: {other}\r\n")), 9).0.starts_with("HTTP/1.1 200 ")
        );
    }
    // Each variant has its own.
    let path = "/assets/app-7XQ2MN4K.js";
    let plain = format!("If-None-Match: {}\r\nAccept-Encoding: gzip\r\n", digest(path));
    assert!(answered(&get(path, &plain), 9).0.starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_is_not_there_or_not_allowed_is_told() {
    let note = |text: &str| {
        format!(
            "Cache-Control: no-store\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n",
            text.len()
        )
    };
    let nothing = "There is nothing here.\n";
    for path in
        ["/favicon.ico", "/assets", "/assets/", "//", "/../index.html", "/%69ndex.html", "/ws/", "/WS"]
    {
        check(&get(path, ""), "404 Not Found", &note(nothing), nothing);
    }
    check(&get("/x", "").replace("GET", "HEAD"), "404 Not Found", &note(nothing), "");
    let only = "Only GET and HEAD are answered here.\n";
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "get"] {
        let sent = get("/", "").replacen("GET", method, 1);
        check(&sent, "405 Method Not Allowed", &format!("Allow: GET, HEAD\r\n{}", note(only)), only);
    }
}

#[test]
fn content_types_are_told_by_the_name() {
    for (path, expected) in
        [("/assets/core_bg.wasm", "application/wasm"), ("/data.unknown", "application/octet-stream")]
    {
        assert!(
            answered(&get(path, ""), 9).0.contains(&format!("\r\nContent-Type: {expected}\r\n")),
            "{path}"
        );
    }
}

#[test]
fn requests_follow_each_other_and_a_fault_is_the_last() {
    let (told, is_closing) = answered(&(get("/", "") + &get("/x", "") + &get("/", "")), 50);
    assert_eq!((told.matches("HTTP/1.1 ").count(), is_closing), (3, false));
    let (told, is_closing) = answered(&(get("/", "Connection: close\r\n") + &get("/", "")), 50);
    assert_eq!((told.matches("HTTP/1.1 200 OK").count(), is_closing), (1, true));
    assert!(told.contains("\r\nConnection: close\r\n"));
    let faults = [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc".to_owned(), "400 Bad Request"),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n".to_owned(), "400 Bad Request"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400 Bad Request"),
        (
            get("/", &format!("X: {}\r\n", "x".repeat(HTTP_HEAD_BYTES_MAX))),
            "431 Request Header Fields Too Large",
        ),
        ("\u{16}\u{3}\u{1}\u{2}".to_owned(), "400 Bad Request"),
        (get("/ws", ""), "426 Upgrade Required"),
        (WEBSOCKET.replace("GET", "HEAD"), "405 Method Not Allowed"),
        (
            WEBSOCKET.replace("Host: iris.test", "Host: iris.test\r\nOrigin: https://evil.example"),
            "403 Forbidden",
        ),
        (get("/", "") + WEBSOCKET, "400 Bad Request"),
    ];
    for (sent, status) in faults {
        let (told, is_closing) = answered(&(sent.clone() + &get("/", "")), sent.len() + 10);
        assert!(told.contains(&format!("HTTP/1.1 {status}\r\nConnection: close")), "{sent}: {told}");
        assert!(is_closing && told.ends_with("Content-Length: 0\r\n\r\n"), "{told}");
    }
}

/// A browser loads a page and its files over one connection, again and again; bounds are those of each head.
#[test]
fn a_connection_is_used_as_often_as_one_likes() {
    let (site, mut connection, mut out) = (site(), HttpConnection::new(NOW), Vec::new());
    let request = get("/", &"X: y\r\n".repeat(HTTP_HEADERS_MAX - 1));
    let times = 10 * HTTP_HEAD_BYTES_MAX / request.len();
    for _ in 0..times {
        connection.receive(request.as_bytes(), &site, WALL);
        while connection.transmit(1_000_000, NOW, &mut out) {}
    }
    let told = String::from_utf8(out).unwrap();
    assert_eq!((told.matches("HTTP/1.1 200 OK").count(), connection.is_closing()), (times, false));
}

#[test]
fn who_asks_without_end_is_answered_so_often() {
    let (told, is_closing) = answered(&get("/", "").repeat(HTTP_RESPONSES_MAX + 5), 1_000_000);
    assert_eq!(told.matches("HTTP/1.1 200 OK").count(), HTTP_RESPONSES_MAX);
    assert_eq!(told.matches("Connection: close").count(), 1);
    assert!(is_closing);
    let (told, is_closing) = answered(&get("/", "").repeat(HTTP_RESPONSES_MAX - 1), 1_000_000);
    assert_eq!((told.matches("HTTP/1.1 200 OK").count(), is_closing), (HTTP_RESPONSES_MAX - 1, false));
}

#[test]
fn a_websocket_begins_right_behind_its_request() {
    let (site, mut connection, mut out) = (site(), HttpConnection::new(NOW), Vec::new());
    connection.receive(get("/", "").as_bytes(), &site, WALL);
    while connection.transmit(100, NOW, &mut out) {}
    out.clear();
    let progress = connection.receive((WEBSOCKET.to_owned() + "frames").as_bytes(), &site, WALL);
    assert!(progress.is_upgraded);
    assert_eq!(progress.consumed, WEBSOCKET.len());
    assert!(connection.transmit(usize::MAX, NOW, &mut out));
    assert!(out.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
}

#[test]
fn without_tls_strangers_names_get_nothing() {
    let site = Site { audience: Audience::loopback(7_445), ..site() };
    for (host, status) in [("localhost:7445", "200 OK"), ("evil.example:7445", "403 Forbidden")] {
        let (mut connection, mut out) = (HttpConnection::new(NOW), Vec::new());
        connection.receive(get("/", "").replace("iris.test", host).as_bytes(), &site, WALL);
        connection.transmit(usize::MAX, NOW, &mut out);
        assert!(out.starts_with(format!("HTTP/1.1 {status}").as_bytes()), "{host}");
    }
}

#[test]
fn time_is_bounded_for_each_head_and_for_all() {
    let (site, mut connection, mut out) = (site(), HttpConnection::new(NOW), Vec::new());
    let late = NOW.plus_millis(HTTP_HEAD_MS_MAX);
    assert_eq!(connection.deadline(), Some(late));
    connection.receive(b"GET / HTTP", &site, WALL);
    assert_eq!(connection.deadline(), Some(late));
    connection.receive(b"/1.1\r\nHost: a\r\n\r\n", &site, WALL);
    let end = NOW.plus_millis(HTTP_CONNECTION_MS_MAX);
    assert_eq!(connection.deadline(), Some(end), "it is the client that is waited for");
    let later = NOW.plus_millis(60_000);
    connection.handle_deadline(later);
    assert!(!connection.is_closing());
    connection.transmit(usize::MAX, later, &mut out);
    assert_eq!(connection.deadline(), Some(later.plus_millis(HTTP_HEAD_MS_MAX)));
    connection.receive(get("/", "").as_bytes(), &site, WALL);
    assert_eq!(connection.deadline(), Some(end));
    connection.handle_deadline(end);
    assert_eq!((connection.is_closing(), connection.pending_output_bytes()), (true, 0));
    assert_eq!(connection.deadline(), None);

    let mut silent = HttpConnection::new(NOW);
    silent.handle_deadline(Monotonic(late.0 - 1));
    assert!(!silent.is_closing());
    silent.handle_deadline(late);
    assert!(silent.is_closing() && !silent.transmit(usize::MAX, late, &mut out));
}

#[test]
fn nothing_shows_cookies_or_links() {
    let (site, mut connection) = (site(), HttpConnection::new(NOW));
    connection.receive(get("/secret", "Cookie: secret\r\n").as_bytes(), &site, WALL);
    connection.receive(b"GET /secret", &site, WALL);
    assert!(!format!("{connection:?}").contains("secret"));
}

/// The entity tag of a file, as a first answer names it.
fn digest(path: &str) -> String {
    let (told, _) = answered(&get(path, ""), 1_000_000);
    let line = told.lines().find(|line| line.starts_with("ETag: ")).unwrap();
    let etag = line.trim_start_matches("ETag: ").to_owned();
    assert!(path != "/" || etag == INDEX, "{etag}");
    etag
}
