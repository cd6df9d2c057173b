//! Presence and what a user lets others know.

use crate::{ConversationId, Timestamp, UserId};

/// Who may see when a user is there and was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Audience {
    Everybody = 0,
    /// Members of a common group, and users with whom both have written to each other.
    #[default]
    Contacts = 1,
    Nobody = 2,
}

impl Audience {
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Everybody),
            1 => Some(Self::Contacts),
            2 => Some(Self::Nobody),
            _ => None,
        }
    }

    /// The name in JSON and in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Contacts => "contacts",
            Self::Nobody => "nobody",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Everybody, Self::Contacts, Self::Nobody].into_iter().find(|one| one.name() == name)
    }
}

/// What a user tells about themselves. Reciprocal: who does not tell does not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings {
    pub read_receipts: bool,
    /// Online and last seen.
    pub last_seen: Audience,
    pub typing: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { read_receipts: true, last_seen: Audience::default(), typing: true }
    }
}

/// Settings to change; `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    pub read_receipts: Option<bool>,
    pub last_seen: Option<Audience>,
    pub typing: Option<bool>,
}

impl SettingsChange {
    #[must_use]
    pub fn applied_to(self, settings: Settings) -> Settings {
        Settings {
            read_receipts: self.read_receipts.unwrap_or(settings.read_receipts),
            last_seen: self.last_seen.unwrap_or(settings.last_seen),
            typing: self.typing.unwrap_or(settings.typing),
        }
    }
}

/// A user whose presence somebody wants to know, and how they know each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub user: UserId,
    /// A common group; `None`: the direct conversation of both.
    pub group: Option<ConversationId>,
}

/// Whether a user is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    pub user: UserId,
    pub state: PresenceState,
}

/// What is told of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PresenceState {
    /// Nothing, whether or not there is something: not a contact, switched off, blocked, or never there.
    Hidden,
    Online,
    /// Not there, and since when about; exact to [`crate::limits::LAST_SEEN_INTERVAL_MS`].
    LastSeen(Timestamp),
}

/// Somebody writes, or stopped: never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typing {
    pub conversation: ConversationId,
    pub user: UserId,
    pub on: bool,
}
