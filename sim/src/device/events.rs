//! What a device learns, and what the recorder is told of it.

use iris_client_core::{ClientEvent, Outcome, QueryNumber, Settled};
use iris_history::{Device, Fact, HistoryFact, SendFact, Standing};
use iris_types::request::HistoryFrom;
use iris_types::{ConversationId, ConversationSummary, HistoryEntry, Target};

use crate::world::World;

impl World {
    pub(super) fn device_event(&mut self, index: usize, event: ClientEvent) {
        let mark = event.mark();
        let Some(process) = self.devices.get_mut(index) else { return };
        let (device, incarnation) = (process.device, process.incarnation);
        match event {
            ClientEvent::Message { offset, message } => {
                let place = (message.conversation, message.seq.0);
                let body = Some(&message.body);
                let seen = self.recorder.seen(offset.0, place, message.id, &message.from, body);
                self.recorder.fact(device, incarnation, Fact::Shown(seen));
                self.learn(index, &message);
            }
            ClientEvent::GroupCreated { group, .. } => self.learn_group(group),
            ClientEvent::Roster { group, items, .. } => self.inventory_roster(index, group, &items),
            ClientEvent::Receipts { target, seq, receipts, .. } => {
                self.inventory_receipts(index, &target, seq, &receipts);
            }
            ClientEvent::Gap { first, last } => {
                self.recorder.fact(device, incarnation, Fact::Gap { first: first.0, last: last.0 });
            }
            ClientEvent::Settled(settled) => self.send_settled(index, &settled),
            ClientEvent::HistoryPage { query, conversation, entries, .. } => {
                self.history_rows(index, query, conversation, &entries);
            }
            ClientEvent::HistoryEnd { query, with, more, .. } => {
                self.history_ends(index, query, &with, more);
            }
            ClientEvent::Conversations { items, .. } => {
                for item in &items {
                    self.listed((device, incarnation), item);
                }
                self.inventory_listed(index, &items);
            }
            ClientEvent::QueryFailed { query, refusal } => {
                if let Some(reading) = process.readings.remove(&query) {
                    let fact = HistoryFact::Fail { reading: reading.number, code: refusal.code as u16 };
                    self.recorder.fact(device, incarnation, Fact::History(fact));
                }
                self.inventory_failed(index, refusal);
            }
            ClientEvent::Synced => {
                process.synced = true;
                self.inventory_synced(index);
            }
            ClientEvent::Stopped(refusal) => return self.device_stopped(index, refusal),
            ClientEvent::Refused(refusal) => {
                self.recorder.note(|| format!("device {} is refused: {refusal}", device.0));
            }
            ClientEvent::Done { query } => self.change_done(index, query),
            // What a device was told below its filter is written down there.
            _ => {}
        }
        let core = self.devices.get_mut(index).and_then(|process| process.core.as_mut());
        if let (Some(mark), Some(core)) = (mark, core) {
            core.handed_over(mark);
        }
    }

    fn listed(&mut self, (device, incarnation): (Device, u32), item: &ConversationSummary) {
        let conversation = self.recorder.conversation(item.conversation);
        let with = self.recorder.history.addressee(&item.with.target(item.conversation));
        let last = item.last_seq.0;
        self.recorder.fact(device, incarnation, Fact::Listed { conversation, with, last });
        let standing = Standing {
            conversation,
            last,
            read: item.read.0,
            unread: item.unread,
            flags: item.flags.bits(),
            standing: item.standing.number(),
        };
        self.recorder.fact(device, incarnation, Fact::Standing(standing));
    }

    pub(super) fn send_settled(&mut self, index: usize, settled: &Settled) {
        let Some(process) = self.devices.get_mut(index) else { return };
        if process.inventory.is_some() {
            self.inventory_settled(index, settled);
            return;
        }
        let (device, incarnation) = (process.device, process.incarnation);
        let known = process.sends.get(&settled.number).copied();
        let message = match (settled.id, known) {
            (Some(id), _) => self.recorder.message(id),
            (None, Some(message)) => message,
            (None, None) => return,
        };
        let fact = match settled.outcome {
            Outcome::Sent { conversation, seq, sent_at } => {
                process.tally.acked += 1;
                let conversation = self.recorder.conversation(conversation);
                SendFact::Ok { message, conversation, seq: seq.0, sent_at: sent_at.0 }
            }
            Outcome::Failed(refusal) => {
                process.tally.refused += 1;
                SendFact::Fail { message, code: refusal.code as u16 }
            }
        };
        self.recorder.fact(device, incarnation, Fact::Send(fact));
    }

    pub(super) fn history_rows(
        &mut self,
        index: usize,
        query: QueryNumber,
        conversation: ConversationId,
        entries: &[HistoryEntry],
    ) {
        let Some(process) = self.devices.get(index) else { return };
        let Some(reading) = process.readings.get(&query).map(|reading| reading.number) else { return };
        let (device, incarnation) = (process.device, process.incarnation);
        for entry in entries {
            let place = (conversation, entry.seq.0);
            let seen = self.recorder.seen(0, place, entry.id, &entry.from, Some(&entry.body));
            self.recorder.fact(device, incarnation, Fact::History(HistoryFact::Row { reading, seen }));
        }
    }

    pub(super) fn history_ends(&mut self, index: usize, query: QueryNumber, with: &Target, more: bool) {
        let Some(process) = self.devices.get_mut(index) else { return };
        let Some(reading) = process.readings.remove(&query) else { return };
        let (device, incarnation) = (process.device, process.incarnation);
        let conversation = with.conversation(&process.user);
        let conversation = self.recorder.conversation(conversation);
        let from_an_end = match reading.from {
            HistoryFrom::Latest => true,
            HistoryFrom::After(seq) => seq.0 == 0,
            HistoryFrom::Before(_) => false,
        };
        let complete = from_an_end && !more;
        let fact = HistoryFact::Ok { reading: reading.number, conversation, complete };
        self.recorder.fact(device, incarnation, Fact::History(fact));
        self.inventory_read(index);
    }
}
