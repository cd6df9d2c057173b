//! The worker as a machine: chunks, doubt, streams, loading, flushing, take-over.
