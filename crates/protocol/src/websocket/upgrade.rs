//! The opening handshake (RFC 6455 section 4.2).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};

use crate::http::{HeadError, RequestHead};

/// Appended to the client's key, so that nobody but a WebSocket server gives the right answer (section 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES: usize = 16;
const VERSION: &[u8] = b"13";

/// A request that asks for a WebSocket as it should. Whether path, host and origin are right is the caller's to say.
#[derive(Clone, Copy)]
pub struct Upgrade<'a> {
    pub path: &'a str,
    pub host: &'a str,
    /// What the browser says the page came from: `https://host`, or `null`. Other clients send none.
    pub origin: Option<&'a str>,
    key: &'a [u8],
}

/// Why there is no WebSocket, and thereby what is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    #[error(transparent)]
    Head(#[from] HeadError),
    #[error("the origin is not text")]
    Origin,
    #[error("the key is not 16 bytes in base64")]
    Key,
    /// The caller's: it does not know the origin or the host.
    #[error("pages of this origin may not connect")]
    Forbidden,
    /// The caller's: what it owes is not sent, and would be cut off by the 101.
    #[error("answers to earlier requests are still to be sent")]
    Pipelined,
    #[error("the method is not GET")]
    Method,
    #[error("the request does not ask for a WebSocket")]
    NotAnUpgrade,
    #[error("the version is not 13")]
    Version,
}

impl<'a> Upgrade<'a> {
    /// # Errors
    /// [`UpgradeError`] when the request asks for something else, or asks wrongly.
    pub fn of(head: &'a RequestHead) -> Result<Self, UpgradeError> {
        if head.method() != "GET" {
            return Err(UpgradeError::Method);
        }
        if !head.lists("upgrade", "websocket") || !head.lists("connection", "upgrade") {
            return Err(UpgradeError::NotAnUpgrade);
        }
        if head.single("sec-websocket-version")? != Some(VERSION) {
            return Err(UpgradeError::Version);
        }
        let key = head.single("sec-websocket-key")?.ok_or(UpgradeError::Key)?;
        if BASE64_STANDARD.decode(key).map(|key| key.len()) != Ok(KEY_BYTES) {
            return Err(UpgradeError::Key);
        }
        let origin = head.single("origin")?.map(std::str::from_utf8).transpose();
        let origin = origin.map_err(|_| UpgradeError::Origin)?;
        Ok(Self { path: head.path(), host: head.host(), origin, key })
    }

    /// Appends the response; frames follow.
    pub fn accept(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\n\
              Upgrade: websocket\r\n\
              Connection: Upgrade\r\n\
              Sec-WebSocket-Accept: ",
        );
        let hash = Sha1::new().chain_update(self.key).chain_update(KEY_SUFFIX).finalize();
        out.extend_from_slice(BASE64_STANDARD.encode(hash).as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
    }
}

impl UpgradeError {
    /// Status code and its phrase.
    #[must_use]
    pub const fn status(self) -> (u16, &'static str) {
        match self {
            Self::Head(HeadError::TooLong | HeadError::TooManyHeaders) => {
                (431, "Request Header Fields Too Large")
            }
            Self::Head(_) | Self::Origin | Self::Key | Self::Pipelined => (400, "Bad Request"),
            Self::Forbidden => (403, "Forbidden"),
            Self::Method => (405, "Method Not Allowed"),
            Self::NotAnUpgrade | Self::Version => (426, "Upgrade Required"),
        }
    }

    /// Appends the response; then the connection closes.
    pub fn refuse(self, out: &mut Vec<u8>) {
        let (number, phrase) = self.status();
        // What a refusal of this kind has to name (RFC 9110 sections 15.5.6 and 15.5.22, RFC 6455 section 4.4).
        let (connection, more) = match number {
            405 => ("close", "Allow: GET\r\n"),
            426 => ("close, Upgrade", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
            _ => ("close", ""),
        };
        let lines = format!(
            "HTTP/1.1 {number} {phrase}\r\nConnection: {connection}\r\n{more}Content-Length: 0\r\n\r\n"
        );
        out.extend_from_slice(lines.as_bytes());
    }
}

/// Hides what a link may hold.
impl std::fmt::Debug for Upgrade<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade")
            .field("host", &self.host)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
