//! Sends: kept until settled, many on their way at once, in order per recipient.
//!
//! Sends to one recipient, a user or a group, form a lane. Each names the lane's previous unsettled send, so the server cannot commit
//! it first; a refused one closes its lane until the retry, the other lanes go on.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use foldhash::fast::FixedState;
use iris_types::limits::{OUTBOX_BYTES_MAX, OUTBOX_SENDS_MAX, REFERENCE_BYTES_MAX};
use iris_types::planted::{Bug, is_planted};
use iris_types::request::SendMessage;
use iris_types::{Body, ConversationId, MessageId, Monotonic, Target, UserId};

use crate::backoff::Retry;
use crate::draft::{After, Draft};
use crate::{ClientEvent, NewMessage, Outcome, SendError, SendNumber, Settled, StoreOperation, Unsent};

/// Every send that is not settled.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    sends: BTreeMap<SendNumber, Pending>,
    /// The first unsettled send of each id. Looked up only, like the lanes: no order of a map is ever seen.
    by_id: HashMap<MessageId, SendNumber, FixedState>,
    lanes: HashMap<Target, Lane, FixedState>,
    /// Sends that may be tried, in the order of acceptance.
    queue: BTreeSet<SendNumber>,
    /// When closed lanes open again.
    timers: BTreeSet<(Monotonic, Target)>,
    /// Sends that take a place of the window.
    busy: usize,
    body_bytes: usize,
    /// Settled, and the application has not taken the outcome.
    untaken: BTreeSet<SendNumber>,
    last_number: SendNumber,
}

#[derive(Debug)]
struct Pending {
    unsent: Unsent,
    state: State,
    /// It was transmitted under its present id, by this process.
    tried: bool,
    /// The predecessor that the last attempt named.
    previous: Option<MessageId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its first row is being stored.
    Accepting,
    /// In the queue, or behind a closed lane.
    Waiting,
    /// Its id is being stored.
    Naming,
    InFlight,
    /// Too old to be repeated: looked up in the conversation's history.
    LookedUp,
}

impl State {
    const fn is_busy(self) -> bool {
        matches!(self, Self::Naming | Self::InFlight)
    }
}

#[derive(Debug, Default)]
struct Lane {
    /// Ascending.
    sends: VecDeque<SendNumber>,
    gate: Gate,
    /// Refusals in a row.
    refusals: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Gate {
    #[default]
    Open,
    ClosedUntil(Monotonic),
    /// While its first send is looked up.
    Closed,
}

/// The next thing to do about a send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    Transmit(SendMessage),
    /// Its id is being stored first.
    Named,
    /// Its lane is closed.
    Held,
}

/// A send that has to be looked up, and in whose conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InDoubt {
    pub(crate) number: SendNumber,
    pub(crate) id: MessageId,
    pub(crate) with: Target,
    pub(crate) body: Body,
}

impl Outbox {
    pub(crate) fn restore(unsent: Vec<Unsent>, settled: &[Settled], last_number: SendNumber) -> Self {
        let untaken = settled.iter().map(|settled| settled.number).collect();
        let mut outbox = Self { untaken, last_number, ..Self::default() };
        for unsent in unsent {
            outbox.insert(unsent, State::Waiting);
        }
        outbox
    }

    /// Sends not settled.
    pub(crate) fn len(&self) -> usize {
        self.sends.len()
    }

    /// Sends that take a place of the window.
    pub(crate) const fn busy(&self) -> usize {
        self.busy
    }

