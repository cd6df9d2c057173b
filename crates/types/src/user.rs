//! Names of users and devices.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::limits::NAME_BYTES_MAX;
use crate::{DeviceLabel, Timestamp};

/// Why a text is not a name. Names the rule, never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("a name has 1 to {NAME_BYTES_MAX} bytes, this one has {0}")]
    Length(usize),
    #[error("byte {at} is not one of A-Z a-z 0-9 . _ @ + -")]
    Byte { at: usize },
}

fn check_name(text: &str) -> Result<(), InvalidName> {
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return Err(InvalidName::Length(text.len()));
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(byte);
    match text.as_bytes().iter().position(|byte| !allowed(byte)) {
        Some(at) => Err(InvalidName::Byte { at }),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to 64 bytes of `[A-Za-z0-9._@+-]`, compared byte by byte: no case folding, no normalisation.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// # Errors
            /// [`InvalidName`] when the text breaks a rule of the alphabet or the length.
            pub fn new(text: &str) -> Result<Self, InvalidName> {
                check_name(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The same from bytes, as they come from a frame or a row.
            ///
            /// # Errors
            /// [`InvalidName`] as in [`Self::new`]; bytes that are not ASCII are not in the alphabet.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidName> {
                match std::str::from_utf8(bytes) {
                    Ok(text) => Self::new(text),
                    Err(error) => Err(InvalidName::Byte { at: error.valid_up_to() }),
                }
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), &self.0)
            }
        }
    };
}

name! {
    /// A user, named by their token.
    UserId
}
name! {
    /// One of a user's devices, unique within the user.
    DeviceId
}

/// One line of a user's list of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSummary {
    pub device: DeviceId,
    /// `None` until somebody gave it one.
    pub label: Option<DeviceLabel>,
    /// Its first login.
    pub registered_at: Timestamp,
    /// Its last login; exact to [`crate::limits::LAST_LOGIN_INTERVAL_MS`].
    pub last_login: Timestamp,
    /// Whether it is connected.
    pub online: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_to_the_alphabet_and_the_length() {
        for good in ["a", "alice", "A.b_c@d+e-9", &"x".repeat(64)] {
            assert_eq!(UserId::new(good).map(|id| id.to_string()), Ok(good.to_owned()));
        }
        assert_eq!(UserId::new(""), Err(InvalidName::Length(0)));
        assert_eq!(UserId::new(&"x".repeat(65)), Err(InvalidName::Length(65)));
        for (bad, at) in [("a b", 1), ("a/b", 1), ("é", 0), ("ab\0", 2), ("a:b", 1), ("a%", 1)] {
            assert_eq!(UserId::new(bad), Err(InvalidName::Byte { at }));
        }
        assert_eq!(DeviceId::from_bytes(b"ab\xff"), Err(InvalidName::Byte { at: 2 }));
    }
}
