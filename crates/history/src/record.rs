//! One thing that happened, as a plain record.

use serde::{Deserialize, Serialize};

use crate::notice::{Notice, Wish};

macro_rules! abbreviation {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The number as an index of the history's table.
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

abbreviation! {
    /// A user, by number of the history's table.
    User
}
abbreviation! {
    /// A device of a user, by number of the history's table.
    Device
}
abbreviation! {
    /// A conversation, by number of the history's table.
    Conversation
}
abbreviation! {
    /// A message id, by number of the history's table. A recorder gives each message an id of its own.
    Message
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addressee {
    User(User),
    Group(Conversation),
}

impl From<User> for Addressee {
    fn from(user: User) -> Self {
        Self::User(user)
    }
}

impl Fact {
    /// The place in the inbox of an entry on the wire, whatever it tells; `None` for all other facts.
    #[must_use]
    pub const fn offset(&self) -> Option<u64> {
        match self {
            Self::Delivered(seen) => Some(seen.offset),
            Self::Noticed { offset, .. } => Some(*offset),
            _ => None,
        }
    }
}

impl Device {
    /// The process of records that no device wrote: the server's life and observations.
    pub const NOBODY: Self = Self(u32::MAX);
}

/// One line of a history. The order of the records is the order in which things happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Record {
    /// Milliseconds since the recording began, on one clock for all processes.
    pub t: u64,
    /// Who wrote it down.
    pub process: Device,
    /// How often that process had been restarted; 0 at first.
    pub incarnation: u32,
    #[serde(flatten)]
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "f", rename_all = "snake_case")]
pub enum Fact {
    Send(SendFact),
    Login(LoginFact),
    /// An inbox entry arrived on the wire, below the client's filter of duplicates: pushed or synced.
    Delivered(Seen),
    /// An entry that is no message arrived on the wire.
    Noticed {
        offset: u64,
        notice: Notice,
    },
    /// A message was handed to the application.
    Shown(Seen),
    /// The application was told that these inbox offsets are gone.
    Gap {
        first: u64,
        last: u64,
    },
    /// Everything up to this inbox offset is durable on the device. Only recorders that see the device's local
    /// database write it.
    Stored {
        up_to: u64,
    },
    /// The device told the server that it has everything up to here.
    Acknowledge {
        up_to: u64,
    },
    /// At the end of the recording: the device is connected and has all its inbox.
    Settled,
    History(HistoryFact),
    /// A line of the list of conversations.
    Listed {
        conversation: Conversation,
        with: Addressee,
        last: u64,
    },
    /// The rest of that line.
    Standing(Standing),
    /// An earlier send was sent once more, after everything else, to see what the answer is.
    Repeat(RepeatFact),
    Revocation(RevocationFact),
    /// Written by the device that asks.
    DeviceRevocation(DeviceRevocationFact),
    /// Something is asked for that concerns the user's own view of things. Written with each attempt.
    Asked {
        /// Of the attempt, chosen by the recorder.
        number: u32,
        wish: Wish,
    },
    /// One of the users of a [`Wish::Watch`], written behind it.
    Watching {
        number: u32,
        user: User,
        /// How they know each other; `None`: by their direct conversation.
        group: Option<Conversation>,
    },
    /// The answer to a wish; `code` is 0 when it is done.
    Answered {
        number: u32,
        code: u16,
    },
    /// A group is asked for; its founders follow. The change that the message becomes does not name them.
    Founding {
        message: Message,
        group: Conversation,
        policy: u8,
    },
    /// A member from the start, or somebody invited, as the policy says.
    Founder {
        message: Message,
        user: User,
    },
    /// A line of a group's roster, complete with [`Self::RosterEnd`].
    Enrolled {
        group: Conversation,
        user: User,
        /// 0: invited; 1 to 3: the role.
        role: u8,
        since: u64,
    },
    RosterEnd {
        group: Conversation,
    },
    /// How far somebody is with a message, as the server answered; complete with [`Self::ReceiptsEnd`].
    Has {
        conversation: Conversation,
        user: User,
        delivered: u64,
        read: u64,
    },
    ReceiptsEnd {
        conversation: Conversation,
        seq: u64,
        delivered: u32,
        read: u32,
        members: u32,
    },
    /// The device was told of a user whom it watches.
    Presence {
        user: User,
        /// 0: hidden, 1: online, 2: last seen.
        state: u8,
        /// When last seen, by the server's clock; 0 in the other states.
        last_seen: u64,
    },
    Server(ServerFact),
    Observed(Observation),
}

/// A send and what became of it. One `Invoke` per message, when the application gave it to the client; at most
/// one outcome. An outcome that never came is written as `Info` at the end, or left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum SendFact {
    Invoke {
        message: Message,
        to: Addressee,
        /// Hash of kind and bytes, see [`crate::history::body_hash`].
        body: u64,
    },
    Ok {
        message: Message,
        conversation: Conversation,
        seq: u64,
        /// The server's clock at the commit; 0 when the recorder did not see it.
        sent_at: u64,
    },
    /// Refused for good, with the number of the error code.
    Fail { message: Message, code: u16 },
    /// Whether it was committed is not known.
    Info { message: Message },
    /// A change of a group that is so already: nothing came of this attempt.
    Nothing { message: Message },
}

