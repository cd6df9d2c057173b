//! A server's frames as JSON fields and back.

use iris_protocol::authenticate::Ready;
use iris_protocol::batch::BatchItem;
use iris_protocol::done::Done;
use iris_protocol::drain::{Closed, Drain};
use iris_protocol::hello::ServerHello;
use iris_protocol::list_conversations::Conversations;
use iris_protocol::list_devices::Devices;
use iris_protocol::ping::Pong;
use iris_protocol::presence::Presences;
use iris_protocol::read_group::Group;
use iris_protocol::read_history::{HistoryBatch, HistoryEnd, HistoryItem};
use iris_protocol::read_inbox::{Gap, PageEnd, SyncNeeded};
use iris_protocol::read_receipts::Receipts;
use iris_protocol::read_roster::Roster;
use iris_protocol::refusal::Refused;
use iris_protocol::settings::SettingsAnswer;
use iris_protocol::{Capabilities, DrainHint, ServerFrame, ServerLimits};
use iris_types::request::{Attached, ConversationPage};
use iris_types::{
    BodyKind, ConversationId, ConversationSummary, DeviceLabel, DeviceSummary, GroupSummary, Marks, Policy,
    Presence, PresenceState, Preview, ReceiptPage, Role, RosterItem, RosterPage, Seq, Standing, Timestamp,
    Typing, UserId,
};
use serde_json::{Value, json};

use crate::items::{
    Fields, entry_from_json, entry_to_json, hex, history_from_json, history_to_json, item_from_json,
    peer_to_json, result_from_json, result_to_json, settings_to_json,
};