    /// Takes a message in. `minted` is the id it gets when it can be tried at once.
    pub(crate) fn accept(
        &mut self,
        message: NewMessage,
        minted: Option<MessageId>,
        draft: &mut Draft,
    ) -> Result<SendNumber, SendError> {
        let bytes = self.body_bytes + message.body.bytes().len();
        if self.sends.len() + self.untaken.len() >= OUTBOX_SENDS_MAX || bytes > OUTBOX_BYTES_MAX {
            return Err(SendError::OutboxFull);
        }
        if message.reference.as_ref().is_some_and(|reference| reference.len() > REFERENCE_BYTES_MAX) {
            return Err(SendError::ReferenceTooLong(REFERENCE_BYTES_MAX));
        }
        let number = SendNumber(self.last_number.0 + 1);
        let NewMessage { to, body, id, reference } = message;
        let unsent = Unsent { number, to, body, id: id.or(minted), id_given: id.is_some(), reference };
        draft.store(StoreOperation::PutUnsent(unsent.clone()));
        draft.then(After::Accepted(number));
        self.insert(unsent, State::Accepting);
        Ok(number)
    }

    /// The send's latest row is stored: it may be tried.
    pub(crate) fn row_stored(&mut self, number: SendNumber) {
        if matches!(self.state(number), Some(State::Accepting | State::Naming)) {
            self.set_state(number, State::Waiting);
            self.queue.insert(number);
        }
    }

    /// Logged in: everything may be tried, with the ids that it has.
    pub(crate) fn resume(&mut self) {
        self.timers.clear();
        self.lanes
            .values_mut()
            .filter(|lane| lane.gate != Gate::Closed)
            .for_each(|lane| lane.gate = Gate::Open);
        let waiting = |(_, pending): &(&SendNumber, &Pending)| pending.state == State::Waiting;
        self.queue = self.sends.iter().filter(waiting).map(|(number, _)| *number).collect();
    }

    pub(crate) fn connection_lost(&mut self) {
        for pending in self.sends.values_mut() {
            if pending.state == State::InFlight {
                pending.state = State::Waiting;
                self.busy -= 1;
            }
        }
    }

    /// The first send that may be tried.
    pub(crate) fn pop(&mut self) -> Option<SendNumber> {
        self.queue.pop_first()
    }

    /// Tries a send, or says what comes first. `mint` gives an id dated now.
    pub(crate) fn attempt(
        &mut self,
        number: SendNumber,
        mint: impl FnOnce() -> MessageId,
        draft: &mut Draft,
    ) -> Attempt {
        let Some(pending) = self.sends.get(&number) else { return Attempt::Held };
        let Some(lane) = self.lanes.get(&pending.unsent.to) else { return Attempt::Held };
        if lane.gate != Gate::Open {
            return Attempt::Held;
        }
        let predecessor = lane.before(number).and_then(|before| self.sends.get(&before));
        let follows_naming = predecessor.is_some_and(|before| before.state == State::Naming);
        let previous = predecessor.and_then(|before| before.unsent.id);
        let renames = pending.tried && is_planted(Bug::ClientRenamesRetry);
        match pending.unsent.id {
            Some(_) if follows_naming && !renames => self.put_again(number, draft),
            Some(id) if !renames => return self.transmit(number, id, previous),
            _ => self.rename(number, mint(), draft),
        }
        Attempt::Named
    }

    /// The send is over. `None` when that was known.
    pub(crate) fn settle(
        &mut self,
        number: SendNumber,
        outcome: Outcome,
        draft: &mut Draft,
    ) -> Option<Unsent> {
        let unsent = self.remove(number, matches!(outcome, Outcome::Failed(_)))?;
        let Unsent { to, id, reference, .. } = unsent.clone();
        self.untaken.insert(number);
        let settled = Settled { number, to, id, reference, outcome };
        draft.store(StoreOperation::Settle(settled.clone()));
        draft.then(After::Event(ClientEvent::Settled(settled)));
        Some(unsent)
    }

    /// The application took the outcome.
    pub(crate) fn taken(&mut self, number: SendNumber, draft: &mut Draft) {
        if self.untaken.remove(&number) {
            draft.store(StoreOperation::DropSettled(number));
        }
    }

