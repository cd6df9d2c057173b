//! The rules of every client, for JavaScript: `iris-client-core` compiled to WebAssembly.
//!
//! Bytes, times and JSON come in, bytes and JSON go out. No socket, no clock, no randomness and no database lives
//! here: the TypeScript SDK (`web/sdk`) brings the browser's. It is no second client: whatever is decided is decided
//! in `iris-client-core`, and this crate only says it in other words.
//!
//! - [`Machine`]: one device, as strings and bytes; runs and is tested natively, too.
//! - `bindings.rs`: the same under wasm-bindgen; only for `wasm32`.
//! - [`view`]: the JSON of what goes in and out. `web/sdk/src/machine.ts` has its types, and
//!   `web/sdk/test/samples.ts`, which a test here writes, holds the two together.
//!
//! Numbers (offsets, `seq`, times in milliseconds) are JSON numbers: exact up to 2^53, which none of them reaches.

#[cfg(target_arch = "wasm32")]
mod bindings;
#[cfg(feature = "vectors")]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "../../protocol/tests/vectors/client_fields.rs"]
mod client_fields;
mod command;
#[cfg(feature = "vectors")]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "../../protocol/tests/vectors/items.rs"]
mod items;
mod machine;
#[cfg(feature = "vectors")]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
#[path = "../../protocol/tests/vectors/server_fields.rs"]
mod server_fields;
#[cfg(feature = "vectors")]
mod vectors;
pub mod view;

pub use command::{Command, CommandError, NAMES as COMMANDS};
pub use machine::{Machine, StartError};
