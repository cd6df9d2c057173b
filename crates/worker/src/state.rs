//! Loaded users and conversations, and what waits for them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use iris_types::request::{
    BlockUser, Login, ReadHistory, ReadReceipts, ReadRoster, Request, RequestId, SendMessage, SessionId,
    TokenFacts,
};
use iris_types::{
    ChangeGroup, ConversationId, CreateGroup, DeviceId, ErrorCode, GroupChange, InboxEntry, MessageId,
    Monotonic, Offset, Seq, Standing, Target, Timestamp, UserId, VnodeId,
};
use iris_vnode::bucket::Bucket;
use iris_vnode::rows::First;
use iris_vnode::{Author, Conversation, Inbox, Line, Stamp};

use crate::acknowledge::Beat;
use crate::arrivals::Arrivals;
use crate::presence::{Interest, Lease, Watching};
use crate::whisper::Watch;
use crate::{AdminCommand, AdminId, WorkerIndex};

/// Bytes of names and of a place in an index, roughly.
const AROUND_BYTES: usize = 160; // layout
/// Bytes of a loaded user, all told, roughly.
pub(crate) const USER_BYTES: usize = size_of::<UserSlot>() + AROUND_BYTES;
/// Bytes of a loaded conversation that nothing waits for.
pub(crate) const CONVERSATION_BYTES: usize = size_of::<ConversationSlot>() + AROUND_BYTES;

/// News of a user's list beyond which old ones are looked for.
const NEWS_MIN: usize = 16; // layout

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
    /// What the user's connections watch.
    pub(crate) watching: Vec<Watching>,
    /// That is renewed at a planned time.
    pub(crate) renews: bool,
    /// Who is told when the user comes and goes.
    pub(crate) watchers: BTreeMap<(UserId, Option<ConversationId>), Lease>,
    /// When the last connection ended.
    pub(crate) seen: Timestamp,
    /// Messages that the user may send.
    pub(crate) bucket: Bucket,
    /// Where the user said last that they write, when, and whether they do.
    pub(crate) typed: Option<(ConversationId, Monotonic, bool)>,
    /// How conversations stand for the user, those that were asked for; `None` while it is loaded. Boxed because most
    /// users have one or two, and a map has room for eleven at least.
    pub(crate) lines: BTreeMap<ConversationId, Option<Box<Known>>>,
    /// What rows of the list do not say yet, or did not when they were asked for; and a little of before.
    pub(crate) news: Vec<News>,
    /// Read marks that are noted and not decided.
    pub(crate) reads: BTreeMap<ConversationId, Read>,
    /// Entries that came lately, for the receipts that they give.
    pub(crate) arrivals: Arrivals,
    /// Entries are being read for the receipts that they give.
    pub(crate) is_looking: bool,
    /// Queued sends that need this user.
    pub(crate) pins: u32,
    /// When what was noted of acknowledgements and marks is decided.
    pub(crate) beat: Beat,
    /// Asked for since the evicting hand last came by.
    pub(crate) used: bool,
}

/// How a conversation stands for a user: both rows of the user's list.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) line: Line,
    /// `None`: the user has no such conversation.
    pub(crate) listed: Option<KnownListed>,
    /// Chunk of the last change of either.
    pub(crate) touched: Stamp,
}

/// What of a list's row decisions need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownListed {
    pub(crate) last: Seq,
    pub(crate) standing: Standing,
}

/// A message changed a row of the list that is not in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News {
    pub(crate) conversation: ConversationId,
    pub(crate) listed: KnownListed,
    pub(crate) touched: Stamp,
}

/// The last read mark of a conversation, and who waits for it to be durable.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) target: Target,
    pub(crate) up_to: Seq,
    pub(crate) callers: Vec<Caller>,
}

/// What goes on when a user is loaded.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// The commands queued there.
    Conversation(Named),
    /// The forwards that wait at `destination`.
    Stream {
        source: VnodeId,
        destination: VnodeId,
    },
    Command(Box<UserCommand>),
}

impl Waiter {
    /// Whether one of both is enough.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Conversation(one), Self::Conversation(other)) => one == other,
            (Self::Stream { source, destination }, Self::Stream { source: from, destination: to }) => {
                (source, destination) == (from, to)
            }
            _ => false,
        }
    }
}

/// A command for a user's vnode.
#[derive(Debug)]
pub(crate) enum UserCommand {
    Attach {
        session: SessionId,
        login: Login,
    },
    Request {
        caller: Caller,
        request: Request,
    },
    Admin {
        id: AdminId,
        command: AdminCommand,
    },
    /// One of the user's connections wants to know whether somebody is there.
    Interest(Interest),
    /// Somebody wants to know whether the user is there.
    Watched(Watch),
    /// Another worker wants to let the user write.
    Permits {
        back: WorkerIndex,
    },
}

