//! News for the application.

use iris_client_core::{ClientEvent, Mark, QueryNumber, SendNumber};
use iris_types::{
    ConversationSummary, DeviceLabel, DeviceSummary, Marks, Offset, Presence, PresenceState, Typing, UserId,
};
use serde::{Deserialize, Serialize};

use super::message::title;
use super::{
    BodyView, EntryView, FlagsView, GroupView, ItemView, MemberView, RefusalView, SettingsView, SettledView,
    TargetView,
};

/// One line of the list of conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryView {
    pub conversation: String,
    /// The other member; null for a group.
    pub with: Option<String>,
    /// What the group is called; null for a direct conversation.
    pub title: Option<String>,
    /// `member`, `invited` or `gone`.
    pub standing: &'static str,
    /// The last message that the user may see.
    pub last_seq: u64,
    pub read: u64,
    /// Messages of others behind it.
    pub unread: u64,
    pub flags: FlagsView,
    pub last: PreviewView,
}

/// The beginning of a conversation's last message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewView {
    pub from: String,
    pub sent_at: u64,
    pub body: BodyView,
}

/// One of the user's devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    pub device: String,
    pub label: Option<String>,
    pub registered_at: u64,
    pub last_login: u64,
    pub online: bool,
}

/// Whether a user is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PresenceView {
    pub user: String,
    pub online: bool,
    /// Null: online, or not told.
    pub last_seen: Option<u64>,
}

/// Who has a message, and how far they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReaderView {
    pub user: String,
    pub delivered: u64,
    pub read: u64,
}

/// What the application learns; see `iris_client_core::ClientEvent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventView {
    Ready,
    Synced,
    Accepted {
        number: u64,
    },
    Settled {
        settled: SettledView,
    },
    /// An entry of the inbox.
    Entry {
        offset: u64,
        item: ItemView,
    },
    Gap {
        first: u64,
        last: u64,
    },
    HistoryPage {
        query: u64,
        conversation: String,
        with: TargetView,
        entries: Vec<EntryView>,
    },
    HistoryEnd {
        query: u64,
        with: TargetView,
        count: u64,
        more: bool,
    },
    Conversations {
        query: u64,
        items: Vec<SummaryView>,
        next: Option<String>,
    },
    Devices {
        query: u64,
        items: Vec<DeviceView>,
    },
    Done {
        query: u64,
    },
    GroupCreated {
        query: u64,
        group: String,
    },
    GroupChanged {
        query: u64,
        group: String,
        seq: Option<u64>,
    },
    Group {
        query: u64,
        group: GroupView,
    },
    Roster {
        query: u64,
        group: String,
        items: Vec<MemberView>,
        next: Option<String>,
    },
    Receipts {
        query: u64,
        seq: u64,
        delivered: u32,
        read: u32,
        members: u32,
        by: Vec<ReaderView>,
    },
    Settings {
        query: u64,
        settings: SettingsView,
    },
    Presences {
        query: u64,
        items: Vec<PresenceView>,
    },
    Presence {
        presence: PresenceView,
    },
    Typing {
        conversation: String,
        user: String,
        on: bool,
    },
    QueryFailed {
        query: u64,
        refusal: RefusalView,
    },
    Refused {
        refusal: RefusalView,
    },
    Stopped {
        refusal: RefusalView,
    },
    Disconnected,
}

/// What to hand over once the application took an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum MarkView {
    Entries { offset: u64 },
    Send { number: u64 },
    Query { number: u64 },
}

impl From<&ConversationSummary> for SummaryView {
    fn from(item: &ConversationSummary) -> Self {
        Self {
            conversation: item.conversation.to_string(),
            with: item.with.user().map(ToString::to_string),
            title: title(&item.with),
            standing: item.standing.name(),
            last_seq: item.last_seq.0,
            read: item.read.0,
            unread: item.unread,
            flags: item.flags.into(),
            last: PreviewView {
                from: item.last.from.to_string(),
                sent_at: item.last.sent_at.0,
                body: (&item.last).into(),
            },
        }
    }
}

impl From<&Presence> for PresenceView {
    fn from(presence: &Presence) -> Self {
        let (online, last_seen) = match presence.state {
            PresenceState::Hidden => (false, None),
            PresenceState::Online => (true, None),
            PresenceState::LastSeen(at) => (false, Some(at.0)),
        };
        Self { user: presence.user.to_string(), online, last_seen }
    }
}

impl From<&DeviceSummary> for DeviceView {
    fn from(item: &DeviceSummary) -> Self {
        Self {
            device: item.device.to_string(),
            label: item.label.as_ref().map(DeviceLabel::as_str).map(str::to_owned),
            registered_at: item.registered_at.0,
            last_login: item.last_login.0,
            online: item.online,
        }
    }
}

