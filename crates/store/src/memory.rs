//! The memory twin.
