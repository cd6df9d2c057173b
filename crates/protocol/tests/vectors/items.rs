//! Parts of frames as JSON and back.

use bytes::Bytes;
use iris_protocol::batch::BatchItem;
use iris_protocol::entry::Entry;
use iris_protocol::read_inbox::OwnSent;
use iris_protocol::send_message::{Send, SendResult};
use iris_types::request::{RequestId, SendMessage, Sent};
use iris_types::{
    Audience, Body, BodyKind, ConversationId, ConversationState, DeviceId, ErrorCode, Flags,
    GroupDescription, GroupReceipt, GroupTitle, HistoryEntry, InboxEntry, InboxItem, InboxMessage, Marks,
    MessageId, Offset, Peer, Receipt, Refusal, Seq, Settings, Target, Timestamp, UserId,
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
    let (name, fields) = item.0.as_object().unwrap().iter().next().unwrap();
    match name.as_str() {
        "Sent" => BatchItem::Sent(result_from_json(&Fields(fields))),
        entry => BatchItem::Entry(entry_from_json(entry, &Fields(fields))),
    }
}

/// The name of a frame or item with an entry, and its fields.
pub(crate) fn entry_to_json(entry: &Entry) -> (&'static str, Value) {
    let (name, mut fields) = match entry {
        Entry::OwnSent(own) => ("OwnSent", own_to_json(own)),
        Entry::Later(_) => ("LaterEntry", json!({})),
        Entry::Whole(entry) => match &entry.item {
            InboxItem::Message(message) => message_to_json(message),
            InboxItem::Receipt(receipt) => ("Receipt", receipt_to_json(receipt)),
            InboxItem::GroupReceipt(receipt) => ("GroupReceipt", group_receipt_to_json(receipt)),
            InboxItem::State(state) => ("ConversationState", state_to_json(state)),
            InboxItem::Settings(settings, at) => {
                let mut fields = settings_to_json(*settings);
                fields["at"] = json!(at.0);
                ("SettingsEntry", fields)
            }
        },
    };
    fields["offset"] = json!(entry.offset().0);
    (name, fields)
}

pub(crate) fn entry_from_json(name: &str, fields: &Fields<'_>) -> Entry {
    let item = match name {
        "OwnSent" => return Entry::OwnSent(own_from_json(fields)),
        "Delivery" => InboxItem::Message(message_from_json(fields, Peer::User(fields.user("with")))),
        "GroupDelivery" => InboxItem::Message(message_from_json(fields, Peer::Group(fields.title("title")))),
        "Receipt" => InboxItem::Receipt(Receipt {
            conversation: ConversationId(fields.array("conversation")),
            user: fields.user("user"),
            marks: fields.marks(),
            at: fields.at_time(),
        }),
        "GroupReceipt" => InboxItem::GroupReceipt(GroupReceipt {
            group: ConversationId(fields.array("group")),
            seq: Seq(fields.u64("seq")),
            delivered: fields.u32("delivered"),
            read: fields.u32("read"),
            members: fields.u32("members"),
            everybody: Marks {
                delivered: Seq(fields.u64("everybody_delivered")),
                read: Seq(fields.u64("everybody_read")),
            },
            at: fields.at_time(),
        }),
        "ConversationState" => InboxItem::State(ConversationState {
            conversation: ConversationId(fields.array("conversation")),
            read: Seq(fields.u64("read")),
            unread: fields.u64("unread"),
            flags: fields.flags("flags"),
            at: fields.at_time(),
        }),
        "SettingsEntry" => InboxItem::Settings(fields.settings(), fields.at_time()),
        other => panic!("frame {other}"),
    };
    Entry::Whole(InboxEntry { offset: fields.offset("offset"), item })
}

fn receipt_to_json(receipt: &Receipt) -> Value {
    json!({
        "conversation": hex(&receipt.conversation.0),
        "user": receipt.user.as_str(),
        "delivered": receipt.marks.delivered.0,
        "read": receipt.marks.read.0,
        "at": receipt.at.0,
    })
}

fn group_receipt_to_json(receipt: &GroupReceipt) -> Value {
    json!({
        "group": hex(&receipt.group.0),
        "seq": receipt.seq.0,
        "delivered": receipt.delivered,
        "read": receipt.read,
        "members": receipt.members,
        "everybody_delivered": receipt.everybody.delivered.0,
        "everybody_read": receipt.everybody.read.0,
        "at": receipt.at.0,
    })
}

fn state_to_json(state: &ConversationState) -> Value {
    json!({
        "conversation": hex(&state.conversation.0),
        "read": state.read.0,
        "unread": state.unread,
        "flags": state.flags.bits(),
        "at": state.at.0,
    })
}

pub(crate) fn settings_to_json(settings: Settings) -> Value {
    json!({
        "read_receipts": settings.read_receipts,
        "last_seen": settings.last_seen.number(),
        "typing": settings.typing,
    })
}

