//! Frames as JSON fields and back, for the test vectors.

use bytes::Bytes;
use iris_protocol::acknowledge::Acknowledge;
use iris_protocol::authenticate::{Authenticate, Ready};
use iris_protocol::batch::BatchItem;
use iris_protocol::drain::{Closed, Drain};
use iris_protocol::hello::{ClientHello, ServerHello};
use iris_protocol::list_conversations::{Conversations, List};
use iris_protocol::ping::{Ping, Pong};
use iris_protocol::read_history::{HistoryBatch, HistoryEnd, HistoryItem, Read};
use iris_protocol::read_inbox::{Delivery, Gap, OwnSent, PageEnd, Sync, SyncNeeded};
use iris_protocol::refusal::Refused;
use iris_protocol::send_message::{Send, SendResult};
use iris_protocol::{Capabilities, ClientFrame, DrainHint, ServerFrame, ServerLimits, Versions};
use iris_types::request::{
    Attached, ConversationPage, HistoryFrom, ListConversations, ReadHistory, RequestId, SendMessage, Sent,
};
use iris_types::{
    Body, BodyKind, ConversationId, ConversationSummary, DeviceId, ErrorCode, HistoryEntry, InboxMessage,
    MessageId, Offset, Refusal, Seq, Timestamp, UserId,
};
use serde_json::{Value, json};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

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
            device: DeviceId::new(fields.text("device")).unwrap(),
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
        "Batch" => ServerFrame::Batch(fields.list("items").map(|item| item_from_json(&item)).collect()),
        "HistoryBatch" => ServerFrame::HistoryBatch(HistoryBatch {
            request: fields.request(),
            entries: fields.list("entries").map(|entry| entry_from_json(&entry)).collect(),
        }),
        other => panic!("frame {other}"),
    }
}

fn item_from_json(item: &Fields<'_>) -> BatchItem {
    let (kind, fields) = item.0.as_object().unwrap().iter().next().unwrap();
    let fields = Fields(fields);
    match kind.as_str() {
        "Delivery" => BatchItem::Delivery(delivery_from_json(&fields)),
        "OwnSent" => BatchItem::OwnSent(own_from_json(&fields)),
        "Sent" => BatchItem::Sent(result_from_json(&fields)),
        other => panic!("item {other}"),
    }
}

fn send_to_json(send: &Send) -> Value {
    let message = &send.message;
    json!({
        "request": send.request.0,
        "id": hex(&message.id.to_bytes()),
        "previous": message.previous.map(|previous| hex(&previous.to_bytes())),
        "to": message.to.as_str(),
        "body": body_to_json(&message.body),
    })
}

fn send_from_json(fields: &Fields<'_>) -> Send {
    let previous = (!fields.0["previous"].is_null()).then(|| fields.id("previous"));
    let message = SendMessage { id: fields.id("id"), to: fields.user("to"), previous, body: fields.body() };
    Send { request: fields.request(), message }
}

fn result_to_json(result: &SendResult) -> Value {
    let sent = &result.sent;
    json!({
        "request": result.request.0,
        "id": hex(&sent.id.to_bytes()),
        "conversation": hex(&sent.conversation.0),
        "seq": sent.seq.0,
        "sent_at": sent.sent_at.0,
        "offset": sent.offset.map_or(0, |offset| offset.0),
    })
}

fn result_from_json(fields: &Fields<'_>) -> SendResult {
    let sent = Sent {
        id: fields.id("id"),
        conversation: ConversationId(fields.array("conversation")),
        seq: Seq(fields.u64("seq")),
        sent_at: Timestamp(fields.u64("sent_at")),
        offset: Some(fields.offset("offset")).filter(|offset| *offset != Offset::ZERO),
    };
    SendResult { request: fields.request(), sent }
}

fn delivery_to_json(delivery: &Delivery) -> Value {
    let message = &delivery.message;
    json!({
        "offset": delivery.offset.0,
        "conversation": hex(&message.conversation.0),
        "seq": message.seq.0,
        "id": hex(&message.id.to_bytes()),
        "from": message.from.as_str(),
        "with": message.with.as_str(),
        "sent_at": message.sent_at.0,
        "body": body_to_json(&message.body),
    })
}

