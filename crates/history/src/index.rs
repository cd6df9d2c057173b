//! What several checkers ask of a history, computed once.

use std::collections::BTreeMap;
use std::fmt;

use crate::group::{Group, Known};
use crate::history::History;
use crate::record::{Addressee, Conversation, Device, Fact, HistoryFact, Message, Seen, SendFact, User};
use crate::wished::{Wished, wished};

/// A history with its sends looked up by message.
pub(crate) struct Index<'h> {
    pub(crate) history: &'h History,
    /// By message; a default entry for one that nobody sent.
    pub(crate) sends: Vec<Send>,
    /// By message: where it is, as the first record that says so has it.
    pub(crate) places: Vec<Option<Place>>,
    /// Every group that somebody asked for.
    pub(crate) groups: BTreeMap<Conversation, Group>,
    /// By direct conversation: its members, ascending.
    pub(crate) pairs: BTreeMap<Conversation, (User, User)>,
    /// By conversation: who wrote each message.
    pub(crate) authors: BTreeMap<Conversation, BTreeMap<u64, User>>,
    /// What users asked for of their own state.
    pub(crate) wished: Vec<Wished>,
    /// Complete readings of a conversation, in the order of their ends.
    pub(crate) readings: Vec<Reading>,
}

/// One send, over all its records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Send {
    pub(crate) invoked: Option<Invoked>,
    /// The record and the place of the acknowledgement.
    pub(crate) ok: Option<(usize, Place)>,
    /// The record of the final refusal, and its code.
    pub(crate) failed: Option<(usize, u16)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Invoked {
    pub(crate) device: Device,
    pub(crate) from: User,
    pub(crate) to: Addressee,
    pub(crate) body: u64,
}

/// A place in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) conversation: Conversation,
    pub(crate) seq: u64,
}

/// A conversation read back.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) invoked: usize,
    pub(crate) reader: User,
    pub(crate) conversation: Conversation,
    pub(crate) complete: bool,
    /// In the order in which the rows came.
    pub(crate) rows: Vec<(usize, Seen)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "place {} of conversation {}", self.seq, self.conversation.0)
    }
}

impl<'h> Index<'h> {
    pub(crate) fn of(history: &'h History) -> Self {
        let mut index = Self {
            history,
            sends: vec![Send::default(); history.messages()],
            places: vec![None; history.messages()],
            groups: BTreeMap::new(),
            pairs: BTreeMap::new(),
            authors: BTreeMap::new(),
            wished: wished(history),
            readings: Vec::new(),
        };
        for (number, record) in history.records.iter().enumerate() {
            if let Fact::Send(fact) = record.fact {
                index.take_send(number, record.process, fact);
            }
        }
        index.take_places();
        index.take_readings();
        index.take_groups();
        index.take_authors();
        index
    }

    pub(crate) fn send(&self, message: Message) -> Send {
        self.sends.get(message.index()).copied().unwrap_or_default()
    }

    pub(crate) fn place(&self, message: Message) -> Option<Place> {
        self.places.get(message.index()).copied().flatten()
    }

