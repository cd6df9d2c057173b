//! The screen as a machine: what happens goes in, what is to be done comes out, and it can be drawn at any moment.

mod acting;
mod answers;
mod keys;

use std::collections::{BTreeMap, BTreeSet};

use iris_client::{
    ClientEvent, ConversationId, DeviceId, Event, Flags, HistoryFrom, HistoryQuestion, InboxMessage, Outcome,
    PresenceState, QueryNumber, Question, SendNumber, Seq, Settings, Settled, Standing, Target, Timestamp,
    Typing, UserId, Watched,
};
use iris_types::limits::{SCREEN_PAGE_MAX, WATCHED_MAX};
use iris_types::request::MarkRead;

use super::calendar::Calendar;
use super::compose::Compose;
use super::effect::{Effect, Purpose};
use super::panel::Panel;
use super::thread::{Pending, Said, Thread, What};

/// Everything that the screen knows.
#[derive(Debug)]
pub(super) struct App {
    pub(super) me: UserId,
    pub(super) device: DeviceId,
    pub(super) calendar: Calendar,
    pub(super) threads: BTreeMap<ConversationId, Thread>,
    pub(super) open: Option<ConversationId>,
    pub(super) focus: Focus,
    /// In the list, when that has the keys.
    pub(super) selected: Option<ConversationId>,
    pub(super) shows_archived: bool,
    pub(super) compose: Compose,
    /// Lines back from the newest.
    pub(super) scroll: usize,
    /// Lines of messages that there was room for.
    page: usize,
    pub(super) panel: Option<Panel>,
    pub(super) notice: Option<Notice>,
    pub(super) link: Link,
    pub(super) settings: Settings,
    pub(super) presence: BTreeMap<UserId, PresenceState>,
    /// The terminal is the one that somebody looks at.
    has_focus: bool,
    purposes: BTreeMap<QueryNumber, Purpose>,
    sends: BTreeMap<SendNumber, (ConversationId, u64)>,
    tickets: u64,
    watched: Vec<Watched>,
    effects: Vec<Effect>,
}

/// What the keys go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    Compose,
    List,
}

/// A line for whoever looks, until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) text: String,
    pub(super) is_error: bool,
}

/// The connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Connecting,
    Connected,
    /// With the reason, if it is known.
    Lost(Option<String>),
    /// No further attempt is made.
    Stopped(String),
}

/// What the drawing found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) page: usize,
    /// The furthest back that there is to scroll, when the first loaded message was drawn.
    pub(super) scroll_max: Option<usize>,
}

impl App {
    pub(super) fn new(me: UserId, device: DeviceId, to: Option<UserId>, calendar: Calendar) -> Self {
        let mut app = Self {
            me,
            device,
            calendar,
            threads: BTreeMap::new(),
            open: None,
            focus: Focus::Compose,
            selected: None,
            shows_archived: false,
            compose: Compose::default(),
            scroll: 0,
            page: 0,
            panel: None,
            notice: None,
            link: Link::Connecting,
            settings: Settings::default(),
            presence: BTreeMap::new(),
            has_focus: true,
            purposes: BTreeMap::new(),
            sends: BTreeMap::new(),
            tickets: 0,
            watched: Vec::new(),
            effects: Vec::new(),
        };
        if let Some(user) = to {
            app.open_target(Target::User(user));
        }
        app
    }

    /// What is to be done since the last call.
    pub(super) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The send has its number.
    pub(super) fn sent(&mut self, ticket: u64, number: SendNumber) {
        let holds = |thread: &Thread| thread.pending.iter().any(|pending| pending.ticket == ticket);
        if let Some((id, _)) = self.threads.iter().find(|(_, thread)| holds(thread)) {
            self.sends.insert(number, (*id, ticket));
        }
    }

    /// The send was not taken: it goes back to where it was written.
    pub(super) fn not_sent(&mut self, ticket: u64) {
        for thread in self.threads.values_mut() {
            if let Some(at) = thread.pending.iter().position(|pending| pending.ticket == ticket) {
                self.compose.set(thread.pending.remove(at).text);
            }
        }
    }

