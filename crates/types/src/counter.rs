//! Counters and points in time, one newtype each, so that they cannot be mixed up.

use std::fmt;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// The value before the first.
            pub const ZERO: Self = Self(0);

            /// The value that follows; `None` at the end of the range.
            #[must_use]
            pub const fn next(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

counter! {
    /// Place of a message in its conversation; the first is 1, without gaps.
    Seq(u64)
}
counter! {
    /// Place of an entry in a user's inbox log; the first is 1, without gaps. A cursor is the offset of the last
    /// entry a device has acknowledged, 0 for none.
    Offset(u64)
}
counter! {
    /// Place of a chunk in a commit log, or of a forward in a stream; the first is 1, without gaps.
    Position(u64)
}
counter! {
    /// How many owners a vnode has had.
    Epoch(u64)
}
counter! {
    /// A slice of the users and conversations: the unit of placement.
    VnodeId(u16)
}

/// Wall-clock time in milliseconds since 1970-01-01 UTC. Always passed in, never read by a pure crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Whole milliseconds from `earlier` to `self`; 0 when `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    #[must_use]
    pub const fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }
}

/// Milliseconds on a clock that never jumps, since a point that only the process knows: for deadlines. Always
/// passed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The point that the clock counts from.
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// 0 when `earlier` is later.
    #[must_use]
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}