/// A name, or the group in an object.
pub(crate) fn target_to_json(target: &Target) -> Value {
    match target {
        Target::User(user) => json!(user.as_str()),
        Target::Group(group) => json!({"group": hex(&group.0)}),
    }
}

/// A name, or the title in an object.
pub(crate) fn peer_to_json(peer: &Peer) -> Value {
    match peer {
        Peer::User(user) => json!(user.as_str()),
        Peer::Group(title) => json!({"title": title.as_str()}),
    }
}

pub(crate) fn send_to_json(send: &Send) -> Value {
    let message = &send.message;
    json!({
        "request": send.request.0,
        "id": hex(&message.id.to_bytes()),
        "previous": message.previous.map(|previous| hex(&previous.to_bytes())),
        "to": target_to_json(&message.to),
        "body": body_to_json(&message.body),
    })
}

pub(crate) fn send_from_json(fields: &Fields<'_>) -> Send {
    let previous = (!fields.0["previous"].is_null()).then(|| fields.id("previous"));
    let message = SendMessage { id: fields.id("id"), to: fields.target("to"), previous, body: fields.body() };
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

fn message_to_json(message: &InboxMessage) -> (&'static str, Value) {
    let mut fields = json!({
        "seq": message.seq.0,
        "id": hex(&message.id.to_bytes()),
        "from": message.from.as_str(),
        "sent_at": message.sent_at.0,
        "body": body_to_json(&message.body),
    });
    let (name, conversation, place, with) = match &message.with {
        Peer::User(user) => ("Delivery", "conversation", "with", user.as_str()),
        Peer::Group(title) => ("GroupDelivery", "group", "title", title.as_str()),
    };
    fields[conversation] = json!(hex(&message.conversation.0));
    fields[place] = json!(with);
    (name, fields)
}

fn message_from_json(fields: &Fields<'_>, with: Peer) -> InboxMessage {
    let conversation = if with.user().is_some() { "conversation" } else { "group" };
    InboxMessage {
        conversation: ConversationId(fields.array(conversation)),
        seq: Seq(fields.u64("seq")),
        id: fields.id("id"),
        from: fields.user("from"),
        with,
        origin: None,
        sent_at: Timestamp(fields.u64("sent_at")),
        body: fields.body(),
    }
}

fn own_to_json(own: &OwnSent) -> Value {
    json!({
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

pub(crate) fn history_to_json(entry: &HistoryEntry) -> Value {
    json!({
        "seq": entry.seq.0,
        "id": hex(&entry.id.to_bytes()),
        "from": entry.from.as_str(),
        "sent_at": entry.sent_at.0,
        "body": body_to_json(&entry.body),
    })
}

pub(crate) fn history_from_json(fields: &Fields<'_>) -> HistoryEntry {
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

    pub(crate) fn u8(&self, name: &str) -> u8 {
        u8::try_from(self.u64(name)).unwrap()
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

    pub(crate) fn target(&self, name: &str) -> Target {
        match self.0[name].as_str() {
            Some(_) => Target::User(self.user(name)),
            None => Target::Group(ConversationId(self.at(name).array("group"))),
        }
    }

    pub(crate) fn peer(&self, name: &str) -> Peer {
        match self.0[name].as_str() {
            Some(_) => Peer::User(self.user(name)),
            None => Peer::Group(self.at(name).title("title")),
        }
    }

    pub(crate) fn title(&self, name: &str) -> GroupTitle {
        GroupTitle::new(self.text(name)).unwrap()
    }

    pub(crate) fn description(&self) -> GroupDescription {
        GroupDescription::new(self.text("description")).unwrap()
    }

    /// The name behind which a page starts.
    pub(crate) fn after(&self) -> Option<UserId> {
        (!self.0["after"].is_null()).then(|| self.user("after"))
    }

    pub(crate) fn flags(&self, name: &str) -> Flags {
        Flags::from_bits(self.u8(name)).unwrap()
    }

    pub(crate) fn marks(&self) -> Marks {
        Marks { delivered: Seq(self.u64("delivered")), read: Seq(self.u64("read")) }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            read_receipts: self.flag("read_receipts"),
            last_seen: Audience::from_number(self.u8("last_seen")).unwrap(),
            typing: self.flag("typing"),
        }
    }

    fn at_time(&self) -> Timestamp {
        Timestamp(self.u64("at"))
    }

    pub(crate) fn device(&self) -> DeviceId {
        DeviceId::new(self.text("device")).unwrap()
    }

    pub(crate) fn id(&self, name: &str) -> MessageId {
        MessageId::from_bytes(self.array(name)).unwrap()
    }

    pub(crate) fn body(&self) -> Body {
        let (kind, bytes) = self.at("body").kind_and_bytes();
        Body::new(kind, bytes).unwrap()
    }

    /// Of a body or the begin of one.
    pub(crate) fn kind_and_bytes(&self) -> (BodyKind, Bytes) {
        let bytes = match self.0["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => unhex(self.text("hex")),
        };
        (BodyKind(self.u8("kind")), Bytes::from(bytes))
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