    /// The question has its number.
    pub(super) fn asked(&mut self, purpose: Purpose, number: QueryNumber) {
        self.purposes.insert(number, purpose);
    }

    /// Something was not taken.
    pub(super) fn fail(&mut self, why: String) {
        self.notice = Some(Notice { text: why, is_error: true });
    }

    pub(super) fn say(&mut self, what: impl Into<String>) {
        self.notice = Some(Notice { text: what.into(), is_error: false });
    }

    pub(super) fn set_now(&mut self, now: Timestamp) {
        self.calendar.now = now;
    }

    pub(super) fn set_terminal_focus(&mut self, has_focus: bool) {
        self.has_focus = has_focus;
        self.mark_read();
    }

    /// What the drawing found out: whether there is more to be loaded.
    pub(super) fn drawn(&mut self, drawn: Drawn) {
        self.page = drawn.page;
        let Some(scroll_max) = drawn.scroll_max else { return };
        self.scroll = self.scroll.min(scroll_max);
        if self.scroll == scroll_max {
            self.load_older();
        }
    }

    /// The conversations of the list, in its order.
    pub(super) fn order(&self) -> Vec<ConversationId> {
        let is_shown = |(id, thread): &(&ConversationId, &Thread)| {
            let is_archived = thread.flags.has(Flags::ARCHIVED) && !self.shows_archived;
            !is_archived || self.open == Some(**id)
        };
        let mut order: Vec<_> = self.threads.iter().filter(is_shown).collect();
        let key = |thread: &Thread| (!thread.flags.has(Flags::PINNED), u64::MAX - thread.last_at.0);
        order.sort_by(|(_, one), (_, other)| {
            key(one).cmp(&key(other)).then_with(|| one.title.cmp(&other.title))
        });
        order.into_iter().map(|(id, _)| *id).collect()
    }

    pub(super) fn thread(&self) -> Option<&Thread> {
        self.threads.get(&self.open?)
    }

