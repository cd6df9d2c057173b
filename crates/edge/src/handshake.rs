//! A TLS handshake in progress: rustls on buffers that belong to the event loop.

use std::sync::Arc;

use iris_types::limits::HANDSHAKE_BYTES_MAX;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};

use crate::ciphers::Ciphers;
use crate::record::{Records, record_length};
use crate::tls::TlsConfig;

/// Calls of rustls after an error, until it has handed out its alert.
const ALERT_STEPS_MAX: usize = iris_types::limits::ALERT_STEPS_MAX;

/// A handshake in progress.
pub(crate) struct Handshake {
    tls: UnbufferedServerConnection,
    /// Bytes at the start of the next input that rustls has seen and not discarded; it wants to see them again.
    seen: usize,
    has_answered: bool,
}

/// How far the input got a handshake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes of the input that are done with; the rest has to come again, with more behind it.
    pub(crate) consumed: usize,
    pub(crate) is_done: bool,
}

/// The handshake cannot go on; an alert for the peer is in the output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HandshakeFailed;

impl Handshake {
    pub(crate) fn new(config: &TlsConfig) -> Result<Self, HandshakeFailed> {
        let tls = UnbufferedServerConnection::new(Arc::clone(&config.0)).map_err(|_| HandshakeFailed)?;
        Ok(Self { tls, seen: 0, has_answered: false })
    }

    /// Takes the records in `input`, puts what is to be sent into the empty `out`. Stops right behind the client's last
    /// handshake record, so that data never reaches rustls. After a failure nothing is taken any more.
    ///
    /// A message may span several records, and rustls wants to see them all again: the end of the input that it
    /// is shown moves on record by record, the start only when it says so.
    pub(crate) fn advance(
        &mut self,
        input: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Progress, HandshakeFailed> {
        let (mut start, mut end) = (0, self.seen);
        loop {
            let shown = input.get_mut(start..end).ok_or(HandshakeFailed)?;
            let (discard, pause) = step(self.tls.process_tls_records(shown), out);
            start += discard;
            self.has_answered |= !out.is_empty();
            match pause {
                Pause::None => {}
                Pause::Done if !self.tls.is_handshaking() => {
                    return Ok(Progress { consumed: start, is_done: true });
                }
                Pause::Blocked => match next_end(input, end) {
                    Some(next) if next - start <= HANDSHAKE_BYTES_MAX => end = next,
                    None if input.len() - start <= HANDSHAKE_BYTES_MAX => {
                        self.seen = end - start;
                        return Ok(Progress { consumed: start, is_done: false });
                    }
                    Some(_) | None => return Err(HandshakeFailed),
                },
                Pause::Failed | Pause::Done => {
                    self.take_alert(input.get_mut(start..end).unwrap_or_default(), out);
                    return Err(HandshakeFailed);
                }
            }
        }
    }

    /// Whether the client's first message has not come, or not all of it.
    pub(crate) fn awaits_hello(&self) -> bool {
        !self.has_answered
    }

    /// The record layer for what follows a handshake that is done.
    pub(crate) fn into_records(self, ciphers: &mut Ciphers) -> Result<Records, HandshakeFailed> {
        Records::new(self.tls, ciphers).map_err(|_| HandshakeFailed)
    }

    /// rustls hands out what it queued before it looks at its input, and only then it must still be called.
    fn take_alert(&mut self, shown: &mut [u8], out: &mut Vec<u8>) {
        for _ in 0..ALERT_STEPS_MAX {
            if !self.tls.wants_write() {
                return;
            }
            step(self.tls.process_tls_records(shown), out);
        }
    }
}

enum Pause {
    None,
    Blocked,
    Done,
    Failed,
}

/// One state of rustls: how much it discards, and whether it goes on by itself.
fn step<Data>(
    UnbufferedStatus { discard, state }: UnbufferedStatus<'_, '_, Data>,
    out: &mut Vec<u8>,
) -> (usize, Pause) {
    let pause = match state {
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            match encode(out, |buffer| data.encode(buffer).map_err(needed_by)) {
                Ok(()) => Pause::None,
                Err(HandshakeFailed) => Pause::Failed,
            }
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Pause::None
        }
        Ok(ConnectionState::BlockedHandshake) => Pause::Blocked,
        Ok(ConnectionState::WriteTraffic(_)) => Pause::Done,
        // Closed before it began, or early data, which is not offered.
        Ok(_) | Err(_) => Pause::Failed,
    };
    (discard, pause)
}

/// Appends what `write` writes, growing `out` to the size it says it needs.
fn encode(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, usize>,
) -> Result<(), HandshakeFailed> {
    let start = out.len();
    let mut room = 0;
    loop {
        out.resize(start + room, 0);
        match write(out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(needed) if needed > room => room = needed,
            Err(_) => return Err(HandshakeFailed),
        }
    }
}

fn needed_by(error: rustls::unbuffered::EncodeError) -> usize {
    match error {
        rustls::unbuffered::EncodeError::InsufficientSize(error) => error.required_size,
        rustls::unbuffered::EncodeError::AlreadyEncoded => 0,
    }
}

/// End of the record that starts at `end`. What is no record is shown whole: rustls finds the words for it.
fn next_end(input: &[u8], end: usize) -> Option<usize> {
    let rest = input.get(end..)?;
    let is_record = rest.first().is_none_or(|content_type| (20..=23).contains(content_type));
    match record_length(rest) {
        Ok(length) if is_record => length.map(|length| end + length),
        Ok(_) | Err(_) => Some(input.len()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config() -> TlsConfig {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        TlsConfig::from_pem(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).unwrap()
    }

    /// A ClientHello in records of at most `part` bytes.
    fn client_hello(part: usize) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let mut client =
            rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        let mut records = Vec::new();
        for fragment in hello[5..].chunks(part) {
            records.extend([22, 3, 1, (fragment.len() >> 8) as u8, fragment.len() as u8]);
            records.extend(fragment);
        }
        records
    }

    /// Feeds `input` in reads of `read` bytes, each with what the one before left; what is answered.
    fn answers(config: &TlsConfig, input: &[u8], read: usize) -> Vec<u8> {
        let mut handshake = Handshake::new(config).unwrap();
        let (mut waiting, mut out) = (Vec::new(), Vec::new());
        for bytes in input.chunks(read) {
            assert!(handshake.awaits_hello());
            waiting.extend(bytes);
            let progress = handshake.advance(&mut waiting, &mut out).unwrap();
            assert!(!progress.is_done);
            waiting.drain(..progress.consumed);
        }
        assert!(!handshake.awaits_hello());
        out
    }

    #[test]
    fn a_hello_in_many_records_may_come_in_many_reads() {
        let config = config();
        for part in [100, 1_000, 16_384] {
            let hello = client_hello(part);
            for read in [1, 7, part, part + 5, part + 6, hello.len()] {
                let answer = answers(&config, &hello, read);
                assert_eq!((answer[0], answer[5]), (22, 2), "a ServerHello: {part}, {read}");
            }
        }
    }
}
