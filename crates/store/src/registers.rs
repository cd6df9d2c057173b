//! Small linearizable values.

use bytes::Bytes;

use crate::StoreError;

/// How often a register was changed; 1 after the first time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

/// Small values, linearizable, changed by compare-and-set.
pub trait Registers: Send + Sync {
    /// The value of a key; `None` when it was never set.
    ///
    /// # Errors
    /// Any, [`StoreError::Corrupt`] among them.
    fn read(&self, key: &str) -> Result<Option<Value>, StoreError>;

    /// All keys that start with `prefix`, ascending.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn scan(&self, prefix: &str) -> Result<Vec<(String, Value)>, StoreError>;

    /// Makes all the changes, durably, if every key has the version its change expects; otherwise none.
    ///
    /// # Errors
    /// After an error it is not known whether the changes were made: read, and act on what is read.
    fn compare_and_set(&self, changes: &[Change]) -> Result<Compared, StoreError>;
}

/// A value and its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub version: Version,
    pub bytes: Bytes,
}

/// One change of a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: String,
    /// The version the key must have; `None`: it must never have been set.
    pub expected: Option<Version>,
    pub bytes: Bytes,
}

impl Change {
    /// The version that the key has after this change.
    #[must_use]
    pub fn version(&self) -> Version {
        Version(self.expected.map_or(0, |version| version.0).saturating_add(1))
    }

    /// The first conflict of `changes` with what is `found` now, if any: the rule that every engine applies. A
    /// key that is named twice conflicts with its own first change.
    pub fn conflict(changes: &[Self], found: impl Fn(&str) -> Option<Version>) -> Option<Compared> {
        let mut named = std::collections::BTreeSet::new();
        changes.iter().find_map(|change| {
            let now =
                if named.insert(change.key.as_str()) { found(&change.key) } else { Some(change.version()) };
            (now != change.expected).then(|| Compared::Conflict { key: change.key.clone(), found: now })
        })
    }
}

/// What became of a compare-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// All changes were made; each key's version is one more than expected.
    Set,
    /// None was made; this key had another version.
    Conflict { key: String, found: Option<Version> },
}
