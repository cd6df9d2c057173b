//! The record layer of TLS 1.3 after the handshake (RFC 8446 section 5), on the keys that rustls negotiated.
//!
//! rustls keeps about 3.5 KiB per connection for this; raw keys are 120 bytes. It also works in place: no
//! allocation per record. What it does not do is derive keys: updates (section 4.6.3) come from rustls's
//! [`KernelConnection`].
//!
//! ```text
//! record      type 23 (1) · version 03 03 (2) · length (2) · ciphertext (length)
//! ciphertext  AEAD(content · content type (1) · zeros), 16 bytes of tag; the 5 bytes before are associated data
//! nonce       IV xor (sequence number, big-endian, in the last 8 of 12 bytes)
//! ```

use aws_lc_rs::aead::{Aad, Nonce};
use rustls::ConnectionTrafficSecrets;
use rustls::kernel::KernelConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};

use crate::ciphers::{Ciphers, KeyNumber};

/// Bytes of a record's header.
pub(crate) const HEADER_BYTES: usize = 5;
/// Bytes of plaintext in one record.
const PLAINTEXT_BYTES_MAX: usize = 16_384; // layout
/// Bytes of ciphertext that a peer may put in one record: content type, padding and tag.
pub(crate) const CIPHERTEXT_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX + 256;
const TAG_BYTES: usize = 16;
/// Records under one key; section 5.5 allows AES-GCM 2^24.5.
const RECORDS_PER_KEY_MAX: u64 = iris_types::limits::RECORDS_PER_KEY_MAX;
/// Key updates in a row without data between them.
const KEY_UPDATES_IN_A_ROW_MAX: u8 = iris_types::limits::KEY_UPDATES_IN_A_ROW_MAX;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Handshake message `key_update` (24), 1 byte long: not requested in return, requested.
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
const KEY_UPDATE_REQUESTED: [u8; 5] = [24, 0, 0, 1, 1];

/// Why the connection ends, in TLS's words (section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Alert {
    CloseNotify = 0,
    UnexpectedMessage = 10,
    BadRecordMac = 20,
    RecordOverflow = 22,
    DecodeError = 50,
    InternalError = 80,
}

/// What a record held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened<'a> {
    Data(&'a mut [u8]),
    /// Nothing for the application: a key update.
    Nothing,
    /// The peer says nothing more: a close or another alert.
    Closed,
}

/// Both directions of a connection.
pub(crate) struct Records {
    rustls: KernelConnection<ServerConnectionData>,
    receiving: Direction,
    sending: Direction,
    /// The peer asked for a key update in return: before the next data (section 4.6.3).
    owes_key_update: bool,
    key_updates_in_a_row: u8,
}

struct Direction {
    secrets: ConnectionTrafficSecrets,
    sequence: u64,
    number: KeyNumber,
}

impl Records {
    /// Takes the keys out of a finished handshake that has nothing left to send.
    pub(crate) fn new(handshake: UnbufferedServerConnection, ciphers: &mut Ciphers) -> Result<Self, Alert> {
        let (secrets, rustls) =
            handshake.dangerous_into_kernel_connection().map_err(|_| Alert::InternalError)?;
        Ok(Self {
            rustls,
            receiving: Direction::new(secrets.rx, ciphers),
            sending: Direction::new(secrets.tx, ciphers),
            owes_key_update: false,
            key_updates_in_a_row: 0,
        })
    }

