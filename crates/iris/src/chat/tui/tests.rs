//! The machine of the screen, drawn on a backend in memory and compared as text.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod drawing;
mod flow;

use iris_client::{
    Body, BodyKind, Change, ClientEvent, ConversationId, ConversationSummary, DeviceId, Event, Flags,
    GroupTitle, HistoryEntry, InboxMessage, MessageId, Outcome, Peer, Preview, QueryNumber, Question,
    SendNumber, Seq, Settled, Standing, Target, Timestamp, UserId,
};
use iris_types::Offset;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::App;
use super::calendar::Calendar;
use super::draw;
use super::effect::{Effect, Purpose};

/// 2026-11-28 20:00 UTC, a Saturday.
const NOW: u64 = 1_795_896_000_000;
const MINUTE: u64 = 60_000;

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn direct(name: &str) -> ConversationId {
    ConversationId::direct(&user("alice"), &user(name))
}

fn text(text: &str) -> Body {
    Body::new(BodyKind::TEXT, text.to_owned().into_bytes().into()).unwrap()
}

/// A screen and who sits in front of it.
struct Desk {
    app: App,
    terminal: Terminal<TestBackend>,
    numbers: u64,
    /// What was to be done, but for questions that are answered at once.
    done: Vec<Effect>,
    questions: Vec<(QueryNumber, Question, Purpose)>,
    sends: Vec<(SendNumber, Target, Body)>,
}

impl Desk {
    fn new(columns: u16, rows: u16) -> Self {
        let device = DeviceId::new("terminal").unwrap();
        Self {
            app: App::new(user("alice"), device, None, Calendar::utc(Timestamp(NOW))),
            terminal: Terminal::new(TestBackend::new(columns, rows)).unwrap(),
            numbers: 0,
            done: Vec::new(),
            questions: Vec::new(),
            sends: Vec::new(),
        }
    }

    /// Connected, with these conversations in the list.
    fn with_list(columns: u16, rows: u16, items: Vec<ConversationSummary>) -> Self {
        let mut desk = Self::new(columns, rows);
        desk.tell(ClientEvent::Ready);
        desk.tell(ClientEvent::Synced);
        let query = desk.asked(|question| matches!(question, Question::Conversations(_)));
        desk.tell(ClientEvent::Conversations { query, items, next: None });
        desk
    }

    fn tell(&mut self, event: ClientEvent) {
        self.app.event(Event::Machine(event));
        self.carry_out();
    }

    fn key(&mut self, code: KeyCode) {
        self.app.key(KeyEvent::new(code, KeyModifiers::NONE));
        self.carry_out();
    }

    fn control(&mut self, char: char) {
        self.app.key(KeyEvent::new(KeyCode::Char(char), KeyModifiers::CONTROL));
        self.carry_out();
    }

    /// Types a line and sends it off.
    fn line(&mut self, line: &str) {
        self.app.paste(line);
        self.key(KeyCode::Enter);
    }

    fn carry_out(&mut self) {
        for effect in self.app.effects() {
            self.numbers += 1;
            match effect {
                Effect::Ask(question, purpose) => {
                    self.app.asked(purpose.clone(), QueryNumber(self.numbers));
                    self.questions.push((QueryNumber(self.numbers), question, purpose));
                }
                Effect::Send { ticket, to, body } => {
                    self.app.sent(ticket, SendNumber(self.numbers));
                    self.sends.push((SendNumber(self.numbers), to, body));
                }
                effect => self.done.push(effect),
            }
        }
    }

    /// The latest question of a kind, which is answered by whoever takes it.
    fn asked(&mut self, is_it: impl Fn(&Question) -> bool) -> QueryNumber {
        let at = self.questions.iter().rposition(|(_, question, _)| is_it(question));
        self.questions.remove(at.unwrap_or_else(|| panic!("not asked: {:?}", self.questions))).0
    }

