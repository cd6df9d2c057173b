#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider};

use super::*;
use crate::handshake::Handshake;
use crate::tls::TlsConfig;

/// Our end and a rustls client after a handshake in memory.
struct Pair {
    records: Records,
    ciphers: Ciphers,
    client: rustls::ClientConnection,
}

impl Pair {
    fn new(suite: rustls::SupportedCipherSuite) -> Self {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let tls = TlsConfig::from_pem(cert.pem().as_bytes(), signing_key.serialize_pem().as_bytes()).unwrap();
        let mut client = client(cert.der().clone(), suite);
        let mut server = Handshake::new(&tls).unwrap();
        let mut ciphers = Ciphers::new();
        loop {
            let (mut up, mut down) = (Vec::new(), Vec::new());
            while client.wants_write() {
                client.write_tls(&mut up).unwrap();
            }
            let progress = server.advance(&mut up, &mut down).unwrap();
            assert_eq!(progress.consumed, up.len());
            read_all(&mut client, &down);
            if progress.is_done {
                let records = server.into_records(&mut ciphers).unwrap();
                return Self { records, ciphers, client };
            }
        }
    }

    fn send(&mut self, plaintext: &[u8]) -> (u64, Vec<u8>) {
        let mut out = Vec::new();
        let records = self.records.seal(plaintext, &mut self.ciphers, &mut out).unwrap();
        (records, read_all(&mut self.client, &out))
    }

    fn record_of_client(&mut self, plaintext: &[u8]) -> Vec<u8> {
        self.client.writer().write_all(plaintext).unwrap();
        let mut sealed = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut sealed).unwrap();
        }
        sealed
    }

    /// Opens every record; all data.
    fn open_all(&mut self, mut sealed: Vec<u8>) -> Result<Vec<u8>, Alert> {
        let (mut at, mut data) = (0, Vec::new());
        while let Some(length) = record_length(&sealed[at..])? {
            if let Opened::Data(part) = self.records.open(&mut sealed[at..at + length], &mut self.ciphers)? {
                data.extend_from_slice(part);
            }
            at += length;
        }
        assert_eq!(at, sealed.len());
        Ok(data)
    }
}

fn client(
    authority: rustls_pki_types::CertificateDer<'static>,
    suite: rustls::SupportedCipherSuite,
) -> rustls::ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let mut provider = default_provider();
    provider.cipher_suites = vec![suite];
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap()
}

fn read_all(client: &mut rustls::ClientConnection, mut bytes: &[u8]) -> Vec<u8> {
    let mut plaintext = Vec::new();
    while !bytes.is_empty() {
        client.read_tls(&mut bytes).unwrap();
        let length = client.process_new_packets().unwrap().plaintext_bytes_to_read();
        let start = plaintext.len();
        plaintext.resize(start + length, 0);
        client.reader().read_exact(&mut plaintext[start..]).unwrap();
    }
    plaintext
}

fn pair() -> Pair {
    Pair::new(cipher_suite::TLS13_AES_256_GCM_SHA384)
}

