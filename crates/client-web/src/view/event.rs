//! News for the application.

use iris_client_core::{ClientEvent, Mark, QueryNumber, SendNumber};
use iris_types::{ConversationSummary, DeviceLabel, DeviceSummary, Offset};
use serde::{Deserialize, Serialize};

use super::{EntryView, MessageView, RefusalView, SettledView};

/// One line of the list of conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryView {
    pub conversation: String,
    pub with: String,
    pub last_seq: u64,
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

/// What the application learns; see `iris_client_core::ClientEvent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EventView {
    Ready,
    Synced,
    Accepted { number: u64 },
    Settled { settled: SettledView },
    Message { offset: u64, message: MessageView },
    Gap { first: u64, last: u64 },
    HistoryPage { query: u64, conversation: String, with: String, entries: Vec<EntryView> },
    HistoryEnd { query: u64, with: String, count: u64, more: bool },
    Conversations { query: u64, items: Vec<SummaryView> },
    Devices { query: u64, items: Vec<DeviceView> },
    Done { query: u64 },
    QueryFailed { query: u64, refusal: RefusalView },
    Refused { refusal: RefusalView },
    Stopped { refusal: RefusalView },
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
            with: item.with.to_string(),
            last_seq: item.last_seq.0,
        }
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
            ClientEvent::Message { offset, message } => {
                Self::Message { offset: offset.0, message: message.into() }
            }
            ClientEvent::Gap { first, last } => Self::Gap { first: first.0, last: last.0 },
            ClientEvent::HistoryPage { query, conversation, with, entries } => Self::HistoryPage {
                query: query.0,
                conversation: conversation.to_string(),
                with: with.to_string(),
                entries: entries.iter().map(Into::into).collect(),
            },
            ClientEvent::HistoryEnd { query, with, count, more } => {
                Self::HistoryEnd { query: query.0, with: with.to_string(), count: *count, more: *more }
            }
            ClientEvent::Conversations { query, items } => {
                Self::Conversations { query: query.0, items: items.iter().map(Into::into).collect() }
            }
            ClientEvent::Devices { query, items } => {
                Self::Devices { query: query.0, items: items.iter().map(Into::into).collect() }
            }
            ClientEvent::Done { query } => Self::Done { query: query.0 },
            ClientEvent::QueryFailed { query, refusal } => {
                Self::QueryFailed { query: query.0, refusal: (*refusal).into() }
            }
            ClientEvent::Refused(refusal) => Self::Refused { refusal: (*refusal).into() },
            ClientEvent::Stopped(refusal) => Self::Stopped { refusal: (*refusal).into() },
            ClientEvent::Disconnected => Self::Disconnected,
        }
    }
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
