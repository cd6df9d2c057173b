//! The Rust SDK: client-core on tokio with a local database.
