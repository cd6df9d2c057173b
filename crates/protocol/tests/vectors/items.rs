//! Parts of frames as JSON and back.

use bytes::Bytes;
use iris_protocol::batch::BatchItem;
use iris_protocol::read_inbox::{Delivery, OwnSent};
use iris_protocol::send_message::{Send, SendResult};
use iris_types::request::{RequestId, SendMessage, Sent};
use iris_types::{
    Body, BodyKind, ConversationId, DeviceId, ErrorCode, HistoryEntry, InboxMessage, MessageId, Offset,
    Refusal, Seq, Timestamp, UserId,
};
use serde_json::{Value, json};

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

pub(crate) fn item_from_json(item: &Fields<'_>) -> BatchItem {
    let (kind, fields) = item.0.as_object().unwrap().iter().next().unwrap();
    let fields = Fields(fields);
    match kind.as_str() {
        "Delivery" => BatchItem::Delivery(delivery_from_json(&fields)),
        "OwnSent" => BatchItem::OwnSent(own_from_json(&fields)),
        "Sent" => BatchItem::Sent(result_from_json(&fields)),
        other => panic!("item {other}"),
    }
}

pub(crate) fn send_to_json(send: &Send) -> Value {
    let message = &send.message;
    json!({
        "request": send.request.0,
        "id": hex(&message.id.to_bytes()),
        "previous": message.previous.map(|previous| hex(&previous.to_bytes())),
        "to": message.to.as_str(),
        "body": body_to_json(&message.body),
    })
}

pub(crate) fn send_from_json(fields: &Fields<'_>) -> Send {
    let previous = (!fields.0["previous"].is_null()).then(|| fields.id("previous"));
    let message = SendMessage { id: fields.id("id"), to: fields.user("to"), previous, body: fields.body() };
    Send { request: fields.request(), message }
}

pub(crate) fn result_to_json(result: &SendResult) -> Value {
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

pub(crate) fn result_from_json(fields: &Fields<'_>) -> SendResult {
    let sent = Sent {
        id: fields.id("id"),
        conversation: ConversationId(fields.array("conversation")),
        seq: Seq(fields.u64("seq")),
        sent_at: Timestamp(fields.u64("sent_at")),
        offset: Some(fields.offset("offset")).filter(|offset| *offset != Offset::ZERO),
    };
    SendResult { request: fields.request(), sent }
}

pub(crate) fn delivery_to_json(delivery: &Delivery) -> Value {
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

pub(crate) fn delivery_from_json(fields: &Fields<'_>) -> Delivery {
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

pub(crate) fn own_to_json(own: &OwnSent) -> Value {
    json!({
        "offset": own.offset.0,
        "conversation": hex(&own.conversation.0),
        "seq": own.seq.0,
        "id": hex(&own.id.to_bytes()),
        "sent_at": own.sent_at.0,
    })
}

pub(crate) fn own_from_json(fields: &Fields<'_>) -> OwnSent {
    OwnSent {
        offset: fields.offset("offset"),
        conversation: ConversationId(fields.array("conversation")),
        seq: Seq(fields.u64("seq")),
        id: fields.id("id"),
        sent_at: Timestamp(fields.u64("sent_at")),
    }
}

pub(crate) fn entry_to_json(entry: &HistoryEntry) -> Value {
    json!({
        "seq": entry.seq.0,
        "id": hex(&entry.id.to_bytes()),
        "from": entry.from.as_str(),
        "sent_at": entry.sent_at.0,
        "body": body_to_json(&entry.body),
    })
}

pub(crate) fn entry_from_json(fields: &Fields<'_>) -> HistoryEntry {
    HistoryEntry {
        seq: Seq(fields.u64("seq")),
        id: fields.id("id"),
        from: fields.user("from"),
        sent_at: Timestamp(fields.u64("sent_at")),
        body: fields.body(),
    }
}

pub(crate) fn body_to_json(body: &Body) -> Value {
    match body.as_text() {
        Some(text) => json!({"kind": body.kind().0, "text": text}),
        None => json!({"kind": body.kind().0, "hex": hex(body.bytes())}),
    }
}

/// Fields of a frame. The vectors are ours, so a wrong one fails the test where it is read.
pub(crate) struct Fields<'a>(pub(crate) &'a Value);

impl<'a> Fields<'a> {
    pub(crate) fn at(&self, name: &str) -> Fields<'a> {
        Fields(&self.0[name])
    }

    pub(crate) fn u64(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name} in {}", self.0))
    }

    pub(crate) fn u32(&self, name: &str) -> u32 {
        u32::try_from(self.u64(name)).unwrap()
    }

    pub(crate) fn u16(&self, name: &str) -> u16 {
        u16::try_from(self.u64(name)).unwrap()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0[name].as_bool().unwrap()
    }

    pub(crate) fn text(&self, name: &str) -> &'a str {
        self.0[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.0))
    }

    pub(crate) fn array(&self, name: &str) -> [u8; 16] {
        unhex(self.text(name)).try_into().unwrap()
    }

    pub(crate) fn request(&self) -> RequestId {
        RequestId(self.u32("request"))
    }

    pub(crate) fn offset(&self, name: &str) -> Offset {
        Offset(self.u64(name))
    }

    pub(crate) fn user(&self, name: &str) -> UserId {
        UserId::new(self.text(name)).unwrap()
    }

    pub(crate) fn device(&self) -> DeviceId {
        DeviceId::new(self.text("device")).unwrap()
    }

    pub(crate) fn id(&self, name: &str) -> MessageId {
        MessageId::from_bytes(self.array(name)).unwrap()
    }

    pub(crate) fn body(&self) -> Body {
        let body = self.at("body");
        let kind = BodyKind(body.u16("kind") as u8);
        let bytes = match body.0["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => unhex(body.text("hex")),
        };
        Body::new(kind, Bytes::from(bytes)).unwrap()
    }

    pub(crate) fn refusal(&self) -> Refusal {
        let code = ErrorCode::from_number(self.u16("code")).unwrap();
        assert_eq!(self.flag("retryable"), code.is_retryable());
        Refusal { code, retry_after_ms: self.u32("retry_after_ms") }
    }

    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = Fields<'a>> + use<'a> {
        self.0[name].as_array().unwrap().iter().map(Fields)
    }
}
