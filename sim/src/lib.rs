//! The simulator: production crates in one thread under a seed.
//!
//! A [`world`] holds one server process (workers over the engine on a simulated disk, edge machines), the devices
//! of a few users (client machines with their local databases), and the network between them. It owns the only
//! event queue, the only clock and the only randomness, so that a seed tells everything that happens. A run has
//! three phases: traffic under faults, healing (everything has to settle in bounded time), and an inventory by
//! fresh devices that sync from zero, read all history and repeat every send. What the devices saw is judged by
//! the checkers of `iris-history`, which know nothing of the machines.
//!
//! It is no part of the product and the only crate that can leave rules out: see `iris_types::planted`.
//!
//! - [`run()`]: one seed. [`Options`]: what a seed draws. [`Report`]: how it ended.
//! - [`campaign`]: many seeds, planted bugs, the check that a seed always gives the same trace.
//! - `world.rs`: the event loop; `server.rs`, `device.rs`, `network.rs`: what lives in it; `faults.rs`: what goes
//!   wrong; `inventory.rs`: the last phase.

pub mod campaign;
mod database;
mod device;
mod faults;
mod inventory;
mod network;
mod observed;
mod options;
mod quiet;
mod recorder;
mod run;
mod server;
mod storage;
mod tap;
mod trace;
pub mod world;

pub use options::Options;
pub use run::{Report, run};
