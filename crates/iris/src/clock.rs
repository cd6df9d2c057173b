//! The wall clock, for the parts of the binary that are no machines.

use iris_types::Timestamp;

/// Now, in milliseconds since 1970.
#[allow(clippy::disallowed_methods)] // the binary is where the world comes in
pub(crate) fn wall() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