    /// Every sighting: record, the user who saw, what was seen. Deliveries, shown messages, history rows.
    pub(crate) fn sightings(&self) -> impl Iterator<Item = (usize, User, Device, Seen)> + '_ {
        self.history.records.iter().enumerate().filter_map(|(number, record)| {
            let seen = match record.fact {
                Fact::Delivered(seen) | Fact::Shown(seen) | Fact::History(HistoryFact::Row { seen, .. }) => {
                    seen
                }
                _ => return None,
            };
            Some((number, self.history.user_of(record.process)?, record.process, seen))
        })
    }

    /// The messages in a user's inbox that were acknowledged, with their record and place.
    pub(crate) fn acked_by_user(&self) -> Vec<Vec<(Message, usize, Place)>> {
        let mut lists = vec![Vec::new(); self.history.users()];
        for (number, send) in self.sends.iter().enumerate() {
            let (Some(invoked), Some((record, place))) = (send.invoked, send.ok) else { continue };
            let message = Message(u32::try_from(number).unwrap_or(u32::MAX));
            for user in self.inboxes(&invoked, place.seq) {
                if let Some(list) = lists.get_mut(user.index()) {
                    list.push((message, record, place));
                }
            }
        }
        lists
    }

    /// Whose inboxes a message at that place enters: the recipient's and the sender's own, or those of all members.
    pub(crate) fn inboxes(&self, invoked: &Invoked, seq: u64) -> Vec<User> {
        match invoked.to {
            Addressee::User(to) if to == invoked.from => vec![to],
            Addressee::User(to) => vec![to, invoked.from],
            Addressee::Group(group) => {
                self.groups.get(&group).map(|group| group.recipients(seq).collect()).unwrap_or_default()
            }
        }
    }

    /// Whether a message is a change of a group.
    pub(crate) fn is_change(&self, message: Message) -> bool {
        self.send(message).invoked.is_some_and(|invoked| self.history.step(invoked.body).is_some())
    }

    /// A message in words.
    pub(crate) fn name(&self, message: Message) -> String {
        let id = self.history.message_id(message).unwrap_or_default();
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn device_name(&self, device: Device) -> String {
        match self.history.device_info(device) {
            Some(info) => {
                let user = self.history.user_name(info.user).map_or("?", |name| name.as_str());
                format!("{user}/{}", info.name)
            }
            None => "nobody".to_owned(),
        }
    }

    fn take_send(&mut self, number: usize, process: Device, fact: SendFact) {
        match fact {
            SendFact::Invoke { message, to, body } => {
                let Some(from) = self.history.user_of(process) else { return };
                if let Some(send) = self.sends.get_mut(message.index()) {
                    send.invoked.get_or_insert(Invoked { device: process, from, to, body });
                }
            }
            SendFact::Ok { message, conversation, seq, .. } => {
                if let Some(send) = self.sends.get_mut(message.index()) {
                    send.ok.get_or_insert((number, Place { conversation, seq }));
                }
            }
            SendFact::Fail { message, code } => {
                if let Some(send) = self.sends.get_mut(message.index()) {
                    send.failed.get_or_insert((number, code));
                }
            }
            SendFact::Info { .. } | SendFact::Nothing { .. } => {}
        }
    }

    fn take_places(&mut self) {
        let mut found: Vec<(Message, Place)> = Vec::new();
        for (number, send) in self.sends.iter().enumerate() {
            if let Some((_, place)) = send.ok {
                found.push((Message(u32::try_from(number).unwrap_or(u32::MAX)), place));
            }
        }
        found.extend(self.sightings().map(|(_, _, _, seen)| (seen.message, seen.place())));
        for (message, place) in found {
            if let Some(known) = self.places.get_mut(message.index()) {
                known.get_or_insert(place);
            }
        }
    }

    fn take_groups(&mut self) {
        let mut founded = BTreeMap::new();
        for record in &self.history.records {
            match record.fact {
                Fact::Founding { message, group, policy } => {
                    founded.insert(message, group);
                    let founding = &mut self.groups.entry(group).or_default().founding;
                    (founding.message, founding.policy) = (Some(message), policy);
                }
                Fact::Founder { message, user } => {
                    let group = founded.get(&message).and_then(|group| self.groups.get_mut(group));
                    group.into_iter().for_each(|group| group.founding.founders.push(user));
                }
                _ => {}
            }
        }
        let mut groups = std::mem::take(&mut self.groups);
        for (record, _, _, seen) in self.sightings() {
            let Some(group) = groups.get_mut(&seen.conversation) else { continue };
            let Seen { message, from: author, body, .. } = seen;
            let known = group.messages.entry(seen.seq).or_insert(Known { record, message, author, body });
            known.body = known.body.max(body);
        }
        groups.values_mut().for_each(|group| group.follow(self.history));
        self.groups = groups;
    }

    fn take_authors(&mut self) {
        for (send, place) in self.sends.iter().zip(&self.places) {
            let (Some(send), Some(place)) = (send.invoked, place) else { continue };
            if let Some(to) = send.recipient() {
                self.pairs.insert(place.conversation, (send.from.min(to), send.from.max(to)));
            }
            self.authors.entry(place.conversation).or_default().insert(place.seq, send.from);
        }
    }

    fn take_readings(&mut self) {
        let mut open: BTreeMap<(Device, u32), Reading> = BTreeMap::new();
        for (number, record) in self.history.records.iter().enumerate() {
            let Fact::History(fact) = record.fact else { continue };
            let Some(reader) = self.history.user_of(record.process) else { continue };
            match fact {
                HistoryFact::Invoke { reading, .. } => {
                    let conversation = Conversation(u32::MAX);
                    let (invoked, complete, rows) = (number, false, Vec::new());
                    let fresh = Reading { invoked, reader, conversation, complete, rows };
                    open.insert((record.process, reading), fresh);
                }
                HistoryFact::Row { reading, seen } => {
                    if let Some(reading) = open.get_mut(&(record.process, reading)) {
                        reading.rows.push((number, seen));
                    }
                }
                HistoryFact::Ok { reading, conversation, complete } => {
                    if let Some(reading) = open.remove(&(record.process, reading)) {
                        self.readings.push(Reading { conversation, complete, ..reading });
                    }
                }
                HistoryFact::Fail { reading, .. } => {
                    open.remove(&(record.process, reading));
                }
            }
        }
    }
}

impl Invoked {
    /// Whom a direct message is for.
    pub(crate) fn recipient(&self) -> Option<User> {
        if let Addressee::User(user) = self.to { Some(user) } else { None }
    }
}

impl Seen {
    pub(crate) const fn place(&self) -> Place {
        Place { conversation: self.conversation, seq: self.seq }
    }
}
