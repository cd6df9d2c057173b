//! The simulator: production crates in one thread under a seed.
