//! What vnodes tell each other without storing it: it may be lost, and what is lost is asked or said again.

use std::sync::Arc;

use iris_types::request::{ReadReceipts, RequestId, SessionId};
use iris_types::{ConversationId, DeviceId, PresenceState, Target, Typing, UserId, VnodeId};

use crate::state::{Caller, UserCommand};
use crate::worker::Worker;
use crate::{Output, WorkerIndex};

/// From one vnode to another, perhaps on another worker.
#[derive(Clone, Debug)]
pub enum Whisper {
    /// To a conversation: who has a message. Answered to the session.
    Receipts {
        asker: Asker,
        read: ReadReceipts,
        /// Whether who asks lets others know, too.
        shows_reads: bool,
    },
    /// To a user: somebody wants to know whether the user is there.
    Watch(Watch),
    /// To who wants to know; `group` as in [`Watch`].
    Presence {
        to: UserId,
        of: UserId,
        group: Option<ConversationId>,
        state: PresenceState,
        lookup: Option<Lookup>,
    },
    /// To a conversation: a member writes.
    Typing { user: UserId, target: Target, on: bool },
    /// To a user: another worker holds a conversation in which the user writes.
    AskPermits { user: UserId, back: WorkerIndex },
    /// To the worker that asked.
    Permits {
        user: UserId,
        granted: u32,
        /// 0, or when the next one is there.
        retry_after_ms: u32,
    },
    /// To the other members, all of one worker.
    ShowTyping { to: Vec<UserId>, typing: Arc<Typing> },
}

/// Who asks, on any worker.
#[derive(Clone, Debug)]
pub struct Asker {
    pub session: SessionId,
    pub id: RequestId,
    pub user: UserId,
    pub device: DeviceId,
}

/// Somebody wants to know whether a user is there: for a while, or once.
#[derive(Clone, Debug)]
pub struct Watch {
    pub watcher: UserId,
    pub user: UserId,
    /// How they know each other; `None`: by their direct conversation.
    pub group: Option<ConversationId>,
    pub lookup: Option<Lookup>,
}

/// A question that waits for several users' presence, and which of them this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    pub number: u64,
    pub place: u16,
}

impl From<Caller> for Asker {
    fn from(caller: Caller) -> Self {
        let Caller { session, id, user, device, .. } = caller;
        Self { session, id, user, device }
    }
}

impl Worker {
    pub(crate) fn whisper_to(&mut self, vnode: VnodeId, whisper: Whisper) {
        self.whisper_to_worker(self.config.placement.worker_of(vnode), whisper);
    }

    pub(crate) fn whisper_to_worker(&mut self, to: WorkerIndex, whisper: Whisper) {
        if to == self.config.index {
            self.whisper(whisper);
        } else {
            self.say(Output::Whisper { to, whisper });
        }
    }

    pub(crate) fn whisper(&mut self, whisper: Whisper) {
        if !self.is_serving() {
            return;
        }
        match whisper {
            Whisper::Receipts { asker, read, shows_reads } => {
                let Asker { session, id, user, device } = asker;
                let caller = Caller { session, id, user, device, arrived: self.mono };
                self.ask_receipts(caller, read, shows_reads);
            }
            Whisper::Watch(watch) => {
                let user = watch.user.clone();
                self.user_command(&user, UserCommand::Watched(watch));
            }
            Whisper::Presence { to, of, group, state, lookup } => {
                self.presence_told(&to, (&of, group), state, lookup);
            }
            Whisper::Typing { user, target, on } => self.typing_in(&user, &target, on),
            Whisper::AskPermits { user, back } => {
                self.user_command(&user, UserCommand::Permits { back });
            }
            Whisper::Permits { user, granted, retry_after_ms } => {
                self.permits_granted(&user, granted, retry_after_ms);
            }
            Whisper::ShowTyping { to, typing } => self.show_typing(&to, &typing),
        }
    }
}
