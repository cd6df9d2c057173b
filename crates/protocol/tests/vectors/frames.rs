//! The frames that the vectors show: each at least once, each optional field with and without.

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
use iris_protocol::read_inbox::{Delivery, Gap, OwnSent, PageEnd, Sync, SyncNeeded};
use iris_protocol::refusal::Refused;
use iris_protocol::rename_device::Rename;
use iris_protocol::revoke_device::Revoke;
use iris_protocol::send_message::{Send, SendResult};
use iris_protocol::{Capabilities, ClientFrame, DrainHint, ServerFrame, ServerLimits, Versions};
use iris_types::request::{
    Attached, ConversationPage, HistoryFrom, ListConversations, ReadHistory, RenameDevice, RequestId,
    RevokeDevice, SendMessage, Sent,
};
use iris_types::{
    Body, BodyKind, ConversationId, ConversationSummary, DeviceId, DeviceLabel, DeviceSummary, ErrorCode,
    HistoryEntry, InboxMessage, MessageId, Offset, Refusal, Seq, Timestamp, UserId,
};

/// 2026-01-01 00:00:00 UTC.
const START: u64 = 1_767_225_600_000;

/// Frame, side, and tagged fields that no version knows.
pub(crate) const EXTENDED: &[(&str, &str, &str)] = &[
    ("Hello", "client", "07000401020304"),
    ("SendMessage", "client", "fe0000"),
    ("SendBatch", "client", "07000101"),
    ("Ready", "server", "0700010108000102"),
    ("Refused", "server", "09000155"),
    ("Delivery", "server", "070003616263"),
    ("Batch", "server", "07000101"),
    ("RenameDevice", "client", "07000101"),
    ("Devices", "server", "07000101"),
];

/// What is wrong, side, bytes.
pub(crate) const MALFORMED: &[(&str, &str, &str)] = &[
    ("ends inside a field", "client", "03000b0000000100000000000000"),
    ("more than the fields, and no tagged field", "client", "08000a000000000000000109ff"),
    ("a tagged field that is longer than the rest", "client", "08000c0000000000000001090002ff"),
    ("request 0 is the server's", "client", "03000c000000000000000000000000"),
    ("a batch without items", "client", "2000020000"),
    ("a flag that is neither 0 nor 1", "client", "07000700000001020064"),
    ("an item of a kind that there is not", "server", "a000030001ff"),
    ("a gap whose last lies before its first", "server", "87001000000000000000050000000000000004"),
    ("a label with a control character", "client", "0a000a000000010164034f1b4b"),
    ("a label that is empty", "client", "0a000700000001016400"),
    ("a revocation of request 0", "client", "0b0006000000000164"),
    ("an answer to request 0", "server", "91000400000000"),
];

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn id(number: u8) -> MessageId {
    MessageId::from_parts(Timestamp(START + u64::from(number)), [number; 10])
}