    fn has_asked(&self, is_it: impl Fn(&Question) -> bool) -> bool {
        self.questions.iter().any(|(_, question, _)| is_it(question))
    }

    /// Answers the latest question about history.
    fn history(&mut self, with: &Target, entries: Vec<HistoryEntry>, more: bool) {
        let query = self.asked(|question| matches!(question, Question::History(_)));
        let (conversation, count) = (with.conversation(&user("alice")), entries.len() as u64);
        if count > 0 {
            self.tell(ClientEvent::HistoryPage { query, conversation, with: with.clone(), entries });
        }
        self.tell(ClientEvent::HistoryEnd { query, with: with.clone(), count, more });
    }

    fn draw(&mut self) {
        let mut drawn = super::app::Drawn::default();
        self.terminal.draw(|frame| drawn = draw::draw(frame, &self.app)).unwrap();
        self.app.drawn(drawn);
        self.carry_out();
    }

    /// The rows of the screen, without blanks at their ends.
    fn rows(&mut self) -> Vec<String> {
        self.draw();
        let buffer = self.terminal.backend().buffer();
        let row = |y| {
            let mut row = String::new();
            let mut x = 0;
            while x < buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                row.push_str(symbol);
                // What is two columns wide has the cell behind it, too.
                x += u16::try_from(super::wrap::width(symbol)).unwrap().max(1);
            }
            row.trim_end().to_owned()
        };
        (0..buffer.area.height).map(row).collect()
    }

    fn shows(&mut self, wanted: &str) -> bool {
        self.rows().iter().any(|row| row.contains(wanted))
    }
}

fn entry(seq: u64, from: &str, minutes_ago: u64, body: Body) -> HistoryEntry {
    HistoryEntry {
        seq: Seq(seq),
        id: MessageId::from_parts(Timestamp(seq), [1; 10]),
        from: user(from),
        sent_at: Timestamp(NOW - minutes_ago * MINUTE),
        body,
    }
}

fn message(with: Peer, conversation: ConversationId, seq: u64, from: &str, body: Body) -> ClientEvent {
    let entry = entry(seq, from, 0, body);
    let HistoryEntry { seq, id, from, sent_at, body } = entry;
    let message = InboxMessage { conversation, seq, id, from, with, origin: None, sent_at, body };
    ClientEvent::Message { offset: Offset(seq.0), message }
}

fn summary(
    with: Peer,
    conversation: ConversationId,
    seq: u64,
    unread: u64,
    last: &HistoryEntry,
) -> ConversationSummary {
    ConversationSummary {
        conversation,
        with,
        standing: Standing::Member,
        last_seq: Seq(seq),
        read: Seq(seq - unread),
        unread,
        flags: Flags::default(),
        last: Preview::of(last.from.clone(), last.sent_at, &last.body),
    }
}

fn tea() -> (ConversationId, Peer) {
    (ConversationId([7; 16]), Peer::Group(GroupTitle::new("Tea 🍵").unwrap()))
}

/// A direct conversation with bob, a group with something unread, and a muted one with carol.
fn list() -> Vec<ConversationSummary> {
    let (id, title) = tea();
    let mut group =
        summary(title, id, 9, 3, &entry(9, "carol", 2, text("Who brings the biscuits this time?")));
    group.flags = Flags::PINNED;
    let mut carol = summary(
        user("carol").into(),
        direct("carol"),
        5,
        2,
        &entry(5, "carol", 60 * 26, text("see you\ntomorrow")),
    );
    carol.flags = Flags::MUTED;
    let bob = summary(user("bob").into(), direct("bob"), 4, 0, &entry(4, "alice", 30, text("bye")));
    vec![bob, carol, group]
}

fn change(change: &Change) -> Body {
    change.to_body()
}

fn settled(number: SendNumber, to: Target, outcome: Outcome) -> ClientEvent {
    ClientEvent::Settled(Settled { number, to, id: None, reference: None, outcome })
}