    /// Decrypts one whole record in place. After an error or [`Opened::Closed`] nothing more is opened.
    pub(crate) fn open<'a>(
        &mut self,
        record: &'a mut [u8],
        ciphers: &mut Ciphers,
    ) -> Result<Opened<'a>, Alert> {
        let (header, ciphertext) =
            record.split_first_chunk_mut::<HEADER_BYTES>().ok_or(Alert::DecodeError)?;
        if header[0] != APPLICATION_DATA {
            return Err(Alert::UnexpectedMessage);
        }
        let key = self.receiving.context(ciphers)?;
        let plaintext = key
            .open_in_place(self.receiving.nonce(), Aad::from(*header), ciphertext)
            .map_err(|_| Alert::BadRecordMac)?;
        self.receiving.sequence += 1;
        let (content_type, content) = without_padding(plaintext)?;
        match content_type {
            APPLICATION_DATA => {
                self.key_updates_in_a_row = 0;
                Ok(Opened::Data(content))
            }
            ALERT => Ok(Opened::Closed),
            HANDSHAKE => self.handshake(content, ciphers).map(|()| Opened::Nothing),
            _ => Err(Alert::UnexpectedMessage),
        }
    }

    /// Appends `plaintext` to `out` as few records as hold it; returns how many.
    pub(crate) fn seal(
        &mut self,
        plaintext: &[u8],
        ciphers: &mut Ciphers,
        out: &mut Vec<u8>,
    ) -> Result<u64, Alert> {
        if self.owes_key_update || self.sending.sequence >= RECORDS_PER_KEY_MAX {
            self.update_sending_key(ciphers, out)?;
        }
        let mut records = 0;
        for part in plaintext.chunks(PLAINTEXT_BYTES_MAX) {
            self.sending.seal(APPLICATION_DATA, part, ciphers, out)?;
            records += 1;
        }
        Ok(records)
    }

    /// Appends the alert that ends the connection.
    pub(crate) fn seal_alert(
        &mut self,
        alert: Alert,
        ciphers: &mut Ciphers,
        out: &mut Vec<u8>,
    ) -> Result<(), Alert> {
        const WARNING: u8 = 1;
        const FATAL: u8 = 2;
        let level = if alert == Alert::CloseNotify { WARNING } else { FATAL };
        self.sending.seal(ALERT, &[level, alert as u8], ciphers, out)
    }

    /// The only handshake message that a client may send now is `key_update`, alone in its record.
    fn handshake(&mut self, message: &[u8], ciphers: &mut Ciphers) -> Result<(), Alert> {
        if message != KEY_UPDATE && message != KEY_UPDATE_REQUESTED {
            return Err(Alert::UnexpectedMessage);
        }
        self.key_updates_in_a_row += 1;
        if self.key_updates_in_a_row > KEY_UPDATES_IN_A_ROW_MAX {
            return Err(Alert::UnexpectedMessage);
        }
        let secrets = self.rustls.update_rx_secret().map_err(|_| Alert::InternalError)?;
        self.receiving = Direction::new(secrets, ciphers);
        self.owes_key_update |= message == KEY_UPDATE_REQUESTED;
        Ok(())
    }

    fn update_sending_key(&mut self, ciphers: &mut Ciphers, out: &mut Vec<u8>) -> Result<(), Alert> {
        self.sending.seal(HANDSHAKE, &KEY_UPDATE, ciphers, out)?;
        let secrets = self.rustls.update_tx_secret().map_err(|_| Alert::InternalError)?;
        self.sending = Direction::new(secrets, ciphers);
        self.owes_key_update = false;
        Ok(())
    }
}

impl Direction {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets), ciphers: &mut Ciphers) -> Self {
        Self { secrets, sequence, number: ciphers.number() }
    }

    fn seal(
        &mut self,
        content_type: u8,
        content: &[u8],
        ciphers: &mut Ciphers,
        out: &mut Vec<u8>,
    ) -> Result<(), Alert> {
        let length = u16::try_from(content.len() + 1 + TAG_BYTES).map_err(|_| Alert::InternalError)?;
        let [high, low] = length.to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, high, low];
        out.extend_from_slice(&header);
        let start = out.len();
        out.extend_from_slice(content);
        out.push(content_type);
        let key = self.context(ciphers)?;
        let sealed = out.get_mut(start..).ok_or(Alert::InternalError)?;
        let tag = key
            .seal_in_place_separate_tag(self.nonce(), Aad::from(header), sealed)
            .map_err(|_| Alert::InternalError)?;
        out.extend_from_slice(tag.as_ref());
        self.sequence += 1;
        Ok(())
    }

    fn context<'c>(&self, ciphers: &'c mut Ciphers) -> Result<&'c aws_lc_rs::aead::LessSafeKey, Alert> {
        ciphers.context(self.number, &self.secrets).ok_or(Alert::InternalError)
    }

    fn nonce(&self) -> Nonce {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(iv(&self.secrets));
        let sequence = self.sequence.to_be_bytes();
        nonce.iter_mut().skip(4).zip(sequence).for_each(|(byte, number)| *byte ^= number);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Length of the first record of `input`, header included; `None` when there is less than that.
pub(crate) fn record_length(input: &[u8]) -> Result<Option<usize>, Alert> {
    let Some((&[_, _, _, high, low], rest)) = input.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > CIPHERTEXT_BYTES_MAX {
        return Err(Alert::RecordOverflow);
    }
    Ok((rest.len() >= length).then_some(HEADER_BYTES + length))
}

/// The content type is the last byte that is not zero (section 5.4).
fn without_padding(plaintext: &mut [u8]) -> Result<(u8, &mut [u8]), Alert> {
    let end = plaintext.iter().rposition(|byte| *byte != 0).ok_or(Alert::UnexpectedMessage)?;
    let (content, rest) = plaintext.split_at_mut(end);
    if content.len() > PLAINTEXT_BYTES_MAX {
        return Err(Alert::RecordOverflow);
    }
    Ok((rest.first().copied().unwrap_or_default(), content))
}

fn iv(secrets: &ConnectionTrafficSecrets) -> &[u8] {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { iv, .. }
        | ConnectionTrafficSecrets::Aes256Gcm { iv, .. }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { iv, .. } => iv.as_ref(),
        // `context` refuses other kinds before a nonce is made.
        _ => &[0; 12],
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