#[test]
fn rustls_reads_what_we_seal_and_we_read_what_rustls_seals() {
    for suite in [
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ] {
        let mut pair = Pair::new(suite);
        for length in [1_usize, 2, 300, 16_383, 16_384, 16_385, 40_000] {
            let plaintext: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let (records, received) = pair.send(&plaintext);
            assert_eq!(records, length.div_ceil(16_384) as u64);
            assert!(received == plaintext, "{length} bytes");
            let sealed = pair.record_of_client(&plaintext);
            assert!(pair.open_all(sealed) == Ok(plaintext), "{length} bytes");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed() {
    let mut pair = pair();
    let sealed = pair.record_of_client(b"hello");
    for bit in 0..sealed.len() * 8 {
        let mut record = sealed.clone();
        record[bit / 8] ^= 1 << (bit % 8);
        // Whatever the header says now: the bytes are not this record any more.
        assert!(pair.records.open(&mut record, &mut pair.ciphers).is_err(), "bit {bit}");
    }
    assert_eq!(pair.open_all(sealed), Ok(b"hello".to_vec()), "and a failure changes nothing");
}

#[test]
fn a_record_is_opened_once_and_in_order() {
    let mut pair = pair();
    let first = pair.record_of_client(b"first");
    let second = pair.record_of_client(b"second");
    assert_eq!(pair.records.open(&mut second.clone(), &mut pair.ciphers), Err(Alert::BadRecordMac));
    assert_eq!(
        pair.records.open(&mut first.clone(), &mut pair.ciphers),
        Ok(Opened::Data(&mut b"first".to_owned()))
    );
    assert_eq!(pair.records.open(&mut first.clone(), &mut pair.ciphers), Err(Alert::BadRecordMac));
    assert_eq!(
        pair.records.open(&mut second.clone(), &mut pair.ciphers),
        Ok(Opened::Data(&mut b"second".to_owned()))
    );
}

#[test]
fn keys_are_updated_on_request_and_by_the_number_of_records() {
    let mut pair = pair();
    for round in 0..50_u8 {
        pair.client.refresh_traffic_keys().unwrap();
        let sealed = pair.record_of_client(&[round]);
        assert_eq!(pair.open_all(sealed), Ok(vec![round]));
        let number = pair.records.sending.number;
        assert_eq!(pair.send(&[round]), (1, vec![round]));
        assert_ne!(pair.records.sending.number, number, "asked for in return");
    }
    let number = pair.records.sending.number;
    pair.send(b"same key");
    assert_eq!(pair.records.sending.number, number);
    // The client cannot follow a jump of the sequence: only our side is looked at.
    pair.records.sending.sequence = RECORDS_PER_KEY_MAX;
    let mut out = Vec::new();
    pair.records.seal(b"next key", &mut pair.ciphers, &mut out).unwrap();
    assert_eq!((pair.records.sending.sequence, pair.records.owes_key_update), (1, false));
    assert_ne!(pair.records.sending.number, number);
}

#[test]
fn key_updates_without_data_end() {
    let mut pair = pair();
    let mut update = || {
        pair.client.refresh_traffic_keys().unwrap();
        let sealed = pair.record_of_client(b"");
        pair.open_all(sealed)
    };
    for _ in 0..KEY_UPDATES_IN_A_ROW_MAX {
        assert_eq!(update(), Ok(Vec::new()));
    }
    assert_eq!(update(), Err(Alert::UnexpectedMessage));
}

#[test]
fn a_close_is_understood_in_both_directions() {
    let mut pair = pair();
    pair.client.send_close_notify();
    let mut sealed = pair.record_of_client(b"");
    assert_eq!(pair.records.open(&mut sealed, &mut pair.ciphers), Ok(Opened::Closed));
    let mut out = Vec::new();
    pair.records.seal_alert(Alert::CloseNotify, &mut pair.ciphers, &mut out).unwrap();
    pair.client.read_tls(&mut out.as_slice()).unwrap();
    assert!(pair.client.process_new_packets().unwrap().peer_has_closed());
}

#[test]
fn contexts_that_are_not_used_are_forgotten_and_made_again() {
    let mut pair = pair();
    pair.send(b"one");
    pair.ciphers.forget_unused();
    assert_eq!(pair.ciphers.kept(), 1);
    pair.ciphers.forget_unused();
    assert_eq!(pair.ciphers.kept(), 0);
    assert_eq!(pair.send(b"two").1, b"two");
}

#[test]
fn lengths_are_checked_before_the_rest_is_there() {
    assert_eq!(record_length(&[]), Ok(None));
    assert_eq!(record_length(&[23, 3, 3, 0]), Ok(None));
    assert_eq!(record_length(&[23, 3, 3, 0, 2, 9]), Ok(None));
    assert_eq!(record_length(&[23, 3, 3, 0, 2, 9, 9, 9]), Ok(Some(7)));
    assert_eq!(record_length(&[23, 3, 3, 0x41, 0x00]), Ok(None));
    assert_eq!(record_length(&[23, 3, 3, 0x41, 0x01]), Err(Alert::RecordOverflow));
}

#[test]
fn padding_is_removed_and_nothing_but_padding_refused() {
    assert_eq!(without_padding(&mut [1, 2, 23, 0, 0]), Ok((23, &mut [1, 2][..])));
    assert_eq!(without_padding(&mut [23]), Ok((23, &mut [][..])));
    assert_eq!(without_padding(&mut [0, 0]), Err(Alert::UnexpectedMessage));
    assert_eq!(without_padding(&mut []), Err(Alert::UnexpectedMessage));
    let mut long = vec![1; PLAINTEXT_BYTES_MAX + 2];
    assert_eq!(without_padding(&mut long), Err(Alert::RecordOverflow));
    long.pop();
    assert!(without_padding(&mut long).is_ok());
}