fn delivery_from_json(fields: &Fields<'_>) -> Delivery {
    let message = InboxMessage {
        conversation: ConversationId(fields.array("conversation")),
        seq: Seq(fields.u64("seq")),
        id: fields.id("id"),
        from: fields.user("from"),
        with: fields.user("with"),
        origin: None,
        sent_at: Timestamp(fields.u64("sent_at")),
        body: fields.body(),
    };
    Delivery { offset: fields.offset("offset"), message }
}

fn own_to_json(own: &OwnSent) -> Value {
    json!({
        "offset": own.offset.0,
        "conversation": hex(&own.conversation.0),
        "seq": own.seq.0,
        "id": hex(&own.id.to_bytes()),
        "sent_at": own.sent_at.0,
    })
}

fn own_from_json(fields: &Fields<'_>) -> OwnSent {
    OwnSent {
        offset: fields.offset("offset"),
        conversation: ConversationId(fields.array("conversation")),
        seq: Seq(fields.u64("seq")),
        id: fields.id("id"),
        sent_at: Timestamp(fields.u64("sent_at")),
    }
}

fn entry_to_json(entry: &HistoryEntry) -> Value {
    json!({
        "seq": entry.seq.0,
        "id": hex(&entry.id.to_bytes()),
        "from": entry.from.as_str(),
        "sent_at": entry.sent_at.0,
        "body": body_to_json(&entry.body),
    })
}

fn entry_from_json(fields: &Fields<'_>) -> HistoryEntry {
    HistoryEntry {
        seq: Seq(fields.u64("seq")),
        id: fields.id("id"),
        from: fields.user("from"),
        sent_at: Timestamp(fields.u64("sent_at")),
        body: fields.body(),
    }
}

fn body_to_json(body: &Body) -> Value {
    match body.as_text() {
        Some(text) => json!({"kind": body.kind().0, "text": text}),
        None => json!({"kind": body.kind().0, "hex": hex(body.bytes())}),
    }
}

/// Fields of a frame. The vectors are ours, so a wrong one fails the test where it is read.
struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    fn at(&self, name: &str) -> Fields<'a> {
        Fields(&self.0[name])
    }

    fn u64(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name} in {}", self.0))
    }

    fn u32(&self, name: &str) -> u32 {
        u32::try_from(self.u64(name)).unwrap()
    }

    fn u16(&self, name: &str) -> u16 {
        u16::try_from(self.u64(name)).unwrap()
    }

    fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap()
    }

    fn text(&self, name: &str) -> &'a str {
        self.0[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.0))
    }

    fn array(&self, name: &str) -> [u8; 16] {
        unhex(self.text(name)).try_into().unwrap()
    }

    fn request(&self) -> RequestId {
        RequestId(self.u32("request"))
    }

    fn offset(&self, name: &str) -> Offset {
        Offset(self.u64(name))
    }

    fn user(&self, name: &str) -> UserId {
        UserId::new(self.text(name)).unwrap()
    }

    fn id(&self, name: &str) -> MessageId {
        MessageId::from_bytes(self.array(name)).unwrap()
    }

    fn body(&self) -> Body {
        let body = self.at("body");
        let kind = BodyKind(body.u16("kind") as u8);
        let bytes = match body.0["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => unhex(body.text("hex")),
        };
        Body::new(kind, Bytes::from(bytes)).unwrap()
    }

    fn refusal(&self) -> Refusal {
        let code = ErrorCode::from_number(self.u16("code")).unwrap();
        assert_eq!(self.flag("retryable"), code.is_retryable());
        Refusal { code, retry_after_ms: self.u32("retry_after_ms") }
    }

    fn list(&self, name: &str) -> impl Iterator<Item = Fields<'a>> + use<'a> {
        self.0[name].as_array().unwrap().iter().map(Fields)
    }
}
