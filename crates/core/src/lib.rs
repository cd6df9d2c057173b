//! Threads that drive worker machines and engines.
