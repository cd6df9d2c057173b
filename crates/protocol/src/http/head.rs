//! The head of an HTTP/1.1 request (RFC 9112), read strictly: what two servers might understand differently is
//! refused. Requests have no body here.

use std::fmt;

use iris_types::Monotonic;
use iris_types::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEAD_MS_MAX, HTTP_HEADERS_MAX};

/// Gathers one head that arrives in any cuts. Holds at most [`HTTP_HEAD_BYTES_MAX`] bytes, and none once the head is
/// whole.
pub struct HeadReader {
    bytes: Vec<u8>,
    line_begins: usize,
    lines: usize,
    opened_at: Monotonic,
}

/// What a call of [`HeadReader::receive`] came to.
#[derive(Debug)]
pub struct HeadProgress {
    /// Bytes that are done with; what is behind them follows the head.
    pub consumed: usize,
    /// The head, once it is whole.
    pub head: Option<RequestHead>,
}

/// A head whose every line is well formed, with one `Host`, and of a request without body.
pub struct RequestHead {
    bytes: Vec<u8>,
    method_ends: usize,
    target_ends: usize,
}

/// What is wrong with a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    #[error("the head is longer than {HTTP_HEAD_BYTES_MAX} bytes")]
    TooLong,
    #[error("the head has more than {HTTP_HEADERS_MAX} headers")]
    TooManyHeaders,
    #[error("a line does not end with CR LF")]
    LineBreak,
    #[error("a control character")]
    ControlCharacter,
    #[error("the first line is not `METHOD /path HTTP/1.1`")]
    RequestLine,
    /// No name, a space before the colon, a line that goes on: all the same to a parser that takes names seriously.
    #[error("a line is not `Name: value`")]
    Header,
    #[error("there is not exactly one host")]
    Host,
    #[error("a header that has one value is there twice")]
    Repeated,
    #[error("the request has a body")]
    Body,
}

impl HeadReader {
    /// The time for the head starts now.
    #[must_use]
    pub fn new(now: Monotonic) -> Self {
        Self { bytes: Vec::new(), line_begins: 0, lines: 0, opened_at: now }
    }

    /// The time for the head starts anew: only now the client can expect it to be read.
    pub fn restart(&mut self, now: Monotonic) {
        self.opened_at = now;
    }

    /// Takes bytes up to the end of the head.
    ///
    /// # Errors
    /// [`HeadError`] at the first byte that breaks a rule of lines and bounds, or at the end of the head. Nothing is
    /// to be received after it.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<HeadProgress, HeadError> {
        for (at, byte) in bytes.iter().enumerate() {
            self.take(*byte)?;
            if *byte == b'\n' && self.ends_line()? {
                let head = RequestHead::parse(std::mem::take(&mut self.bytes))?;
                (self.line_begins, self.lines) = (0, 0);
                return Ok(HeadProgress { consumed: at + 1, head: Some(head) });
            }
        }
        Ok(HeadProgress { consumed: bytes.len(), head: None })
    }

    /// When the head has to be whole.
    #[must_use]
    pub fn deadline(&self) -> Monotonic {
        self.opened_at.plus_millis(HTTP_HEAD_MS_MAX)
    }

    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    fn take(&mut self, byte: u8) -> Result<(), HeadError> {
        let is_behind_return = self.bytes.last() == Some(&b'\r');
        if is_behind_return != (byte == b'\n') {
            return Err(HeadError::LineBreak);
        }
        if byte.is_ascii_control() && !matches!(byte, b'\r' | b'\n' | b'\t') {
            return Err(HeadError::ControlCharacter);
        }
        if self.bytes.len() == HTTP_HEAD_BYTES_MAX {
            return Err(HeadError::TooLong);
        }
        self.bytes.push(byte);
        Ok(())
    }

    /// Whether the line that ends here is the empty one behind the headers.
    fn ends_line(&mut self) -> Result<bool, HeadError> {
        let is_empty = self.bytes.len() == self.line_begins + 2;
        match (is_empty, self.lines) {
            (true, 0) => return Err(HeadError::RequestLine),
            (true, _) => return Ok(true),
            (false, lines) if lines > HTTP_HEADERS_MAX => return Err(HeadError::TooManyHeaders),
            (false, _) => {}
        }
        self.lines += 1;
        self.line_begins = self.bytes.len();
        Ok(false)
    }
}

