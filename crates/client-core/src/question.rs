//! What an application asks and what it wants to become of things, as plain data.

use std::num::NonZeroU64;

use iris_types::limits::{FRAME_PAYLOAD_BYTES_MAX, GROUP_MEMBERS_HARD_MAX, WATCHED_MAX};
use iris_types::request::{BlockUser, HistoryFrom, MarkRead, RenameDevice, RevokeDevice, SetFlags};
use iris_types::{
    ConversationId, Flags, GroupChange, GroupDescription, GroupTitle, Policy, Seq, SettingsChange, Target,
    UserId, Watched,
};

/// Everything that [`crate::ClientCore::ask`] takes. Each is answered once, by an event of its number: the one named
/// here, or [`crate::ClientEvent::QueryFailed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// [`crate::ClientEvent::HistoryPage`]s, then [`crate::ClientEvent::HistoryEnd`].
    History(HistoryQuestion),
    /// [`crate::ClientEvent::Conversations`].
    Conversations(ConversationsQuestion),
    /// [`crate::ClientEvent::Devices`].
    Devices,
    /// [`crate::ClientEvent::Done`]. Await it before the next label of the same device: a retry could put the older
    /// one last.
    RenameDevice(RenameDevice),
    /// [`crate::ClientEvent::Done`]. When it is this device, [`crate::ClientEvent::Stopped`] follows, also in place
    /// of the answer, should that be lost.
    RevokeDevice(RevokeDevice),
    /// [`crate::ClientEvent::GroupCreated`].
    CreateGroup(NewGroup),
    /// [`crate::ClientEvent::GroupChanged`].
    ChangeGroup { group: ConversationId, change: GroupChange },
    /// [`crate::ClientEvent::Group`].
    Group(ConversationId),
    /// [`crate::ClientEvent::Roster`].
    Roster(RosterQuestion),
    /// [`crate::ClientEvent::Done`]. While it waits, a later one of the same conversation takes its place, and both
    /// are answered together. Kept over restarts, but for the answer.
    MarkRead(MarkRead),
    /// [`crate::ClientEvent::Receipts`].
    Receipts { target: Target, seq: Seq },
    /// [`crate::ClientEvent::Done`].
    SetFlags(SetFlags),
    /// [`crate::ClientEvent::Done`].
    BlockUser(BlockUser),
    /// [`crate::ClientEvent::Settings`].
    Settings,
    /// [`crate::ClientEvent::Done`].
    ChangeSettings(SettingsChange),
    /// [`crate::ClientEvent::Done`]; then [`crate::ClientEvent::Presence`] of each, and whenever it changes. Replaces
    /// what was watched before; said again at each connection, not kept over restarts.
    Watch(Vec<Watched>),
    /// [`crate::ClientEvent::Presences`].
    Presence(Vec<Watched>),
}

/// Asks for a part of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuestion {
    pub with: Target,
    pub from: HistoryFrom,
    /// Any number: the machine pages.
    pub limit: NonZeroU64,
}

/// Asks for the list of conversations, ascending by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversationsQuestion {
    pub after: Option<ConversationId>,
    /// Any number: the machine pages. `None`: all.
    pub limit: Option<NonZeroU64>,
}

/// Asks who is in a group and invited to it, ascending by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterQuestion {
    pub group: ConversationId,
    pub after: Option<UserId>,
    /// Any number: the machine pages. `None`: all.
    pub limit: Option<NonZeroU64>,
}

/// A group to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGroup {
    pub title: GroupTitle,
    pub description: GroupDescription,
    pub policy: Policy,
    /// Members from the start if the policy lets admins add, otherwise invited.
    pub members: Vec<UserId>,
}

/// Why a question was not taken. Nothing is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("too many questions wait for their answers")]
    TooMany,
    #[error("one device watches at most {WATCHED_MAX} users, and asks for 1 to {WATCHED_MAX} at once")]
    Watched,
    #[error("a group cannot be made with that many members at once")]
    TooManyMembers,
    #[error("no such flag can be set")]
    Flags,
}

impl Question {
    /// What the server would refuse whatever its state is.
    pub(crate) fn check(&self) -> Result<(), QueryError> {
        match self {
            Self::Watch(items) if items.len() > WATCHED_MAX => Err(QueryError::Watched),
            Self::Presence(items) if items.is_empty() || items.len() > WATCHED_MAX => {
                Err(QueryError::Watched)
            }
            Self::CreateGroup(group) if !group.fits() => Err(QueryError::TooManyMembers),
            Self::SetFlags(set) if set.mask == Flags::default() || !Flags::SETTABLE.has(set.mask) => {
                Err(QueryError::Flags)
            }
            _ => Ok(()),
        }
    }
}

impl NewGroup {
    /// Whether it fits one frame: request, id, policy and lengths, and the texts.
    fn fits(&self) -> bool {
        let names: usize = self.members.iter().map(|member| 1 + member.as_bytes().len()).sum();
        let bytes = 32 + self.title.as_bytes().len() + self.description.as_bytes().len() + names;
        self.members.len() <= GROUP_MEMBERS_HARD_MAX && bytes <= FRAME_PAYLOAD_BYTES_MAX
    }
}
