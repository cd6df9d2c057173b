//! What a client's connection tells.

use iris_types::request::{Attached, ConversationPage, HistoryPage, RequestId, Sent};
use iris_types::{
    DeviceSummary, GroupSummary, Offset, Presence, ReceiptPage, Refusal, RosterPage, Settings, Timestamp,
    Typing,
};

use crate::entry::Entry;
use crate::{Capabilities, DrainHint, ServerLimits};

/// What the server's bytes tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Logged in. Call [`ClientConnection::sync`] to get entries; sends may go at once.
    Ready {
        attached: Attached,
        version: u8,
        capabilities: Capabilities,
        limits: ServerLimits,
    },
    /// Not logged in; `Closed` follows.
    LoginRefused {
        refusal: Refusal,
        server_time: Timestamp,
    },
    /// A send, or a change of a group, is durable. With an offset it stands for the own entry there, too: nothing else comes for that
    /// offset, and it is acknowledged like any entry. Order among these and `Entries` is the inbox's order.
    Sent {
        request: RequestId,
        sent: Sent,
    },
    /// A request was refused. Request 0: an acknowledgement was, or a frame the server does not know. A server
    /// time of 0 was not told.
    Refused {
        request: RequestId,
        refusal: Refusal,
        server_time: Timestamp,
    },
    /// Dense and ascending, from the last offset + 1 on or behind the gap: first and last offset that are gone.
    Entries {
        gap: Option<(Offset, Offset)>,
        entries: Vec<Entry>,
    },
    /// A page of the sync is complete. Not live: acknowledge `last` (once everything is stored) and the next
    /// page comes. Live: entries are pushed from now on.
    PageEnd {
        request: RequestId,
        last: Offset,
        log_end: Offset,
        live: bool,
    },
    /// Pushes have stopped: acknowledge what is here, then call [`ClientConnection::sync`] again.
    SyncNeeded,
    HistoryPage {
        request: RequestId,
        page: HistoryPage,
    },
    Conversations {
        request: RequestId,
        page: ConversationPage,
    },
    Devices {
        request: RequestId,
        items: Vec<DeviceSummary>,
    },
    /// What was asked for is durable. A change of a group: there was nothing to change.
    Done {
        request: RequestId,
    },
    Group {
        request: RequestId,
        group: GroupSummary,
    },
    Roster {
        request: RequestId,
        page: RosterPage,
    },
    Receipts {
        request: RequestId,
        page: ReceiptPage,
    },
    Settings {
        request: RequestId,
        settings: Settings,
    },
    /// In the order asked for.
    Presences {
        request: RequestId,
        items: Vec<Presence>,
    },
    /// Somebody who is watched came or went.
    Presence(Presence),
    /// Somebody writes, or stopped. Without another word they have stopped after
    /// [`iris_types::limits::TYPING_MS`].
    Typing(Typing),
    /// The server stops; new requests are refused. Reconnect after the hint.
    Drain(DrainHint),
    Pong,
    /// The connection is over: close the transport. Comes once and last. `by_server`: it said so; otherwise it
    /// broke the protocol (`bad_frame`, `wrong_state`) or went silent (`timed_out`).
    Closed {
        refusal: Refusal,
        by_server: bool,
    },
}
