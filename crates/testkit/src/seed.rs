//! Randomness of tests.

/// The seed of this run: `TEST_SEED` of the environment, or `default`. Print it with every failure.
#[must_use]
pub fn seed(default: u64) -> u64 {
    std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(default)
}
