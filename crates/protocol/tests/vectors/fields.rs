//! Frames as JSON fields and back, for the test vectors.

use bytes::Bytes;
use iris_protocol::acknowledge::Acknowledge;
use iris_protocol::authenticate::{Authenticate, Ready};
use iris_protocol::batch::BatchItem;
use iris_protocol::done::Done;
use iris_protocol::drain::{Closed, Drain};
use iris_protocol::hello::{ClientHello, ServerHello};
use iris_protocol::list_conversations::{Conversations, List};
use iris_protocol::list_devices::{Devices, ListDevices};
use iris_protocol::ping::{Ping, Pong};
use iris_protocol::read_history::{HistoryBatch, HistoryEnd, HistoryItem, Read};
use iris_protocol::read_inbox::{Gap, PageEnd, Sync, SyncNeeded};
use iris_protocol::refusal::Refused;
use iris_protocol::rename_device::Rename;
use iris_protocol::revoke_device::Revoke;
use iris_protocol::{Capabilities, ClientFrame, DrainHint, ServerFrame, ServerLimits, Versions};
use iris_types::request::{
    Attached, ConversationPage, HistoryFrom, ListConversations, ReadHistory, RenameDevice, RevokeDevice,
};
use iris_types::{ConversationId, ConversationSummary, DeviceLabel, DeviceSummary, Seq, Timestamp};
use serde_json::{Value, json};

use crate::items::{
    Fields, delivery_from_json, delivery_to_json, entry_from_json, entry_to_json, hex, item_from_json,
    own_from_json, own_to_json, result_from_json, result_to_json, send_from_json, send_to_json,
};

/// Name and fields.
pub(crate) fn client_to_json(frame: &ClientFrame) -> (&'static str, Value) {
    match frame {
        ClientFrame::Hello(hello) => {
            ("Hello", json!({"versions": hello.versions.0, "capabilities": hello.capabilities.0}))
        }
        ClientFrame::Authenticate(login) => (
            "Authenticate",
            json!({
                "token": std::str::from_utf8(&login.token).unwrap(),
                "device": login.device.as_str(),
                "nonce": hex(&login.nonce),
                "at": login.at.0,
            }),
        ),
        ClientFrame::Sync(sync) => ("Sync", json!({"request": sync.request.0, "after": sync.after.0})),
        ClientFrame::Acknowledge(acknowledge) => ("Acknowledge", json!({"up_to": acknowledge.up_to.0})),
        ClientFrame::SendMessage(send) => ("SendMessage", send_to_json(send)),
        ClientFrame::ReadHistory(read) => {
            let (from, seq) = match read.read.from {
                HistoryFrom::Latest => ("latest", 0),
                HistoryFrom::Before(seq) => ("before", seq.0),
                HistoryFrom::After(seq) => ("after", seq.0),
            };
            let (request, with, limit) = (read.request.0, read.read.with.as_str(), read.read.limit);
            (
                "ReadHistory",
                json!({"request": request, "with": with, "from": from, "seq": seq, "limit": limit}),
            )
        }
        ClientFrame::ListConversations(list) => (
            "ListConversations",
            json!({
                "request": list.request.0,
                "after": list.list.after.map(|after| hex(&after.0)),
                "limit": list.list.limit,
            }),
        ),
        ClientFrame::Ping(ping) => ("Ping", json!({"token": ping.token})),
        ClientFrame::ListDevices(list) => ("ListDevices", json!({"request": list.request.0})),
        ClientFrame::RenameDevice(Rename { request, rename }) => {
            let (device, label) = (rename.device.as_str(), rename.label.as_str());
            ("RenameDevice", json!({"request": request.0, "device": device, "label": label}))
        }
        ClientFrame::RevokeDevice(Revoke { request, revoke }) => {
            ("RevokeDevice", json!({"request": request.0, "device": revoke.device.as_str()}))
        }
        ClientFrame::SendBatch(items) => {
            let items: Vec<_> = items.iter().map(|item| send_to_json(item.as_ref().unwrap())).collect();
            ("SendBatch", json!({"items": items}))
        }
    }
}

