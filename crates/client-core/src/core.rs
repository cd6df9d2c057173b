//! The machine of one device: what happens goes in, a turn gives out what follows.

use bytes::Bytes;
use iris_protocol::Capabilities;
use iris_protocol::client::{ClientConfig, ClientConnection};
use iris_types::limits::NONCE_BYTES;
use iris_types::request::{RenameDevice, RevokeDevice};
use iris_types::{ConversationId, DeviceId, DeviceLabel, MessageId, Monotonic, Target};

use crate::clock::ServerClock;
use crate::conversations::Conversations;
use crate::draft::{After, Draft};
use crate::inbox::{Inbox, OwnSent};
use crate::link::Link;
use crate::outbox::Outbox;
use crate::query::Queries;
use crate::read_mark::ReadMarks;
use crate::request::Requests;
use crate::typing::Writers;
use crate::watch::Watch;
use crate::{
    ClientEvent, Config, ConversationsQuestion, HistoryQuestion, Mark, NewMessage, Now, Outcome, Output,
    OwnMessage, QueryError, QueryNumber, Question, Restored, SendError, SendNumber, StoreOperation,
    StoreToken,
};

/// What one device of a user does: sync, outbox, retry, duplicates, marks, questions.
///
/// Tell it what happens, as often as you like; then call [`Self::turn`] and do what it gives out, then send what
/// [`Self::transmit`] appends. The machine never waits: it says in [`Self::deadline`] when it wants a turn next.
#[derive(Debug)]
pub struct ClientCore {
    pub(crate) config: Config,
    pub(crate) random: fastrand::Rng,
    pub(crate) clock: ServerClock,
    pub(crate) link: Link,
    pub(crate) requests: Requests,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Inbox,
    pub(crate) conversations: Conversations,
    pub(crate) queries: Queries,
    pub(crate) read_marks: ReadMarks,
    pub(crate) watch: Watch,
    pub(crate) writers: Writers,
    pub(crate) draft: Draft,
    /// Sends on their way at once on this connection.
    pub(crate) window: usize,
}

impl ClientCore {
    /// `seed`: fresh randomness at every start; nonces and message ids come from it.
    #[must_use]
    pub fn new(config: Config, restored: Restored, seed: u64) -> Self {
        let mut draft = Draft::default();
        let mut inbox = Inbox::new(restored.cursor);
        let outbox = Outbox::restore(restored.unsent, &restored.settled, restored.last_number);
        restored.settled.into_iter().for_each(|settled| draft.event(ClientEvent::Settled(settled)));
        inbox.give_again(restored.unreported, &mut draft);
        Self {
            window: config.window.max(1),
            config,
            random: fastrand::Rng::with_seed(seed),
            clock: ServerClock::default(),
            link: Link::default(),
            requests: Requests::default(),
            outbox,
            inbox,
            conversations: Conversations::restore(restored.marks, restored.targets),
            queries: Queries::default(),
            read_marks: ReadMarks::restore(restored.read_marks),
            watch: Watch::default(),
            writers: Writers::default(),
            draft,
        }
    }