/// A login and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum LoginFact {
    Invoke {
        nonce: u64,
        claimed_at: u64,
    },
    Ok {
        nonce: u64,
        /// The login's timestamp, by the device's clock, ms.
        claimed_at: u64,
        /// When the token was issued, ms.
        issued_at: u64,
        /// The cursor that the server kept for the device.
        cursor: u64,
        /// The last offset of the user's inbox.
        last: u64,
        /// The server's clock, ms.
        server_time: u64,
    },
    Fail {
        nonce: u64,
        code: u16,
    },
    /// A connection ended, for whatever reason.
    Closed,
}

/// A message as a device saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Seen {
    /// Inbox offset; 0 when it was not seen.
    pub offset: u64,
    pub conversation: Conversation,
    pub seq: u64,
    pub message: Message,
    pub from: User,
    /// 0 when the body was not sent along: a device gets none of its own messages back.
    pub body: u64,
}

/// A conversation read back page by page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum HistoryFact {
    Invoke {
        /// Number of the reading, chosen by the recorder.
        reading: u32,
        with: Addressee,
    },
    /// One message; its `offset` is 0.
    Row {
        reading: u32,
        seen: Seen,
    },
    Ok {
        reading: u32,
        conversation: Conversation,
        /// Whether the reading went from the first message to the last.
        complete: bool,
    },
    Fail {
        reading: u32,
        code: u16,
    },
}

/// How a conversation stands for a user, as a list of conversations tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    pub conversation: Conversation,
    pub last: u64,
    pub read: u64,
    pub unread: u64,
    pub flags: u8,
    /// As [`iris_types::Standing::number`].
    pub standing: u8,
}

/// The answer to a send repeated at the end. `body` is what was sent this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum RepeatFact {
    Ok { message: Message, body: u64, conversation: Conversation, seq: u64 },
    Fail { message: Message, body: u64, code: u16 },
}

/// A revocation of every token of a user that was issued up to a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum RevocationFact {
    Invoke { user: User, issued_up_to: u64 },
    Ok { user: User, issued_up_to: u64 },
}

/// The end of a device, asked for by a device of the same user, possibly itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum DeviceRevocationFact {
    Invoke { device: Device },
    Ok { device: Device },
}

/// The server's life, as whoever starts and kills it knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum ServerFact {
    Started,
    Ready,
    Killed,
    /// The server stopped by itself: poisoned storage, a drain.
    Stopped,
    /// The start was refused.
    Refused,
}

/// What no client can see, written by whoever drives the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "observation", rename_all = "snake_case")]
pub enum Observation {
    /// The storage said that this decision is durable: at its commit, or when a replay found it.
    Durable {
        /// Number of the log, chosen by the recorder.
        log: u32,
        position: u64,
        vnode: u32,
        epoch: u64,
        conversation: Conversation,
        seq: u64,
        message: Message,
    },
    /// A chunk is durable at a position of a log; `chunk` is a hash of its id.
    Chunk { log: u32, position: u64, chunk: u64 },
    /// An answer, a page or a push that tells of this message left the server.
    Left { conversation: Conversation, seq: u64, message: Message },
    /// A send reached the decision.
    Arrived { message: Message },
    /// The server went into safe mode, or left it.
    SafeMode { on: bool },
    /// The storage had no room for a write, or has room again.
    Full { is: bool },
    /// A read was refused because the disk is full.
    ReadRefused,
    /// The largest size that a bounded thing reached, and its bound. `what` is the recorder's own number.
    Size { what: u32, value: u64, bound: u64 },
    /// The size of a thing that must be back at its baseline after idling.
    Idle { what: u32, value: u64, baseline: u64 },
    /// Everything stored of one kind, accounted for.
    Audit(Account),
    /// Faults are over; everything has to settle within this many milliseconds.
    Healed { bound_ms: u64 },
    /// Every outbox is empty, every device has everything.
    Converged,
    /// For long enough nothing has happened that anybody would not know of by now.
    Quiet,
    /// Nothing that a receipt tells was left out on the way, and all of it has arrived.
    Told,
    /// A process's outbox at the end.
    OutboxLeft { count: u64 },
    /// Plain text of a message or a user's name was found where none may be. `place` is the recorder's number.
    Canary { place: u32 },
    /// The client's own counters at the end.
    Counted { attempted: u64, acked: u64, refused: u64, indeterminate: u64 },
}

/// Where everything of one kind went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Account {
    /// The recorder's own number for the kind.
    pub kind: u32,
    pub taken_in: u64,
    pub live: u64,
    pub expired: u64,
    pub deleted: u64,
    pub quarantined: u64,
}
