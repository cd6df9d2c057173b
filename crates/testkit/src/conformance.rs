//! What every engine must do.
//!
//! Each rule is one function that gets a fresh engine and panics with what it saw; [`check`] runs them all.

// A rule that does not hold ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod logs;
mod registers;
mod runs;

use iris_store::Engine;

/// A rule of the suite: its name, and a check over a fresh engine.
type Rule = (&'static str, fn(&Engine));

/// Runs the whole suite; `fresh` makes an empty engine each time.
///
/// # Panics
/// When a rule does not hold, with its name.
pub fn check(mut fresh: impl FnMut() -> Engine) {
    for (name, rule) in logs::RULES.iter().chain(runs::RULES).chain(registers::RULES) {
        let engine = fresh();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| rule(&engine)));
        assert!(outcome.is_ok(), "the engine breaks the rule: {name}");
    }
}
