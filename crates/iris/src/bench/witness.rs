//! The application of a crash run: writes down everything that devices do and see, below the client machine's
//! own filter of duplicates, for the checkers of `iris-history`.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;

use iris_client_core::{
    ClientCore, ClientEvent, HistoryQuestion, NewMessage, Now, Outcome, QueryNumber, SendNumber, Settled,
    StoreOperation,
};
use iris_history::{
    Device, Fact, History, HistoryFact, LoginFact, Message, Observation, RepeatFact, Seen, SendFact,
    ServerFact,
};
use iris_protocol::batch::BatchItem;
use iris_protocol::entry::Entry;
use iris_protocol::{ClientFrame, ServerFrame};
use iris_types::request::HistoryFrom;
use iris_types::{Body, ConversationId, DeviceId, InboxEntry, InboxItem, MessageId, Seq, UserId};

use super::clock::Stopwatch;
use super::database::Database;
use super::generator::Application;

/// Everything that was seen, and by whom.
pub(crate) struct Witness {
    pub(crate) history: History,
    pub(crate) tally: Counted,
    clock: Stopwatch,
    devices: Vec<Recorded>,
    /// Messages whose acknowledgement was seen, by number.
    acked: Vec<bool>,
}

/// Figures of the run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) attempted: u64,
    pub(crate) acked: u64,
    pub(crate) refused: u64,
    pub(crate) shown: u64,
    /// Devices whose inbox is complete as far as they know.
    pub(crate) synced: usize,
}

/// One device, over all its incarnations.
struct Recorded {
    user: UserId,
    device: Device,
    incarnation: u32,
    database: Database,
    /// What the application sent, by the machine's number.
    sends: BTreeMap<SendNumber, Sending>,
    /// Nonce and time of the login on its way.
    login: (u64, u64),
    synced: bool,
    reader: Option<Reader>,
}

#[derive(Clone, Copy, Debug)]
enum Sending {
    First(Message),
    /// Sent once more, with a body of this hash.
    Repeat(Message, u64),
}

/// A device made at the end, that reads everything back.
#[derive(Debug, Default)]
struct Reader {
    /// Conversations to read, by their other member; `None` until they are listed.
    unread: Option<VecDeque<UserId>>,
    asked: Option<QueryNumber>,
}

impl Witness {
    pub(crate) fn new(clock: Stopwatch) -> Self {
        Self {
            history: History::default(),
            tally: Counted::default(),
            clock,
            devices: Vec::new(),
            acked: Vec::new(),
        }
    }

    /// Devices are numbered as in the generator.
    pub(crate) fn add(&mut self, user: &UserId, name: &DeviceId) {
        let device = self.history.device(user, name);
        self.push(user, device, None);
    }

    /// A device that syncs from zero, and reads every conversation back.
    pub(crate) fn add_reader(&mut self, user: &UserId, name: &DeviceId) {
        let device = self.history.fresh_device(user, name);
        self.push(user, device, Some(Reader::default()));
    }

    pub(crate) fn server(&mut self, fact: ServerFact) {
        self.push_fact(Device::NOBODY, 0, Fact::Server(fact));
    }

    pub(crate) fn observe(&mut self, observation: Observation) {
        self.push_fact(Device::NOBODY, 0, Fact::Observed(observation));
    }

    /// Gives a message to the device's machine. Returns the message when it was taken.
    pub(crate) fn send(
        &mut self,
        who: usize,
        core: &mut ClientCore,
        to: &UserId,
        body: &Body,
        now: Now,
    ) -> Option<Message> {
        let new = NewMessage { to: to.into(), body: body.clone(), id: None, reference: None };
        let number = core.send(new, now).ok()?;
        let (message, to) = (self.history.unnamed_message(), self.history.user(to).into());
        self.devices.get_mut(who)?.sends.insert(number, Sending::First(message));
        self.tally.attempted += 1;
        self.fact(who, Fact::Send(SendFact::Invoke { message, to, body: hash_of(body) }));
        Some(message)
    }

