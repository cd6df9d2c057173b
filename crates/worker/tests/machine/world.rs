//! Workers over one engine in memory, with a clock that tests move.

use std::sync::Arc;

use iris_store::memory::MemoryEngine;
use iris_types::placement::VnodeCount;
use iris_types::request::{
    Answer, HistoryFrom, ListConversations, Login, ReadHistory, Request, RequestId, SendMessage, Sent,
    SessionId, TokenFacts,
};
use iris_types::{
    ChangeGroup, ConversationId, ConversationSummary, ErrorCode, InboxEntry, LogId, MessageId, Monotonic,
    Offset, Peer, Policy, Position, Presence, Target, Timestamp, Typing, UserId, VnodeId,
};
use iris_worker::{
    AdminAnswer, AdminCommand, AdminId, Call, CallId, Frame, Input, Output, Placement, SharedCache,
    StopReason, Worker, WorkerConfig, WorkerIndex, WorkerLimits, execute,
};

use crate::cut::CutLogs;
pub(crate) use crate::words::{
    body, change_of, creation, device, message, refused, sent, session, small, text_of, text_of_body,
    to_group, user,
};

pub(crate) const DAY: u64 = 24 * 3_600_000;
/// Some day in 2026, at noon.
pub(crate) const NOON: u64 = 20_500 * DAY + DAY / 2;

pub(crate) struct World {
    pub(crate) engine: MemoryEngine,
    pub(crate) cache: SharedCache,
    pub(crate) workers: Vec<Worker>,
    pub(crate) limits: WorkerLimits,
    /// A log that ends earlier than it did, for an operator cut it.
    pub(crate) cut: Option<(LogId, Position)>,
    pub(crate) vnodes: u32,
    pub(crate) now: u64,
    pub(crate) mono: u64,
    /// Names of calls that are not carried out until [`World::release`].
    pub(crate) hold: Vec<&'static str>,
    pub(crate) held: Vec<(usize, CallId, Call)>,
    pub(crate) answers: Vec<(SessionId, RequestId, Answer)>,
    pub(crate) pushes: Vec<(SessionId, Arc<InboxEntry>)>,
    pub(crate) presences: Vec<(SessionId, Presence)>,
    pub(crate) typings: Vec<(SessionId, Arc<Typing>)>,
    /// Frames between workers, with the worker that each went to.
    pub(crate) frames: Vec<(usize, Frame)>,
    pub(crate) closed: Vec<(SessionId, ErrorCode)>,
    pub(crate) admin: Vec<AdminAnswer>,
    pub(crate) stops: Vec<StopReason>,
    pub(crate) ready: usize,
    pub(crate) drained: usize,
    incarnation: u8,
    requests: u32,
    ids: u64,
}

impl World {
    pub(crate) fn new(workers: u16, limits: WorkerLimits) -> Self {
        let mut world = Self::unstarted(limits);
        world.start(workers);
        assert_eq!(world.stops, [], "the start was refused");
        assert_eq!(world.ready, usize::from(workers));
        world
    }

    pub(crate) fn unstarted(limits: WorkerLimits) -> Self {
        Self {
            engine: MemoryEngine::new(),
            cache: SharedCache::new(1 << 20),
            workers: Vec::new(),
            limits,
            cut: None,
            vnodes: 16,
            now: NOON,
            mono: 1_000,
            hold: Vec::new(),
            held: Vec::new(),
            answers: Vec::new(),
            pushes: Vec::new(),
            presences: Vec::new(),
            typings: Vec::new(),
            frames: Vec::new(),
            closed: Vec::new(),
            admin: Vec::new(),
            stops: Vec::new(),
            ready: 0,
            drained: 0,
            incarnation: 0,
            requests: 0,
            ids: 0,
        }
    }

    /// New workers over what the engine holds; the old ones are dead.
    pub(crate) fn start(&mut self, workers: u16) {
        self.incarnation += 1;
        self.held.clear();
        self.ready = 0;
        let worker = |index| {
            let mut seed = [self.incarnation; 32];
            seed[0] = u8::try_from(index).unwrap();
            let config = WorkerConfig {
                vnodes: VnodeCount::new(self.vnodes).unwrap(),
                placement: Placement::spread(workers),
                index: WorkerIndex(index),
                limits: self.limits,
                seed,
            };
            Worker::new(config, Timestamp(self.now), Monotonic(self.mono))
        };
        self.workers = (0..workers).map(worker).collect();
        self.run();
    }

    pub(crate) fn restart(&mut self) {
        self.start(u16::try_from(self.workers.len()).unwrap());
        assert_eq!(self.stops, [], "the start was refused");
    }

