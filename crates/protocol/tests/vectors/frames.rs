//! The frames that the vectors show: each at least once, each optional field with and without.

use bytes::Bytes;
use iris_protocol::acknowledge::Acknowledge;
use iris_protocol::authenticate::{Authenticate, Ready};
use iris_protocol::batch::BatchItem;
use iris_protocol::done::Done;
use iris_protocol::drain::{Closed, Drain};
use iris_protocol::entry::Entry;
use iris_protocol::hello::{ClientHello, ServerHello};
use iris_protocol::list_conversations::{Conversations, List};
use iris_protocol::list_devices::{Devices, ListDevices};
use iris_protocol::ping::{Ping, Pong};
use iris_protocol::read_history::{HistoryBatch, HistoryEnd, HistoryItem, Read};
use iris_protocol::read_inbox::{Gap, OwnSent, PageEnd, Sync, SyncNeeded};
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
    Body, BodyKind, Change, ConversationId, ConversationSummary, DeviceId, DeviceLabel, DeviceSummary,
    ErrorCode, Flags, GroupTitle, HistoryEntry, InboxEntry, InboxItem, InboxMessage, MessageId, Offset, Peer,
    Preview, Refusal, Seq, Standing, Target, Timestamp, UserId,
};

use crate::group_frames;

/// 2026-01-01 00:00:00 UTC.
pub(crate) const START: u64 = 1_767_225_600_000;

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
    ("CreateGroup", "client", "07000101"),
    ("ChangeGroup", "client", "07000101"),
    ("Typing", "client", "07000101"),
    ("GroupDelivery", "server", "07000101"),
    ("Group", "server", "07000101"),
    ("Presence", "server", "07000101"),
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
    ("a target that is neither a name nor a whole group", "client", "10000d0000000100000000000000002a"),
    (
        "a change that there is not",
        "client",
        "0d002500000001019b76daa81e7e1e9e1e1e1e1e1e1e1e111111111111111111111111111111110a",
    ),
    ("flags that nobody sets", "client", "12000a0000000103626f620808"),
    ("a setting that is not to be changed and not 0", "client", "1500080000000101010100"),
    ("nobody to ask about", "client", "170006000000010000"),
    ("an item of a Batch that ends before its length", "server", "a00006000114001300"),
    ("an unknown entry without an offset", "server", "b000070000000000000a"),
    ("a presence that is online and was last seen", "server", "9c000d03626f62010000000000000001"),
];

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn id(number: u8) -> MessageId {
    MessageId::from_parts(Timestamp(START + u64::from(number)), [number; 10])
}

