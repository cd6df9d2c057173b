//! Listeners, event loops, TLS, tokens and limits.
