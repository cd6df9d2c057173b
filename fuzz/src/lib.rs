//! Fuzz targets for every decoder and for whole sessions (frames and time).
//!
//! Not part of the product. A target is a function from bytes to a *behaviour*: a number that stands for what
//! came out (which frame, which error). It panics when a property does not hold. Inputs with a new behaviour are
//! kept and mutated further, so the runner finds its way without instrumentation, on stable, the same for the
//! same seed.
//!
//! - [`targets::ALL`]: the table of targets. A new decoder is one line there and one file.
//! - [`runner`]: mutation under a seed, bounds on memory, what is kept and what is reported.
//! - [`mutation`], [`corpus`]: how inputs change, and where they lie (`fuzz/corpus/<target>/`).

pub mod corpus;
pub mod memory;
pub mod mutation;
pub mod runner;
pub mod targets;

/// A decoder or a machine under test.
pub struct Target {
    pub name: &'static str,
    /// Panics when a property does not hold; otherwise says what came out.
    pub run: fn(&[u8]) -> u64,
    /// Well-formed inputs to start from, besides those in the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Behaviours as numbers: a hash of the parts that tell outcomes apart.
#[must_use]
pub fn behaviour(parts: &[u64]) -> u64 {
    parts.iter().fold(0xcbf2_9ce4_8422_2325, |hash, part| {
        (hash ^ part).wrapping_mul(0x0100_0000_01b3).rotate_left(17)
    })
}

/// The behaviour of a text, like an error's: its letters without its numbers.
#[must_use]
pub fn behaviour_of_text(text: &str) -> u64 {
    behaviour(&text.bytes().filter(|byte| !byte.is_ascii_digit()).map(u64::from).collect::<Vec<_>>())
}
