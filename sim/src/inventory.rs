//! The last phase: for each user a fresh device syncs from zero, lists and reads all conversations from both
//! ends, and repeats every send.

use std::collections::{BTreeMap, VecDeque};

use iris_client_core::{Outcome, Question, RosterQuestion, SendNumber, Settled};
use iris_history::{Fact, Message, RepeatFact};
use iris_types::request::HistoryFrom;
use iris_types::{
    Body, ConversationId, ConversationSummary, MessageId, ReceiptPage, Refusal, Role, RosterItem, Seq,
    Standing, Target,
};

use crate::recorder::hash_of;
use crate::world::World;

/// One fresh device's task.
#[derive(Default)]
pub(crate) struct Inventory {
    step: Step,
    reads: VecDeque<Read>,
    /// Sends to repeat: first as they were, then with another body.
    repeats: VecDeque<Repeat>,
    running: BTreeMap<SendNumber, (MessageId, u64)>,
}

/// One thing to be read.
enum Read {
    History(Target, HistoryFrom),
    Roster(ConversationId),
    /// Who has a message.
    Receipts(Target, Seq),
}

/// A send of the user that is known to be committed.
#[derive(Clone)]
pub(crate) struct Repeat {
    pub(crate) id: MessageId,
    pub(crate) to: Target,
    pub(crate) body: Body,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Syncing,
    Listing,
    Reading,
    Repeating,
    Done,
}

impl Inventory {
    pub(crate) fn new(repeats: Vec<Repeat>) -> Self {
        Self { repeats: repeats.into(), ..Self::default() }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    pub(crate) fn repeats(&mut self, number: SendNumber, id: Option<MessageId>, body: &Body) {
        if let Some(id) = id {
            self.running.insert(number, (id, hash_of(body)));
        }
    }

    /// Moves to a step if it is time for it.
    fn advance(&mut self, from: Step, to: Step) -> bool {
        let is_time = self.step == from;
        if is_time {
            self.step = to;
        }
        is_time
    }
}

impl World {
    fn inventory(&mut self, index: usize) -> Option<&mut Inventory> {
        self.devices.get_mut(index)?.inventory.as_mut()
    }

    pub(crate) fn inventory_synced(&mut self, index: usize) {
        let Some(inventory) = self.inventory(index) else { return };
        if inventory.advance(Step::Syncing, Step::Listing) {
            let Some(process) = self.devices.get(index) else { return };
            let (device, incarnation) = (process.device, process.incarnation);
            self.recorder.fact(device, incarnation, Fact::Settled);
            self.ask_conversations(index);
        }
    }

    pub(crate) fn inventory_listed(&mut self, index: usize, items: &[ConversationSummary]) {
        let Some(inventory) = self.inventory(index) else { return };
        if !inventory.advance(Step::Listing, Step::Reading) {
            return;
        }
        for item in items {
            let target = item.with.target(item.conversation);
            inventory.reads.push_back(Read::History(target.clone(), HistoryFrom::After(Seq(0))));
            inventory.reads.push_back(Read::History(target.clone(), HistoryFrom::Latest));
            if let Target::Group(group) = target
                && item.standing != Standing::Gone
            {
                inventory.reads.push_back(Read::Roster(group));
            }
            if item.standing == Standing::Member {
                inventory.reads.push_back(Read::Receipts(target, item.last_seq));
            }
        }
        self.inventory_read(index);
    }

    /// A reading is over, or none has begun: on to the next.
    pub(crate) fn inventory_read(&mut self, index: usize) {
        let Some(inventory) = self.inventory(index) else { return };
        match inventory.reads.pop_front() {
            Some(Read::History(with, from)) => self.read(index, &with, from, 1_000_000),
            Some(Read::Roster(group)) => {
                self.ask(index, Question::Roster(RosterQuestion { group, after: None, limit: None }));
            }
            Some(Read::Receipts(target, seq)) => self.ask(index, Question::Receipts { target, seq }),
            None => {
                if inventory.advance(Step::Reading, Step::Repeating) {
                    self.inventory_repeat(index);
                }
            }
        }
    }

    /// Asked by others, too, who do not wait for it.
    pub(crate) fn inventory_roster(&mut self, index: usize, group: ConversationId, items: &[RosterItem]) {
        if self.inventory(index).is_none() {
            return;
        }
        let group = self.recorder.conversation(group);
        for item in items {
            let user = self.recorder.user(&item.user);
            let role = item.role.map_or(0, Role::number);
            self.inventory_fact(index, Fact::Enrolled { group, user, role, since: item.since.0 });
        }
        self.inventory_fact(index, Fact::RosterEnd { group });
        self.inventory_read(index);
    }

    pub(crate) fn inventory_receipts(
        &mut self,
        index: usize,
        target: &Target,
        seq: Seq,
        receipts: &ReceiptPage,
    ) {
        let Some(process) = self.devices.get(index) else { return };
        if process.inventory.is_none() {
            return;
        }
        let conversation = self.recorder.conversation(target.conversation(&process.user));
        for (user, marks) in &receipts.by {
            let user = self.recorder.user(user);
            let (delivered, read) = (marks.delivered.0, marks.read.0);
            self.inventory_fact(index, Fact::Has { conversation, user, delivered, read });
        }
        let ReceiptPage { delivered, read, members, .. } = *receipts;
        self.inventory_fact(index, Fact::ReceiptsEnd { conversation, seq: seq.0, delivered, read, members });
        self.inventory_read(index);
    }

    fn inventory_fact(&mut self, index: usize, fact: Fact) {
        if let Some(process) = self.devices.get(index) {
            self.recorder.fact(process.device, process.incarnation, fact);
        }
    }

    pub(crate) fn inventory_settled(&mut self, index: usize, settled: &Settled) {
        let Some(process) = self.devices.get_mut(index) else { return };
        let (device, incarnation) = (process.device, process.incarnation);
        let Some(inventory) = &mut process.inventory else { return };
        let Some((id, body)) = inventory.running.remove(&settled.number) else { return };
        let message: Message = self.recorder.message(id);
        let fact = match settled.outcome {
            Outcome::Sent { conversation, seq, .. } => {
                let conversation = self.recorder.conversation(conversation);
                RepeatFact::Ok { message, body, conversation, seq: seq.0 }
            }
            Outcome::Failed(refusal) => RepeatFact::Fail { message, body, code: refusal.code as u16 },
        };
        self.recorder.fact(device, incarnation, Fact::Repeat(fact));
        self.inventory_repeat(index);
    }

    pub(crate) fn inventory_failed(&mut self, index: usize, refusal: Refusal) {
        if self.inventory(index).is_some() {
            self.defect(|| format!("the inventory of device {index} is refused: {refusal}"));
        }
    }

    /// One by one: a conflict must not hold up what follows it.
    fn inventory_repeat(&mut self, index: usize) {
        let Some(inventory) = self.inventory(index) else { return };
        if inventory.step != Step::Repeating || !inventory.running.is_empty() {
            return;
        }
        match inventory.repeats.pop_front() {
            Some(repeat) => self.send(index, repeat.to, repeat.body, Some(repeat.id)),
            None => inventory.step = Step::Done,
        }
    }
}
