//! Conformance suites and small helpers of the tests.
