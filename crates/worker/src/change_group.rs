//! Groups are made and changed: decided, committed, brought to everybody concerned.

use iris_types::planted::{Bug, is_planted};
use iris_types::request::Answer;
use iris_types::{ChangeGroup, ConversationId, CreateGroup, Target};
use iris_vnode::Event;
use iris_vnode::change_group::{self, Changed, Decision};
use iris_vnode::create_group;
use iris_vnode::send_message::Lookups;

use crate::state::{Caller, ConversationCommand};
use crate::worker::Worker;

impl Worker {
    pub(crate) fn create_group(&mut self, caller: Caller, create: CreateGroup) {
        let group = ConversationId::group(&caller.user, create.id);
        self.conversation_change(caller, &Target::Group(group), ConversationCommand::Create(create));
    }

    pub(crate) fn change_group(&mut self, caller: Caller, change: ChangeGroup) {
        let target = Target::Group(change.group);
        self.conversation_change(caller, &target, ConversationCommand::Change(change));
    }

    pub(crate) fn decide_creation(
        &mut self,
        slot: u32,
        caller: &Caller,
        create: &CreateGroup,
        lookups: Lookups,
    ) {
        let times = (self.now, self.log.stamp(&self.config.limits));
        let members_max = self.config.limits.group_members_max;
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let Some(conversation) = state.conversation.as_mut() else { return };
        let decision = create_group::decide(conversation, &caller.user, create, members_max, lookups, times);
        self.act_on_change(slot, caller, decision);
    }

    pub(crate) fn decide_change(
        &mut self,
        slot: u32,
        caller: &Caller,
        change: &ChangeGroup,
        lookups: Lookups,
    ) {
        let times = (self.now, self.log.stamp(&self.config.limits));
        let members_max = self.config.limits.group_members_max;
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let Some(conversation) = state.conversation.as_mut() else { return };
        let decision = change_group::decide(conversation, &caller.user, change, members_max, lookups, times);
        self.act_on_change(slot, caller, decision);
    }

    fn act_on_change(&mut self, slot: u32, caller: &Caller, decision: Decision) {
        match decision {
            Decision::New(changed) => self.commit_change(slot, caller, changed),
            Decision::Duplicate { sent, after } => {
                self.statistics.duplicates += 1;
                self.answer(caller, Answer::Sent(sent), after);
            }
            Decision::Nothing { after } => self.answer(caller, Answer::Done, after),
            Decision::Refused { code, after } => self.refuse_proven(caller, code, after),
        }
    }

    fn commit_change(&mut self, slot: u32, caller: &Caller, changed: Changed) {
        let Some(vnode) = self.conversations.get(slot).map(|state| state.vnode) else { return };
        let Changed { event, sent, events, recipients } = changed;
        let stamp = self.log.stamp_of_open();
        self.statistics.sends += 1;
        self.note_arrival(caller.arrived);
        self.use_permit(&caller.user);
        let placed = self.place_in_group(slot, None, event, Some(recipients), stamp);
        for event in events {
            let is_left_out = matches!(event, Event::Member { .. }) && is_planted(Bug::MemberNotStored);
            if !is_left_out {
                self.commit(vnode, event, None);
            }
        }
        self.answer(caller, Answer::Sent(sent), stamp);
        for placed in placed {
            self.push_entry(placed, None, stamp);
        }
    }
}
