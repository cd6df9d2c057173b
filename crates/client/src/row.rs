//! Rows of the local database, laid out by hand, big-endian.
//!
//! ```text
//! text     length u16 · bytes
//! optional 0, or 1 · value
//! flag     0 or 1
//! target   1 · user text, or 2 · group [16]
//! peer     1 · user text, or 2 · title text
//! marks    delivered u64 · read u64
//! unsent   to target · kind u8 · id optional [16] · id given flag · reference optional text · body (the rest)
//! settled  to target · id optional [16] · reference optional text · 1 · conversation [16] · seq u64 · sent at u64
//!          to target · id optional [16] · reference optional text · 2 · code u16 · retry after u32
//! message  1 · id [16] · from text · with peer · origin optional text · sent at u64 · kind u8 · body (the rest)
//!          2 · id [16] · to target · sent at u64 · kind u8 · body (the rest)            sent by this device
//! waiting  1 · conversation [16] · seq u64        a message that the application has to take
//!          2 · first u64                          a gap
//!          3 · conversation [16] · user text · marks · at u64                                   a receipt
//!          4 · group [16] · seq u64 · delivered u32 · read u32 · members u32 · marks · at u64   one of a group
//!          5 · conversation [16] · read u64 · unread u64 · flags u8 · at u64                    a state
//!          6 · read receipts flag · last seen u8 · typing flag · at u64                         settings
//! ```
//!
//! The table of targets holds a `target`, that of read marks a `u64` under a `target`.

mod fields;
mod message;
mod send;
mod waiting;

pub(crate) use message::{decode_message, decode_target, encode_message, encode_own, encode_target};
pub(crate) use send::{decode_settled, decode_unsent, encode_settled, encode_unsent};
pub(crate) use waiting::{WaitingRow, decode_waiting, encode_waiting};

#[cfg(test)]
mod tests;
