//! The conversations that a device knows: how each is named in a request, and how far it was given out.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use iris_types::{ConversationId, InboxMessage, Seq, Target};

/// As many as the user has. Looked up only: the order of the map is never seen.
#[derive(Debug, Default)]
pub(crate) struct Conversations {
    known: HashMap<ConversationId, Known, FixedState>,
}

#[derive(Debug, Default)]
struct Known {
    /// The greatest `seq` given to the application.
    mark: Seq,
    target: Option<Target>,
}

impl Conversations {
    pub(crate) fn restore(marks: Vec<(ConversationId, Seq)>, targets: Vec<(ConversationId, Target)>) -> Self {
        let mut conversations = Self::default();
        for (conversation, mark) in marks {
            conversations.known.entry(conversation).or_default().mark = mark;
        }
        targets.into_iter().for_each(|(conversation, target)| conversations.learn(conversation, target));
        conversations
    }

    pub(crate) fn learn(&mut self, conversation: ConversationId, target: Target) {
        self.known.entry(conversation).or_default().target = Some(target);
    }

    pub(crate) fn target(&self, conversation: ConversationId) -> Option<Target> {
        self.known.get(&conversation)?.target.clone()
    }

    /// Raises the mark to a message. `false`: it was given out before, under another offset.
    pub(crate) fn take(&mut self, message: &InboxMessage) -> bool {
        let known = self.known.entry(message.conversation).or_default();
        if known.target.is_none() {
            known.target = Some(message.with.target(message.conversation));
        }
        let is_new = message.seq > known.mark;
        known.mark = known.mark.max(message.seq);
        is_new
    }
}
