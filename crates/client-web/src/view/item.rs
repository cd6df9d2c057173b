//! Entries of the inbox: messages, receipts, and what the user's other devices changed.

use iris_types::{
    Audience, ConversationState, Flags, GroupReceipt, InboxItem, Marks, Offset, Receipt, Seq, Settings,
    Timestamp, UserId,
};
use serde::{Deserialize, Serialize};

use super::message::conversation;
use super::{MessageView, ViewError};

/// How far somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarksView {
    pub delivered: u64,
    pub read: u64,
}

impl From<Marks> for MarksView {
    fn from(marks: Marks) -> Self {
        Self { delivered: marks.delivered.0, read: marks.read.0 }
    }
}

impl From<MarksView> for Marks {
    fn from(view: MarksView) -> Self {
        Self { delivered: Seq(view.delivered), read: Seq(view.read) }
    }
}

/// What a user has set on a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagsView {
    pub muted: bool,
    pub pinned: bool,
    pub archived: bool,
    pub blocked: bool,
}

impl From<Flags> for FlagsView {
    fn from(flags: Flags) -> Self {
        let has = |flag| flags.has(flag);
        Self {
            muted: has(Flags::MUTED),
            pinned: has(Flags::PINNED),
            archived: has(Flags::ARCHIVED),
            blocked: has(Flags::BLOCKED),
        }
    }
}

impl From<FlagsView> for Flags {
    fn from(view: FlagsView) -> Self {
        let FlagsView { muted, pinned, archived, blocked } = view;
        let all = [
            (muted, Self::MUTED),
            (pinned, Self::PINNED),
            (archived, Self::ARCHIVED),
            (blocked, Self::BLOCKED),
        ];
        let set = all.into_iter().filter(|(on, _)| *on);
        set.fold(Self::default(), |flags, (_, flag)| flags.changed(flag, flag))
    }
}

/// What a user tells about themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsView {
    pub read_receipts: bool,
    /// `everybody`, `contacts` or `nobody`.
    pub last_seen: String,
    pub typing: bool,
}

impl From<Settings> for SettingsView {
    fn from(settings: Settings) -> Self {
        Self {
            read_receipts: settings.read_receipts,
            last_seen: settings.last_seen.name().to_owned(),
            typing: settings.typing,
        }
    }
}

impl TryFrom<SettingsView> for Settings {
    type Error = ViewError;

    fn try_from(view: SettingsView) -> Result<Self, ViewError> {
        let last_seen = Audience::from_name(&view.last_seen).ok_or(ViewError::Word)?;
        Ok(Self { read_receipts: view.read_receipts, last_seen, typing: view.typing })
    }
}

/// An entry of the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ItemView {
    Message {
        message: MessageView,
    },
    /// The other member of a direct conversation is so far.
    Receipt {
        conversation: String,
        user: String,
        marks: MarksView,
        at: u64,
    },
    /// A group has the user's newest message, `seq`, so far; `everybody`: up to where all have all.
    GroupReceipt {
        group: String,
        seq: u64,
        delivered: u32,
        read: u32,
        members: u32,
        everybody: MarksView,
        at: u64,
    },
    /// One of the user's devices changed how a conversation stands.
    State {
        conversation: String,
        read: u64,
        unread: u64,
        flags: FlagsView,
        at: u64,
    },
    Settings {
        settings: SettingsView,
        at: u64,
    },
}

impl From<&InboxItem> for ItemView {
    fn from(item: &InboxItem) -> Self {
        match item {
            InboxItem::Message(message) => Self::Message { message: message.into() },
            InboxItem::Receipt(receipt) => receipt.into(),
            InboxItem::GroupReceipt(receipt) => receipt.into(),
            InboxItem::State(state) => state.into(),
            InboxItem::Settings(settings, at) => Self::Settings { settings: (*settings).into(), at: at.0 },
        }
    }
}

impl From<&Receipt> for ItemView {
    fn from(receipt: &Receipt) -> Self {
        Self::Receipt {
            conversation: receipt.conversation.to_string(),
            user: receipt.user.to_string(),
            marks: receipt.marks.into(),
            at: receipt.at.0,
        }
    }
}

impl From<&GroupReceipt> for ItemView {
    fn from(receipt: &GroupReceipt) -> Self {
        Self::GroupReceipt {
            group: receipt.group.to_string(),
            seq: receipt.seq.0,
            delivered: receipt.delivered,
            read: receipt.read,
            members: receipt.members,
            everybody: receipt.everybody.into(),
            at: receipt.at.0,
        }
    }
}

impl From<&ConversationState> for ItemView {
    fn from(state: &ConversationState) -> Self {
        Self::State {
            conversation: state.conversation.to_string(),
            read: state.read.0,
            unread: state.unread,
            flags: state.flags.into(),
            at: state.at.0,
        }
    }
}

impl TryFrom<ItemView> for InboxItem {
    type Error = ViewError;

    fn try_from(view: ItemView) -> Result<Self, ViewError> {
        Ok(match view {
            ItemView::Message { message } => Self::Message(message.try_into()?),
            ItemView::Receipt { conversation: id, user, marks, at } => Self::Receipt(Receipt {
                conversation: conversation(&id)?,
                user: UserId::new(&user)?,
                marks: marks.into(),
                at: Timestamp(at),
            }),
            ItemView::GroupReceipt { group, seq, delivered, read, members, everybody, at } => {
                let (group, everybody) = (conversation(&group)?, everybody.into());
                let (seq, at) = (Seq(seq), Timestamp(at));
                Self::GroupReceipt(GroupReceipt { group, seq, delivered, read, members, everybody, at })
            }
            ItemView::State { conversation: id, read, unread, flags, at } => {
                let conversation = conversation(&id)?;
                let (read, flags, at) = (Seq(read), flags.into(), Timestamp(at));
                Self::State(ConversationState { conversation, read, unread, flags, at })
            }
            ItemView::Settings { settings, at } => Self::Settings(settings.try_into()?, Timestamp(at)),
        })
    }
}

/// A stored entry that the application has yet to take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum UnreportedView {
    Item { offset: u64, item: Box<ItemView> },
    Gap { first: u64, last: u64 },
}

impl TryFrom<UnreportedView> for iris_client_core::Unreported {
    type Error = ViewError;

    fn try_from(view: UnreportedView) -> Result<Self, ViewError> {
        Ok(match view {
            UnreportedView::Item { offset, item } => {
                Self::Item { offset: Offset(offset), item: (*item).try_into()? }
            }
            UnreportedView::Gap { first, last } => Self::Gap { first: Offset(first), last: Offset(last) },
        })
    }
}
