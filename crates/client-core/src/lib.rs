//! What every SDK decides: sync, outbox, retry, duplicates, marks.
