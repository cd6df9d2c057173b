//! Whole sessions as the server sees them: frames, answers, pushes and time, in any order.
//!
//! An input is a script: each step is a byte that says what happens, then what it needs.

use std::sync::Arc;

use bytes::Bytes;
use iris_protocol::DrainHint;
use iris_protocol::hello::ClientHello;
use iris_protocol::server::{ACKNOWLEDGE_REQUEST, ServerConfig, ServerConnection, ServerEvent};
use iris_protocol::{Capabilities, ClientFrame, Versions};
use iris_types::limits::{FRAME_PAYLOAD_BYTES_MAX, OUTPUT_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX};
use iris_types::request::{
    Answer, Attached, ConversationPage, HistoryPage, InboxPage, Request, RequestId, Sent,
};
use iris_types::{
    Body, BodyKind, Change, ConversationId, ConversationState, DeviceId, ErrorCode, Flags, GroupDescription,
    GroupReceipt, GroupSummary, GroupTitle, InboxEntry, InboxItem, InboxMessage, Marks, MessageId, Monotonic,
    Offset, Peer, Policy, Presence, PresenceState, Receipt, ReceiptPage, Refusal, RosterPage, Seq, Settings,
    Timestamp, Typing, UserId,
};

use super::{Script, frames};
use crate::behaviour;

/// Bytes that a connection may hold: what it may send, a partial frame, and its bookkeeping.
const HELD_BYTES_MAX: usize = 2 * OUTPUT_BYTES_MAX + FRAME_PAYLOAD_BYTES_MAX + 64 * REQUESTS_IN_FLIGHT_MAX;
const RECEIVE: u8 = 0;
const WAIT: u8 = 1;
const ANSWER: u8 = 2;
const REFUSE: u8 = 3;
const PUSH: u8 = 4;
const TRANSMIT: u8 = 5;
const CLOSE: u8 = 6;
const DRAIN: u8 = 7;

/// The connection and what surrounds it.
struct World {
    connection: ServerConnection,
    now: Monotonic,
    waiting: Vec<(RequestId, Option<Request>)>,
    log_end: u64,
    logins: u32,
    is_closed: bool,
    seen: Vec<u64>,
}

pub(crate) fn run(input: &[u8]) -> u64 {
    let mut world = World::new();
    let mut script = Script::new(input);
    while !script.is_over() {
        world.step(&mut script);
        world.check();
    }
    behaviour(&world.seen)
}

