//! The files of the web client: a table in memory, and what is answered to a request for one of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use iris_types::Timestamp;
use sha1::{Digest as _, Sha1};

use super::{Audience, NOT_FOUND, RequestHead};

const OK: (u16, &str) = (200, "OK");
const NOT_MODIFIED: (u16, &str) = (304, "Not Modified");
const METHOD_NOT_ALLOWED: (u16, &str) = (405, "Method Not Allowed");

const TEXT: &str = "text/plain; charset=utf-8";
/// Without a version in its name a file may change with the next start, so browsers ask each time.
const ASK: &str = "no-cache";
/// A name that holds a digest of its content never has another.
const KEEP: &str = "public, max-age=31536000, immutable";

/// Characters of a digest in a file's name, `app-7XQ2MN4K.js`: bundlers write base 32 in capital letters.
const NAME_DIGEST_CHARACTERS: usize = 8; // layout

/// One file as it is given.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Below the root, without a slash in front: `assets/app.js`.
    pub path: String,
    pub bytes: Bytes,
    /// The same, compressed; used when it is smaller and the client takes it.
    pub gzip: Option<Bytes>,
}

/// Every file by its path. `/` is `index.html`.
#[derive(Clone, Debug, Default)]
pub struct Assets(BTreeMap<String, Prepared>);

#[derive(Clone, Debug)]
struct Prepared {
    content_type: &'static str,
    cache: &'static str,
    plain: Variant,
    gzip: Option<Variant>,
}

#[derive(Clone, Debug)]
struct Variant {
    bytes: Bytes,
    /// With its quotes.
    etag: String,
}

/// What is answered.
pub(super) struct Response {
    pub(super) head: String,
    pub(super) body: Bytes,
}

impl Assets {
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = Asset>) -> Self {
        let mut assets = BTreeMap::new();
        for file in files {
            let path = format!("/{}", file.path);
            let prepared = Prepared::new(file);
            if path == "/index.html" {
                assets.insert("/".to_owned(), prepared.clone());
            }
            assets.insert(path, prepared);
        }
        Self(assets)
    }

    /// `is_last`: the connection closes behind it.
    pub(super) fn respond(
        &self,
        head: &RequestHead,
        audience: &Audience,
        now: Timestamp,
        is_last: bool,
    ) -> Response {
        let mut writer = Writer::new(now, is_last, audience, head.host());
        let is_head = head.method() == "HEAD";
        match self.0.get(head.path()) {
            _ if !is_head && head.method() != "GET" => {
                writer.header("Allow", "GET, HEAD");
                writer.note(METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n", is_head)
            }
            Some(asset) => writer.asset(asset, head, is_head),
            None => writer.note(NOT_FOUND, "There is nothing here.\n", is_head),
        }
    }
}

impl Prepared {
    fn new(file: Asset) -> Self {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        // The plain file names both variants: they change together.
        let digest = hexadecimal(&Sha1::digest(&file.bytes));
        let gzip = file.gzip.filter(|gzip| gzip.len() < file.bytes.len());
        Self {
            content_type: content_type(name),
            cache: if has_digest(name) { KEEP } else { ASK },
            gzip: gzip.map(|bytes| Variant { bytes, etag: format!("\"{digest}-gzip\"") }),
            plain: Variant { bytes: file.bytes, etag: format!("\"{digest}\"") },
        }
    }
}

/// A response in the making. The headers that every one has come first.
struct Writer {
    headers: String,
}

impl Writer {
    fn new(now: Timestamp, is_last: bool, audience: &Audience, host: &str) -> Self {
        let mut writer = Self { headers: String::with_capacity(1_024) };
        let date =
            UNIX_EPOCH.checked_add(Duration::from_millis(now.0.min(DATE_MS_MAX))).unwrap_or(UNIX_EPOCH);
        writer.header("Date", &httpdate::fmt_http_date(date));
        if is_last {
            writer.header("Connection", "close");
        }
        writer.header("Content-Security-Policy", &content_security_policy(audience, host));
        for (name, value) in SECURITY {
            writer.header(name, value);
        }
        writer
    }

    fn header(&mut self, name: &str, value: &str) {
        // Writing to a string never fails.
        let _ = write!(self.headers, "{name}: {value}\r\n");
    }

    fn asset(mut self, asset: &Prepared, head: &RequestHead, is_head: bool) -> Response {
        let compressed = asset.gzip.as_ref().filter(|_| head.lists("accept-encoding", "gzip"));
        let variant = compressed.unwrap_or(&asset.plain);
        self.header("ETag", &variant.etag);
        self.header("Cache-Control", asset.cache);
        if asset.gzip.is_some() {
            self.header("Vary", "Accept-Encoding");
        }
        if is_known(head, &variant.etag) {
            return self.finish(NOT_MODIFIED, Bytes::new());
        }
        if compressed.is_some() {
            self.header("Content-Encoding", "gzip");
        }
        self.header("Content-Type", asset.content_type);
        self.header("Content-Length", &variant.bytes.len().to_string());
        self.finish(OK, if is_head { Bytes::new() } else { variant.bytes.clone() })
    }

    /// A line for people.
    fn note(mut self, status: (u16, &str), text: &'static str, is_head: bool) -> Response {
        self.header("Cache-Control", "no-store");
        self.header("Content-Type", TEXT);
        self.header("Content-Length", &text.len().to_string());
        self.finish(status, if is_head { Bytes::new() } else { Bytes::from_static(text.as_bytes()) })
    }

    fn finish(self, (number, phrase): (u16, &str), body: Bytes) -> Response {
        Response { head: format!("HTTP/1.1 {number} {phrase}\r\n{}\r\n", self.headers), body }
    }
}

/// The end of the year 9999, beyond which HTTP has no dates.
const DATE_MS_MAX: u64 = 253_402_300_799_000; // layout

/// Beside the content security policy: nothing is guessed, framed, embedded or told to others.
const SECURITY: &[(&str, &str)] = &[
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// Own files alone; the WebSocket's source is named because to older browsers `'self'` is not that.
fn content_security_policy(audience: &Audience, host: &str) -> String {
    // The policy's grammar has no IPv6 addresses.
    let socket =
        if host.starts_with('[') { String::new() } else { " ".to_owned() + &audience.websocket_source(host) };
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'{socket}; font-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

/// Whether the client has this variant already.
fn is_known(head: &RequestHead, etag: &str) -> bool {
    let mut known = head.values("if-none-match").flat_map(|value| value.split(|byte| *byte == b','));
    known.any(|one| {
        let one = one.trim_ascii();
        one == b"*" || one.strip_prefix(b"W/").unwrap_or(one) == etag.as_bytes()
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt") => TEXT,
        _ => "application/octet-stream",
    }
}

fn has_digest(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    stem.rsplit_once('-').is_some_and(|(_, digest)| {
        digest.len() == NAME_DIGEST_CHARACTERS
            && digest.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
