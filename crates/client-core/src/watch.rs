//! The users whose presence the device wants to know, said again at each connection.

use iris_types::limits::QUERIES_MAX;
use iris_types::{Monotonic, Refusal, Watched};

use crate::backoff::Retry;
use crate::draft::Draft;
use crate::{ClientEvent, QueryError, QueryNumber};

/// Names one list, so that an answer is not taken for that of a later one.
pub(crate) type ListNumber = u64;

/// The list, and how far the server knows it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    items: Vec<Watched>,
    number: ListNumber,
    state: State,
    /// Who waits for the answer, and to which list.
    askers: Vec<(QueryNumber, ListNumber)>,
    refusals: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The server knows it, or it is empty and there is nothing to know.
    #[default]
    Known,
    Due,
    Said,
    /// Refused, to be said again then.
    At(Monotonic),
}

impl Watch {
    pub(crate) fn set(&mut self, items: Vec<Watched>, query: QueryNumber) -> Result<(), QueryError> {
        if self.askers.len() >= QUERIES_MAX {
            return Err(QueryError::TooMany);
        }
        self.items = items;
        self.number += 1;
        self.state = State::Due;
        self.refusals = 0;
        self.askers.push((query, self.number));
        Ok(())
    }

    /// Nobody waits for an answer.
    pub(crate) fn is_idle(&self) -> bool {
        self.askers.is_empty()
    }

    pub(crate) fn connection_lost(&mut self) {
        let is_known = self.items.is_empty() && self.askers.is_empty();
        self.state = if is_known { State::Known } else { State::Due };
    }

    /// The list, if it is due now; taken as said.
    pub(crate) fn due(&mut self, now: Monotonic) -> Option<(ListNumber, Vec<Watched>)> {
        let is_due = self.state == State::Due || matches!(self.state, State::At(at) if at <= now);
        is_due.then(|| {
            self.state = State::Said;
            (self.number, self.items.clone())
        })
    }

    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        if let State::At(at) = self.state { Some(at) } else { None }
    }

    pub(crate) fn done(&mut self, number: ListNumber, draft: &mut Draft) {
        self.answered(number, draft, |query| ClientEvent::Done { query });
    }

    /// Refused for good: nobody is watched any more.
    pub(crate) fn refused(&mut self, number: ListNumber, refusal: Refusal, draft: &mut Draft) {
        if number == self.number {
            self.items.clear();
        }
        self.answered(number, draft, |query| ClientEvent::QueryFailed { query, refusal });
    }

    pub(crate) fn refused_for_now(&mut self, number: ListNumber, retry: Retry) {
        if number == self.number {
            self.state = State::At(retry.at(self.refusals));
            self.refusals = self.refusals.saturating_add(1);
        }
    }

    fn answered(
        &mut self,
        number: ListNumber,
        draft: &mut Draft,
        event: impl Fn(QueryNumber) -> ClientEvent,
    ) {
        if number == self.number {
            self.state = State::Known;
            self.refusals = 0;
        }
        self.askers.retain(|(query, asked)| {
            let waits = *asked > number;
            if !waits {
                draft.event(event(*query));
            }
            waits
        });
    }
}
