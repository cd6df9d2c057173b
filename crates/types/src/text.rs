//! Short texts that people write for people: labels of devices, titles and descriptions of groups.

use std::fmt;
use std::sync::Arc;

use crate::limits::{DESCRIPTION_BYTES_MAX, LABEL_BYTES_MAX, TITLE_BYTES_MAX};

/// Why bytes are not such a text. Names the rule, never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidText {
    #[error("{bytes} bytes, where {min} to {max} are allowed")]
    Length { bytes: usize, min: usize, max: usize },
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 { at: usize },
    #[error("byte {at} begins a control character")]
    Control { at: usize },
}

fn check(text: &str, (min, max): (usize, usize), allowed: &[char]) -> Result<(), InvalidText> {
    if text.len() < min || text.len() > max {
        return Err(InvalidText::Length { bytes: text.len(), min, max });
    }
    let is_control = |char: char| char.is_control() && !allowed.contains(&char);
    match text.char_indices().find(|(_, char)| is_control(*char)) {
        Some((at, _)) => Err(InvalidText::Control { at }),
        None => Ok(()),
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $min:expr, $max:expr, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Arc<str>);

        impl $name {
            /// # Errors
            /// [`InvalidText`] when the length is out of bounds or a control character is in it.
            pub fn new(text: &str) -> Result<Self, InvalidText> {
                check(text, ($min, $max), $allowed)?;
                Ok(Self(Arc::from(text)))
            }

            /// The same from bytes, as they come from a frame or a row.
            ///
            /// # Errors
            /// [`InvalidText`] as in [`Self::new`], and for bytes that are not UTF-8.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidText> {
                match std::str::from_utf8(bytes) {
                    Ok(text) => Self::new(text),
                    Err(error) => Err(InvalidText::NotUtf8 { at: error.valid_up_to() }),
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

        /// Shows the length, never the text: it is what a person wrote.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} bytes)", stringify!($name), self.0.len())
            }
        }
    };
}

text! {
    /// What people see of a device: 1 to 64 bytes of UTF-8 without control characters. Its name, a
    /// [`crate::DeviceId`], is what it logs in with and never changes.
    DeviceLabel, 1, LABEL_BYTES_MAX, &[]
}
text! {
    /// What people see of a group: 1 to 100 bytes of UTF-8 without control characters. Titles need not be unique.
    GroupTitle, 1, TITLE_BYTES_MAX, &[]
}
text! {
    /// What a group is about: 0 to 512 bytes of UTF-8 without control characters but line feeds.
    GroupDescription, 0, DESCRIPTION_BYTES_MAX, &['\n']
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_text_within_bounds_and_never_shown_in_logs() {
        for good in ["a", "Alice's phone 📱", "Büro", &"x".repeat(64)] {
            assert_eq!(DeviceLabel::new(good).map(|label| label.as_str().to_owned()), Ok(good.to_owned()));
        }
        let check = |bytes: &[u8]| DeviceLabel::from_bytes(bytes).err();
        assert_eq!(check(b""), Some(InvalidText::Length { bytes: 0, min: 1, max: 64 }));
        assert_eq!(check(&[b'x'; 65]), Some(InvalidText::Length { bytes: 65, min: 1, max: 64 }));
        assert_eq!(check(b"ab\xff"), Some(InvalidText::NotUtf8 { at: 2 }));
        for control in ["\0", "\n", "\u{1b}", "\u{7f}", "\u{9b}"] {
            let text = format!("ab{control}");
            assert_eq!(check(text.as_bytes()), Some(InvalidText::Control { at: 2 }), "{text:?}");
        }
        let shown = DeviceLabel::new("secret").map(|label| format!("{label:?}"));
        assert_eq!(shown.as_deref(), Ok("DeviceLabel(6 bytes)"));
    }

    #[test]
    fn a_title_is_one_line_and_a_description_may_be_empty_or_several() {
        assert_eq!(GroupTitle::new("two\nlines").err(), Some(InvalidText::Control { at: 3 }));
        assert!(GroupTitle::new(&"x".repeat(100)).is_ok());
        assert!(GroupTitle::new(&"x".repeat(101)).is_err());
        assert!(GroupDescription::new("").is_ok());
        assert!(GroupDescription::new("two\nlines").is_ok());
        assert_eq!(GroupDescription::new("tab\t").err(), Some(InvalidText::Control { at: 3 }));
        assert!(GroupDescription::new(&"x".repeat(513)).is_err());
    }
}
