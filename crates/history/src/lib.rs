//! Recorded histories and the checkers of the invariants.
