//! The application of a load run: users who write to their neighbours, and count.

use std::collections::VecDeque;

use iris_client_core::{ClientCore, ClientEvent, NewMessage, Now, Outcome, SendNumber};
use iris_protocol::ServerFrame;
use iris_protocol::batch::BatchItem;
use iris_protocol::entry::Entry;
use iris_types::{InboxEntry, InboxItem, InboxMessage, Offset, UserId};

use super::clock::Stopwatch;
use super::generator::Application;
use super::mark::Mark;
use super::order::{Arrival, Order};
use super::tally::Tally;

/// Others that each user writes to: the next ones in a ring.
pub(crate) const PEERS: usize = 20;

/// Everything a load run knows of its users.
pub(crate) struct Traffic {
    pub(crate) tally: Tally,
    /// Sends kept on their way by each user; `None`: only what [`Self::send`] is told.
    pub(crate) window: Option<usize>,
    clock: Stopwatch,
    users: Vec<User>,
    filling: Vec<u8>,
    /// Users logged in and synced, at the moment.
    pub(crate) synced: usize,
    /// Microseconds of the clock at which each connection was intended, and how long they took.
    pub(crate) logins: Option<Logins>,
}

/// How long connections take, from the intended time of each to its login.
pub(crate) struct Logins {
    pub(crate) intended_us: Vec<Option<u64>>,
    pub(crate) latency: super::tally::Latency,
}

struct User {
    name: UserId,
    /// The next neighbour to write to.
    turn: usize,
    /// What was sent to each neighbour.
    lanes: Vec<Lane>,
    /// What came from each user before this one in the ring: on the wire, and in the application.
    arrived: Vec<Order>,
    shown: Vec<Order>,
    /// Sends that are not settled, by number from `first` on: the intended time and the lane.
    unsettled: VecDeque<Option<(u64, usize)>>,
    first: SendNumber,
    /// The last inbox entry on the wire.
    offset: Offset,
    synced: bool,
}

#[derive(Clone, Copy, Default)]
struct Lane {
    sent: u32,
    acked: u64,
}

impl Traffic {
    pub(crate) fn new(names: &[UserId], body_bytes: usize, clock: Stopwatch) -> anyhow::Result<Self> {
        let peers = PEERS.min(names.len().saturating_sub(1)).max(1);
        let user = |name: &UserId| User {
            name: name.clone(),
            turn: 0,
            lanes: vec![Lane::default(); peers],
            arrived: vec![Order::default(); peers],
            shown: vec![Order::default(); peers],
            unsettled: VecDeque::new(),
            first: SendNumber(1),
            offset: Offset::ZERO,
            synced: false,
        };
        Ok(Self {
            tally: Tally::new()?,
            window: None,
            clock,
            users: names.iter().map(user).collect(),
            filling: vec![b'.'; body_bytes],
            synced: 0,
            logins: None,
        })
    }

    /// Sends to the user's next neighbour. `false` when the outbox is full.
    pub(crate) fn send(&mut self, who: usize, core: &mut ClientCore, intended_us: u64, now: Now) -> bool {
        let users = self.users.len();
        let Some(user) = self.users.get_mut(who) else { return false };
        let lane_number = user.turn;
        let peer = (who + 1 + lane_number) % users.max(1);
        let sent = user.lanes.get(lane_number).map_or(0, |lane| lane.sent);
        let sender = u32::try_from(who).unwrap_or(u32::MAX);
        let Some(body) = (Mark { intended_us, sender, number: sent }).body(&self.filling) else {
            return false;
        };
        let Some(to) = self.users.get(peer).map(|peer| peer.name.clone()) else { return false };
        let message = NewMessage { to: to.into(), body, id: None, reference: None };
        if core.send(message, now).is_err() {
            self.tally.errors += 1;
            return false;
        }
        let Some(user) = self.users.get_mut(who) else { return false };
        user.turn = (lane_number + 1) % user.lanes.len();
        if let Some(lane) = user.lanes.get_mut(lane_number) {
            lane.sent += 1;
        }
        user.unsettled.push_back(Some((intended_us, lane_number)));
        self.tally.sent += 1;
        true
    }

    /// Acknowledged messages that were never shown to their recipient.
    pub(crate) fn lost(&self) -> u64 {
        let users = self.users.len();
        let lanes = self.users.iter().enumerate().flat_map(|(who, user)| {
            user.lanes
                .iter()
                .enumerate()
                .map(move |(lane, sent)| (sent.acked, (who + 1 + lane) % users, lane))
        });
        lanes.map(|(acked, to, lane)| acked.saturating_sub(self.shown_from(to, lane))).sum()
    }

    /// Everything acknowledged was shown.
    pub(crate) fn is_delivered(&self) -> bool {
        self.tally.shown >= self.tally.acked && self.lost() == 0
    }

