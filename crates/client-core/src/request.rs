//! Requests of a connection that wait for their answers.

use std::collections::BTreeMap;

use iris_types::limits::ANSWER_MS_MAX;
use iris_types::request::RequestId;
use iris_types::{Monotonic, Target};

use crate::watch::ListNumber;
use crate::{QueryNumber, SendNumber};

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Send(SendNumber),
    Query(QueryNumber),
    ReadMark(Target),
    Watch(ListNumber),
}

/// The unanswered requests of the current connection.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: BTreeMap<RequestId, (Asked, Monotonic)>,
    last: u32,
}

impl Requests {
    /// An id that no unanswered request has: neither 0 nor `u32::MAX`, which mean something else.
    pub(crate) fn fresh(&mut self) -> RequestId {
        loop {
            self.last = if self.last >= u32::MAX - 1 { 1 } else { self.last + 1 };
            if !self.waiting.contains_key(&RequestId(self.last)) {
                return RequestId(self.last);
            }
        }
    }

    pub(crate) fn ask(&mut self, asked: Asked, now: Monotonic) -> RequestId {
        let id = self.fresh();
        self.waiting.insert(id, (asked, now));
        id
    }

    pub(crate) fn answered(&mut self, id: RequestId) -> Option<Asked> {
        self.waiting.remove(&id).map(|(asked, _)| asked)
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// When the oldest has waited for too long. Ids ascend with time but for one wrap in four billion requests.
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        self.waiting.first_key_value().map(|(_, (_, at))| at.plus_millis(ANSWER_MS_MAX))
    }
}
