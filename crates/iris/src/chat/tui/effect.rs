//! What the screen wants done.

use iris_client::{Body, ConversationId, Question, Target};

/// Work for the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Send it; tell the number that it gets, under this ticket.
    Send {
        ticket: u64,
        to: Target,
        body: Body,
    },
    /// Ask it; tell the number that it gets, and what it is for.
    Ask(Question, Purpose),
    Typing {
        target: Target,
        on: bool,
    },
    Bell,
    Quit,
}

/// What a question is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    List,
    /// The newest messages of a conversation.
    Newest(ConversationId),
    /// Those before what is loaded.
    Older(ConversationId),
    /// How far the last message of one's own is; shown, if somebody wants to see who.
    Receipts {
        conversation: ConversationId,
        shown: bool,
    },
    Group(ConversationId),
    Roster(ConversationId),
    Devices,
    Settings,
    /// A change that was asked for in words: it says so when it is done.
    Change(&'static str),
    /// A group that was asked for: it is opened when it is there.
    NewGroup,
    /// Nobody waits for it.
    Quiet,
}
