//! What crosses between edge and core.

use std::sync::Arc;

use iris_types::request::{Answer, Login, Request, RequestId, SessionId};
use iris_types::{DeviceId, ErrorCode, InboxEntry, Presence, Typing, UserId};

/// From an edge to the worker that holds the vnode concerned: the conversation's for what is asked of a conversation
/// (sends, history, groups, blocking), the user's for everything else.
#[derive(Clone, Debug)]
pub enum ToCore {
    /// Answered with `Attached` or a refusal, both under [`RequestId`] 0.
    Attach {
        session: SessionId,
        login: Login,
    },
    /// The connection is gone.
    Detach {
        session: SessionId,
        user: UserId,
    },
    Request {
        session: SessionId,
        user: UserId,
        device: DeviceId,
        id: RequestId,
        request: Request,
    },
}

/// From a worker to the edge of a session. What concerns a session that is gone is dropped there.
#[derive(Clone, Debug)]
pub enum ToEdge {
    Answer {
        session: SessionId,
        id: RequestId,
        answer: Answer,
    },
    /// An entry was committed to the inbox of the session's user. Pushes of one session come in the order of
    /// their offsets.
    Push {
        session: SessionId,
        entry: Arc<InboxEntry>,
    },
    /// Somebody whom the session watches came or went. Of several about one user the last one counts.
    Presence {
        session: SessionId,
        presence: Presence,
    },
    /// Somebody writes, or stopped. The first to be dropped under load.
    Typing {
        session: SessionId,
        typing: Arc<Typing>,
    },
    /// The session ends: replaced, revoked, draining.
    Close {
        session: SessionId,
        code: ErrorCode,
    },
}

/// The core's end of the link, as an edge sees it.
pub trait CoreLink: Send + Sync {
    /// Hands over what a loop turn gathered, in order. What does not fit stays in `batch`, in order: the edge
    /// refuses it with `busy`. Never blocks.
    fn submit(&self, batch: &mut Vec<ToCore>);
}

/// One event loop's end of the link, as the core sees it.
pub trait EdgeLink: Send + Sync {
    /// Hands over answers and pushes, in order, and wakes the loop. `batch` is empty afterwards. Never blocks:
    /// what an edge may have outstanding is bounded by its requests in flight, its push windows and whom its sessions
    /// watch.
    fn deliver(&self, batch: &mut Vec<ToEdge>);
}
