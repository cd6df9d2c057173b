//! The data directory, read to the last byte.