impl From<&ClientEvent> for EventView {
    fn from(event: &ClientEvent) -> Self {
        match event {
            ClientEvent::Ready => Self::Ready,
            ClientEvent::Synced => Self::Synced,
            ClientEvent::Accepted { number } => Self::Accepted { number: number.0 },
            ClientEvent::Settled(settled) => Self::Settled { settled: settled.into() },
            ClientEvent::Gap { first, last } => Self::Gap { first: first.0, last: last.0 },
            ClientEvent::Presence(presence) => Self::Presence { presence: presence.into() },
            ClientEvent::Typing(Typing { conversation, user, on }) => {
                Self::Typing { conversation: conversation.to_string(), user: user.to_string(), on: *on }
            }
            ClientEvent::Refused(refusal) => Self::Refused { refusal: (*refusal).into() },
            ClientEvent::Stopped(refusal) => Self::Stopped { refusal: (*refusal).into() },
            ClientEvent::Disconnected => Self::Disconnected,
            ClientEvent::Message { .. }
            | ClientEvent::Receipt { .. }
            | ClientEvent::GroupReceipt { .. }
            | ClientEvent::State { .. }
            | ClientEvent::SettingsChanged { .. } => Self::of_entry(event),
            _ => Self::of_answer(event),
        }
    }
}

impl EventView {
    /// What an entry of the inbox tells.
    fn of_entry(event: &ClientEvent) -> Self {
        let (offset, item) = match event {
            ClientEvent::Message { offset, message } => {
                (offset, ItemView::Message { message: message.into() })
            }
            ClientEvent::Receipt { offset, receipt } => (offset, receipt.into()),
            ClientEvent::GroupReceipt { offset, receipt } => (offset, receipt.into()),
            ClientEvent::State { offset, state } => (offset, state.into()),
            ClientEvent::SettingsChanged { offset, settings, at } => {
                (offset, ItemView::Settings { settings: (*settings).into(), at: at.0 })
            }
            other => return Self::of_answer(other),
        };
        Self::Entry { offset: offset.0, item }
    }

    /// What answers a question.
    fn of_answer(event: &ClientEvent) -> Self {
        match event {
            ClientEvent::HistoryPage { query, conversation, with, entries } => Self::HistoryPage {
                query: query.0,
                conversation: conversation.to_string(),
                with: with.into(),
                entries: entries.iter().map(Into::into).collect(),
            },
            ClientEvent::HistoryEnd { query, with, count, more } => {
                Self::HistoryEnd { query: query.0, with: with.into(), count: *count, more: *more }
            }
            ClientEvent::Conversations { query, items, next } => Self::Conversations {
                query: query.0,
                items: items.iter().map(Into::into).collect(),
                next: next.map(|next| next.to_string()),
            },
            ClientEvent::Devices { query, items } => {
                Self::Devices { query: query.0, items: items.iter().map(Into::into).collect() }
            }
            ClientEvent::GroupCreated { query, group } => {
                Self::GroupCreated { query: query.0, group: group.to_string() }
            }
            ClientEvent::GroupChanged { query, group, seq } => {
                let (group, seq) = (group.to_string(), seq.map(|seq| seq.0));
                Self::GroupChanged { query: query.0, group, seq }
            }
            ClientEvent::Group { query, group } => Self::Group { query: query.0, group: group.into() },
            ClientEvent::Roster { query, group, items, next } => Self::Roster {
                query: query.0,
                group: group.to_string(),
                items: items.iter().map(Into::into).collect(),
                next: next.as_ref().map(ToString::to_string),
            },
            ClientEvent::Receipts { query, seq, receipts, .. } => Self::Receipts {
                query: query.0,
                seq: seq.0,
                delivered: receipts.delivered,
                read: receipts.read,
                members: receipts.members,
                by: receipts.by.iter().map(|(user, marks)| reader(user, *marks)).collect(),
            },
            ClientEvent::Settings { query, settings } => {
                Self::Settings { query: query.0, settings: (*settings).into() }
            }
            ClientEvent::Presences { query, items } => {
                Self::Presences { query: query.0, items: items.iter().map(Into::into).collect() }
            }
            ClientEvent::QueryFailed { query, refusal } => {
                Self::QueryFailed { query: query.0, refusal: (*refusal).into() }
            }
            other => Self::Done { query: other.answers().map_or(0, |query| query.0) },
        }
    }
}

fn reader(user: &UserId, marks: Marks) -> ReaderView {
    ReaderView { user: user.to_string(), delivered: marks.delivered.0, read: marks.read.0 }
}

impl From<Mark> for MarkView {
    fn from(mark: Mark) -> Self {
        match mark {
            Mark::Entries(offset) => Self::Entries { offset: offset.0 },
            Mark::Send(number) => Self::Send { number: number.0 },
            Mark::Query(number) => Self::Query { number: number.0 },
        }
    }
}

impl From<MarkView> for Mark {
    fn from(view: MarkView) -> Self {
        match view {
            MarkView::Entries { offset } => Self::Entries(Offset(offset)),
            MarkView::Send { number } => Self::Send(SendNumber(number)),
            MarkView::Query { number } => Self::Query(QueryNumber(number)),
        }
    }
}