    /// The unsettled send of `user` in `conversation` that was given this id here.
    pub(crate) fn find(
        &self,
        id: MessageId,
        conversation: ConversationId,
        user: &UserId,
    ) -> Option<SendNumber> {
        let number = self.by_id.get(&id)?;
        let unsent = &self.sends.get(number)?.unsent;
        // An application may give an id twice, with different bodies, which an entry does not tell apart.
        let is_this = !unsent.id_given && unsent.to.conversation(user) == conversation;
        is_this.then_some(*number)
    }

    /// Refused because of its predecessor: again at once if that is settled or renamed, else with its lane.
    pub(crate) fn refused_order(&mut self, number: SendNumber, retry: Retry) {
        let Some(pending) = self.sends.get(&number).filter(|pending| pending.state == State::InFlight) else {
            return;
        };
        let named = pending.previous;
        let lane = self.lanes.get(&pending.unsent.to);
        let before = lane.and_then(|lane| lane.before(number)).and_then(|before| self.sends.get(&before));
        if named == before.and_then(|before| before.unsent.id) {
            return self.refused(number, retry);
        }
        self.set_state(number, State::Waiting);
        self.queue.insert(number);
    }

    /// Refused, to be tried again: its lane closes until the retry.
    pub(crate) fn refused(&mut self, number: SendNumber, retry: Retry) {
        if self.state(number) == Some(State::InFlight) {
            self.set_state(number, State::Waiting);
            self.close_lane(number, retry);
        }
    }

    /// Refused because its id is dated ahead, which proves that nothing was committed: the only refusal that
    /// allows a new id. `false` when the id is the application's own.
    pub(crate) fn refused_id(
        &mut self,
        number: SendNumber,
        minted: MessageId,
        retry: Retry,
        draft: &mut Draft,
    ) -> bool {
        let Some(pending) = self.sends.get(&number) else { return true };
        if pending.unsent.id_given {
            return false;
        }
        if pending.state == State::InFlight {
            self.rename(number, minted, draft);
            self.close_lane(number, retry);
        }
        true
    }

    /// Refused because its id is too old to be told from new ones. Its lane closes until it is settled.
    pub(crate) fn refused_age(&mut self, number: SendNumber) -> Option<InDoubt> {
        let pending = self.sends.get(&number).filter(|pending| pending.state == State::InFlight)?;
        let id = pending.unsent.id?;
        let (with, body) = (pending.unsent.to.clone(), pending.unsent.body.clone());
        self.set_state(number, State::LookedUp);
        self.set_gate(&with, Gate::Closed);
        Some(InDoubt { number, id, with, body })
    }

