//! The application of a fill run: senders who write to people that never log in, and look back now and then.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use anyhow::Result;
use iris_client_core::{
    ClientCore, ClientEvent, HistoryQuestion, NewMessage, Now, Outcome, QueryNumber, SendNumber,
};
use iris_protocol::ServerFrame;
use iris_types::request::HistoryFrom;
use iris_types::{Body, ConversationId, MessageId, Seq, UserId};

use super::clock::Stopwatch;
use super::generator::Application;
use super::mark::Mark;
use super::tally::Tally;

/// One in so many messages is kept in mind, to be looked up and sent again later.
const REMEMBERED: u64 = 1_000;
/// Age of the ids of those, in milliseconds: six days, one less than the window in which duplicates are known.
const AGE_MS: u64 = 6 * 24 * 3_600_000;
/// Entries of a first page.
const PAGE: NonZeroU64 = NonZeroU64::new(50).unwrap();

/// Everything that senders do and learn.
pub(crate) struct Filler {
    pub(crate) tally: Tally,
    /// Messages still to be sent by senders on their own, and how many each keeps on its way.
    pub(crate) quota: u64,
    pub(crate) window: usize,
    pub(crate) remembered: Vec<Remembered>,
    pub(crate) synced: usize,
    /// Repeats answered with another place than the first time, or not at all.
    pub(crate) forgotten: u64,
    pub(crate) pages: super::tally::Latency,
    pub(crate) empty_pages: u64,
    clock: Stopwatch,
    random: fastrand::Rng,
    recipients: Recipients,
    senders: Vec<Sender>,
    filling: Vec<u8>,
}

/// Names of people who never log in.
#[derive(Clone)]
pub(crate) struct Recipients {
    pub(crate) run: String,
    pub(crate) count: u32,
}

/// A message with an old id.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) sender: usize,
    pub(crate) to: UserId,
    body: Body,
    id: MessageId,
    place: Option<(ConversationId, Seq)>,
}

#[derive(Default)]
struct Sender {
    /// Intended time of each send, and which remembered one it is.
    sends: BTreeMap<SendNumber, (u64, Option<usize>)>,
    pages: BTreeMap<QueryNumber, u64>,
    synced: bool,
}

impl Recipients {
    fn name(&self, number: u32) -> Option<UserId> {
        UserId::new(&format!("fill-{}-{number}", self.run)).ok()
    }
}

impl Filler {
    pub(crate) fn new(
        clock: Stopwatch,
        seed: u64,
        recipients: Recipients,
        senders: usize,
        body_bytes: usize,
    ) -> Result<Self> {
        Ok(Self {
            tally: Tally::new()?,
            quota: 0,
            window: 0,
            remembered: Vec::new(),
            synced: 0,
            forgotten: 0,
            pages: super::tally::Latency::new()?,
            empty_pages: 0,
            clock,
            random: fastrand::Rng::with_seed(seed),
            recipients,
            senders: std::iter::repeat_with(Sender::default).take(senders).collect(),
            filling: vec![b'.'; body_bytes],
        })
    }

    /// Sends to somebody; now and then with an old id, to be remembered.
    pub(crate) fn send(&mut self, who: usize, core: &mut ClientCore, intended_us: u64, now: Now) -> bool {
        let Some(to) = self.recipients.name(self.random.u32(..self.recipients.count)) else { return false };
        let mark = Mark { intended_us, sender: u32::try_from(who).unwrap_or(u32::MAX), number: 0 };
        let Some(body) = mark.body(&self.filling) else { return false };
        let mut remembered = None;
        let mut id = None;
        if self.quota > 0 && self.tally.sent.is_multiple_of(REMEMBERED) {
            let mut bytes = [0; 10];
            self.random.fill(&mut bytes);
            let old = MessageId::from_parts(now.wall.minus_millis(AGE_MS), bytes);
            (id, remembered) = (Some(old), Some(self.remembered.len()));
            self.remembered.push(Remembered {
                sender: who,
                to: to.clone(),
                body: body.clone(),
                id: old,
                place: None,
            });
        }
        self.tally.sent += 1;
        self.hand_in(
            who,
            core,
            NewMessage { to: to.into(), body, id, reference: None },
            (intended_us, remembered),
            now,
        )
    }