pub(crate) fn text(text: &str) -> Body {
    Body::new(BodyKind::TEXT, Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

pub(crate) fn opaque() -> Body {
    Body::new(BodyKind(200), Bytes::from_static(&[0x00, 0xff, 0x80])).unwrap()
}

pub(crate) fn conversation() -> ConversationId {
    ConversationId::direct(&user("alice"), &user("bob"))
}

pub(crate) fn group() -> ConversationId {
    ConversationId::group(&user("alice"), id(30))
}

pub(crate) fn title() -> GroupTitle {
    GroupTitle::new("Tea 🍵").unwrap()
}

fn send(request: u32, previous: Option<MessageId>, body: Body) -> Send {
    let message = SendMessage { id: id(request as u8), to: user("bob").into(), previous, body };
    Send { request: RequestId(request), message }
}

fn send_to_group(request: u32, body: Body) -> Send {
    let message = SendMessage { to: Target::Group(group()), ..send(request, None, body).message };
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

/// A message with whatever names its conversation.
pub(crate) fn message(offset: u64, from: &str, with: Peer, body: Body) -> Entry {
    let conversation = if with.user().is_some() { conversation() } else { group() };
    let message = InboxMessage {
        conversation,
        seq: Seq(offset + 30),
        id: id(offset as u8),
        from: user(from),
        with,
        origin: None,
        sent_at: Timestamp(START + 2_000),
        body,
    };
    Entry::Whole(InboxEntry { offset: Offset(offset), item: InboxItem::Message(message) })
}

fn delivery(offset: u64, from: &str, body: Body) -> Entry {
    message(offset, from, user("bob").into(), body)
}

fn own(offset: u64) -> Entry {
    Entry::OwnSent(OwnSent {
        offset: Offset(offset),
        conversation: conversation(),
        seq: Seq(offset + 30),
        id: id(offset as u8),
        sent_at: Timestamp(START + 3_000),
    })
}

fn entry(seq: u64, from: &str, body: Body) -> HistoryEntry {
    HistoryEntry { seq: Seq(seq), id: id(seq as u8), from: user(from), sent_at: Timestamp(START + seq), body }
}

fn read(request: u32, with: Target, from: HistoryFrom) -> ClientFrame {
    let read = ReadHistory { with, from, limit: 50 };
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
        ClientFrame::SendMessage(send_to_group(15, text("hi all"))),
        read(5, user("bob").into(), HistoryFrom::Latest),
        read(6, user("bob").into(), HistoryFrom::Before(Seq(42))),
        read(7, user("bob").into(), HistoryFrom::After(Seq(42))),
        read(16, Target::Group(group()), HistoryFrom::Latest),
        list(8, None),
        list(9, Some(conversation())),
        ClientFrame::Ping(Ping { token: 0x0102_0304 }),
        ClientFrame::ListDevices(ListDevices { request: RequestId(12) }),
        rename(13, "phone", "Alice's phone 📱"),
        revoke(14, "laptop"),
        ClientFrame::SendBatch(vec![
            Ok(send(10, None, text("one"))),
            Ok(send(11, Some(id(10)), opaque())),
            Ok(send_to_group(17, text("and all"))),
        ]),
    ]
    .into_iter()
    .chain(group_frames::client())
    .collect()
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

fn summaries() -> Vec<ConversationSummary> {
    let summary = |conversation, with, standing, flags, last: &Body| ConversationSummary {
        conversation,
        with,
        standing,
        last_seq: Seq(44),
        read: Seq(40),
        unread: 3,
        flags,
        last: Preview::of(user("alice"), Timestamp(START + 44), last),
    };
    let change = Change::Invited(user("bob")).to_body();
    vec![
        summary(conversation(), user("bob").into(), Standing::Member, Flags::default(), &text("see you")),
        summary(group(), Peer::Group(title()), Standing::Invited, Flags::MUTED, &change),
        summary(group(), Peer::Group(title()), Standing::Gone, Flags::ARCHIVED, &opaque()),
    ]
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
    vec![
        ServerFrame::Hello(ServerHello { version: 2, capabilities: Capabilities(0) }),
        ServerFrame::Hello(ServerHello { version: 1, capabilities: Capabilities(1) }),
        ServerFrame::Ready(ready()),
        refused(0, Refusal::new(ErrorCode::StaleTimestamp), START + 5, None),
        refused(2, Refusal::after(ErrorCode::Busy, 100), 0, None),
        refused(0, Refusal::new(ErrorCode::UnknownOpcode), 0, Some(0x7f)),
        ServerFrame::Sent(result(2, Some(21))),
        ServerFrame::Sent(result(3, None)),
        ServerFrame::Entry(delivery(17, "bob", text("hello"))),
        ServerFrame::Entry(delivery(18, "alice", opaque())),
        ServerFrame::Entry(own(19)),
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
        conversations(9, summaries(), true),
        ServerFrame::Pong(Pong { token: 0x0102_0304 }),
        ServerFrame::Drain(Drain { hint }),
        ServerFrame::Closed(Closed { refusal: Refusal::new(ErrorCode::Replaced) }),
        ServerFrame::Closed(Closed { refusal: Refusal::after(ErrorCode::Draining, 500) }),
        devices(12, Vec::new()),
        devices(12, vec![device("phone", Some("Alice's phone 📱"), true), device("laptop", None, false)]),
        ServerFrame::Done(Done { request: RequestId(13) }),
        ServerFrame::Batch(vec![
            BatchItem::Sent(result(10, Some(21))),
            BatchItem::Entry(delivery(22, "bob", text("hello"))),
            BatchItem::Entry(delivery(23, "alice", opaque())),
            BatchItem::Entry(own(24)),
            BatchItem::Sent(result(11, None)),
        ]),
        ServerFrame::Batch(group_frames::entries().into_iter().map(BatchItem::Entry).collect()),
        ServerFrame::HistoryBatch(HistoryBatch {
            request: RequestId(5),
            entries: vec![
                entry(41, "bob", text("hello")),
                entry(42, "alice", opaque()),
                entry(43, "alice", Change::Invited(user("carol")).to_body()),
            ],
        }),
    ]
    .into_iter()
    .chain(group_frames::server())
    .collect()
}

/// What a later version may send: an entry of its own, as a frame and among others.
pub(crate) fn later() -> [Vec<u8>; 2] {
    let frame = [&[0xb0, 0, 11][..], &25_u64.to_be_bytes(), &[1, 2, 3]].concat();
    let mut batch = Vec::new();
    ServerFrame::Batch(vec![BatchItem::Entry(own(24)), BatchItem::Entry(own(26))])
        .encode(&mut batch)
        .unwrap();
    let item = [&[0xc8, 0, 10][..], &25_u64.to_be_bytes(), &[9, 9]].concat();
    let second = batch.len() - 57;
    batch.splice(second..second, item);
    let length = u16::try_from(batch.len() - 3).unwrap().to_be_bytes();
    batch[1..3].copy_from_slice(&length);
    batch[4] = 3;
    [frame, batch]
}
