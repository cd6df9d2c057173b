//! Loaded users and conversations, and what waits for them.

use std::collections::VecDeque;

use iris_types::request::{Login, ReadHistory, Request, RequestId, SendMessage, SessionId, TokenFacts};
use iris_types::{ConversationId, DeviceId, ErrorCode, Monotonic, Offset, UserId, VnodeId};
use iris_vnode::rows::First;
use iris_vnode::{Conversation, Inbox, Side};

use crate::{AdminCommand, AdminId};

/// Bytes of names and of a place in an index, roughly.
const AROUND_BYTES: usize = 160; // layout
/// Bytes of a loaded user, all told, roughly.
pub(crate) const USER_BYTES: usize = size_of::<UserSlot>() + AROUND_BYTES;
/// Bytes of a loaded conversation that nothing waits for.
pub(crate) const CONVERSATION_BYTES: usize = size_of::<ConversationSlot>() + AROUND_BYTES;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) session: SessionId,
    pub(crate) id: RequestId,
    pub(crate) user: UserId,
    pub(crate) device: DeviceId,
    pub(crate) arrived: Monotonic,
}

/// A live connection of a user.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) device: DeviceId,
    pub(crate) token: TokenFacts,
}

/// A user, loaded or being loaded.
#[derive(Debug)]
pub(crate) struct UserSlot {
    pub(crate) user: UserId,
    pub(crate) vnode: VnodeId,
    /// `None` while a load is under way.
    pub(crate) inbox: Option<Inbox>,
    /// First entry in the vnode's memory table, as of the table of that number.
    pub(crate) unflushed: (u64, Offset),
    pub(crate) sessions: Vec<Session>,
    pub(crate) waiters: Vec<Waiter>,
    /// Queued sends that need this user.
    pub(crate) pins: u32,
    /// Acknowledgements were noted and are not decided.
    pub(crate) has_noted: bool,
    /// Asked for since the evicting hand last came by.
    pub(crate) used: bool,
}

/// What goes on when a user is loaded.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// The sends queued there.
    Conversation(ConversationId),
    /// The forwards that wait at `destination`.
    Stream {
        source: VnodeId,
        destination: VnodeId,
    },
    Command(Box<UserCommand>),
}

/// A command for a user's vnode.
#[derive(Debug)]
pub(crate) enum UserCommand {
    Attach { session: SessionId, login: Login },
    Request { caller: Caller, request: Request },
    Admin { id: AdminId, command: AdminCommand },
}

/// A conversation, loaded or being loaded.
#[derive(Debug)]
pub(crate) struct ConversationSlot {
    pub(crate) id: ConversationId,
    pub(crate) vnode: VnodeId,
    pub(crate) lower: UserId,
    pub(crate) higher: UserId,
    /// Where the two live, lower first.
    pub(crate) homes: [VnodeId; 2],
    /// `None` while a load is under way.
    pub(crate) conversation: Option<Conversation>,
    /// Commands in the order of their arrival.
    pub(crate) queue: VecDeque<Pending>,
    pub(crate) used: bool,
}

/// A command for a conversation that waits for a load or for the one before it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) number: u64,
    pub(crate) caller: Caller,
    pub(crate) side: Side,
    pub(crate) command: ConversationCommand,
    /// The members' slots, kept from being dropped while this waits.
    pub(crate) pinned: Option<[Option<u32>; 2]>,
}

#[derive(Debug)]
pub(crate) enum ConversationCommand {
    Send { send: SendMessage, first: Lookup, previous: Lookup },
    ReadHistory(ReadHistory),
}

/// A dedup row asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup {
    Unasked,
    Asked,
    /// What the runs of the vnode's generation said.
    Answered {
        first: Option<First>,
        generation: u64,
    },
    Failed(ErrorCode),
}

impl UserSlot {
    pub(crate) const fn new(user: UserId, vnode: VnodeId) -> Self {
        Self {
            user,
            vnode,
            inbox: None,
            unflushed: (0, Offset::ZERO),
            sessions: Vec::new(),
            waiters: Vec::new(),
            pins: 0,
            has_noted: false,
            used: true,
        }
    }
}

impl ConversationSlot {
    pub(crate) const fn names(&self) -> [&UserId; 2] {
        [&self.lower, &self.higher]
    }
}
