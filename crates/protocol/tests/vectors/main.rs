//! `docs/protocol-vectors.json`: every frame of both versions as fields and as bytes, checked both ways.
//!
//! `UPDATE_VECTORS=1` writes the file from the frames below; the change is then for a person to judge, since
//! bytes that a released client sends never change.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod client_fields;
mod frames;
mod group_frames;
mod items;
mod server_fields;

use std::collections::BTreeSet;
use std::path::PathBuf;

use client_fields::{client_from_json, client_to_json};
use iris_protocol::{ClientFrame, DecodeError, ServerFrame, opcode};
use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use items::{hex, unhex};
use serde_json::{Value, json};
use server_fields::{server_from_json, server_to_json};

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol-vectors.json")
}

fn vectors() -> Value {
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(file(), written()).unwrap();
    }
    serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap()
}

/// One object per line, so that a change shows as the frames it touches.
fn written() -> String {
    let lines = |values: Vec<Value>| {
        values.iter().map(|value| format!("    {value}")).collect::<Vec<_>>().join(",\n")
    };
    let client = frames::client().into_iter().map(|frame| {
        let (name, fields) = client_to_json(&frame);
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        vector(name, "client", fields, &bytes)
    });
    let server = frames::server().into_iter().map(|frame| {
        let (name, fields) = server_to_json(&frame);
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        vector(name, "server", fields, &bytes)
    });
    let about = "Frames of the Iris client protocol; see protocol.md. `version` is the first that has the frame. \
                 `frames`: fields to bytes and bytes to fields. `extended`: as a later version may send them, \
                 with tagged fields to skip and entries of unknown kinds to count; bytes to fields only. `malformed`: never accepted.";
    format!(
        "{{\n  \"about\": {},\n  \"frames\": [\n{}\n  ],\n  \"extended\": [\n{}\n  ],\n  \"malformed\": [\n{}\n  ]\n}}\n",
        json!(about),
        lines(client.chain(server).collect()),
        lines(
            frames::EXTENDED
                .iter()
                .map(|(frame, from, tail)| extended(frame, from, tail))
                .chain(frames::later().iter().map(|bytes| later(bytes)))
                .collect()
        ),
        lines(
            frames::MALFORMED
                .iter()
                .map(|(why, from, bytes)| json!({"why": why, "from": from, "bytes": bytes}))
                .collect()
        ),
    )
}

fn vector(name: &str, from: &str, fields: Value, bytes: &[u8]) -> Value {
    let version = if opcode::is_in_version(bytes[0], 1) { 1 } else { 2 };
    json!({"frame": name, "from": from, "version": version, "opcode": bytes[0], "fields": fields, "bytes": hex(bytes)})
}

/// The first vector of that name, with a tail of tagged fields.
fn extended(name: &str, from: &str, tail: &str) -> Value {
    let (fields, mut bytes) = if from == "client" {
        let frame = frames::client().into_iter().find(|frame| client_to_json(frame).0 == name).unwrap();
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        (client_to_json(&frame).1, bytes)
    } else {
        let frame = frames::server().into_iter().find(|frame| server_to_json(frame).0 == name).unwrap();
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        (server_to_json(&frame).1, bytes)
    };
    bytes.extend(unhex(tail));
    let length = u16::try_from(bytes.len() - 3).unwrap();
    bytes[1..3].copy_from_slice(&length.to_be_bytes());
    vector(name, from, fields, &bytes)
}

/// A frame with an entry of a later version.
fn later(bytes: &[u8]) -> Value {
    let (name, fields) = decoded("server", bytes).unwrap();
    vector(name, "server", fields, bytes)
}

/// Opcode and payload of what must be exactly one frame.
fn single(bytes: &[u8]) -> (u8, &[u8]) {
    let frame = iris_protocol::frame::split(bytes, FRAME_PAYLOAD_BYTES_MAX).unwrap().unwrap();
    assert!(frame.rest.is_empty());
    (frame.opcode, frame.payload)
}

fn decoded(from: &str, bytes: &[u8]) -> Result<(&'static str, Value), DecodeError> {
    let (opcode, payload) = single(bytes);
    match from {
        "client" => ClientFrame::decode(opcode, payload).map(|frame| client_to_json(&frame)),
        "server" => ServerFrame::decode(opcode, payload).map(|frame| server_to_json(&frame)),
        other => panic!("from {other}"),
    }
}

fn encoded(from: &str, name: &str, fields: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match from {
        "client" => client_from_json(name, fields).encode(&mut out).unwrap(),
        _ => server_from_json(name, fields).encode(&mut out).unwrap(),
    }
    out
}

#[test]
fn every_vector_reads_and_writes() {
    for vector in vectors()["frames"].as_array().unwrap() {
        let (name, from) = (vector["frame"].as_str().unwrap(), vector["from"].as_str().unwrap());
        let bytes = unhex(vector["bytes"].as_str().unwrap());
        assert_eq!(vector["opcode"], bytes[0]);
        assert_eq!(vector["version"] == 1, opcode::is_in_version(bytes[0], 1));
        let (read, fields) = decoded(from, &bytes).unwrap();
        assert_eq!((read, &fields), (name, &vector["fields"]));
        assert_eq!(hex(&encoded(from, name, &vector["fields"])), vector["bytes"].as_str().unwrap(), "{name}");
    }
}

#[test]
fn vectors_extended_by_tagged_fields_read_as_before() {
    let vectors = vectors();
    let extended = vectors["extended"].as_array().unwrap();
    assert!(extended.len() >= 3);
    for vector in extended {
        let (name, from) = (vector["frame"].as_str().unwrap(), vector["from"].as_str().unwrap());
        let bytes = unhex(vector["bytes"].as_str().unwrap());
        let (read, fields) = decoded(from, &bytes).unwrap();
        assert_eq!((read, &fields), (name, &vector["fields"]));
        let is_later = bytes[0] == opcode::BATCH && fields.to_string().contains("LaterEntry")
            || opcode::LATER_ENTRIES.contains(&bytes[0]);
        assert!(is_later || encoded(from, name, &fields).len() < bytes.len());
    }
}

#[test]
fn malformed_vectors_are_never_read() {
    let vectors = vectors();
    let malformed = vectors["malformed"].as_array().unwrap();
    assert!(malformed.len() >= 5);
    for vector in malformed {
        let bytes = unhex(vector["bytes"].as_str().unwrap());
        let (opcode, payload) = single(&bytes);
        let is_read = match vector["from"].as_str().unwrap() {
            "client" => match ClientFrame::decode(opcode, payload) {
                Ok(ClientFrame::SendBatch(items)) => items.iter().all(Result::is_ok),
                other => other.is_ok(),
            },
            _ => ServerFrame::decode(opcode, payload).is_ok(),
        };
        assert!(!is_read, "{}", vector["why"]);
    }
}

#[test]
fn no_frame_is_missing() {
    let vectors = vectors();
    let covered: BTreeSet<u8> = vectors["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|vector| vector["opcode"].as_u64().unwrap() as u8)
        .collect();
    for opcode in 0..=u8::MAX {
        let is_known = ClientFrame::decode(opcode, &[]) != Err(DecodeError::UnknownOpcode(opcode))
            || ServerFrame::decode(opcode, &[]) != Err(DecodeError::UnknownOpcode(opcode));
        let is_known = is_known && !opcode::LATER_ENTRIES.contains(&opcode);
        assert_eq!(covered.contains(&opcode), is_known, "opcode {opcode:#04x}");
    }
}
