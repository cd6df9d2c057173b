//! Names of what an engine keeps.

use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

name! {
    /// A commit log: one incarnation of one writer. Random, never reused.
    LogId
}
name! {
    /// A chunk of a log. Random; an append in doubt is resolved by comparing it.
    ChunkId
}
name! {
    /// A sorted run. Random, written once, never reused.
    RunName
}