    /// Messages that nobody has read, over all conversations that are not muted.
    pub(super) fn unread(&self) -> u64 {
        let counted = self.threads.values().filter(|thread| !thread.flags.has(Flags::MUTED));
        counted.map(|thread| thread.unread).sum()
    }

    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::Machine(event) if event.answers().is_some() => self.answer(event),
            Event::Machine(event) => self.machine(event),
            Event::ConnectFailed(error) => self.link = Link::Lost(Some(error.to_string())),
            Event::DatabaseFailed(error) => self.fail(error.to_string()),
        }
    }

    fn machine(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Ready => self.link = Link::Connected,
            ClientEvent::Synced => self.synced(),
            ClientEvent::Disconnected => {
                if !matches!(self.link, Link::Stopped(_)) {
                    self.link = Link::Lost(None);
                }
                self.presence.clear();
            }
            ClientEvent::Stopped(refusal) => self.link = Link::Stopped(refusal.to_string()),
            ClientEvent::Refused(refusal) => self.link = Link::Lost(Some(refusal.to_string())),
            ClientEvent::Message { message, .. } => self.message(&message),
            ClientEvent::Settled(settled) => self.settled(settled),
            ClientEvent::Gap { .. } => {
                self.threads.values_mut().for_each(Thread::forget);
                self.say("You were away for long: older messages are read from the history.");
            }
            ClientEvent::Receipt { receipt, .. } => {
                if let Some(thread) = self.threads.get_mut(&receipt.conversation) {
                    thread.marks = thread.marks.merged(receipt.marks);
                }
            }
            ClientEvent::GroupReceipt { receipt, .. } => {
                if let Some(thread) = self.threads.get_mut(&receipt.group) {
                    thread.marks = thread.marks.merged(receipt.everybody);
                    thread.counted = Some(receipt);
                }
            }
            ClientEvent::State { state, .. } => {
                if let Some(thread) = self.threads.get_mut(&state.conversation) {
                    thread.read = thread.read.max(state.read);
                    thread.unread = state.unread;
                    thread.flags = state.flags;
                }
            }
            ClientEvent::SettingsChanged { settings, .. } => self.settings = settings,
            ClientEvent::Presence(presence) => drop(self.presence.insert(presence.user, presence.state)),
            ClientEvent::Typing(typing) => self.typing(typing),
            ClientEvent::HistoryPage { conversation, entries, .. } => {
                let me = self.me.clone();
                if let Some(thread) = self.threads.get_mut(&conversation) {
                    entries.iter().for_each(|entry| thread.add(entry.seq, Said::of(entry), &me));
                }
            }
            _ => {}
        }
    }

    /// Everything that waited is here: what it is part of is asked for.
    fn synced(&mut self) {
        self.link = Link::Connected;
        self.ask(Question::Conversations(iris_client::ConversationsQuestion::default()), Purpose::List);
        self.ask(Question::Settings, Purpose::Quiet);
        if let Some(id) = self.open {
            self.load_newest(id);
        }
    }

    fn message(&mut self, message: &InboxMessage) {
        let id = message.conversation;
        let target = message.with.target(id);
        let is_open = self.open == Some(id);
        let thread = self.threads.entry(id).or_insert_with(|| Thread::new(target));
        thread.name_after(&message.with);
        thread.follow(message, &self.me);
        let said = Said { from: message.from.clone(), at: message.sent_at, what: What::of(&message.body) };
        let is_change = matches!(said.what, What::Change(_));
        if thread.is_loaded || !thread.said.is_empty() {
            thread.add(message.seq, said, &self.me);
        } else {
            // Without what was said before it, it would stand alone: it is loaded with the rest.
            thread.last_at = said.at;
            thread.preview = said.sentence(&self.me);
            thread.typing.remove(&said.from);
        }
        if message.from != self.me {
            if message.seq > thread.read {
                thread.unread += 1;
            }
            let is_seen = is_open && self.has_focus;
            let is_quiet = is_change || thread.flags.has(Flags::MUTED);
            if !is_seen && !is_quiet {
                self.effects.push(Effect::Bell);
            }
        }
        // Who makes a group may invite others with it; and a change may be about what the head line says.
        if is_change && (is_open || message.from != self.me) {
            self.ask(Question::Group(id), Purpose::Group(id));
        }
        self.mark_read();
    }

    fn settled(&mut self, settled: Settled) {
        let id = settled.to.conversation(&self.me);
        let known = self.sends.remove(&settled.number);
        let me = self.me.clone();
        let thread = self.threads.entry(id).or_insert_with(|| Thread::new(settled.to.clone()));
        let at = known.and_then(|(_, ticket)| thread.pending.iter().position(|one| one.ticket == ticket));
        match (settled.outcome, at) {
            (Outcome::Sent { seq, sent_at, .. }, Some(at)) => {
                let Pending { text, .. } = thread.pending.remove(at);
                thread.add(seq, Said { from: me, at: sent_at, what: What::Text(text) }, &self.me);
            }
            // Of an earlier life of this device: what it said is in the history.
            (Outcome::Sent { .. }, None) => {
                if thread.is_loaded {
                    self.load_newest(id);
                }
            }
            (Outcome::Failed(refusal), Some(at)) => {
                if let Some(pending) = thread.pending.get_mut(at) {
                    pending.failed = Some(refusal);
                }
                self.fail(format!("Not sent: {refusal}. /resend tries again."));
            }
            (Outcome::Failed(refusal), None) => {
                let title = thread.title.clone();
                self.fail(format!("A message to {title} was not sent: {refusal}"));
            }
        }
    }

    fn typing(&mut self, typing: Typing) {
        let Some(thread) = self.threads.get_mut(&typing.conversation) else { return };
        if typing.on && typing.user != self.me {
            thread.typing.insert(typing.user);
        } else {
            thread.typing.remove(&typing.user);
        }
    }

    /// Opens the conversation with a user, or a group, known or not.
    pub(super) fn open_target(&mut self, target: Target) {
        let id = target.conversation(&self.me);
        self.threads.entry(id).or_insert_with(|| Thread::new(target));
        self.open_conversation(id);
    }

    pub(super) fn open_conversation(&mut self, id: ConversationId) {
        if let Some(former) = self.open.and_then(|open| self.threads.get_mut(&open)) {
            former.draft = self.compose.text().to_owned();
            former.unread_from = None;
        }
        let Some(thread) = self.threads.get_mut(&id) else { return };
        self.compose.set(std::mem::take(&mut thread.draft));
        thread.unread_from = (thread.unread > 0).then_some(Seq(thread.read.0 + 1));
        let (is_loaded, is_group) = (thread.is_loaded, thread.is_group());
        self.open = Some(id);
        self.focus = Focus::Compose;
        self.scroll = 0;
        if is_group {
            self.ask(Question::Group(id), Purpose::Group(id));
        }
        if is_loaded {
            self.ask_receipts(id, false);
        } else {
            self.load_newest(id);
        }
        self.watch();
        self.mark_read();
    }

    fn ask(&mut self, question: Question, purpose: Purpose) {
        self.effects.push(Effect::Ask(question, purpose));
    }

    fn load_newest(&mut self, id: ConversationId) {
        let Some(thread) = self.threads.get_mut(&id).filter(|thread| !thread.is_loading) else { return };
        thread.is_loading = true;
        let with = thread.target.clone();
        self.ask(page(with, HistoryFrom::Latest), Purpose::Newest(id));
    }

    fn load_older(&mut self) {
        let Some(id) = self.open else { return };
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let Some((first, _)) = thread.said.first_key_value() else { return };
        if thread.is_loading || !thread.is_loaded || !thread.has_more {
            return;
        }
        thread.is_loading = true;
        let (with, before) = (thread.target.clone(), HistoryFrom::Before(*first));
        self.ask(page(with, before), Purpose::Older(id));
    }

    /// How far the last message of one's own is.
    fn ask_receipts(&mut self, id: ConversationId, shown: bool) {
        let Some(thread) = self.threads.get(&id) else { return };
        match thread.last_own(&self.me) {
            Some(seq) => {
                let target = thread.target.clone();
                self.ask(Question::Receipts { target, seq }, Purpose::Receipts { conversation: id, shown });
            }
            None if shown => self.say("You have not written anything here."),
            None => {}
        }
    }

    /// Says what was read: what is open, while somebody looks at its end.
    fn mark_read(&mut self) {
        if !self.has_focus || self.scroll > 0 || self.panel.is_some() {
            return;
        }
        let Some(thread) = self.open.and_then(|open| self.threads.get_mut(&open)) else { return };
        let last = thread.last_seq();
        if !thread.is_loaded || thread.standing == Standing::Invited || last <= thread.read {
            return;
        }
        (thread.read, thread.unread) = (last, 0);
        let mark = MarkRead { target: thread.target.clone(), up_to: last };
        self.ask(Question::MarkRead(mark), Purpose::Quiet);
    }

    /// Watches those of the top of the list.
    fn watch(&mut self) {
        let open = self.open.iter().copied();
        let all = open.chain(self.order()).filter_map(|id| self.threads.get(&id)?.other().cloned());
        let users: BTreeSet<UserId> = all.filter(|user| *user != self.me).take(WATCHED_MAX).collect();
        let watched: Vec<_> = users.into_iter().map(|user| Watched { user, group: None }).collect();
        if watched != self.watched {
            self.watched.clone_from(&watched);
            self.ask(Question::Watch(watched), Purpose::Quiet);
        }
    }
}

fn page(with: Target, from: HistoryFrom) -> Question {
    let limit = std::num::NonZeroU64::new(SCREEN_PAGE_MAX).unwrap_or(std::num::NonZeroU64::MIN);
    Question::History(HistoryQuestion { with, from, limit })
}