/// Name and fields.
pub(crate) fn server_to_json(frame: &ServerFrame) -> (&'static str, Value) {
    match frame {
        ServerFrame::Hello(hello) => {
            ("ServerHello", json!({"version": hello.version, "capabilities": hello.capabilities.0}))
        }
        ServerFrame::Ready(Ready { attached, limits }) => (
            "Ready",
            json!({
                "cursor": attached.cursor.0,
                "last": attached.last.0,
                "server_time": attached.server_time.0,
                "body_bytes_max": limits.body_bytes_max,
                "batch_items_max": limits.batch_items_max,
                "requests_in_flight_max": limits.requests_in_flight_max,
                "window_entries_max": limits.window_entries_max,
                "window_bytes_max": limits.window_bytes_max,
                "idle_ms_max": limits.idle_ms_max,
            }),
        ),
        ServerFrame::Refused(refused) => (
            "Refused",
            json!({
                "request": refused.request.0,
                "code": refused.refusal.code as u16,
                "retryable": refused.refusal.code.is_retryable(),
                "retry_after_ms": refused.refusal.retry_after_ms,
                "server_time": refused.server_time.0,
                "opcode": refused.opcode,
            }),
        ),
        ServerFrame::Sent(result) => ("Sent", result_to_json(result)),
        ServerFrame::Entry(entry) => entry_to_json(entry),
        ServerFrame::Gap(gap) => ("Gap", json!({"first": gap.first.0, "last": gap.last.0})),
        ServerFrame::PageEnd(end) => (
            "PageEnd",
            json!({
                "request": end.request.0,
                "last": end.last.0,
                "log_end": end.log_end.0,
                "live": end.live,
            }),
        ),
        ServerFrame::SyncNeeded(needed) => ("SyncNeeded", json!({"last": needed.last.0})),
        ServerFrame::HistoryEntry(item) => {
            ("HistoryEntry", json!({"request": item.request.0, "entry": history_to_json(&item.entry)}))
        }
        ServerFrame::HistoryEnd(end) => (
            "HistoryEnd",
            json!({
                "request": end.request.0,
                "conversation": hex(&end.conversation.0),
                "more": end.more,
            }),
        ),
        ServerFrame::Conversations(Conversations { request, page }) => {
            let items: Vec<_> = page.items.iter().map(summary_to_json).collect();
            ("Conversations", json!({"request": request.0, "more": page.more, "items": items}))
        }
        ServerFrame::Pong(pong) => ("Pong", json!({"token": pong.token})),
        ServerFrame::Drain(drain) => (
            "Drain",
            json!({
                "reconnect_after_ms": drain.hint.reconnect_after_ms,
                "jitter_ms": drain.hint.jitter_ms,
            }),
        ),
        ServerFrame::Closed(closed) => (
            "Closed",
            json!({
                "code": closed.refusal.code as u16,
                "retryable": closed.refusal.code.is_retryable(),
                "retry_after_ms": closed.refusal.retry_after_ms,
            }),
        ),
        ServerFrame::Devices(Devices { request, items }) => {
            let item = |item: &DeviceSummary| {
                json!({
                    "device": item.device.as_str(),
                    "label": item.label.as_ref().map(DeviceLabel::as_str),
                    "registered_at": item.registered_at.0,
                    "last_login": item.last_login.0,
                    "online": item.online,
                })
            };
            let items: Vec<_> = items.iter().map(item).collect();
            ("Devices", json!({"request": request.0, "items": items}))
        }
        ServerFrame::Done(done) => ("Done", json!({"request": done.request.0})),
        ServerFrame::Group(Group { request, summary }) => (
            "Group",
            json!({
                "request": request.0,
                "group": hex(&summary.group.0),
                "title": summary.title.as_str(),
                "description": summary.description.as_str(),
                "policy": summary.policy.bits(),
                "created_at": summary.created_at.0,
                "members": summary.members,
                "invited": summary.invited,
                "role": summary.role.map_or(0, Role::number),
                "last_seq": summary.last_seq.0,
            }),
        ),
        ServerFrame::Roster(Roster { request, page }) => {
            let item = |item: &RosterItem| {
                json!({
                    "user": item.user.as_str(),
                    "role": item.role.map_or(0, Role::number),
                    "since": item.since.0,
                })
            };
            let items: Vec<_> = page.items.iter().map(item).collect();
            ("Roster", json!({"request": request.0, "more": page.more, "items": items}))
        }
        ServerFrame::Receipts(Receipts { request, page }) => {
            let item = |(user, marks): &(UserId, Marks)| json!({"user": user.as_str(), "delivered": marks.delivered.0, "read": marks.read.0});
            let items: Vec<_> = page.by.iter().map(item).collect();
            (
                "Receipts",
                json!({
                    "request": request.0,
                    "delivered": page.delivered,
                    "read": page.read,
                    "members": page.members,
                    "more": page.more,
                    "items": items,
                }),
            )
        }
        ServerFrame::Settings(SettingsAnswer { request, settings }) => {
            let mut fields = settings_to_json(*settings);
            fields["request"] = json!(request.0);
            ("Settings", fields)
        }
        ServerFrame::Presences(Presences { request, items }) => {
            let items: Vec<_> = items.iter().map(presence_to_json).collect();
            ("Presences", json!({"request": request.0, "items": items}))
        }
        ServerFrame::Presence(presence) => ("Presence", presence_to_json(presence)),
        ServerFrame::TypingNotice(typing) => (
            "TypingNotice",
            json!({
                "conversation": hex(&typing.conversation.0),
                "user": typing.user.as_str(),
                "on": typing.on,
            }),
        ),
        ServerFrame::Batch(items) => {
            let item = |item: &BatchItem| match item {
                BatchItem::Entry(entry) => {
                    let (name, fields) = entry_to_json(entry);
                    json!({name: fields})
                }
                BatchItem::Sent(result) => json!({"Sent": result_to_json(result)}),
            };
            ("Batch", json!({"items": items.iter().map(item).collect::<Vec<_>>()}))
        }
        ServerFrame::HistoryBatch(batch) => {
            let entries: Vec<_> = batch.entries.iter().map(history_to_json).collect();
            ("HistoryBatch", json!({"request": batch.request.0, "entries": entries}))
        }
    }
}