pub(crate) fn client_from_json(name: &str, fields: &Value) -> ClientFrame {
    let fields = Fields(fields);
    match name {
        "Hello" => ClientFrame::Hello(ClientHello {
            versions: Versions(fields.u32("versions")),
            capabilities: Capabilities(fields.u32("capabilities")),
        }),
        "Authenticate" => ClientFrame::Authenticate(Authenticate {
            token: Bytes::from(fields.text("token").as_bytes().to_vec()),
            device: fields.device(),
            nonce: fields.array("nonce"),
            at: Timestamp(fields.u64("at")),
        }),
        "Sync" => ClientFrame::Sync(Sync { request: fields.request(), after: fields.offset("after") }),
        "Acknowledge" => ClientFrame::Acknowledge(Acknowledge { up_to: fields.offset("up_to") }),
        "SendMessage" => ClientFrame::SendMessage(send_from_json(&fields)),
        "ReadHistory" => {
            let seq = Seq(fields.u64("seq"));
            let from = match fields.text("from") {
                "latest" => HistoryFrom::Latest,
                "before" => HistoryFrom::Before(seq),
                "after" => HistoryFrom::After(seq),
                other => panic!("from {other}"),
            };
            let read = ReadHistory { with: fields.user("with"), from, limit: fields.u16("limit") };
            ClientFrame::ReadHistory(Read { request: fields.request(), read })
        }
        "ListConversations" => {
            let after = (!fields.0["after"].is_null()).then(|| ConversationId(fields.array("after")));
            let list = ListConversations { after, limit: fields.u16("limit") };
            ClientFrame::ListConversations(List { request: fields.request(), list })
        }
        "Ping" => ClientFrame::Ping(Ping { token: fields.u64("token") }),
        "ListDevices" => ClientFrame::ListDevices(ListDevices { request: fields.request() }),
        "RenameDevice" => {
            let label = DeviceLabel::new(fields.text("label")).unwrap();
            let rename = RenameDevice { device: fields.device(), label };
            ClientFrame::RenameDevice(Rename { request: fields.request(), rename })
        }
        "RevokeDevice" => {
            let revoke = RevokeDevice { device: fields.device() };
            ClientFrame::RevokeDevice(Revoke { request: fields.request(), revoke })
        }
        "SendBatch" => {
            ClientFrame::SendBatch(fields.list("items").map(|item| Ok(send_from_json(&item))).collect())
        }
        other => panic!("frame {other}"),
    }
}

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
        ServerFrame::Delivery(delivery) => ("Delivery", delivery_to_json(delivery)),
        ServerFrame::OwnSent(own) => ("OwnSent", own_to_json(own)),
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
            ("HistoryEntry", json!({"request": item.request.0, "entry": entry_to_json(&item.entry)}))
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
            let item = |item: &ConversationSummary| {
                json!({
                    "conversation": hex(&item.conversation.0),
                    "with": item.with.as_str(),
                    "last_seq": item.last_seq.0,
                })
            };
            let items: Vec<_> = page.items.iter().map(item).collect();
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
        ServerFrame::Batch(items) => {
            let item = |item: &BatchItem| match item {
                BatchItem::Delivery(delivery) => json!({"Delivery": delivery_to_json(delivery)}),
                BatchItem::OwnSent(own) => json!({"OwnSent": own_to_json(own)}),
                BatchItem::Sent(result) => json!({"Sent": result_to_json(result)}),
            };
            ("Batch", json!({"items": items.iter().map(item).collect::<Vec<_>>()}))
        }
        ServerFrame::HistoryBatch(batch) => {
            let entries: Vec<_> = batch.entries.iter().map(entry_to_json).collect();
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
        "Delivery" => ServerFrame::Delivery(delivery_from_json(&fields)),
        "OwnSent" => ServerFrame::OwnSent(own_from_json(&fields)),
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
            entry: entry_from_json(&fields.at("entry")),
        }),
        "HistoryEnd" => ServerFrame::HistoryEnd(HistoryEnd {
            request: fields.request(),
            conversation: ConversationId(fields.array("conversation")),
            more: fields.flag("more"),
        }),
        "Conversations" => {
            let item = |item: Fields<'_>| ConversationSummary {
                conversation: ConversationId(item.array("conversation")),
                with: item.user("with"),
                last_seq: Seq(item.u64("last_seq")),
            };
            let page = ConversationPage {
                items: fields.list("items").map(item).collect(),
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
        "Batch" => ServerFrame::Batch(fields.list("items").map(|item| item_from_json(&item)).collect()),
        "HistoryBatch" => ServerFrame::HistoryBatch(HistoryBatch {
            request: fields.request(),
            entries: fields.list("entries").map(|entry| entry_from_json(&entry)).collect(),
        }),
        other => panic!("frame {other}"),
    }
}
