//! Entries of the inbox that are no messages, and what devices ask for that leads to them.

use serde::{Deserialize, Serialize};

use crate::record::{Conversation, User};

/// What an entry tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    Receipt { conversation: Conversation, user: User, delivered: u64, read: u64 },
    GroupReceipt { group: Conversation, seq: u64, delivered: u32, read: u32, members: u32 },
    State { conversation: Conversation, read: u64, unread: u64, flags: u8 },
    Settings(Shown),
}

/// What a user lets others know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shown {
    pub read_receipts: bool,
    /// As [`iris_types::Audience::number`].
    pub last_seen: u8,
    pub typing: bool,
}

/// What a device asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    MarkRead {
        conversation: Conversation,
        up_to: u64,
    },
    Flags {
        conversation: Conversation,
        mask: u8,
        values: u8,
    },
    Block {
        user: User,
        on: bool,
    },
    /// `None` stays as it is.
    Settings {
        read_receipts: Option<bool>,
        last_seen: Option<u8>,
        typing: Option<bool>,
    },
    /// Replaces what the connection watches; the users follow.
    Watch,
}

impl Default for Shown {
    fn default() -> Self {
        let settings = iris_types::Settings::default();
        Self {
            read_receipts: settings.read_receipts,
            last_seen: settings.last_seen.number(),
            typing: settings.typing,
        }
    }
}
