//! `web/tests/samples.ts`: one of everything that this crate gives out, as the TypeScript SDK has to understand it. Its
//! type check fails when `web/sdk/src/machine.ts` says otherwise.
//!
//! `UPDATE_SAMPLES=1` writes the file; the change is then for a person to judge.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use bytes::Bytes;
use iris_client_core::{
    ClientEvent, Outcome, Output, OwnMessage, QueryNumber, SendNumber, Settled, StoreOperation, StoreToken,
    Unsent,
};
use iris_client_web::view::OutputView;
use iris_types::{
    Audience, Body, BodyKind, Change, ConversationId, ConversationState, ConversationSummary, DeviceId,
    DeviceLabel, DeviceSummary, ErrorCode, Flags, GroupDescription, GroupReceipt, GroupSummary, GroupTitle,
    HistoryEntry, InboxItem, InboxMessage, Marks, MessageId, Monotonic, Offset, Peer, Policy, Presence,
    PresenceState, Preview, Receipt, ReceiptPage, Refusal, Role, RosterItem, Seq, Settings, Standing, Target,
    Timestamp, Typing, UserId,
};

const QUERY: QueryNumber = QueryNumber(7);
const GROUP: ConversationId = ConversationId([0xab; 16]);
const AT: Timestamp = Timestamp(1_767_225_600_000);

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn title() -> GroupTitle {
    GroupTitle::new("Team").unwrap()
}

fn id() -> MessageId {
    MessageId::from_parts(AT, [5; 10])
}

fn text() -> Body {
    Body::new(BodyKind::TEXT, Bytes::from_static(b"hi")).unwrap()
}

fn message(with: Peer, origin: Option<DeviceId>, body: Body) -> InboxMessage {
    let (from, sent_at) = (user("bob"), AT);
    InboxMessage { conversation: GROUP, seq: Seq(3), id: id(), from, with, origin, sent_at, body }
}

fn changes() -> Vec<Change> {
    vec![
        Change::Created(title()),
        Change::Invited(user("bob")),
        Change::Added(user("bob")),
        Change::Joined,
        Change::Removed(user("bob")),
        Change::Left(None),
        Change::Left(Some(user("bob"))),
        Change::Renamed(title()),
        Change::Described(GroupDescription::new("What it is for").unwrap()),
        Change::Role(Role::Admin, user("bob")),
        Change::Policy(Policy::ADMINS_ADD.with(Policy::OPEN_HISTORY)),
    ]
}

fn items() -> Vec<InboxItem> {
    let marks = Marks { delivered: Seq(4), read: Seq(3) };
    let other = Body::new(BodyKind(9), Bytes::from_static(&[0, 255])).unwrap();
    let mut items = vec![
        InboxItem::Message(message(Peer::User(user("bob")), None, text())),
        InboxItem::Message(message(Peer::Group(title()), Some(DeviceId::new("phone").unwrap()), other)),
        InboxItem::Receipt(Receipt { conversation: GROUP, user: user("bob"), marks, at: AT }),
        InboxItem::GroupReceipt(GroupReceipt {
            group: GROUP,
            seq: Seq(3),
            delivered: 2,
            read: 1,
            members: 3,
            everybody: marks,
            at: AT,
        }),
        InboxItem::State(ConversationState {
            conversation: GROUP,
            read: Seq(2),
            unread: 1,
            flags: Flags::MUTED,
            at: AT,
        }),
        InboxItem::Settings(Settings::default(), AT),
    ];
    let changed = changes().into_iter().map(|change| message(Peer::Group(title()), None, change.to_body()));
    items.extend(changed.map(InboxItem::Message));
    items
}

fn operations() -> Vec<StoreOperation> {
    let to = Target::User(user("bob"));
    let group = Target::Group(GROUP);
    let reference = Some(Bytes::from_static(b"mine"));
    let unsent = |to: &Target, id: Option<MessageId>| Unsent {
        number: SendNumber(1),
        to: to.clone(),
        body: text(),
        id,
        id_given: id.is_some(),
        reference: reference.clone(),
    };
    let mut operations = vec![
        StoreOperation::PutUnsent(unsent(&to, None)),
        StoreOperation::PutUnsent(unsent(&group, Some(id()))),
        StoreOperation::DropSettled(SendNumber(1)),
        StoreOperation::PutSent(OwnMessage {
            conversation: GROUP,
            seq: Seq(3),
            id: id(),
            to: to.clone(),
            sent_at: AT,
            body: text(),
        }),
        StoreOperation::PutGap { first: Offset(1), last: Offset(4) },
        StoreOperation::SetShown(Offset(4)),
        StoreOperation::SetCursor(Offset(4)),
        StoreOperation::PutReadMark { target: group, up_to: Seq(3) },
        StoreOperation::DropReadMark(to),
    ];
    operations.extend(settled().into_iter().map(StoreOperation::Settle));
    operations
        .extend(items().into_iter().map(|item| StoreOperation::PutReceived { offset: Offset(5), item }));
    operations
}

fn settled() -> Vec<Settled> {
    let sent = Outcome::Sent { conversation: GROUP, seq: Seq(3), sent_at: AT };
    let failed = Outcome::Failed(Refusal::after(ErrorCode::Busy, 200));
    let settled = |outcome| Settled {
        number: SendNumber(1),
        to: Target::User(user("bob")),
        id: Some(id()),
        reference: None,
        outcome,
    };
    vec![settled(sent), settled(failed)]
}

