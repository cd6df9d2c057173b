use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use iris_cluster::{CoreLink, EdgeLink, ToCore, ToEdge};
use iris_edge::EdgeInbox;
use iris_types::request::{
    Answer, Attached, InboxPage, Login, Request, RequestId, SendMessage, Sent, SessionId,
};
use iris_types::{
    Body, ConversationId, DeviceId, ErrorCode, InboxEntry, InboxItem, InboxMessage, MessageId, Offset,
    Refusal, Seq, Target, UserId,
};

use super::{PATIENCE, START};

/// Answers everything at once: one inbox log per user, kept in memory.
pub struct FakeCore {
    inboxes: Vec<Arc<EdgeInbox>>,
    state: Mutex<State>,
    changed: Condvar,
    /// Takes nothing.
    pub is_full: AtomicBool,
    /// Takes everything and says nothing.
    pub is_silent: AtomicBool,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<SessionId, (UserId, DeviceId)>,
    logs: BTreeMap<UserId, Vec<Arc<InboxEntry>>>,
    seqs: BTreeMap<ConversationId, u64>,
    detached: Vec<UserId>,
    acknowledged: BTreeMap<UserId, Offset>,
    requests: u64,
}

impl FakeCore {
    pub fn new(inboxes: Vec<Arc<EdgeInbox>>) -> Self {
        Self {
            inboxes,
            state: Mutex::default(),
            changed: Condvar::new(),
            is_full: AtomicBool::new(false),
            is_silent: AtomicBool::new(false),
        }
    }

    pub fn deliver(&self, message: ToEdge) {
        let session = match &message {
            ToEdge::Answer { session, .. }
            | ToEdge::Push { session, .. }
            | ToEdge::Presence { session, .. }
            | ToEdge::Typing { session, .. }
            | ToEdge::Close { session, .. } => *session,
        };
        self.inboxes[usize::from(session.event_loop)].deliver(&mut vec![message]);
    }

    pub fn session_of(&self, user: &str) -> Option<SessionId> {
        let state = self.state.lock().unwrap();
        state.sessions.iter().find(|(_, (of, _))| of.as_str() == user).map(|(session, _)| *session)
    }

    pub fn requests(&self) -> u64 {
        self.state.lock().unwrap().requests
    }

    pub fn sessions(&self) -> usize {
        self.state.lock().unwrap().sessions.len()
    }

    pub fn wait_for_detach(&self, user: &str) {
        self.wait(&format!("detach of {user}"), |state| state.detached.iter().any(|of| of.as_str() == user));
    }

    pub fn wait_for_acknowledgement(&self, user: &str, up_to: Offset) {
        let user = UserId::new(user).unwrap();
        self.wait("acknowledgement", |state| state.acknowledged.get(&user) == Some(&up_to));
    }

    pub fn wait_for_requests(&self, count: u64) {
        self.wait("requests", |state| state.requests >= count);
    }

    fn wait(&self, what: &str, is_there: impl Fn(&State) -> bool) {
        let guard = self.state.lock().unwrap();
        let (guard, timeout) =
            self.changed.wait_timeout_while(guard, PATIENCE, |state| !is_there(state)).unwrap();
        drop(guard);
        assert!(!timeout.timed_out(), "no {what}");
    }
}

impl CoreLink for FakeCore {
    fn submit(&self, batch: &mut Vec<ToCore>) {
        if self.is_full.load(Ordering::SeqCst) {
            return;
        }
        let mut answers = Vec::new();
        let mut state = self.state.lock().unwrap();
        for message in batch.drain(..) {
            state.handle(message, &mut answers);
        }
        drop(state);
        self.changed.notify_all();
        if !self.is_silent.load(Ordering::SeqCst) {
            answers.into_iter().for_each(|answer| self.deliver(answer));
        }
    }
}

impl State {
    fn handle(&mut self, message: ToCore, out: &mut Vec<ToEdge>) {
        match message {
            ToCore::Attach { session, login } => self.attach(session, login, out),
            ToCore::Detach { session, user } => {
                self.sessions.remove(&session);
                self.detached.push(user);
            }
            ToCore::Request { session, user, id, request, .. } => {
                self.requests += 1;
                self.request(session, user, id, request, out);
            }
        }
    }

    fn attach(&mut self, session: SessionId, login: Login, out: &mut Vec<ToEdge>) {
        let id = RequestId(0);
        if login.user.as_str() == "refused" {
            let refusal = Refusal::new(ErrorCode::TokenRevoked);
            let answer = Answer::Refused { refusal, server_time: START };
            return out.push(ToEdge::Answer { session, id, answer });
        }
        let tenant = (login.user.clone(), login.device);
        let replaced =
            self.sessions.iter().filter(|(_, other)| **other == tenant).map(|(session, _)| *session);
        out.extend(replaced.map(|session| ToEdge::Close { session, code: ErrorCode::Replaced }));
        self.sessions.insert(session, tenant);
        let last = Offset(self.logs.entry(login.user).or_default().len() as u64);
        let attached = Attached { cursor: Offset::ZERO, last, server_time: START };
        out.push(ToEdge::Answer { session, id, answer: Answer::Attached(attached) });
    }

    fn request(
        &mut self,
        session: SessionId,
        user: UserId,
        id: RequestId,
        request: Request,
        out: &mut Vec<ToEdge>,
    ) {
        let answer = match request {
            Request::SendMessage(SendMessage { id, to: Target::User(to), body, .. }) => {
                Answer::Sent(self.send(user, to, id, body, out))
            }
            Request::ReadInbox { after } => Answer::InboxPage(self.page(&user, after)),
            Request::Acknowledge { up_to } => {
                self.acknowledged.insert(user, up_to);
                return;
            }
            Request::Typing { .. } => return,
            _ => Answer::Refused { refusal: ErrorCode::NotMember.into(), server_time: START },
        };
        out.push(ToEdge::Answer { session, id, answer });
    }

    fn send(&mut self, from: UserId, to: UserId, id: MessageId, body: Body, out: &mut Vec<ToEdge>) -> Sent {
        let conversation = ConversationId::direct(&from, &to);
        let seq = self.seqs.entry(conversation).or_insert(0);
        *seq += 1;
        let seq = Seq(*seq);
        let log = self.logs.entry(to.clone()).or_default();
        let message = InboxMessage {
            conversation,
            seq,
            id,
            from: from.clone(),
            with: from.into(),
            origin: None,
            sent_at: START,
            body,
        };
        let entry =
            Arc::new(InboxEntry { offset: Offset(log.len() as u64 + 1), item: InboxItem::Message(message) });
        log.push(Arc::clone(&entry));
        let to = self.sessions.iter().filter(|(_, (user, _))| *user == to).map(|(session, _)| *session);
        out.extend(to.map(|session| ToEdge::Push { session, entry: Arc::clone(&entry) }));
        Sent { id, conversation, seq, sent_at: START, offset: None }
    }

    fn page(&self, user: &UserId, after: Offset) -> InboxPage {
        let log = self.logs.get(user).map_or(&[][..], Vec::as_slice);
        let entries = log.iter().skip(after.0 as usize).take(16).cloned().collect();
        InboxPage { after, gap: None, entries, last: Offset(log.len() as u64) }
    }
}
