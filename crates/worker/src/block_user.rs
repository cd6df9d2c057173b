//! A user takes no more messages of another: decided where their direct conversation is, then told to the user's
//! devices.

use iris_types::planted::{Bug, is_planted};
use iris_types::request::{Answer, BlockUser};
use iris_types::{ConversationId, ErrorCode, Flags, Target, UserId};
use iris_vnode::{Event, Forward, Stamp, block_user};

use crate::effects::Effect;
use crate::state::{Caller, ConversationCommand};
use crate::streams::Route;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn block_user(&mut self, caller: Caller, block: BlockUser) {
        if block.user == caller.user {
            return self.refuse(&caller, ErrorCode::NotAllowed, Stamp::default());
        }
        let target = Target::User(block.user.clone());
        self.conversation_change(caller, &target, ConversationCommand::Block(block));
    }

    pub(crate) fn decide_block(&mut self, slot: u32, caller: &Caller, block: &BlockUser) {
        let stamp = self.log.stamp(&self.config.limits);
        let Some(state) = self.conversations.get_mut(slot) else { return };
        let vnode = state.vnode;
        let Some(conversation) = state.conversation.as_mut() else { return };
        if let Some(event) = block_user::decide(conversation, &caller.user, block.on, stamp) {
            if !is_planted(Bug::BlockNotStored) {
                self.commit(vnode, event, None);
            }
            self.send_block(vnode, &caller.user, &block.user, block.on, stamp);
        }
        let seen = self.conversations.get(slot).and_then(|state| state.conversation.as_ref());
        let seen = seen.map_or(stamp, |conversation| conversation.touched);
        self.answer(caller, Answer::Done, seen);
    }

    fn send_block(
        &mut self,
        source: iris_types::VnodeId,
        user: &UserId,
        other: &UserId,
        on: bool,
        stamp: Stamp,
    ) {
        let destination = self.config.vnodes.of_user(user);
        let conversation = ConversationId::direct(user, other);
        let slot = self.user_index.get(user).copied();
        let slot = slot.filter(|slot| self.is_user_loaded(*slot) && self.ensure_line(*slot, conversation));
        match (self.route(source, destination, slot.is_some()), slot) {
            (Route::Now(position), Some(slot)) => {
                self.take_shortcut(source, destination, position, stamp);
                if let Some(position) = position {
                    self.commit(destination, Event::Taken { source, position }, None);
                }
                self.take_block(slot, other, on, stamp);
            }
            _ => {
                let forward = Forward::Block { user: user.clone(), other: other.clone(), on }.encode();
                self.queue_forward(source, destination, forward, stamp);
            }
        }
    }

    /// The conversation knows; so do the user's devices now.
    pub(crate) fn take_block(&mut self, slot: u32, other: &UserId, on: bool, stamp: Stamp) {
        let Some(conversation) = self.users.get(slot).map(|user| ConversationId::direct(&user.user, other))
        else {
            return;
        };
        let mut is_news = false;
        self.change_line(slot, conversation, stamp, |line| {
            let values = if on { Flags::BLOCKED } else { Flags::default() };
            let flags = line.flags.changed(Flags::BLOCKED, values);
            is_news = flags != line.flags;
            line.flags = flags;
            is_news
        });
        if is_news {
            self.show_state(slot, conversation, stamp);
            self.after(stamp, Effect::Judge { slot, about: Some(other.clone()) });
        }
    }
}