    /// Sends a message once more, under its own id.
    pub(crate) fn repeat(
        &mut self,
        who: usize,
        core: &mut ClientCore,
        (message, to, body): (Message, &UserId, &Body),
        now: Now,
    ) {
        let id = self.history.message_id(message).and_then(|id| MessageId::from_bytes(id).ok());
        let new = NewMessage { to: to.into(), body: body.clone(), id, reference: None };
        if let (Some(_), Ok(number)) = (id, core.send(new, now))
            && let Some(device) = self.devices.get_mut(who)
        {
            device.sends.insert(number, Sending::Repeat(message, hash_of(body)));
        }
    }

    /// The application of a device died. Returns what it starts with.
    pub(crate) fn restart(&mut self, who: usize) -> iris_client_core::Restored {
        let Some(device) = self.devices.get_mut(who) else { return Default::default() };
        device.incarnation += 1;
        device.database.restored()
    }

    /// At the end: this device has everything.
    pub(crate) fn settle(&mut self, who: usize) {
        self.fact(who, Fact::Settled);
    }

    pub(crate) fn devices(&self) -> usize {
        self.devices.len()
    }

    pub(crate) fn user(&self, who: usize) -> Option<&UserId> {
        self.devices.get(who).map(|device| &device.user)
    }

    /// Every reader has read everything, and every repeat is answered.
    pub(crate) fn has_read_all(&self) -> bool {
        self.devices.iter().all(|device| device.reader.as_ref().is_none_or(Reader::is_done))
    }

    fn push(&mut self, user: &UserId, device: Device, reader: Option<Reader>) {
        self.devices.push(Recorded {
            user: user.clone(),
            device,
            incarnation: 0,
            database: Database::default(),
            sends: BTreeMap::new(),
            login: (0, 0),
            synced: false,
            reader,
        });
    }

    fn fact(&mut self, who: usize, fact: Fact) {
        if let Some((device, incarnation)) = self.devices.get(who).map(|d| (d.device, d.incarnation)) {
            self.push_fact(device, incarnation, fact);
        }
    }

    fn push_fact(&mut self, device: Device, incarnation: u32, fact: Fact) {
        self.history.push(self.clock.micros() / 1_000, device, incarnation, fact);
    }

    fn seen(
        &mut self,
        offset: u64,
        (conversation, seq): (ConversationId, Seq),
        id: MessageId,
        from: &UserId,
        body: Option<&Body>,
    ) -> Seen {
        Seen {
            offset,
            conversation: self.history.conversation(conversation),
            seq: seq.0,
            message: self.history.message(id),
            from: self.history.user(from),
            body: body.map_or(0, hash_of),
        }
    }

    /// An inbox entry on the wire. `None`: the body was not sent along, because the message is the device's own.
    fn delivered(&mut self, who: usize, item: &BatchItem) {
        let Some(own) = self.user(who).cloned() else { return };
        let seen = match item {
            BatchItem::Entry(Entry::Whole(InboxEntry { offset, item: InboxItem::Message(message) })) => {
                let place = (message.conversation, message.seq);
                self.seen(offset.0, place, message.id, &message.from, Some(&message.body))
            }
            BatchItem::Entry(Entry::Whole(InboxEntry { offset, item })) => {
                if let Some(notice) = self.history.notice(item) {
                    self.fact(who, Fact::Noticed { offset: offset.0, notice });
                }
                return;
            }
            BatchItem::Entry(Entry::OwnSent(own_sent)) => {
                let place = (own_sent.conversation, own_sent.seq);
                self.seen(own_sent.offset.0, place, own_sent.id, &own, None)
            }
            // No server of this version says such a thing.
            BatchItem::Entry(_) => return,
            BatchItem::Sent(frame) => {
                let sent = &frame.sent;
                let Some(offset) = sent.offset else { return };
                self.seen(offset.0, (sent.conversation, sent.seq), sent.id, &own, None)
            }
        };
        self.fact(who, Fact::Delivered(seen));
    }

    fn settled(&mut self, who: usize, settled: &Settled) {
        let Some(device) = self.devices.get_mut(who) else { return };
        match (device.sends.remove(&settled.number), settled.id) {
            (Some(Sending::Repeat(message, body)), _) => self.repeated(who, message, body, settled.outcome),
            (Some(Sending::First(message)), _) => self.answered(who, message, settled.outcome),
            // Told again after a restart of the application.
            (None, Some(id)) => {
                let message = self.history.message(id);
                self.answered(who, message, settled.outcome);
            }
            (None, None) => {}
        }
    }