/// A conversation, loaded or being loaded.
#[derive(Debug)]
pub(crate) struct ConversationSlot {
    pub(crate) id: ConversationId,
    pub(crate) named: Named,
    pub(crate) vnode: VnodeId,
    pub(crate) who: Who,
    /// `None` while a load is under way.
    pub(crate) conversation: Option<Conversation>,
    /// Commands in the order of their arrival.
    pub(crate) queue: VecDeque<Pending>,
    /// Streams with a forward for it: source and destination.
    pub(crate) streams: Vec<(VnodeId, VnodeId)>,
    /// Authors of the group are to be told of marks.
    pub(crate) owes_receipts: bool,
    /// Bytes of the group's roster when it was weighed last.
    pub(crate) roster_bytes: usize,
    pub(crate) used: bool,
}

/// How somebody named a conversation. Nobody reaches a direct conversation by giving its id as that of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Named {
    Direct(ConversationId),
    Group(ConversationId),
}

impl Named {
    pub(crate) const fn id(self) -> ConversationId {
        match self {
            Self::Direct(id) | Self::Group(id) => id,
        }
    }
}

/// Whose conversation it is, as far as that is known before it is loaded.
#[derive(Debug)]
pub(crate) enum Who {
    /// Lower and higher, and where the two live.
    Direct { names: [UserId; 2], homes: [VnodeId; 2] },
    /// Where its members live, as of a version of the group.
    Group { homes: Option<(u64, Homes)> },
}

/// The members of a group by the vnodes that they live on, both ascending.
pub(crate) type Homes = Arc<Vec<(VnodeId, Vec<UserId>)>>;

/// A command for a conversation that waits for a load or for the one before it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) number: u64,
    pub(crate) caller: Caller,
    pub(crate) author: Author,
    pub(crate) command: ConversationCommand,
    /// What is known of the id that the command has.
    pub(crate) first: Lookup,
    /// And of its predecessor's.
    pub(crate) previous: Lookup,
    /// Slots of users that are kept from being dropped while this waits.
    pub(crate) pinned: Option<Vec<u32>>,
}

#[derive(Debug)]
pub(crate) enum ConversationCommand {
    Send(SendMessage),
    Create(CreateGroup),
    Change(ChangeGroup),
    ReadHistory(ReadHistory),
    ReadGroup,
    ReadRoster(ReadRoster),
    /// Whether who asks lets others know, too.
    ReadReceipts(ReadReceipts, bool),
    Block(BlockUser),
}

impl ConversationCommand {
    /// The id that makes a repetition known, if it changes anything.
    pub(crate) const fn id(&self) -> Option<MessageId> {
        match self {
            Self::Send(send) => Some(send.id),
            Self::Create(create) => Some(create.id),
            Self::Change(change) => Some(change.id),
            Self::ReadHistory(_)
            | Self::ReadGroup
            | Self::ReadRoster(_)
            | Self::ReadReceipts(..)
            | Self::Block(_) => None,
        }
    }

    pub(crate) const fn previous(&self) -> Option<MessageId> {
        if let Self::Send(send) = self { send.previous } else { None }
    }
}

impl Pending {
    /// Whom the command may bring something, besides those who are members now.
    pub(crate) fn concerned(&self) -> Vec<&UserId> {
        let mut users = vec![&self.caller.user];
        match &self.command {
            ConversationCommand::Create(create) => users.extend(&create.members),
            ConversationCommand::Change(change) => match &change.change {
                GroupChange::Invite(user)
                | GroupChange::Add(user)
                | GroupChange::Remove(user)
                | GroupChange::SetRole(user, _) => users.push(user),
                _ => {}
            },
            _ => {}
        }
        users
    }
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
    pub(crate) fn new(user: UserId, vnode: VnodeId) -> Self {
        Self {
            user,
            vnode,
            inbox: None,
            unflushed: (0, Offset::ZERO),
            sessions: Vec::new(),
            waiters: Vec::new(),
            watching: Vec::new(),
            renews: false,
            watchers: BTreeMap::new(),
            seen: Timestamp(0),
            bucket: Bucket::default(),
            typed: None,
            lines: BTreeMap::new(),
            news: Vec::new(),
            reads: BTreeMap::new(),
            arrivals: Arrivals::default(),
            is_looking: false,
            pins: 0,
            beat: Beat::default(),
            used: true,
        }
    }

    /// Notes an entry that got its place: a user with connections is going to acknowledge it soon.
    pub(crate) fn arrive(&mut self, entry: &InboxEntry) {
        if !self.sessions.is_empty() {
            self.arrivals.note(entry, &self.user);
        }
    }

    /// Keeps news until they are committed, and no line is being loaded from rows of before.
    pub(crate) fn add_news(&mut self, news: News, committed: Stamp) {
        let is_time = self.news.len() >= NEWS_MIN && self.news.len().is_power_of_two();
        if is_time && self.lines.values().all(Option::is_some) {
            self.news.retain(|news| news.touched > committed);
        }
        self.news.push(news);
    }
}