    /// A restart that leaves the holds as they are once it is done.
    pub(crate) fn restart_cold(&mut self) {
        let hold = std::mem::take(&mut self.hold);
        self.restart();
        self.hold = hold;
    }

    /// Carries out everything until nothing is left to do.
    pub(crate) fn run(&mut self) {
        loop {
            let mut is_quiet = true;
            for index in 0..self.workers.len() {
                let outputs: Vec<Output> = self.workers[index].outputs().collect();
                is_quiet &= outputs.is_empty();
                for output in outputs {
                    self.carry_out(index, output);
                }
            }
            if is_quiet && !self.linger() {
                let is_over = |worker: &Worker| worker.deadline().is_some_and(|at| at.0 <= self.mono);
                // A driver sleeps until then: a time that is over would keep it awake for ever.
                assert!(!self.workers.iter().any(is_over), "a deadline lies in the past");
                return;
            }
        }
    }

    /// Lets a chunk that waits for more be closed.
    fn linger(&mut self) -> bool {
        let soon = Monotonic(self.mono + self.limits.linger_ms);
        let waits = self.workers.iter().filter_map(Worker::deadline).any(|at| at.0 > self.mono && at <= soon);
        self.mono += if waits { self.limits.linger_ms } else { 0 };
        (0..self.workers.len()).filter(|_| waits).for_each(|index| self.tell(index, Input::Tick));
        waits
    }

    fn carry_out(&mut self, index: usize, output: Output) {
        match output {
            Output::Call { id, call } if self.hold.contains(&call.name()) => {
                self.held.push((index, id, call))
            }
            Output::Call { id, call } => self.finish(index, id, call),
            Output::Answer { session, id, answer } => self.answers.push((session, id, answer)),
            Output::Push { session, entry } => self.pushes.push((session, entry)),
            Output::Presence { session, presence } => self.presences.push((session, presence)),
            Output::Typing { session, typing } => self.typings.push((session, typing)),
            Output::Whisper { to, whisper } => self.tell(usize::from(to.0), Input::Whisper(whisper)),
            Output::Close { session, code } => self.closed.push((session, code)),
            Output::Frame { to, frame } => {
                self.frames.push((usize::from(to.0), frame.clone()));
                self.tell(usize::from(to.0), Input::Frame(frame));
            }
            Output::Confirm { to, confirm } => self.tell(usize::from(to.0), Input::Confirm(confirm)),
            Output::Admin { answer, .. } => self.admin.push(answer),
            Output::Ready => self.ready += 1,
            Output::Drained => self.drained += 1,
            Output::Stop { reason } => self.stops.push(reason),
        }
    }

    pub(crate) fn finish(&mut self, index: usize, call: CallId, work: Call) {
        let mut engine = self.engine.engine();
        if let Some((log, last)) = self.cut {
            engine.logs = Arc::new(CutLogs { inner: engine.logs, log, last });
        }
        let result = execute(work, &engine, &self.cache);
        self.tell(index, Input::Done { call, result });
    }

    /// Carries out what was held, and everything that follows.
    pub(crate) fn release(&mut self) {
        self.hold.clear();
        for (index, id, call) in std::mem::take(&mut self.held) {
            self.finish(index, id, call);
        }
        self.run();
    }

    pub(crate) fn tell(&mut self, index: usize, input: Input) {
        let (now, mono) = (Timestamp(self.now), Monotonic(self.mono));
        if let Some(worker) = self.workers.get_mut(index) {
            worker.handle(input, now, mono);
        }
    }

    pub(crate) fn tell_all(&mut self, input: fn() -> Input) {
        (0..self.workers.len()).for_each(|index| self.tell(index, input()));
        self.run();
    }