    /// Sends a remembered message once more.
    pub(crate) fn repeat(&mut self, which: usize, core: &mut ClientCore, now: Now) {
        let Some(Remembered { sender, to, body, id, .. }) = self.remembered.get(which).cloned() else {
            return;
        };
        let message = NewMessage { to: to.into(), body, id: Some(id), reference: None };
        self.hand_in(sender, core, message, (self.clock.micros(), Some(which)), now);
    }

    /// Asks for the newest page of a conversation.
    pub(crate) fn look_back(&mut self, which: usize, core: &mut ClientCore) {
        let Some(Remembered { sender, to, .. }) = self.remembered.get(which) else { return };
        let question = HistoryQuestion { with: to.into(), from: HistoryFrom::Latest, limit: PAGE };
        let at_us = self.clock.micros();
        if let (Ok(query), Some(sender)) = (core.history(question), self.senders.get_mut(*sender)) {
            sender.pages.insert(query, at_us);
        }
    }

    /// Everything asked is answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.senders.iter().all(|sender| sender.sends.is_empty() && sender.pages.is_empty())
    }

    /// The machines begin anew: with empty databases, and numbers from 1.
    pub(crate) fn forget_devices(&mut self) {
        self.senders.iter_mut().for_each(|sender| *sender = Sender::default());
        self.synced = 0;
    }

    fn hand_in(
        &mut self,
        who: usize,
        core: &mut ClientCore,
        message: NewMessage,
        what: (u64, Option<usize>),
        now: Now,
    ) -> bool {
        let (Ok(number), Some(sender)) = (core.send(message, now), self.senders.get_mut(who)) else {
            self.tally.errors += 1;
            return false;
        };
        sender.sends.insert(number, what);
        true
    }

    fn settled(&mut self, who: usize, number: SendNumber, outcome: Outcome, at_us: u64) {
        let Some((intended_us, which)) = self.senders.get_mut(who).and_then(|s| s.sends.remove(&number))
        else {
            return;
        };
        match outcome {
            Outcome::Sent { conversation, seq, .. } => {
                self.tally.acknowledged(intended_us, at_us);
                if let Some(message) = which.and_then(|which| self.remembered.get_mut(which)) {
                    let place = (conversation, seq);
                    self.forgotten += u64::from(message.place.is_some_and(|first| first != place));
                    message.place = Some(place);
                }
            }
            Outcome::Failed(_) => {
                self.tally.errors += 1;
                self.forgotten += u64::from(which.is_some());
            }
        }
    }

    fn page_ended(&mut self, who: usize, query: QueryNumber, count: u64, at_us: u64) {
        if let Some(asked_us) = self.senders.get_mut(who).and_then(|sender| sender.pages.remove(&query)) {
            self.pages.record_us(at_us.saturating_sub(asked_us));
            self.empty_pages += u64::from(count == 0);
        }
    }
}

impl Application for Filler {
    const SEES_SENT_FRAMES: bool = false;

    fn arrived(&mut self, _who: usize, frame: &ServerFrame) {
        self.tally.arrived(frame);
    }

    fn event(&mut self, who: usize, event: &ClientEvent, at_us: u64) {
        match event {
            ClientEvent::Settled(settled) => self.settled(who, settled.number, settled.outcome, at_us),
            ClientEvent::HistoryEnd { query, count, .. } => self.page_ended(who, *query, *count, at_us),
            ClientEvent::QueryFailed { query, .. } => {
                self.tally.errors += 1;
                self.page_ended(who, *query, 0, at_us);
            }
            ClientEvent::Synced => {
                if let Some(sender) = self.senders.get_mut(who) {
                    self.synced += usize::from(!std::mem::replace(&mut sender.synced, true));
                }
            }
            ClientEvent::Disconnected => self.tally.disconnects += 1,
            ClientEvent::Refused(_) | ClientEvent::Stopped(_) => self.tally.errors += 1,
            _ => {}
        }
    }

    fn refill(&mut self, who: usize, core: &mut ClientCore, now: Now) {
        let at_us = self.clock.micros();
        while self.quota > 0 && core.is_ready() && core.unsettled() < self.window {
            if !self.send(who, core, at_us, now) {
                return;
            }
            self.quota -= 1;
        }
    }

    fn closed(&mut self, who: usize) {
        if let Some(sender) = self.senders.get_mut(who) {
            self.synced -= usize::from(std::mem::replace(&mut sender.synced, false));
        }
    }
}