    /// The transport is open; `token` names the user.
    pub fn connected(&mut self, token: Bytes, now: Now) {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce);
        let login = ClientConfig {
            versions: self.config.versions,
            capabilities: Capabilities::ALL,
            token,
            device: self.config.device.clone(),
            nonce,
            at: self.clock.read(now),
        };
        if self.link.is_open() {
            self.forget_connection();
        }
        if !self.link.open(ClientConnection::new(login, now.monotonic)) {
            self.draft.outputs.push(Output::Disconnect);
        }
    }

    /// Bytes arrived from the server.
    pub fn received(&mut self, bytes: &[u8], now: Now) {
        let Some(connection) = self.link.connection() else { return };
        let mut events = Vec::new();
        connection.receive(bytes, now.monotonic, &mut events);
        self.take_events(events, now);
    }

    /// The transport is closed, or could not be opened.
    pub fn disconnected(&mut self, now: Now) {
        self.lose(None, now);
    }

    /// The operations of [`Output::Store`] up to this token are durable.
    pub fn stored(&mut self, token: StoreToken) {
        for after in self.draft.stored(token) {
            self.follow(after);
        }
    }

    /// Takes a message into the outbox, connected or not. [`ClientEvent::Accepted`] says when it is stored,
    /// [`ClientEvent::Settled`] how it ended.
    ///
    /// # Errors
    /// [`SendError`] when it was not taken.
    pub fn send(&mut self, message: NewMessage, now: Now) -> Result<SendNumber, SendError> {
        let minted = self.link.is_ready().then(|| mint(&self.clock, &mut self.random, now));
        self.writers.sent(&message.to);
        self.outbox.accept(message, minted, &mut self.draft)
    }

    /// Asks a question, or for a change; connected or not. It is asked again after a reconnect until it is answered,
    /// by an event of the number that this gives.
    ///
    /// Changes of one and the same thing are to be awaited one by one: a retry could put an older one last.
    ///
    /// # Errors
    /// [`QueryError`] when it was not taken.
    pub fn ask(&mut self, question: Question) -> Result<QueryNumber, QueryError> {
        question.check()?;
        let number = match question {
            Question::MarkRead(mark) => {
                let number = self.queries.number();
                self.read_marks.mark(mark, number, &mut self.draft)?;
                number
            }
            Question::Watch(items) => {
                let number = self.queries.number();
                self.watch.set(items, number)?;
                number
            }
            question => self.queries.ask(question)?,
        };
        Ok(number)
    }

    /// Asks for a part of a conversation.
    ///
    /// # Errors
    /// [`QueryError`] when too many questions are open.
    pub fn history(&mut self, question: HistoryQuestion) -> Result<QueryNumber, QueryError> {
        self.ask(Question::History(question))
    }

    /// Asks for the whole list of conversations.
    ///
    /// # Errors
    /// [`QueryError`] when too many questions are open.
    pub fn conversations(&mut self) -> Result<QueryNumber, QueryError> {
        self.ask(Question::Conversations(ConversationsQuestion::default()))
    }

    /// Asks for the user's devices.
    ///
    /// # Errors
    /// [`QueryError`] when too many questions are open.
    pub fn devices(&mut self) -> Result<QueryNumber, QueryError> {
        self.ask(Question::Devices)
    }

    /// Gives one of the user's devices a label: what people see of it.
    ///
    /// # Errors
    /// [`QueryError`] when too many questions are open.
    pub fn rename_device(&mut self, device: DeviceId, label: DeviceLabel) -> Result<QueryNumber, QueryError> {
        self.ask(Question::RenameDevice(RenameDevice { device, label }))
    }

    /// Ends one of the user's devices for ever.
    ///
    /// # Errors
    /// [`QueryError`] when too many questions are open.
    pub fn revoke_device(&mut self, device: DeviceId) -> Result<QueryNumber, QueryError> {
        self.ask(Question::RevokeDevice(RevokeDevice { device }))
    }

    /// Says that the user is writing, or stops. Call it as often as keys are pressed: it goes out now and then, and
    /// not at all without a connection. Sending the message ends it, too.
    pub fn typing(&mut self, target: &Target, on: bool, now: Now) {
        let Some(connection) = self.link.ready() else { return };
        if self.writers.tell(target, on, now.monotonic) {
            connection.say_typing(target, on);
        }
    }

    /// How a conversation is named in questions, as far as this device knows: from its messages, its sends, and the
    /// lists that it asked for.
    #[must_use]
    pub fn target(&self, conversation: ConversationId) -> Option<Target> {
        self.conversations.target(conversation)
    }

    /// The application took the event of this mark. Entries count up to the mark.
    pub fn handed_over(&mut self, mark: Mark) {
        match mark {
            Mark::Entries(up_to) => self.inbox.handed_over(up_to, &mut self.draft),
            Mark::Send(number) => self.outbox.taken(number, &mut self.draft),
            Mark::Query(number) => self.queries.taken(number),
        }
    }

    /// Ends a turn: appends what the driver has to do.
    pub fn turn(&mut self, now: Now, outputs: &mut Vec<Output>) {
        if self.link.start() {
            self.draft.outputs.push(Output::Connect { at: now.monotonic });
        }
        self.act_on_time(now);
        self.pump(now);
        // What follows may ask for more to be stored.
        loop {
            let after = self.draft.finish();
            if after.is_empty() {
                break;
            }
            after.into_iter().for_each(|after| self.follow(after));
        }
        outputs.append(&mut self.draft.outputs);
    }

    /// Appends the bytes to be sent; `true` when there were any. Call it when the former ones are written.
    pub fn transmit(&mut self, out: &mut Vec<u8>) -> bool {
        self.link.connection().is_some_and(|connection| connection.transmit(out))
    }

    /// When the next turn is due, whatever happens.
    #[must_use]
    pub fn deadline(&self) -> Option<Monotonic> {
        let asks = self.link.is_ready() && !self.link.is_draining();
        let retries = [
            self.outbox.deadline(),
            self.queries.deadline(),
            self.read_marks.deadline(),
            self.watch.deadline(),
            self.inbox.deadline(),
        ];
        let retry = retries.into_iter().flatten().min().filter(|_| asks);
        let answer = self.requests.deadline().filter(|_| self.link.is_open());
        let acknowledgement = self.inbox.acknowledge_at().filter(|_| self.link.is_ready());
        let typing = self.writers.deadline();
        [self.link.deadline(), answer, retry, acknowledgement, typing].into_iter().flatten().min()
    }

    /// Sends that the server has not answered for good.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.outbox.len()
    }

    /// Nothing is to be sent, stored or answered: a good moment to stop.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.outbox.len() == 0
            && self.queries.is_empty()
            && self.read_marks.is_empty()
            && self.watch.is_idle()
            && self.draft.is_empty()
    }

    /// Logged in.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.link.is_ready()
    }

    /// The server refused for good; no further attempt is made.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.link.is_stopped()
    }

    /// Settles a send that is durable, and keeps its row of the conversation.
    pub(crate) fn settle_sent(&mut self, number: SendNumber, own: &OwnSent) {
        let OwnSent { conversation, seq, id, sent_at } = *own;
        let outcome = Outcome::Sent { conversation, seq, sent_at };
        let Some(unsent) = self.outbox.settle(number, outcome, &mut self.draft) else { return };
        let (to, body) = (unsent.to, unsent.body);
        self.conversations.learn(conversation, to.clone());
        self.draft.store(StoreOperation::PutSent(OwnMessage { conversation, seq, id, to, sent_at, body }));
    }

    /// Forgets the connection, keeps everything that was asked for over it.
    pub(crate) fn forget_connection(&mut self) {
        self.requests.clear();
        self.outbox.connection_lost();
        self.queries.connection_lost();
        self.read_marks.connection_lost();
        self.watch.connection_lost();
        self.writers.connection_lost(&mut self.draft);
    }

    fn follow(&mut self, after: After) {
        match after {
            After::Event(event) => self.draft.event(event),
            After::Accepted(number) => {
                self.outbox.row_stored(number);
                self.draft.event(ClientEvent::Accepted { number });
            }
            After::Named(number) => self.outbox.row_stored(number),
            After::Cursor(cursor) => self.inbox.stored(cursor),
        }
    }
}

/// An id dated now, by the server's clock.
pub(crate) fn mint(clock: &ServerClock, random: &mut fastrand::Rng, now: Now) -> MessageId {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    MessageId::from_parts(clock.read(now), bytes)
}