fn text(text: &str) -> Body {
    Body::new(BodyKind::TEXT, Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn opaque() -> Body {
    Body::new(BodyKind(200), Bytes::from_static(&[0x00, 0xff, 0x80])).unwrap()
}

fn conversation() -> ConversationId {
    ConversationId::direct(&user("alice"), &user("bob"))
}

fn send(request: u32, previous: Option<MessageId>, body: Body) -> Send {
    let message = SendMessage { id: id(request as u8), to: user("bob"), previous, body };
    Send { request: RequestId(request), message }
}

fn result(request: u32, offset: Option<u64>) -> SendResult {
    let sent = Sent {
        id: id(request as u8),
        conversation: conversation(),
        seq: Seq(41 + u64::from(request)),
        sent_at: Timestamp(START + 1_000),
        offset: offset.map(Offset),
    };
    SendResult { request: RequestId(request), sent }
}

fn delivery(offset: u64, from: &str, body: Body) -> Delivery {
    let message = InboxMessage {
        conversation: conversation(),
        seq: Seq(offset + 30),
        id: id(offset as u8),
        from: user(from),
        with: user("bob"),
        origin: None,
        sent_at: Timestamp(START + 2_000),
        body,
    };
    Delivery { offset: Offset(offset), message }
}

fn own(offset: u64) -> OwnSent {
    OwnSent {
        offset: Offset(offset),
        conversation: conversation(),
        seq: Seq(offset + 30),
        id: id(offset as u8),
        sent_at: Timestamp(START + 3_000),
    }
}

fn entry(seq: u64, from: &str, body: Body) -> HistoryEntry {
    HistoryEntry { seq: Seq(seq), id: id(seq as u8), from: user(from), sent_at: Timestamp(START + seq), body }
}

fn read(request: u32, from: HistoryFrom) -> ClientFrame {
    let read = ReadHistory { with: user("bob"), from, limit: 50 };
    ClientFrame::ReadHistory(Read { request: RequestId(request), read })
}

fn list(request: u32, after: Option<ConversationId>) -> ClientFrame {
    let list = ListConversations { after, limit: 100 };
    ClientFrame::ListConversations(List { request: RequestId(request), list })
}

fn rename(request: u32, device: &str, label: &str) -> ClientFrame {
    let device = DeviceId::new(device).unwrap();
    let rename = RenameDevice { device, label: DeviceLabel::new(label).unwrap() };
    ClientFrame::RenameDevice(Rename { request: RequestId(request), rename })
}

fn revoke(request: u32, device: &str) -> ClientFrame {
    let revoke = RevokeDevice { device: DeviceId::new(device).unwrap() };
    ClientFrame::RevokeDevice(Revoke { request: RequestId(request), revoke })
}

pub(crate) fn client() -> Vec<ClientFrame> {
    vec![
        ClientFrame::Hello(ClientHello { versions: Versions::ALL, capabilities: Capabilities(0) }),
        ClientFrame::Hello(ClientHello {
            versions: Versions::ONLY_1,
            capabilities: Capabilities(0x8000_0001),
        }),
        ClientFrame::Authenticate(Authenticate {
            token: Bytes::from_static(b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"),
            device: DeviceId::new("phone").unwrap(),
            nonce: *b"0123456789abcdef",
            at: Timestamp(START),
        }),
        ClientFrame::Sync(Sync { request: RequestId(1), after: Offset(0) }),
        ClientFrame::Sync(Sync { request: RequestId(0xffff_fffe), after: Offset(0x0102_0304_0506) }),
        ClientFrame::Acknowledge(Acknowledge { up_to: Offset(17) }),
        ClientFrame::SendMessage(send(2, None, text("hi"))),
        ClientFrame::SendMessage(send(3, Some(id(2)), text("Grüße 👋"))),
        ClientFrame::SendMessage(send(4, None, opaque())),
        read(5, HistoryFrom::Latest),
        read(6, HistoryFrom::Before(Seq(42))),
        read(7, HistoryFrom::After(Seq(42))),
        list(8, None),
        list(9, Some(conversation())),
        ClientFrame::Ping(Ping { token: 0x0102_0304 }),
        ClientFrame::ListDevices(ListDevices { request: RequestId(12) }),
        rename(13, "phone", "Alice's phone 📱"),
        revoke(14, "laptop"),
        ClientFrame::SendBatch(vec![Ok(send(10, None, text("one"))), Ok(send(11, Some(id(10)), opaque()))]),
    ]
}

fn ready() -> Ready {
    let attached = Attached { cursor: Offset(16), last: Offset(20), server_time: Timestamp(START + 123) };
    Ready { attached, limits: ServerLimits::default() }
}

fn refused(request: u32, refusal: Refusal, server_time: u64, opcode: Option<u8>) -> ServerFrame {
    let server_time = Timestamp(server_time);
    ServerFrame::Refused(Refused { request: RequestId(request), refusal, server_time, opcode })
}

fn page_end(last: u64, live: bool) -> ServerFrame {
    let (last, log_end) = (Offset(last), Offset(20));
    ServerFrame::PageEnd(PageEnd { request: RequestId(1), last, log_end, live })
}

fn history_end(more: bool) -> ServerFrame {
    ServerFrame::HistoryEnd(HistoryEnd { request: RequestId(5), conversation: conversation(), more })
}

fn conversations(request: u32, items: Vec<ConversationSummary>, more: bool) -> ServerFrame {
    let page = ConversationPage { items, more };
    ServerFrame::Conversations(Conversations { request: RequestId(request), page })
}

fn device(name: &str, label: Option<&str>, online: bool) -> DeviceSummary {
    DeviceSummary {
        device: DeviceId::new(name).unwrap(),
        label: label.map(|label| DeviceLabel::new(label).unwrap()),
        registered_at: Timestamp(START),
        last_login: Timestamp(START + 60_000),
        online,
    }
}

fn devices(request: u32, items: Vec<DeviceSummary>) -> ServerFrame {
    ServerFrame::Devices(Devices { request: RequestId(request), items })
}

pub(crate) fn server() -> Vec<ServerFrame> {
    let hint = DrainHint { reconnect_after_ms: 500, jitter_ms: 5_000 };
    let summary = ConversationSummary { conversation: conversation(), with: user("bob"), last_seq: Seq(44) };
    vec![
        ServerFrame::Hello(ServerHello { version: 2, capabilities: Capabilities(0) }),
        ServerFrame::Hello(ServerHello { version: 1, capabilities: Capabilities(1) }),
        ServerFrame::Ready(ready()),
        refused(0, Refusal::new(ErrorCode::StaleTimestamp), START + 5, None),
        refused(2, Refusal::after(ErrorCode::Busy, 100), 0, None),
        refused(0, Refusal::new(ErrorCode::UnknownOpcode), 0, Some(0x7f)),
        ServerFrame::Sent(result(2, Some(21))),
        ServerFrame::Sent(result(3, None)),
        ServerFrame::Delivery(delivery(17, "bob", text("hello"))),
        ServerFrame::Delivery(delivery(18, "alice", opaque())),
        ServerFrame::OwnSent(own(19)),
        ServerFrame::Gap(Gap { first: Offset(3), last: Offset(9) }),
        page_end(19, false),
        page_end(20, true),
        ServerFrame::SyncNeeded(SyncNeeded { last: Offset(20) }),
        ServerFrame::HistoryEntry(HistoryItem {
            request: RequestId(5),
            entry: entry(41, "bob", text("hello")),
        }),
        history_end(false),
        history_end(true),
        conversations(8, Vec::new(), false),
        conversations(9, vec![summary], true),
        ServerFrame::Pong(Pong { token: 0x0102_0304 }),
        ServerFrame::Drain(Drain { hint }),
        ServerFrame::Closed(Closed { refusal: Refusal::new(ErrorCode::Replaced) }),
        ServerFrame::Closed(Closed { refusal: Refusal::after(ErrorCode::Draining, 500) }),
        devices(12, Vec::new()),
        devices(12, vec![device("phone", Some("Alice's phone 📱"), true), device("laptop", None, false)]),
        ServerFrame::Done(Done { request: RequestId(13) }),
        ServerFrame::Batch(vec![
            BatchItem::Sent(result(10, Some(21))),
            BatchItem::Delivery(delivery(22, "bob", text("hello"))),
            BatchItem::Delivery(delivery(23, "alice", opaque())),
            BatchItem::OwnSent(own(24)),
            BatchItem::Sent(result(11, None)),
        ]),
        ServerFrame::HistoryBatch(HistoryBatch {
            request: RequestId(5),
            entries: vec![entry(41, "bob", text("hello")), entry(42, "alice", opaque())],
        }),
    ]
}