    fn shown_from(&self, who: usize, lane: usize) -> u64 {
        self.users.get(who).and_then(|user| user.shown.get(lane)).map_or(0, Order::seen)
    }

    fn settled(&mut self, who: usize, number: SendNumber, outcome: Outcome, at_us: u64) {
        let Some(user) = self.users.get_mut(who) else { return };
        let at = usize::try_from(number.0.saturating_sub(user.first.0)).unwrap_or(usize::MAX);
        let Some((intended_us, lane)) = user.unsettled.get_mut(at).and_then(Option::take) else { return };
        while matches!(user.unsettled.front(), Some(None)) {
            user.unsettled.pop_front();
            user.first.0 += 1;
        }
        match outcome {
            Outcome::Sent { .. } => {
                if let Some(lane) = user.lanes.get_mut(lane) {
                    lane.acked += 1;
                }
                self.tally.acknowledged(intended_us, at_us);
            }
            Outcome::Failed(_) => self.tally.errors += 1,
        }
    }

    /// A message came to its recipient: over the wire, or through the client machine.
    fn message(&mut self, who: usize, message: &InboxMessage, shown_at_us: Option<u64>) {
        let users = self.users.len();
        let Some(mark) = Mark::read(&message.body) else { return };
        let sender = usize::try_from(mark.sender).unwrap_or(usize::MAX);
        let Some(user) = self.users.get_mut(who).filter(|_| sender < users) else { return };
        let lane = (who + 2 * users - sender - 1) % users;
        let orders = if shown_at_us.is_some() { &mut user.shown } else { &mut user.arrived };
        let Some(order) = orders.get_mut(lane) else { return };
        match order.take(mark.number) {
            Arrival::Again => self.tally.duplicated += 1,
            Arrival::Late => self.tally.reordered += 1,
            Arrival::InOrder | Arrival::Ahead => {}
        }
        if let Some(at_us) = shown_at_us {
            self.tally.received(mark.intended_us, at_us);
        }
    }

    /// An entry of the inbox on the wire; `true` when it is the next one.
    fn entry(&mut self, who: usize, offset: Offset) -> bool {
        let Some(user) = self.users.get_mut(who) else { return false };
        if offset <= user.offset {
            self.tally.redelivered += 1;
            return false;
        }
        self.tally.reordered += u64::from(offset.0 != user.offset.0 + 1);
        user.offset = offset;
        true
    }

    fn item(&mut self, who: usize, item: &BatchItem) {
        match item {
            BatchItem::Entry(entry) => {
                let is_new = self.entry(who, entry.offset());
                if let Entry::Whole(InboxEntry { item: InboxItem::Message(message), .. }) = entry
                    && is_new
                {
                    self.message(who, message, None);
                }
            }
            BatchItem::Sent(frame) => {
                if let Some(offset) = frame.sent.offset {
                    self.entry(who, offset);
                }
            }
        }
    }

    fn set_synced(&mut self, who: usize, synced: bool) {
        if let Some(user) = self.users.get_mut(who)
            && std::mem::replace(&mut user.synced, synced) != synced
        {
            if synced { self.synced += 1 } else { self.synced -= 1 }
        }
    }

    fn logged_in(&mut self, who: usize, at_us: u64) {
        let Some(logins) = &mut self.logins else { return };
        if let Some(intended_us) = logins.intended_us.get_mut(who).and_then(Option::take) {
            logins.latency.record_us(at_us.saturating_sub(intended_us));
        }
    }
}

impl Application for Traffic {
    const SEES_SENT_FRAMES: bool = false;

    fn arrived(&mut self, who: usize, frame: &ServerFrame) {
        match frame {
            ServerFrame::Batch(items) => items.iter().for_each(|item| self.item(who, item)),
            ServerFrame::Entry(entry) => self.item(who, &BatchItem::Entry(entry.clone())),
            ServerFrame::Sent(frame) => self.item(who, &BatchItem::Sent(*frame)),
            other => self.tally.arrived(other),
        }
    }

    fn event(&mut self, who: usize, event: &ClientEvent, at_us: u64) {
        match event {
            ClientEvent::Settled(settled) => self.settled(who, settled.number, settled.outcome, at_us),
            ClientEvent::Message { message, .. } => self.message(who, message, Some(at_us)),
            ClientEvent::Ready => self.logged_in(who, at_us),
            ClientEvent::Synced => self.set_synced(who, true),
            ClientEvent::Disconnected => self.tally.disconnects += 1,
            ClientEvent::Refused(_) | ClientEvent::Stopped(_) => self.tally.errors += 1,
            _ => {}
        }
    }

    fn refill(&mut self, who: usize, core: &mut ClientCore, now: Now) {
        let Some(window) = self.window else { return };
        let at_us = self.clock.micros();
        while core.is_ready() && core.unsettled() < window && self.send(who, core, at_us, now) {}
    }

    fn closed(&mut self, who: usize) {
        self.set_synced(who, false);
    }
}
