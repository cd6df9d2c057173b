//! Conformance suites: what every engine must do, as tests that know no engine.
//!
//! A development tool only: no crate depends on it but in its tests.
//!
//! - [`conformance::check`]: the whole suite, over engines that a closure makes.
//! - [`seed`]: the seed of a test's randomness, from the environment.

pub mod conformance;
pub mod seed;