pub(crate) fn server_from_json(name: &str, fields: &Value) -> ServerFrame {
    let fields = Fields(fields);
    match name {
        "ServerHello" => ServerFrame::Hello(ServerHello {
            version: fields.u16("version") as u8,
            capabilities: Capabilities(fields.u32("capabilities")),
        }),
        "Ready" => ServerFrame::Ready(Ready {
            attached: Attached {
                cursor: fields.offset("cursor"),
                last: fields.offset("last"),
                server_time: Timestamp(fields.u64("server_time")),
            },
            limits: ServerLimits {
                body_bytes_max: fields.u32("body_bytes_max"),
                batch_items_max: fields.u16("batch_items_max"),
                requests_in_flight_max: fields.u16("requests_in_flight_max"),
                window_entries_max: fields.u32("window_entries_max"),
                window_bytes_max: fields.u32("window_bytes_max"),
                idle_ms_max: fields.u32("idle_ms_max"),
            },
        }),
        "Refused" => ServerFrame::Refused(Refused {
            request: fields.request(),
            refusal: fields.refusal(),
            server_time: Timestamp(fields.u64("server_time")),
            opcode: fields.0["opcode"].as_u64().map(|opcode| opcode as u8),
        }),
        "Sent" => ServerFrame::Sent(result_from_json(&fields)),
        "Gap" => ServerFrame::Gap(Gap { first: fields.offset("first"), last: fields.offset("last") }),
        "PageEnd" => ServerFrame::PageEnd(PageEnd {
            request: fields.request(),
            last: fields.offset("last"),
            log_end: fields.offset("log_end"),
            live: fields.flag("live"),
        }),
        "SyncNeeded" => ServerFrame::SyncNeeded(SyncNeeded { last: fields.offset("last") }),
        "HistoryEntry" => ServerFrame::HistoryEntry(HistoryItem {
            request: fields.request(),
            entry: history_from_json(&fields.at("entry")),
        }),
        "HistoryEnd" => ServerFrame::HistoryEnd(HistoryEnd {
            request: fields.request(),
            conversation: ConversationId(fields.array("conversation")),
            more: fields.flag("more"),
        }),
        "Conversations" => {
            let page = ConversationPage {
                items: fields.list("items").map(|item| summary_from_json(&item)).collect(),
                more: fields.flag("more"),
            };
            ServerFrame::Conversations(Conversations { request: fields.request(), page })
        }
        "Pong" => ServerFrame::Pong(Pong { token: fields.u64("token") }),
        "Drain" => ServerFrame::Drain(Drain {
            hint: DrainHint {
                reconnect_after_ms: fields.u32("reconnect_after_ms"),
                jitter_ms: fields.u32("jitter_ms"),
            },
        }),
        "Closed" => ServerFrame::Closed(Closed { refusal: fields.refusal() }),
        "Devices" => {
            let item = |item: Fields<'_>| DeviceSummary {
                device: item.device(),
                label: item.0["label"].as_str().map(|label| DeviceLabel::new(label).unwrap()),
                registered_at: Timestamp(item.u64("registered_at")),
                last_login: Timestamp(item.u64("last_login")),
                online: item.flag("online"),
            };
            let items = fields.list("items").map(item).collect();
            ServerFrame::Devices(Devices { request: fields.request(), items })
        }
        "Done" => ServerFrame::Done(Done { request: fields.request() }),
        "Group" => {
            let summary = GroupSummary {
                group: ConversationId(fields.array("group")),
                title: fields.title("title"),
                description: fields.description(),
                policy: Policy::from_bits(fields.u8("policy")).unwrap(),
                created_at: Timestamp(fields.u64("created_at")),
                members: fields.u32("members"),
                invited: fields.u32("invited"),
                role: Role::from_number(fields.u8("role")),
                last_seq: Seq(fields.u64("last_seq")),
            };
            ServerFrame::Group(Group { request: fields.request(), summary })
        }
        "Roster" => {
            let item = |item: Fields<'_>| RosterItem {
                user: item.user("user"),
                role: Role::from_number(item.u8("role")),
                since: Seq(item.u64("since")),
            };
            let page =
                RosterPage { items: fields.list("items").map(item).collect(), more: fields.flag("more") };
            ServerFrame::Roster(Roster { request: fields.request(), page })
        }
        "Receipts" => {
            let page = ReceiptPage {
                delivered: fields.u32("delivered"),
                read: fields.u32("read"),
                members: fields.u32("members"),
                by: fields.list("items").map(|item| (item.user("user"), item.marks())).collect(),
                more: fields.flag("more"),
            };
            ServerFrame::Receipts(Receipts { request: fields.request(), page })
        }
        "Settings" => {
            ServerFrame::Settings(SettingsAnswer { request: fields.request(), settings: fields.settings() })
        }
        "Presences" => {
            let items = fields.list("items").map(|item| presence_from_json(&item)).collect();
            ServerFrame::Presences(Presences { request: fields.request(), items })
        }
        "Presence" => ServerFrame::Presence(presence_from_json(&fields)),
        "TypingNotice" => ServerFrame::TypingNotice(Typing {
            conversation: ConversationId(fields.array("conversation")),
            user: fields.user("user"),
            on: fields.flag("on"),
        }),
        "Batch" => ServerFrame::Batch(fields.list("items").map(|item| item_from_json(&item)).collect()),
        "HistoryBatch" => ServerFrame::HistoryBatch(HistoryBatch {
            request: fields.request(),
            entries: fields.list("entries").map(|entry| history_from_json(&entry)).collect(),
        }),
        entry => ServerFrame::Entry(entry_from_json(entry, &fields)),
    }
}

