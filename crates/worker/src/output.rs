//! All that a worker can say.

use std::sync::Arc;

use iris_types::request::{Answer, RequestId, SessionId};
use iris_types::{ErrorCode, InboxEntry, Presence, Refusal, Typing};

use crate::{AdminId, Call, CallId, Confirm, Frame, Whisper, WorkerIndex};

/// Said by a worker, to be carried out in order; calls run on other threads and end in any order.
#[derive(Debug)]
pub enum Output {
    /// Carry out with [`crate::execute()`] and tell the result with [`crate::Input::Done`].
    Call {
        id: CallId,
        call: Call,
    },
    Answer {
        session: SessionId,
        id: RequestId,
        answer: Answer,
    },
    /// A committed entry for a live session, in the order of offsets. The entry may be the session's own send:
    /// the edge then leaves the body away.
    Push {
        session: SessionId,
        entry: Arc<InboxEntry>,
    },
    /// The session ends: replaced or revoked. Nothing more is said to it.
    Close {
        session: SessionId,
        code: ErrorCode,
    },
    /// For another worker's [`crate::Input::Frame`].
    Frame {
        to: WorkerIndex,
        frame: Frame,
    },
    /// Somebody whom the session watches has come or gone.
    Presence {
        session: SessionId,
        presence: Presence,
    },
    /// Somebody writes to the session's user.
    Typing {
        session: SessionId,
        typing: Arc<Typing>,
    },
    /// For another worker's [`crate::Input::Whisper`].
    Whisper {
        to: WorkerIndex,
        whisper: Whisper,
    },
    /// For another worker's [`crate::Input::Confirm`].
    Confirm {
        to: WorkerIndex,
        confirm: Confirm,
    },
    Admin {
        id: AdminId,
        answer: AdminAnswer,
    },
    /// The start is finished: requests are served.
    Ready,
    /// [`crate::Input::Drain`] is done: everything is committed and flushed.
    Drained,
    /// The worker is dead and says nothing any more. The process has to exit; a restart takes over.
    Stop {
        reason: StopReason,
    },
}

/// The answer to an admin command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAnswer {
    /// The change is durable; sessions concerned are closed.
    Done,
    Refused(Refusal),
}

/// Why a worker is dead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// A write or flush failed. Nothing was acknowledged that is not durable.
    #[error("the log cannot be written: {0}")]
    Poisoned(String),
    /// Somebody else sealed the own log: they own the vnodes now.
    #[error("the own log was sealed by somebody else")]
    Sealed,
    /// Somebody else changed the directory entry of a vnode held here.
    #[error("the directory entry {key} was changed by somebody else")]
    Superseded { key: String },
    /// Found at the start: stored data is damaged or missing. Nothing was changed.
    #[error("the start is refused: {0}")]
    StartRefused(String),
    /// The engine says that a call broke its contract: a defect of Iris.
    #[error("defect: {0}")]
    Defect(String),
}
