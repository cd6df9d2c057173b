//! What protects a connection's bytes: TLS, or, for plain HTTP on loopback, nothing.

use crate::ciphers::Ciphers;
use crate::record::{Alert, Opened, Records, record_length};

#[allow(
    clippy::large_enum_variant,
    reason = "nearly every connection has TLS: another allocation costs more"
)]
pub(crate) enum Channel {
    Tls(Records),
    Plain,
}

impl Channel {
    /// Opens the first part of `input` in place: how long it is, and what it holds. `None`: it is not whole.
    pub(crate) fn open<'a>(
        &mut self,
        input: &'a mut [u8],
        ciphers: &mut Ciphers,
    ) -> Result<Option<(usize, Opened<'a>)>, Alert> {
        match self {
            Self::Tls(records) => {
                let Some(length) = record_length(input)? else { return Ok(None) };
                let record = input.get_mut(..length).unwrap_or_default();
                Ok(Some((length, records.open(record, ciphers)?)))
            }
            Self::Plain => Ok((!input.is_empty()).then_some((input.len(), Opened::Data(input)))),
        }
    }

    /// Appends `plaintext` as it is sent; how many records that takes.
    pub(crate) fn seal(
        &mut self,
        plaintext: &[u8],
        ciphers: &mut Ciphers,
        out: &mut Vec<u8>,
    ) -> Result<u64, Alert> {
        match self {
            _ if plaintext.is_empty() => Ok(0),
            Self::Tls(records) => records.seal(plaintext, ciphers, out),
            Self::Plain => {
                out.extend_from_slice(plaintext);
                Ok(0)
            }
        }
    }

    /// Appends the alert that ends the connection, if there are alerts.
    pub(crate) fn seal_alert(
        &mut self,
        alert: Alert,
        ciphers: &mut Ciphers,
        out: &mut Vec<u8>,
    ) -> Result<(), Alert> {
        match self {
            Self::Tls(records) => records.seal_alert(alert, ciphers, out),
            Self::Plain => Ok(()),
        }
    }
}
