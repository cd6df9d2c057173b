//! Both machines over a pipe in memory, with a core that follows a script of one user, alice.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

mod others;

use std::sync::Arc;

use bytes::Bytes;
use iris_protocol::client::{ClientConfig, ClientConnection, ClientEvent, Entry};
use iris_protocol::server::{ACKNOWLEDGE_REQUEST, SYNC_REQUEST, ServerConfig, ServerConnection, ServerEvent};
use iris_protocol::{Capabilities, Versions};
use iris_types::request::{
    Answer, Attached, ConversationPage, HistoryFrom, HistoryPage, InboxPage, ReadHistory, RenameDevice,
    Request, RequestId, RevokeDevice, SendMessage, Sent,
};
use iris_types::{
    Body, BodyKind, ConversationId, ConversationSummary, DeviceId, DeviceSummary, ErrorCode, Flags,
    HistoryEntry, InboxEntry, InboxItem, InboxMessage, MessageId, Monotonic, Offset, Preview, Refusal, Seq,
    Settings, Standing, Target, Timestamp, UserId,
};

pub(crate) use self::others::Group;

/// HS256 with the secret of the protocol document: alice, for an hour from [`START`] on.
pub(crate) const TOKEN: &[u8] = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZSIsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxNzY3MjI5MjAwLCJqdGkiOiI4ZjE0ZTQ1ZiJ9.gF_emQwlZXV7lr0OhxVTRLi_b_ZcuuSL_JlxMsfYc2E";
/// 2026-01-01 00:00:00 UTC.
pub(crate) const START: u64 = 1_767_225_600_000;

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn text(text: &str) -> Body {
    Body::new(BodyKind::TEXT, Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

pub(crate) fn message_id(number: u8) -> MessageId {
    MessageId::from_parts(Timestamp(START + u64::from(number)), [number; 10])
}

pub(crate) fn message(number: u8, body: &str) -> SendMessage {
    SendMessage { id: message_id(number), to: user("bob").into(), previous: None, body: text(body) }
}

pub(crate) fn conversation() -> ConversationId {
    ConversationId::direct(&user("alice"), &user("bob"))
}

fn device(name: &str) -> DeviceSummary {
    DeviceSummary {
        device: DeviceId::new(name).unwrap(),
        label: None,
        registered_at: Timestamp(START),
        last_login: Timestamp(START + 5),
        online: name == "phone",
    }
}

/// The core's side: alice's inbox and her conversation with bob.
pub(crate) struct Core {
    pub(crate) inbox: Vec<Arc<InboxEntry>>,
    pub(crate) trimmed_to: u64,
    pub(crate) cursor: Offset,
    pub(crate) page_items: usize,
    /// Whether results of sends tell their place in the inbox; otherwise the entry is pushed.
    pub(crate) folds_offsets: bool,
    pub(crate) history: Vec<HistoryEntry>,
    pub(crate) devices: Vec<DeviceSummary>,
    pub(crate) group: Option<Group>,
    pub(crate) settings: Settings,
}

impl Default for Core {
    fn default() -> Self {
        Self {
            inbox: Vec::new(),
            trimmed_to: 0,
            cursor: Offset(0),
            page_items: 3,
            folds_offsets: true,
            history: Vec::new(),
            devices: ["phone", "laptop"].map(device).into(),
            group: None,
            settings: Settings::default(),
        }
    }
}

impl Core {
    pub(crate) fn last(&self) -> Offset {
        Offset(self.inbox.len() as u64)
    }

    /// Commits a message to the conversation and to alice's inbox.
    pub(crate) fn commit(
        &mut self,
        from: &str,
        device: Option<&str>,
        id: MessageId,
        body: Body,
    ) -> Arc<InboxEntry> {
        let seq = Seq(self.history.len() as u64 + 1);
        let sent_at = Timestamp(START + 1_000 + seq.0);
        self.history.push(HistoryEntry { seq, id, from: user(from), sent_at, body: body.clone() });
        let message = InboxMessage {
            conversation: conversation(),
            seq,
            id,
            from: user(from),
            with: user("bob").into(),
            origin: device.map(|device| DeviceId::new(device).unwrap()),
            sent_at,
            body,
        };
        self.put(InboxItem::Message(message))
    }

    /// Adds an entry to the inbox.
    pub(crate) fn put(&mut self, item: InboxItem) -> Arc<InboxEntry> {
        let entry = Arc::new(InboxEntry { offset: Offset(self.last().0 + 1), item });
        self.inbox.push(Arc::clone(&entry));
        entry
    }

    /// Bob writes.
    pub(crate) fn receive(&mut self, number: u8, body: &str) -> Arc<InboxEntry> {
        self.commit("bob", None, message_id(number), text(body))
    }

    pub(crate) fn attached(&self) -> Attached {
        Attached { cursor: self.cursor, last: self.last(), server_time: Timestamp(START) }
    }

    /// Answers a request, and what is pushed because of it.
    pub(crate) fn handle(&mut self, request: Request) -> (Option<Answer>, Vec<Arc<InboxEntry>>) {
        match request {
            Request::SendMessage(send) => self.send(send),
            Request::ReadInbox { after } => (Some(self.page(after)), Vec::new()),
            Request::Acknowledge { up_to } => (self.acknowledge(up_to), Vec::new()),
            Request::ReadHistory(read) => (Some(self.history_page(&read)), Vec::new()),
            Request::ListConversations(_) => {
                let items = self.history.last().map(|last| self.summary(last)).into_iter().collect();
                (Some(Answer::Conversations(ConversationPage { items, more: false })), Vec::new())
            }
            Request::ListDevices => (Some(Answer::Devices(self.devices.clone())), Vec::new()),
            Request::RenameDevice(RenameDevice { device, label }) => {
                let known = self.devices.iter_mut().find(|known| known.device == device);
                let answer = known.map(|known| known.label = Some(label));
                (Some(answer.map_or(refusal(ErrorCode::UnknownDevice), |()| Answer::Done)), Vec::new())
            }
            Request::RevokeDevice(RevokeDevice { device }) => {
                self.devices.retain(|known| known.device != device);
                (Some(Answer::Done), Vec::new())
            }
            request => self.handle_other(request),
        }
    }

    fn summary(&self, last: &HistoryEntry) -> ConversationSummary {
        ConversationSummary {
            conversation: conversation(),
            with: user("bob").into(),
            standing: Standing::Member,
            last_seq: last.seq,
            read: Seq(2),
            unread: last.seq.0 - 2,
            flags: Flags::default(),
            last: Preview::of(last.from.clone(), last.sent_at, &last.body),
        }
    }

    fn send(&mut self, send: SendMessage) -> (Option<Answer>, Vec<Arc<InboxEntry>>) {
        let entry = match send.to {
            Target::User(_) => self.commit("alice", Some("phone"), send.id, send.body),
            Target::Group(_) => self.commit_to_group("alice", Some("phone"), send.id, send.body),
        };
        let InboxItem::Message(message) = &entry.item else { panic!("{entry:?}") };
        let sent = Sent {
            id: message.id,
            conversation: message.conversation,
            seq: message.seq,
            sent_at: message.sent_at,
            offset: self.folds_offsets.then_some(entry.offset),
        };
        // A push of what was folded in does no harm: the connection drops it.
        (Some(Answer::Sent(sent)), vec![Arc::clone(&entry)])
    }

    fn page(&self, after: Offset) -> Answer {
        if after > self.last() {
            return refusal(ErrorCode::CursorAhead);
        }
        let gap = (after.0 < self.trimmed_to).then(|| (Offset(after.0 + 1), Offset(self.trimmed_to)));
        let first = after.0.max(self.trimmed_to) as usize;
        let entries = self.inbox[first..].iter().take(self.page_items).cloned().collect();
        Answer::InboxPage(InboxPage { after, gap, entries, last: self.last() })
    }

    fn acknowledge(&mut self, up_to: Offset) -> Option<Answer> {
        if up_to > self.last() {
            return Some(refusal(ErrorCode::CursorAhead));
        }
        self.cursor = self.cursor.max(up_to);
        None
    }

    fn history_page(&self, read: &ReadHistory) -> Answer {
        let limit = usize::from(read.limit);
        let (conversation, history) = match (&read.with, &self.group) {
            (Target::Group(_), None) => return refusal(ErrorCode::NotMember),
            (Target::Group(_), Some(group)) => (group.id, &group.history),
            (Target::User(_), _) => (conversation(), &self.history),
        };
        let fits = |entry: &&HistoryEntry| match read.from {
            HistoryFrom::Latest => true,
            HistoryFrom::Before(seq) => entry.seq < seq,
            HistoryFrom::After(seq) => entry.seq > seq,
        };
        let all: Vec<_> = history.iter().filter(fits).cloned().collect();
        let more = all.len() > limit;
        let entries = match read.from {
            HistoryFrom::After(_) => all.into_iter().take(limit).collect(),
            _ => all[all.len().saturating_sub(limit)..].to_vec(),
        };
        Answer::HistoryPage(HistoryPage { conversation, entries, more })
    }
}

pub(crate) fn refusal(code: ErrorCode) -> Answer {
    Answer::Refused { refusal: Refusal::new(code), server_time: Timestamp(START) }
}

/// One of the two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Both machines and the core.
pub(crate) struct Pair {
    pub(crate) client: ClientConnection,
    pub(crate) server: ServerConnection,
    pub(crate) core: Core,
    pub(crate) events: Vec<ClientEvent>,
    /// Every flight of bytes, in order.
    pub(crate) flights: Vec<(Side, Vec<u8>)>,
    pub(crate) now: Monotonic,
    /// Bytes handed over at once; 0: all.
    pub(crate) piece_bytes: usize,
    /// Whether the client acknowledges what it gets, as a client does.
    pub(crate) acknowledges: bool,
}

pub(crate) fn login(versions: Versions) -> ClientConfig {
    ClientConfig {
        versions,
        capabilities: Capabilities::ALL,
        token: Bytes::from_static(TOKEN),
        device: DeviceId::new("phone").unwrap(),
        nonce: [0x5a; 16],
        at: Timestamp(START),
    }
}

impl Pair {
    pub(crate) fn new(client: Versions, server: &Arc<ServerConfig>) -> Self {
        let now = Monotonic(1_000);
        Self {
            client: ClientConnection::new(login(client), now),
            server: ServerConnection::new(server, now),
            core: Core::default(),
            events: Vec::new(),
            flights: Vec::new(),
            now,
            piece_bytes: 0,
            acknowledges: true,
        }
    }

    /// Moves bytes and answers requests until nothing moves any more.
    pub(crate) fn settle(&mut self) {
        while self.client_flight() | self.server_flight() {}
    }

    /// Something else of alice's happens, and the core pushes it.
    pub(crate) fn happens(&mut self, item: InboxItem) {
        let entry = self.core.put(item);
        self.server.push(&entry);
    }

    /// Bob writes, and the core pushes.
    pub(crate) fn receive(&mut self, number: u8, body: &str) {
        let entry = self.core.receive(number, body);
        self.server.push(&entry);
    }

    pub(crate) fn client_flight(&mut self) -> bool {
        let mut bytes = Vec::new();
        if !self.client.transmit(&mut bytes) {
            return false;
        }
        for piece in pieces(&bytes, self.piece_bytes) {
            let mut events = Vec::new();
            self.server.receive(piece, self.now, &mut events);
            events.into_iter().for_each(|event| self.serve(event));
        }
        self.flights.push((Side::Client, bytes));
        true
    }

    pub(crate) fn server_flight(&mut self) -> bool {
        let mut bytes = Vec::new();
        if !self.server.transmit(&mut bytes) {
            return false;
        }
        for piece in pieces(&bytes, self.piece_bytes) {
            let from = self.events.len();
            self.client.receive(piece, self.now, &mut self.events);
            if self.acknowledges {
                acknowledge(&mut self.client, &self.events[from..]);
            }
        }
        self.flights.push((Side::Server, bytes));
        true
    }

    fn serve(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::Authenticate { token, .. } => {
                assert_eq!(token, TOKEN);
                self.server.answer(RequestId(0), Answer::Attached(self.core.attached()));
            }
            ServerEvent::Request { id, request } => {
                assert_eq!(id == SYNC_REQUEST, matches!(request, Request::ReadInbox { .. }));
                let has_none = matches!(request, Request::Acknowledge { .. } | Request::Typing { .. });
                assert_eq!(id == ACKNOWLEDGE_REQUEST, has_none);
                let (answer, pushed) = self.core.handle(request);
                answer.into_iter().for_each(|answer| self.server.answer(id, answer));
                pushed.iter().for_each(|entry| self.server.push(entry));
            }
            ServerEvent::Close => {}
        }
    }

    /// What the device was given, in order: offsets of entries and of results, negative for gaps' ends.
    pub(crate) fn given(&self) -> Vec<i64> {
        let mut given = Vec::new();
        for event in &self.events {
            match event {
                ClientEvent::Entries { gap, entries } => {
                    given.extend(gap.iter().flat_map(|(first, last)| [-(first.0 as i64), -(last.0 as i64)]));
                    given.extend(entries.iter().map(|entry| entry.offset().0 as i64));
                }
                ClientEvent::Sent { sent, .. } => given.extend(sent.offset.map(|offset| offset.0 as i64)),
                _ => {}
            }
        }
        given
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let entries = self.events.iter().flat_map(|event| match event {
            ClientEvent::Entries { entries, .. } => entries.as_slice(),
            _ => &[],
        });
        entries.map(shown).collect()
    }
}

fn shown(entry: &Entry) -> String {
    let Entry::Whole(InboxEntry { item, .. }) = entry else {
        return if matches!(entry, Entry::OwnSent(_)) { "(own)" } else { "(later)" }.to_owned();
    };
    match item {
        InboxItem::Message(message) => match iris_types::Change::from_body(&message.body) {
            Ok(change) => format!("({})", change.name()),
            Err(_) => message.body.as_text().unwrap().to_owned(),
        },
        InboxItem::Receipt(_) => "(receipt)".to_owned(),
        InboxItem::GroupReceipt(_) => "(group receipt)".to_owned(),
        InboxItem::State(_) => "(state)".to_owned(),
        InboxItem::Settings(..) => "(settings)".to_owned(),
    }
}

/// Stores at once and says so.
fn acknowledge(client: &mut ClientConnection, events: &[ClientEvent]) {
    for event in events {
        match event {
            ClientEvent::Entries { gap, entries } => {
                let last = entries.last().map(Entry::offset).or(gap.map(|(_, last)| last));
                last.into_iter().for_each(|last| client.acknowledge(last));
            }
            ClientEvent::Sent { sent, .. } => {
                sent.offset.into_iter().for_each(|offset| client.acknowledge(offset));
            }
            _ => {}
        }
    }
}

fn pieces(bytes: &[u8], size: usize) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(if size == 0 { bytes.len() } else { size })
}