impl World {
    fn new() -> Self {
        let config = Arc::new(ServerConfig::default());
        let now = Monotonic(1_000);
        let connection = ServerConnection::new(&config, now);
        Self {
            connection,
            now,
            waiting: Vec::new(),
            log_end: 3,
            logins: 0,
            is_closed: false,
            seen: Vec::new(),
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 8 {
            RECEIVE => {
                let count = script.number() as usize;
                self.receive(script.bytes(count));
            }
            WAIT => self.wait(script.number() * 16),
            ANSWER => self.answer(script.byte()),
            REFUSE => self.refuse(script.byte()),
            PUSH => self.push(script.byte()),
            TRANSMIT => self.transmit(),
            CLOSE => self.connection.close(ErrorCode::Replaced),
            DRAIN => self.connection.drain(DrainHint { reconnect_after_ms: 5, jitter_ms: 9 }),
            _ => unreachable!("a remainder of eight"),
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut events = Vec::new();
        let was_closing = self.connection.is_closing();
        self.connection.receive(bytes, self.now, &mut events);
        assert!(!was_closing || events.is_empty(), "a closing connection asks for something");
        for event in events {
            self.take(event);
        }
    }

    fn take(&mut self, event: ServerEvent) {
        assert!(!self.is_closed, "something comes after Close");
        match event {
            ServerEvent::Authenticate { .. } => {
                self.logins += 1;
                assert_eq!(self.logins, 1, "a second login");
                self.note(1);
                self.waiting.push((ACKNOWLEDGE_REQUEST, None));
            }
            ServerEvent::Request { id, request } => {
                assert_eq!(self.logins, 1, "a request before the login");
                self.note(2 + kind(&request));
                if !matches!(request, Request::Acknowledge { .. } | Request::Typing { .. }) {
                    self.waiting.push((id, Some(request)));
                }
            }
            ServerEvent::Close => {
                self.is_closed = true;
                self.note(60);
            }
        }
    }

    fn wait(&mut self, milliseconds: u64) {
        self.now = self.now.plus_millis(milliseconds);
        if self.connection.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.connection.handle_deadline(self.now);
            self.note(61);
            let still = self.connection.deadline().is_some_and(|deadline| deadline <= self.now);
            assert!(!still || self.connection.is_closing(), "a deadline that was handled stays");
        }
    }

    fn answer(&mut self, which: u8) {
        if self.waiting.is_empty() {
            return;
        }
        let (id, request) = self.waiting.remove(usize::from(which) % self.waiting.len());
        match request {
            None => {
                let attached =
                    Attached { cursor: Offset(1), last: Offset(self.log_end), server_time: Timestamp(9) };
                self.connection.accept_login(attached);
            }
            Some(request) => {
                let answer = self.answer_to(&request);
                self.connection.answer(id, answer);
            }
        }
    }

    fn answer_to(&mut self, request: &Request) -> Answer {
        match request {
            Request::SendMessage(send) => {
                self.log_end += 1;
                Answer::Sent(Sent {
                    id: send.id,
                    conversation: ConversationId([4; 16]),
                    seq: Seq(self.log_end),
                    sent_at: Timestamp(10),
                    offset: Some(Offset(self.log_end)),
                })
            }
            Request::ReadInbox { after } => Answer::InboxPage(InboxPage {
                after: *after,
                gap: None,
                entries: (after.0 + 1..=self.log_end.min(after.0.saturating_add(4)))
                    .filter_map(entry)
                    .collect(),
                last: Offset(self.log_end),
            }),
            Request::ReadHistory(_) | Request::Acknowledge { .. } | Request::Typing { .. } => {
                Answer::HistoryPage(HistoryPage {
                    conversation: ConversationId([4; 16]),
                    entries: Vec::new(),
                    more: false,
                })
            }
            Request::ListConversations(_) => {
                Answer::Conversations(ConversationPage { items: Vec::new(), more: true })
            }
            Request::ListDevices => Answer::Devices(Vec::new()),
            Request::CreateGroup(create) => Answer::Sent(Sent {
                id: create.id,
                conversation: ConversationId([4; 16]),
                seq: Seq(1),
                sent_at: Timestamp(10),
                offset: None,
            }),
            Request::ReadGroup { group } => group_of(*group).map_or(Answer::Done, Answer::Group),
            Request::ReadRoster(_) => Answer::Roster(RosterPage { items: Vec::new(), more: false }),
            Request::ReadReceipts(read) => {
                let by = Vec::new();
                let members = u32::from(read.limit);
                Answer::Receipts(ReceiptPage { delivered: 0, read: 0, members, by, more: false })
            }
            Request::ReadSettings => Answer::Settings(Settings::default()),
            Request::ReadPresence(watched) => {
                let hidden = |user: &UserId| Presence { user: user.clone(), state: PresenceState::Hidden };
                Answer::Presence(watched.iter().map(|one| hidden(&one.user)).collect())
            }
            Request::RenameDevice(_)
            | Request::RevokeDevice(_)
            | Request::ChangeGroup(_)
            | Request::MarkRead(_)
            | Request::SetFlags(_)
            | Request::BlockUser(_)
            | Request::ChangeSettings(_)
            | Request::Watch(_) => Answer::Done,
        }
    }

    fn refuse(&mut self, which: u8) {
        if self.waiting.is_empty() {
            return;
        }
        let (id, request) = self.waiting.remove(usize::from(which) % self.waiting.len());
        let refusal = Refusal::new(ErrorCode::Busy);
        match request {
            None => self.connection.refuse_login(refusal, Timestamp(5)),
            Some(_) => self.connection.answer(id, Answer::Refused { refusal, server_time: Timestamp(5) }),
        }
    }

    /// Mostly the next entry, sometimes one that was there or one that skips some; or what is no entry.
    fn push(&mut self, how: u8) {
        if how >= 128 {
            return self.tell(how);
        }
        let offset = match how % 8 {
            0 => self.log_end,
            1 => self.log_end + 2,
            _ => self.log_end + 1,
        };
        self.log_end = self.log_end.max(offset);
        if let Some(entry) = entry(offset) {
            self.connection.push(&entry);
        }
    }

    fn tell(&mut self, how: u8) {
        let Ok(user) = UserId::new(&format!("user{}", how % 32)) else { return };
        let conversation = ConversationId([4; 16]);
        if how.is_multiple_of(2) {
            self.connection.tell_presence(&Presence { user, state: PresenceState::Online });
        } else {
            self.connection.tell_typing(&Typing { conversation, user, on: true });
        }
    }

    fn transmit(&mut self) {
        let mut out = Vec::new();
        let said = self.connection.transmit(&mut out);
        assert_eq!(said, !out.is_empty(), "transmit says whether there was anything");
        self.note(70 + out.first().map_or(0, |opcode| u64::from(*opcode)));
    }

    fn check(&self) {
        assert!(
            self.connection.heap_bytes() <= HELD_BYTES_MAX,
            "{} bytes held",
            self.connection.heap_bytes()
        );
        assert!(self.waiting.len() <= REQUESTS_IN_FLIGHT_MAX + 2, "{} requests wait", self.waiting.len());
    }

    fn note(&mut self, what: u64) {
        if self.seen.len() < 6 {
            self.seen.push(what);
        }
    }
}

const fn kind(request: &Request) -> u64 {
    match request {
        Request::SendMessage(_) => 0,
        Request::ReadInbox { .. } => 1,
        Request::Acknowledge { .. } => 2,
        Request::ReadHistory(_) => 3,
        Request::ListConversations(_) => 4,
        Request::ListDevices => 5,
        Request::RenameDevice(_) => 6,
        Request::RevokeDevice(_) => 7,
        Request::CreateGroup(_) => 8,
        Request::ChangeGroup(_) => 9,
        Request::ReadGroup { .. } => 10,
        Request::ReadRoster(_) => 11,
        Request::MarkRead(_) => 12,
        Request::ReadReceipts(_) => 13,
        Request::SetFlags(_) => 14,
        Request::BlockUser(_) => 15,
        Request::ReadSettings => 16,
        Request::ChangeSettings(_) => 17,
        Request::Watch(_) | Request::ReadPresence(_) => 18,
        Request::Typing { .. } => 19,
    }
}

fn group_of(group: ConversationId) -> Option<GroupSummary> {
    Some(GroupSummary {
        group,
        title: GroupTitle::new("Tea").ok()?,
        description: GroupDescription::new("").ok()?,
        policy: Policy::default(),
        created_at: Timestamp(9),
        members: 2,
        invited: 0,
        role: None,
        last_seq: Seq(3),
    })
}

/// Every kind of entry, by its offset. Every third message was sent by the device itself.
fn entry(offset: u64) -> Option<Arc<InboxEntry>> {
    let (conversation, at) = (ConversationId([4; 16]), Timestamp(offset));
    let marks = Marks { delivered: Seq(offset), read: Seq(1) };
    let (title, bob) = (GroupTitle::new("Tea").ok()?, UserId::new("bob").ok()?);
    let text = Body::new(BodyKind::TEXT, Bytes::from_static(b"hello")).ok()?;
    let item = match offset % 11 {
        5 => message(offset, Peer::Group(title), text)?,
        6 => message(offset, Peer::Group(title), Change::Invited(bob).to_body())?,
        7 => InboxItem::Receipt(Receipt { conversation, user: bob, marks, at }),
        8 => {
            let (group, seq) = (conversation, Seq(offset));
            let (delivered, read, members) = (2, 1, 3);
            InboxItem::GroupReceipt(GroupReceipt {
                group,
                seq,
                delivered,
                read,
                members,
                everybody: marks,
                at,
            })
        }
        9 => {
            let (read, flags) = (Seq(1), Flags::MUTED);
            InboxItem::State(ConversationState { conversation, read, unread: 2, flags, at })
        }
        10 => InboxItem::Settings(Settings::default(), at),
        _ => message(offset, Peer::User(UserId::new("alice").ok()?), text)?,
    };
    Some(Arc::new(InboxEntry { offset: Offset(offset), item }))
}

fn message(offset: u64, with: Peer, body: Body) -> Option<InboxItem> {
    Some(InboxItem::Message(InboxMessage {
        conversation: ConversationId([4; 16]),
        seq: Seq(offset),
        id: MessageId::from_parts(Timestamp(offset), [2; 10]),
        from: UserId::new("bob").ok()?,
        with,
        origin: DeviceId::new("phone").ok().filter(|_| offset.is_multiple_of(3)),
        sent_at: Timestamp(offset),
        body,
    }))
}

/// Logs in, syncs, sends, gets pushes and acknowledges.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for versions in [Versions::ONLY_1, Versions::ALL] {
        let hello = ClientFrame::Hello(ClientHello { versions, capabilities: Capabilities::ALL });
        let mut script = received(&frames::encoded(&hello));
        for frame in frames::client_seeds() {
            script.extend(received(&frame));
            script.extend([ANSWER, 0, TRANSMIT]);
            seeds.push(script.clone());
        }
        script.extend([PUSH, 2].repeat(12));
        script.extend([PUSH, 128, PUSH, 129, TRANSMIT]);
        script
            .extend([PUSH, 2, PUSH, 2, PUSH, 0, PUSH, 1, TRANSMIT, DRAIN, WAIT, 0xff, 0xff, TRANSMIT, CLOSE]);
        seeds.push(script);
    }
    seeds
}

fn received(frame: &[u8]) -> Vec<u8> {
    let length = (frame.len() as u16).to_be_bytes();
    [&[RECEIVE][..], &length, frame].concat()
}