impl RequestHead {
    /// Of whole lines without control characters, an empty one last.
    fn parse(bytes: Vec<u8>) -> Result<Self, HeadError> {
        let (method_ends, target_ends) = request_line(&bytes).ok_or(HeadError::RequestLine)?;
        let head = Self { bytes, method_ends, target_ends };
        if !head.lines().all(|line| header(line).is_some_and(|(name, _)| is_token(name))) {
            return Err(HeadError::Header);
        }
        let host = head.single("host").map_err(|_| HeadError::Host)?.ok_or(HeadError::Host)?;
        if host.is_empty() || !host.iter().all(|byte| is_of_host(*byte)) {
            return Err(HeadError::Host);
        }
        let has_length = head.single("content-length")?.is_some_and(|length| length != b"0");
        if has_length || head.values("transfer-encoding").next().is_some() {
            return Err(HeadError::Body);
        }
        Ok(head)
    }

    #[must_use]
    pub fn method(&self) -> &str {
        text(self.bytes.get(..self.method_ends).unwrap_or_default())
    }

    /// The path and what may follow it, as the client wrote it: nothing is decoded.
    #[must_use]
    pub fn target(&self) -> &str {
        text(self.bytes.get(self.method_ends + 1..self.target_ends).unwrap_or_default())
    }

    /// The target up to a `?`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// The server as the client calls it, with the port if that is not the scheme's.
    #[must_use]
    pub fn host(&self) -> &str {
        text(self.values("host").next().unwrap_or_default())
    }

    /// The values of every header of this name, in any case, without the spaces around them.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let headers = self.lines().filter_map(header);
        headers.filter(move |(other, _)| other.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// The value of a header that may come once.
    ///
    /// # Errors
    /// [`HeadError::Repeated`].
    pub fn single<'a>(&'a self, name: &'a str) -> Result<Option<&'a [u8]>, HeadError> {
        let mut values = self.values(name);
        let value = values.next();
        if values.next().is_some() { Err(HeadError::Repeated) } else { Ok(value) }
    }

    /// Whether a word is in the lists of every header of this name; neither minds case.
    #[must_use]
    pub fn lists(&self, name: &str, word: &str) -> bool {
        let mut words = self.values(name).flat_map(|value| value.split(|byte| *byte == b','));
        words.any(|other| trim(other).eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The lines between the first and the empty one.
    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines =
            self.bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.skip(1).take_while(|line| !line.is_empty())
    }
}

/// Where method and target end.
fn request_line(bytes: &[u8]) -> Option<(usize, usize)> {
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    // Other forms than a path are for proxies. A fragment is never sent.
    let is_path =
        target.starts_with(b"/") && target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    let is_whole = parts.next().is_none() && version == b"HTTP/1.1";
    let ends = (method.len(), method.len() + 1 + target.len());
    (is_token(method) && is_path && is_whole).then_some(ends)
}

fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((line.get(..colon)?, trim(line.get(colon + 1..)?)))
}

fn trim(value: &[u8]) -> &[u8] {
    value.trim_ascii()
}

fn is_token(name: &[u8]) -> bool {
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(is_of_token)
}

const fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
}

/// Of bytes that are ASCII.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Shows how much there is, never what: cookies and links hold secrets.
impl fmt::Debug for HeadReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeadReader({} bytes)", self.bytes.len())
    }
}

/// The same.
impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestHead({} bytes)", self.bytes.len())
    }
}
