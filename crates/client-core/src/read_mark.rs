//! Read marks on their way to the server: one per conversation, the later one in place of the earlier.

use std::collections::BTreeMap;

use iris_types::limits::{QUERIES_MAX, READ_MARKS_MAX, RECEIPT_INTERVAL_MS};
use iris_types::request::MarkRead;
use iris_types::{Monotonic, Refusal, Seq, Target};

use crate::backoff::Retry;
use crate::draft::Draft;
use crate::{ClientEvent, QueryError, QueryNumber, StoreOperation};

/// What the server has yet to hear.
#[derive(Debug, Default)]
pub(crate) struct ReadMarks {
    marks: BTreeMap<Target, Waiting>,
    askers: usize,
}

#[derive(Debug)]
struct Waiting {
    up_to: Seq,
    state: State,
    /// Who waits for the answer, and for which mark.
    askers: Vec<(QueryNumber, Seq)>,
    refusals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be said as soon as there is a connection.
    Due,
    /// Said, up to here.
    Said(Seq),
    /// To be said then: refused, or too soon after the last one.
    At(Monotonic),
    /// Answered; the next one waits until then.
    Rests(Monotonic),
}

impl ReadMarks {
    pub(crate) fn restore(marks: Vec<(Target, Seq)>) -> Self {
        let waiting = |up_to| Waiting { up_to, state: State::Due, askers: Vec::new(), refusals: 0 };
        let marks = marks.into_iter().map(|(target, up_to)| (target, waiting(up_to))).collect();
        Self { marks, askers: 0 }
    }

    /// Nothing is left to be said.
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.values().all(|waiting| matches!(waiting.state, State::Rests(_)))
    }

    /// The user has read a conversation up to there.
    pub(crate) fn mark(
        &mut self,
        MarkRead { target, up_to }: MarkRead,
        query: QueryNumber,
        draft: &mut Draft,
    ) -> Result<(), QueryError> {
        let is_full = self.marks.len() >= READ_MARKS_MAX && !self.marks.contains_key(&target);
        if is_full || self.askers >= QUERIES_MAX {
            return Err(QueryError::TooMany);
        }
        let waiting = self.marks.entry(target.clone()).or_insert_with(|| Waiting {
            up_to: Seq::default(),
            state: State::Due,
            askers: Vec::new(),
            refusals: 0,
        });
        self.askers += 1;
        waiting.askers.push((query, up_to));
        if let State::Rests(until) = waiting.state {
            waiting.state = State::At(until);
            waiting.up_to = Seq::default();
        }
        if up_to > waiting.up_to {
            waiting.up_to = up_to;
            draft.store(StoreOperation::PutReadMark { target, up_to });
        }
        Ok(())
    }

    pub(crate) fn connection_lost(&mut self) {
        for waiting in self.marks.values_mut() {
            if let State::Said(_) = waiting.state {
                waiting.state = State::Due;
            }
        }
    }

    /// The marks that are due now, taken as said.
    pub(crate) fn due(&mut self, now: Monotonic) -> Vec<MarkRead> {
        self.marks.retain(|_, waiting| !matches!(waiting.state, State::Rests(until) if until <= now));
        let mut due = Vec::new();
        for (target, waiting) in &mut self.marks {
            if waiting.state == State::Due || matches!(waiting.state, State::At(at) if at <= now) {
                waiting.state = State::Said(waiting.up_to);
                due.push(MarkRead { target: target.clone(), up_to: waiting.up_to });
            }
        }
        due
    }

    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        let time = |waiting: &Waiting| if let State::At(at) = waiting.state { Some(at) } else { None };
        self.marks.values().filter_map(time).min()
    }

    /// The server has it.
    pub(crate) fn done(&mut self, target: &Target, now: Monotonic, draft: &mut Draft) {
        self.answered(target, now, draft, |query| ClientEvent::Done { query });
    }

    /// The server does not want it. A later mark that waits is still tried.
    pub(crate) fn refused(&mut self, target: &Target, refusal: Refusal, now: Monotonic, draft: &mut Draft) {
        self.answered(target, now, draft, |query| ClientEvent::QueryFailed { query, refusal });
    }

    pub(crate) fn refused_for_now(&mut self, target: &Target, retry: Retry) {
        if let Some(waiting) = self.marks.get_mut(target) {
            waiting.state = State::At(retry.at(waiting.refusals));
            waiting.refusals = waiting.refusals.saturating_add(1);
        }
    }

    fn answered(
        &mut self,
        target: &Target,
        now: Monotonic,
        draft: &mut Draft,
        event: impl Fn(QueryNumber) -> ClientEvent,
    ) {
        let Some(waiting) = self.marks.get_mut(target) else { return };
        let State::Said(said) = waiting.state else { return };
        let (answered, others) = waiting.askers.drain(..).partition(|(_, up_to)| *up_to <= said);
        waiting.askers = others;
        let answered: Vec<(QueryNumber, Seq)> = answered;
        self.askers = self.askers.saturating_sub(answered.len());
        answered.into_iter().for_each(|(query, _)| draft.event(event(query)));
        waiting.refusals = 0;
        let again = now.plus_millis(RECEIPT_INTERVAL_MS);
        if waiting.up_to > said {
            waiting.state = State::At(again);
        } else {
            waiting.state = State::Rests(again);
            draft.store(StoreOperation::DropReadMark(target.clone()));
        }
    }
}
