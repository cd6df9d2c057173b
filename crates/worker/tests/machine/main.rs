//! The worker machine, driven over the memory twin: every call is carried out at once unless a test holds it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cut;
mod devices;
mod expiry;
mod faults;
mod flush;
mod group_faults;
mod group_model;
mod group_state;
mod groups;
mod logins;
mod model;
mod pages;
mod presence;
mod rates;
mod receipts;
mod restart;
mod sends;
mod strangers;
mod streams;
mod unread;
mod words;
mod world;
