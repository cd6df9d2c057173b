//! All that a worker can be told.

use bytes::Bytes;
use iris_types::request::{Login, Request, RequestId, SessionId};
use iris_types::{DeviceId, Position, Timestamp, UserId, VnodeId};

use crate::{CallId, CallResult, Whisper};

/// Told to a worker.
#[derive(Debug)]
pub enum Input {
    /// A verified login, at the user's vnode. Answered under [`RequestId`] 0 with `Attached` or a refusal.
    Attach {
        session: SessionId,
        login: Login,
    },
    /// The connection is gone.
    Detach {
        session: SessionId,
        user: UserId,
    },
    /// Sends and history at the conversation's vnode, everything else at the user's.
    Request {
        session: SessionId,
        user: UserId,
        device: DeviceId,
        id: RequestId,
        request: Request,
    },
    /// What became of an [`crate::Output::Call`]. Calls end in any order, each once.
    Done {
        call: CallId,
        result: CallResult,
    },
    /// Forwards from another worker.
    Frame(Frame),
    /// Another worker has committed forwards of a stream whose source is here.
    Confirm(Confirm),
    /// From a vnode on another worker; may be lost.
    Whisper(Whisper),
    Admin {
        id: AdminId,
        command: AdminCommand,
    },
    /// The disk is nearly full (true), or has room again.
    SafeMode(bool),
    /// Take nothing new, commit and flush what there is, then say [`crate::Output::Drained`].
    Drain,
    /// Nothing but the time: a deadline has come.
    Tick,
}

/// A driver's name for an admin command that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdminId(pub u64);

/// Asked over the admin socket; goes to the worker that holds the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminCommand {
    /// Refuses every token of the user issued up to now.
    RevokeUser { user: UserId },
    /// Refuses one token; `token` as in [`iris_types::request::TokenFacts::id`].
    RevokeToken { user: UserId, token: [u8; 16], expires_at: Timestamp },
}

/// Forwards of one stream at the dense positions `first`, `first + 1`, ...
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub source: VnodeId,
    pub destination: VnodeId,
    pub first: Position,
    /// Layout: `iris_vnode::forward`.
    pub forwards: Vec<Bytes>,
}

/// The destination has committed every forward of the stream up to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    pub source: VnodeId,
    pub destination: VnodeId,
    pub up_to: Position,
}