    fn answered(&mut self, who: usize, message: Message, outcome: Outcome) {
        match outcome {
            Outcome::Sent { conversation, seq, sent_at } => {
                self.count_acked(message);
                let conversation = self.history.conversation(conversation);
                let fact = SendFact::Ok { message, conversation, seq: seq.0, sent_at: sent_at.0 };
                self.fact(who, Fact::Send(fact));
            }
            Outcome::Failed(refusal) => {
                self.tally.refused += 1;
                self.fact(who, Fact::Send(SendFact::Fail { message, code: refusal.code as u16 }));
            }
        }
    }

    fn count_acked(&mut self, message: Message) {
        if self.acked.len() <= message.index() {
            self.acked.resize(message.index() + 1, false);
        }
        if let Some(known) = self.acked.get_mut(message.index()) {
            self.tally.acked += u64::from(!std::mem::replace(known, true));
        }
    }

    fn repeated(&mut self, who: usize, message: Message, body: u64, outcome: Outcome) {
        let fact = match outcome {
            Outcome::Sent { conversation, seq, .. } => {
                let conversation = self.history.conversation(conversation);
                RepeatFact::Ok { message, body, conversation, seq: seq.0 }
            }
            Outcome::Failed(refusal) => RepeatFact::Fail { message, body, code: refusal.code as u16 },
        };
        self.fact(who, Fact::Repeat(fact));
    }

    fn set_synced(&mut self, who: usize, synced: bool) {
        if let Some(device) = self.devices.get_mut(who)
            && std::mem::replace(&mut device.synced, synced) != synced
        {
            if synced { self.tally.synced += 1 } else { self.tally.synced -= 1 }
        }
    }

    fn logged_in(&mut self, who: usize, attached: &iris_types::request::Attached) {
        let Some((nonce, claimed_at)) = self.devices.get(who).map(|device| device.login) else { return };
        let fact = LoginFact::Ok {
            nonce,
            claimed_at,
            // The token is minted with the login, in whole seconds.
            issued_at: claimed_at / 1_000 * 1_000,
            cursor: attached.cursor.0,
            last: attached.last.0,
            server_time: attached.server_time.0,
        };
        self.fact(who, Fact::Login(fact));
    }

    /// The number of a reading is the device's: it has one at a time.
    fn reading(&self, who: usize, query: QueryNumber) -> Option<u32> {
        let asked = self.devices.get(who)?.reader.as_ref()?.asked?;
        (asked == query).then(|| u32::try_from(query.0).unwrap_or(u32::MAX))
    }

    fn reading_event(&mut self, who: usize, event: &ClientEvent) {
        match event {
            ClientEvent::Conversations { items, .. } => {
                // The load makes no groups.
                let direct = items.iter().filter_map(|item| Some((item, item.with.user()?)));
                for (item, with) in direct.clone() {
                    let conversation = self.history.conversation(item.conversation);
                    let with = self.history.user(with).into();
                    self.fact(who, Fact::Listed { conversation, with, last: item.last_seq.0 });
                }
                if let Some(reader) = self.devices.get_mut(who).and_then(|device| device.reader.as_mut()) {
                    reader.asked = None;
                    reader.unread = Some(direct.map(|(_, with)| with.clone()).collect());
                }
            }
            ClientEvent::HistoryPage { query, conversation, entries, .. } => {
                let Some(reading) = self.reading(who, *query) else { return };
                for entry in entries {
                    let place = (*conversation, entry.seq);
                    let seen = self.seen(0, place, entry.id, &entry.from, Some(&entry.body));
                    self.fact(who, Fact::History(HistoryFact::Row { reading, seen }));
                }
            }
            ClientEvent::HistoryEnd { query, with, more, .. } => {
                let (Some(reading), Some(user)) = (self.reading(who, *query), self.user(who)) else { return };
                let conversation = with.conversation(user);
                let conversation = self.history.conversation(conversation);
                let fact = HistoryFact::Ok { reading, conversation, complete: !more };
                self.fact(who, Fact::History(fact));
                self.next_reading(who);
            }
            ClientEvent::QueryFailed { query, refusal } => {
                if let Some(reading) = self.reading(who, *query) {
                    let code = refusal.code as u16;
                    self.fact(who, Fact::History(HistoryFact::Fail { reading, code }));
                    self.next_reading(who);
                }
            }
            _ => {}
        }
    }