fn answers() -> Vec<ClientEvent> {
    let with = Target::User(user("bob"));
    let (query, group, settings) =
        (QUERY, GROUP, Settings { last_seen: Audience::Nobody, ..Settings::default() });
    let entry = HistoryEntry { seq: Seq(3), id: id(), from: user("bob"), sent_at: AT, body: text() };
    let summary = |with, standing| ConversationSummary {
        conversation: GROUP,
        with,
        standing,
        last_seq: Seq(3),
        read: Seq(2),
        unread: 1,
        flags: Flags::PINNED,
        last: Preview::of(user("bob"), AT, &text()),
    };
    let items = [Standing::Member, Standing::Invited, Standing::Gone].map(|standing| {
        let with = if standing == Standing::Member { Peer::User(user("bob")) } else { Peer::Group(title()) };
        summary(with, standing)
    });
    let device = |label: Option<DeviceLabel>| DeviceSummary {
        device: DeviceId::new("phone").unwrap(),
        label,
        registered_at: AT,
        last_login: AT,
        online: true,
    };
    let member = |role| RosterItem { user: user("bob"), role, since: Seq(1) };
    let roles = [None, Some(Role::Member), Some(Role::Admin), Some(Role::Owner)];
    let by = vec![(user("bob"), Marks { delivered: Seq(3), read: Seq(2) })];
    let presences = [PresenceState::Hidden, PresenceState::Online, PresenceState::LastSeen(AT)]
        .map(|state| Presence { user: user("bob"), state });
    vec![
        ClientEvent::HistoryPage { query, conversation: GROUP, with: with.clone(), entries: vec![entry] },
        ClientEvent::HistoryEnd { query, with: with.clone(), count: 1, more: false },
        ClientEvent::Conversations { query, items: items.into(), next: Some(GROUP) },
        ClientEvent::Devices { query, items: vec![device(None), device(DeviceLabel::new("Phone").ok())] },
        ClientEvent::Done { query },
        ClientEvent::GroupCreated { query, group },
        ClientEvent::GroupChanged { query, group, seq: None },
        ClientEvent::Group {
            query,
            group: GroupSummary {
                group,
                title: title(),
                description: GroupDescription::new("").unwrap(),
                policy: Policy::MEMBERS_INVITE,
                created_at: AT,
                members: 3,
                invited: 1,
                role: Some(Role::Owner),
                last_seq: Seq(3),
            },
        },
        ClientEvent::Roster { query, group, items: roles.map(member).into(), next: Some(user("carol")) },
        ClientEvent::Receipts {
            query,
            target: with,
            seq: Seq(3),
            receipts: ReceiptPage { delivered: 1, read: 0, members: 2, by, more: false },
        },
        ClientEvent::Settings { query, settings },
        ClientEvent::Presences { query, items: presences.into() },
        ClientEvent::QueryFailed { query, refusal: ErrorCode::NotMember.into() },
    ]
}

fn news() -> Vec<ClientEvent> {
    let refusal: Refusal = ErrorCode::TokenExpired.into();
    let mut news = vec![
        ClientEvent::Ready,
        ClientEvent::Synced,
        ClientEvent::Accepted { number: SendNumber(1) },
        ClientEvent::Gap { first: Offset(1), last: Offset(4) },
        ClientEvent::Presence(Presence { user: user("bob"), state: PresenceState::Online }),
        ClientEvent::Typing(Typing { conversation: GROUP, user: user("bob"), on: true }),
        ClientEvent::Refused(refusal),
        ClientEvent::Stopped(refusal),
        ClientEvent::Disconnected,
    ];
    news.extend(settled().into_iter().map(ClientEvent::Settled));
    news.extend(items().into_iter().map(|item| match item {
        InboxItem::Message(message) => ClientEvent::Message { offset: Offset(5), message },
        InboxItem::Receipt(receipt) => ClientEvent::Receipt { offset: Offset(5), receipt },
        InboxItem::GroupReceipt(receipt) => ClientEvent::GroupReceipt { offset: Offset(5), receipt },
        InboxItem::State(state) => ClientEvent::State { offset: Offset(5), state },
        InboxItem::Settings(settings, at) => ClientEvent::SettingsChanged { offset: Offset(5), settings, at },
    }));
    news
}

fn written() -> String {
    let mut outputs = vec![
        Output::Connect { at: Monotonic(5) },
        Output::Disconnect,
        Output::Store { token: StoreToken(1), operations: operations() },
    ];
    outputs.extend(answers().into_iter().chain(news()).map(Output::Event));
    let lines = outputs.iter().map(|output| serde_json::to_string(&OutputView::from(output)).unwrap());
    let lines = lines.map(|line| format!("  {line},\n")).collect::<String>();
    format!(
        "// One of everything that the machine gives out; written by `crates/client-web/tests/samples.rs`.\n\
         import type {{ Output }} from '../sdk/src/machine.js';\n\n\
         export const samples = [\n{lines}] as const satisfies readonly Output[];\n"
    )
}

#[test]
fn the_samples_for_typescript_are_current() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../web/tests/samples.ts");
    if std::env::var_os("UPDATE_SAMPLES").is_some() {
        std::fs::write(&file, written()).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap();
    assert!(found == written(), "UPDATE_SAMPLES=1 writes web/tests/samples.ts");
}