fn summary_to_json(item: &ConversationSummary) -> Value {
    let last = &item.last;
    let body = match std::str::from_utf8(&last.text) {
        Ok(text) if last.kind == BodyKind::TEXT => json!({"kind": last.kind.0, "text": text}),
        _ => json!({"kind": last.kind.0, "hex": hex(&last.text)}),
    };
    json!({
        "conversation": hex(&item.conversation.0),
        "with": peer_to_json(&item.with),
        "standing": item.standing.number(),
        "last_seq": item.last_seq.0,
        "read": item.read.0,
        "unread": item.unread,
        "flags": item.flags.bits(),
        "last_from": last.from.as_str(),
        "last_sent_at": last.sent_at.0,
        "last_body": body,
    })
}

fn summary_from_json(item: &Fields<'_>) -> ConversationSummary {
    let (kind, text) = item.at("last_body").kind_and_bytes();
    let (from, sent_at) = (item.user("last_from"), Timestamp(item.u64("last_sent_at")));
    ConversationSummary {
        conversation: ConversationId(item.array("conversation")),
        with: item.peer("with"),
        standing: Standing::from_number(item.u8("standing")).unwrap(),
        last_seq: Seq(item.u64("last_seq")),
        read: Seq(item.u64("read")),
        unread: item.u64("unread"),
        flags: item.flags("flags"),
        last: Preview { from, sent_at, kind, text },
    }
}

fn presence_to_json(presence: &Presence) -> Value {
    let (state, last_seen) = match presence.state {
        PresenceState::Hidden => (0, 0),
        PresenceState::Online => (1, 0),
        PresenceState::LastSeen(at) => (2, at.0),
    };
    json!({"user": presence.user.as_str(), "state": state, "last_seen": last_seen})
}

fn presence_from_json(fields: &Fields<'_>) -> Presence {
    let state = match fields.u8("state") {
        0 => PresenceState::Hidden,
        1 => PresenceState::Online,
        _ => PresenceState::LastSeen(Timestamp(fields.u64("last_seen"))),
    };
    Presence { user: fields.user("user"), state }
}