    /// When the next lane opens.
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Opens the lanes whose time has come.
    pub(crate) fn open_lanes(&mut self, now: Monotonic) {
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, to)) = self.timers.pop_first() {
                self.open_lane(&to);
            }
        }
    }

    fn insert(&mut self, unsent: Unsent, state: State) {
        let number = unsent.number;
        self.last_number = self.last_number.max(number);
        self.body_bytes += unsent.body.bytes().len();
        if let Some(id) = unsent.id {
            self.by_id.entry(id).or_insert(number);
        }
        self.lanes.entry(unsent.to.clone()).or_default().sends.push_back(number);
        self.sends.insert(number, Pending { unsent, state, tried: false, previous: None });
    }

    /// A success leaves a closed lane to its timer: the server asked for that time when it refused another send.
    /// What waited for a send that has `failed` waits for nothing.
    fn remove(&mut self, number: SendNumber, failed: bool) -> Option<Unsent> {
        let Pending { unsent, state, .. } = self.sends.remove(&number)?;
        self.busy -= usize::from(state.is_busy());
        self.body_bytes -= unsent.body.bytes().len();
        self.queue.remove(&number);
        self.forget_id(unsent.id, number);
        let lane = self.lanes.get_mut(&unsent.to)?;
        lane.refusals = 0;
        if let Ok(at) = lane.sends.binary_search(&number) {
            lane.sends.remove(at);
        }
        let (opens, is_empty) = (lane.opens_behind(state, failed), lane.sends.is_empty());
        if opens || is_empty {
            self.open_lane(&unsent.to);
        }
        if is_empty {
            self.lanes.remove(&unsent.to);
        }
        Some(unsent)
    }

    fn forget_id(&mut self, id: Option<MessageId>, number: SendNumber) {
        if let Some(id) = id
            && self.by_id.get(&id) == Some(&number)
        {
            self.by_id.remove(&id);
        }
    }

    fn transmit(&mut self, number: SendNumber, id: MessageId, previous: Option<MessageId>) -> Attempt {
        self.set_state(number, State::InFlight);
        let Some(pending) = self.sends.get_mut(&number) else { return Attempt::Held };
        pending.tried = true;
        pending.previous = previous;
        let Unsent { to, body, .. } = &pending.unsent;
        Attempt::Transmit(SendMessage { id, to: to.clone(), previous, body: body.clone() })
    }

    /// Gives a send an id that no server has seen.
    fn rename(&mut self, number: SendNumber, id: MessageId, draft: &mut Draft) {
        let Some(pending) = self.sends.get_mut(&number) else { return };
        let former = pending.unsent.id.replace(id);
        pending.tried = false;
        self.forget_id(former, number);
        self.by_id.entry(id).or_insert(number);
        self.put_again(number, draft);
    }

    fn put_again(&mut self, number: SendNumber, draft: &mut Draft) {
        self.set_state(number, State::Naming);
        let Some(pending) = self.sends.get(&number) else { return };
        draft.store(StoreOperation::PutUnsent(pending.unsent.clone()));
        draft.then(After::Named(number));
    }

    fn state(&self, number: SendNumber) -> Option<State> {
        self.sends.get(&number).map(|pending| pending.state)
    }

    fn set_state(&mut self, number: SendNumber, state: State) {
        if let Some(pending) = self.sends.get_mut(&number) {
            self.busy -= usize::from(pending.state.is_busy());
            self.busy += usize::from(state.is_busy());
            pending.state = state;
        }
    }

    fn close_lane(&mut self, number: SendNumber, retry: Retry) {
        let Some(to) = self.sends.get(&number).map(|pending| pending.unsent.to.clone()) else { return };
        let Some(lane) = self.lanes.get_mut(&to).filter(|lane| lane.gate == Gate::Open) else { return };
        let at = retry.at(lane.refusals);
        lane.refusals += 1;
        self.set_gate(&to, Gate::ClosedUntil(at));
        self.timers.insert((at, to));
    }

    fn set_gate(&mut self, to: &Target, gate: Gate) {
        let Some(lane) = self.lanes.get_mut(to) else { return };
        if let Gate::ClosedUntil(at) = std::mem::replace(&mut lane.gate, gate) {
            self.timers.remove(&(at, to.clone()));
        }
    }

    fn open_lane(&mut self, to: &Target) {
        self.set_gate(to, Gate::Open);
        let Some(lane) = self.lanes.get(to) else { return };
        let waits = |number: &&SendNumber| self.sends.get(number).is_some_and(|s| s.state == State::Waiting);
        self.queue.extend(lane.sends.iter().filter(waits));
    }
}

impl Lane {
    /// The unsettled send before this one.
    fn before(&self, number: SendNumber) -> Option<SendNumber> {
        let at = self.sends.binary_search(&number).ok()?;
        self.sends.get(at.checked_sub(1)?).copied()
    }

    /// Whether the end of a send in this state opens the lane before its time.
    fn opens_behind(&self, state: State, failed: bool) -> bool {
        match self.gate {
            Gate::Open => false,
            Gate::ClosedUntil(_) => failed,
            Gate::Closed => state == State::LookedUp,
        }
    }
}
