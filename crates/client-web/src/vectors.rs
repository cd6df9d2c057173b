//! Frames to fields and back, so that `docs/protocol-vectors.json` can be run against the WebAssembly module. Only
//! with the feature `vectors`, which nothing that is shipped has.

#![allow(unreachable_pub, reason = "what is exported to JavaScript is public")]

use iris_protocol::{ClientFrame, ServerFrame, frame};
use iris_types::limits::FRAME_PAYLOAD_BYTES_MAX;
use serde_json::{Value, json};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::client_fields::{client_from_json, client_to_json};
use crate::server_fields::{server_from_json, server_to_json};

/// `{"frame", "fields"}` of what must be exactly one frame; throws a text when it is malformed.
#[wasm_bindgen(js_name = vectorFields)]
pub fn vector_fields(from: &str, bytes: &[u8]) -> Result<String, String> {
    let split = frame::split(bytes, FRAME_PAYLOAD_BYTES_MAX).map_err(|error| format!("{error:?}"))?;
    let split = split.filter(|frame| frame.rest.is_empty()).ok_or("not one frame")?;
    let (name, fields) = match from {
        "client" => ClientFrame::decode(split.opcode, split.payload).map(|frame| client_to_json(&frame)),
        _ => ServerFrame::decode(split.opcode, split.payload).map(|frame| server_to_json(&frame)),
    }
    .map_err(|error| format!("{error:?}"))?;
    Ok(json!({ "frame": name, "fields": fields }).to_string())
}

/// The bytes of a frame.
#[wasm_bindgen(js_name = vectorBytes)]
pub fn vector_bytes(from: &str, name: &str, fields: &str) -> Result<Vec<u8>, String> {
    let fields: Value = serde_json::from_str(fields).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    match from {
        "client" => client_from_json(name, &fields).encode(&mut out),
        _ => server_from_json(name, &fields).encode(&mut out),
    }
    .map_err(|error| format!("{error:?}"))?;
    Ok(out)
}
