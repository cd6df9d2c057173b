//! Tests at the boundary of the crate: rows in, blocks through a store, rows out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cache;
mod damage;
mod format;
mod merging;
mod model;
mod reading;
mod store;