    /// Moves both clocks and lets the workers notice.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.now += ms;
        self.mono += ms;
        self.tell_all(|| Input::Tick);
    }

    /// Lets so much time pass that acknowledgements are decided and everything is flushed.
    pub(crate) fn settle(&mut self) {
        self.pass(self.limits.acknowledge_interval_ms);
        self.pass(self.limits.flush_interval_ms);
        self.pass(10_000);
    }

    pub(crate) fn count(&self) -> VnodeCount {
        VnodeCount::new(self.vnodes).unwrap()
    }

    /// The worker that takes what a user asks for.
    pub(crate) fn worker_of(&self, user: &UserId, request: &Request) -> usize {
        let count = self.count();
        let vnode = match request {
            Request::SendMessage(send) => count.of_target(user, &send.to),
            Request::ReadHistory(read) => count.of_target(user, &read.with),
            Request::BlockUser(block) => count.of_direct(user, &block.user),
            Request::CreateGroup(create) => count.of_group(ConversationId::group(user, create.id)),
            Request::ChangeGroup(change) => count.of_group(change.group),
            Request::ReadGroup { group } => count.of_group(*group),
            Request::ReadRoster(read) => count.of_group(read.group),
            _ => count.of_user(user),
        };
        self.worker_with(vnode)
    }

    pub(crate) fn worker_with(&self, vnode: VnodeId) -> usize {
        usize::from(vnode.0) % self.workers.len()
    }

    pub(crate) fn tell_user(&mut self, user: &str, input: Input) {
        let index = self.worker_with(self.count().of_user(&self::user(user)));
        self.tell(index, input);
        self.run();
    }

    /// A fresh id, dated now.
    pub(crate) fn id(&mut self) -> MessageId {
        self.id_at(self.now)
    }

    pub(crate) fn id_at(&mut self, at: u64) -> MessageId {
        self.ids += 1;
        self.id_of(self.ids, at)
    }

    /// What [`Self::id`] will give next.
    pub(crate) fn next_id(&self) -> MessageId {
        self.id_of(self.ids + 1, self.now)
    }

    fn id_of(&self, number: u64, at: u64) -> MessageId {
        let mut random = [7; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        MessageId::from_parts(Timestamp(at), random)
    }

    /// Sends without waiting for the answer; gives the request's id.
    pub(crate) fn begin(&mut self, from: &str, send: SendMessage) -> RequestId {
        self.begin_any(from, Request::SendMessage(send))
    }

    /// Asks for anything without waiting for the answer.
    pub(crate) fn begin_any(&mut self, from: &str, request: Request) -> RequestId {
        let index = self.worker_of(&user(from), &request);
        self.request(index, from, request)
    }

    pub(crate) fn request(&mut self, index: usize, from: &str, request: Request) -> RequestId {
        self.request_as(index, (from, "d", session(from)), request)
    }

    /// By any device over any session.
    pub(crate) fn request_as(
        &mut self,
        index: usize,
        (from, device, session): (&str, &str, SessionId),
        request: Request,
    ) -> RequestId {
        self.requests += 1;
        let id = RequestId(self.requests);
        let (user, device) = (user(from), self::device(device));
        self.tell(index, Input::Request { session, user, device, id, request });
        id
    }

    pub(crate) fn ask(&mut self, from: &str, request: Request) -> Answer {
        self.ask_as((from, "d", session(from)), request)
    }

    pub(crate) fn ask_as(&mut self, who: (&str, &str, SessionId), request: Request) -> Answer {
        let index = self.worker_of(&user(who.0), &request);
        let id = self.request_as(index, who, request);
        self.run();
        self.answer(id).expect("an answer")
    }

    pub(crate) fn answer(&self, id: RequestId) -> Option<Answer> {
        self.answers.iter().find(|(_, other, _)| *other == id).map(|(_, _, answer)| answer.clone())
    }

    /// Sends and gives what was answered.
    pub(crate) fn send_as(&mut self, from: &str, send: SendMessage) -> Result<Sent, ErrorCode> {
        let id = self.begin(from, send);
        self.run();
        sent(self.answer(id).expect("an answer"))
    }

    pub(crate) fn send(&mut self, from: &str, to: &str, text: &str) -> Sent {
        let id = self.id();
        self.send_as(from, message(id, to, text)).expect("a seq")
    }

    pub(crate) fn login(&mut self, name: &str, device: &str) -> Login {
        self.requests += 1;
        let mut nonce = [0; 16];
        nonce[..4].copy_from_slice(&self.requests.to_be_bytes());
        let token = TokenFacts {
            id: [1; 16],
            issued_at: Timestamp(self.now - 1_000),
            expires_at: Timestamp(self.now + DAY),
        };
        Login { user: user(name), device: self::device(device), token, nonce, at: Timestamp(self.now) }
    }

    pub(crate) fn attach_as(&mut self, session: SessionId, login: Login) -> Answer {
        let name = login.user.to_string();
        let before = self.answers.len();
        self.tell_user(&name, Input::Attach { session, login });
        let mut new = self.answers[before..].iter();
        new.find(|(other, id, _)| *other == session && *id == RequestId(0)).expect("an answer").2.clone()
    }

    /// Logs the user's device `d` in, under [`session`].
    pub(crate) fn attach(&mut self, name: &str) -> Answer {
        let login = self.login(name, "d");
        self.attach_as(session(name), login)
    }

    pub(crate) fn acknowledge(&mut self, name: &str, up_to: u64) {
        self.begin_any(name, Request::Acknowledge { up_to: Offset(up_to) });
        self.run();
    }

    pub(crate) fn revoke(&mut self, command: AdminCommand) {
        let (AdminCommand::RevokeUser { user } | AdminCommand::RevokeToken { user, .. }) = &command;
        let name = user.to_string();
        self.tell_user(&name, Input::Admin { id: AdminId(1), command });
    }

    /// The whole inbox from an offset on, page by page: gap, texts by offset.
    pub(crate) fn inbox(&mut self, name: &str, after: u64) -> InboxTexts {
        let (gap, entries) = self.inbox_after(name, after);
        (gap, entries.iter().map(|entry| (entry.offset.0, text_of(entry))).collect())
    }

    pub(crate) fn inbox_entries(&mut self, name: &str) -> Vec<Arc<InboxEntry>> {
        self.inbox_after(name, 0).1
    }

    pub(crate) fn inbox_after(&mut self, name: &str, mut after: u64) -> InboxEntries {
        let (mut gap, mut all) = (None, Vec::new());
        loop {
            let page = match self.ask(name, Request::ReadInbox { after: Offset(after) }) {
                Answer::InboxPage(page) => page,
                other => panic!("no page: {other:?}"),
            };
            gap = gap.or(page.gap.map(|(first, last)| (first.0, last.0)));
            after = page.gap.map_or(after, |(_, last)| last.0);
            for entry in &page.entries {
                after += 1;
                assert_eq!(entry.offset.0, after, "a hole in a page");
            }
            all.extend(page.entries);
            if after >= page.last.0 {
                return (gap, all);
            }
        }
    }

    /// The whole history, newest page first, ascending.
    pub(crate) fn history(&mut self, name: &str, with: &str, limit: u16) -> Vec<(u64, String)> {
        self.history_of(name, user(with).into(), limit)
    }

    pub(crate) fn history_of(&mut self, name: &str, with: Target, limit: u16) -> Vec<(u64, String)> {
        let (mut all, mut from) = (Vec::new(), HistoryFrom::Latest);
        loop {
            let read = ReadHistory { with: with.clone(), from, limit };
            let page = match self.ask(name, Request::ReadHistory(read)) {
                Answer::HistoryPage(page) => page,
                other => panic!("no page: {other:?}"),
            };
            let texts = page.entries.iter().map(|one| (one.seq.0, text_of_body(&one.body)));
            all.splice(0..0, texts);
            match page.entries.first() {
                Some(first) if page.more => from = HistoryFrom::Before(first.seq),
                _ => return all,
            }
        }
    }

    /// Peers (of groups the title) and last seqs, ascending.
    pub(crate) fn conversations(&mut self, name: &str, limit: u16) -> Vec<(String, u64)> {
        let peer = |with: &Peer| match with {
            Peer::User(user) => user.to_string(),
            Peer::Group(title) => title.as_str().to_owned(),
        };
        let list = self.list(name, limit);
        let mut all: Vec<_> = list.iter().map(|one| (peer(&one.with), one.last_seq.0)).collect();
        all.sort();
        all
    }

    /// The whole list, page by page.
    pub(crate) fn list(&mut self, name: &str, limit: u16) -> Vec<ConversationSummary> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = match self.ask(name, Request::ListConversations(ListConversations { after, limit })) {
                Answer::Conversations(page) => page,
                other => panic!("no page: {other:?}"),
            };
            after = page.items.last().map(|one| one.conversation);
            all.extend(page.items);
            if !page.more {
                return all;
            }
        }
    }

    /// Makes a group.
    pub(crate) fn group(&mut self, creator: &str, policy: Policy, members: &[&str]) -> ConversationId {
        let create = creation(self.id(), policy, members);
        let group = ConversationId::group(&user(creator), create.id);
        let sent = sent(self.ask(creator, Request::CreateGroup(create))).expect("a group");
        assert_eq!((sent.conversation, sent.seq.0, sent.offset), (group, 1, None));
        group
    }

    /// Changes a group: see [`change_of`].
    pub(crate) fn change(&mut self, who: &str, group: ConversationId, change: &str) -> Answer {
        let (id, change) = (self.id(), change_of(change));
        self.ask(who, Request::ChangeGroup(ChangeGroup { id, group, change }))
    }

    /// Writes to a group.
    pub(crate) fn say(&mut self, who: &str, group: ConversationId, text: &str) -> Result<Sent, ErrorCode> {
        let send = to_group(self.id(), group, text);
        sent(self.ask(who, Request::SendMessage(send)))
    }

    pub(crate) fn statistics(&self, read: fn(&iris_worker::Statistics) -> u64) -> u64 {
        self.workers.iter().map(|worker| read(worker.statistics())).sum()
    }
}

/// Gap (first, last), and entries.
pub(crate) type InboxEntries = (Option<(u64, u64)>, Vec<Arc<InboxEntry>>);

/// Gap (first, last), and texts by offset.
pub(crate) type InboxTexts = (Option<(u64, u64)>, Vec<(u64, String)>);