    fn next_reading(&mut self, who: usize) {
        if let Some(reader) = self.devices.get_mut(who).and_then(|device| device.reader.as_mut()) {
            reader.asked = None;
        }
    }
}

impl Reader {
    fn is_done(&self) -> bool {
        self.asked.is_none() && self.unread.as_ref().is_some_and(VecDeque::is_empty)
    }
}

impl Application for Witness {
    const SEES_SENT_FRAMES: bool = true;

    fn arrived(&mut self, who: usize, frame: &ServerFrame) {
        match frame {
            ServerFrame::Ready(frame) => self.logged_in(who, &frame.attached),
            ServerFrame::Batch(items) => items.iter().for_each(|item| self.delivered(who, item)),
            ServerFrame::Entry(entry) => self.delivered(who, &BatchItem::Entry(entry.clone())),
            ServerFrame::Sent(frame) => self.delivered(who, &BatchItem::Sent(*frame)),
            _ => {}
        }
    }

    fn sent(&mut self, who: usize, frame: &ClientFrame) {
        match frame {
            ClientFrame::Authenticate(frame) => {
                let (high, low) = frame.nonce.split_at(8);
                let part = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
                let (nonce, claimed_at) = (part(high) ^ part(low), frame.at.0);
                if let Some(device) = self.devices.get_mut(who) {
                    device.login = (nonce, claimed_at);
                }
                self.fact(who, Fact::Login(LoginFact::Invoke { nonce, claimed_at }));
            }
            ClientFrame::Acknowledge(frame) => self.fact(who, Fact::Acknowledge { up_to: frame.up_to.0 }),
            _ => {}
        }
    }

    fn event(&mut self, who: usize, event: &ClientEvent, _at_us: u64) {
        match event {
            ClientEvent::Message { offset, message } => {
                let place = (message.conversation, message.seq);
                let seen = self.seen(offset.0, place, message.id, &message.from, Some(&message.body));
                self.tally.shown += u64::from(self.devices.get(who).is_some_and(|d| d.reader.is_none()));
                self.fact(who, Fact::Shown(seen));
            }
            ClientEvent::Gap { first, last } => {
                self.fact(who, Fact::Gap { first: first.0, last: last.0 });
            }
            ClientEvent::Settled(settled) => self.settled(who, settled),
            ClientEvent::Synced => self.set_synced(who, true),
            ClientEvent::Stopped(refusal) => {
                eprintln!("device {who} was refused for good: {refusal}");
            }
            event => self.reading_event(who, event),
        }
    }

    fn store(&mut self, who: usize, operations: Vec<StoreOperation>) {
        let Some(device) = self.devices.get_mut(who) else { return };
        for operation in operations {
            if let StoreOperation::PutUnsent(unsent) = &operation
                && let (Some(id), Some(Sending::First(message))) =
                    (unsent.id, device.sends.get(&unsent.number))
            {
                self.history.name_message(*message, id);
            }
            device.database.apply(operation);
        }
    }

    /// Readers ask one question after the other.
    fn refill(&mut self, who: usize, core: &mut ClientCore, _now: Now) {
        let Some(device) = self.devices.get_mut(who).filter(|device| device.synced) else { return };
        let Some(reader) = device.reader.as_mut().filter(|reader| reader.asked.is_none()) else { return };
        let Some(unread) = &mut reader.unread else {
            reader.asked = core.conversations().ok();
            return;
        };
        let Some(with) = unread.pop_front() else { return };
        let question = HistoryQuestion {
            with: (&with).into(),
            from: HistoryFrom::After(Seq(0)),
            limit: NonZeroU64::MAX,
        };
        reader.asked = core.history(question).ok();
        if let Some(query) = reader.asked {
            let reading = u32::try_from(query.0).unwrap_or(u32::MAX);
            let with = self.history.user(&with).into();
            self.fact(who, Fact::History(HistoryFact::Invoke { reading, with }));
        }
    }

    fn closed(&mut self, who: usize) {
        self.set_synced(who, false);
        self.fact(who, Fact::Login(LoginFact::Closed));
    }
}

fn hash_of(body: &Body) -> u64 {
    iris_history::history::body_hash(body.kind().0, body.bytes())
}
