//! Questions: history, the list of conversations, the user's devices and what is to become of them. Pages go on to
//! any length, and everything is asked again after a reconnect.

use std::collections::BTreeMap;

use iris_types::limits::{ID_AHEAD_MS_MAX, PAGE_ITEMS_MAX, QUERIES_MAX};
use iris_types::request::{
    ConversationPage, HistoryFrom, HistoryPage, ListConversations, ReadHistory, RenameDevice, RevokeDevice,
};
use iris_types::{
    ConversationId, ConversationSummary, DeviceSummary, ErrorCode, HistoryEntry, MessageId, Monotonic,
    Refusal, Seq, Timestamp, UserId,
};

use crate::backoff::Retry;
use crate::draft::Draft;
use crate::outbox::InDoubt;
use crate::{ClientEvent, HistoryQuestion, Outcome, QueryError, QueryNumber, SendNumber};

/// Every question that is not answered.
#[derive(Debug, Default)]
pub(crate) struct Queries {
    queries: BTreeMap<QueryNumber, Query>,
    last: QueryNumber,
}

#[derive(Debug)]
struct Query {
    kind: Kind,
    state: State,
    refusals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    ToAsk,
    Asked,
    /// Refused, to be asked again then.
    At(Monotonic),
    /// The application has yet to take the last part.
    Held,
}

#[derive(Debug)]
enum Kind {
    History { with: UserId, plan: Plan, count: u64 },
    Conversations { items: Vec<ConversationSummary> },
    Devices,
    Change(Change),
    Lookup { send: InDoubt, before: Option<Seq> },
}

/// How a history question goes on.
///
/// The newest entries come ascending, too, whatever their number: a first page tells the last `seq`, and since
/// `seq` is dense the first one wanted is known then.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Newest { from: HistoryFrom, limit: u64 },
    Forward { after: Seq, limit: u64, more: More },
}

#[derive(Clone, Copy, Debug)]
enum More {
    /// As the last page says.
    Ahead,
    /// Known: there are entries before the first wanted one.
    Before(bool),
}

/// What to ask the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Question {
    History(ReadHistory),
    Conversations(ListConversations),
    Devices,
    Change(Change),
}

/// A change that is answered with nothing but that it is done. Doing it twice has the same end, so it is asked for
/// again like a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Rename(RenameDevice),
    Revoke(RevokeDevice),
}

/// How the look-up of a send in doubt ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) number: SendNumber,
    pub(crate) id: MessageId,
    /// `None`: it is not in the history.
    pub(crate) outcome: Option<Outcome>,
}

impl Queries {
    pub(crate) fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }

    pub(crate) fn history(&mut self, question: HistoryQuestion) -> Result<QueryNumber, QueryError> {
        let limit = question.limit.get();
        let plan = match question.from {
            HistoryFrom::After(after) => Plan::Forward { after, limit, more: More::Ahead },
            from => Plan::Newest { from, limit },
        };
        self.add(Kind::History { with: question.with, plan, count: 0 })
    }

    pub(crate) fn conversations(&mut self) -> Result<QueryNumber, QueryError> {
        self.add(Kind::Conversations { items: Vec::new() })
    }

    pub(crate) fn devices(&mut self) -> Result<QueryNumber, QueryError> {
        self.add(Kind::Devices)
    }

    pub(crate) fn change(&mut self, change: Change) -> Result<QueryNumber, QueryError> {
        self.add(Kind::Change(change))
    }

    /// Looks for a send in its conversation. Never refused: there is at most one per recipient.
    pub(crate) fn look_up(&mut self, send: InDoubt) {
        self.insert(Kind::Lookup { send, before: None });
    }

    pub(crate) fn connection_lost(&mut self) {
        for query in self.queries.values_mut().filter(|query| query.state != State::Held) {
            query.state = State::ToAsk;
        }
    }

    /// The questions that are due now, marked as asked.
    pub(crate) fn due(&mut self, now: Monotonic) -> Vec<(QueryNumber, Question)> {
        let mut due = Vec::new();
        for (number, query) in &mut self.queries {
            if matches!(query.state, State::At(at) if at <= now) || query.state == State::ToAsk {
                query.state = State::Asked;
                due.push((*number, query.kind.question()));
            }
        }
        due
    }

    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        let time = |query: &Query| if let State::At(at) = query.state { Some(at) } else { None };
        self.queries.values().filter_map(time).min()
    }

    /// The application took the last part.
    pub(crate) fn taken(&mut self, number: QueryNumber) {
        if let Some(query) = self.queries.get_mut(&number)
            && query.state == State::Held
        {
            query.state = State::ToAsk;
        }
    }

    pub(crate) fn refused_for_now(&mut self, number: QueryNumber, retry: Retry) {
        if let Some(query) = self.queries.get_mut(&number) {
            query.state = State::At(retry.at(query.refusals));
            query.refusals += 1;
        }
    }

    /// Refused for good. A send in doubt that cannot be looked up is given back as not found.
    pub(crate) fn refused(
        &mut self,
        number: QueryNumber,
        refusal: Refusal,
        draft: &mut Draft,
    ) -> Option<Found> {
        let query = self.queries.remove(&number)?;
        if let Kind::Lookup { send, .. } = query.kind {
            return Some(Found { number: send.number, id: send.id, outcome: None });
        }
        draft.event(ClientEvent::QueryFailed { query: number, refusal });
        None
    }

    pub(crate) fn conversation_page(
        &mut self,
        number: QueryNumber,
        page: ConversationPage,
        draft: &mut Draft,
    ) {
        let Some(query) = self.queries.get_mut(&number) else { return };
        let Kind::Conversations { items } = &mut query.kind else { return };
        let more = page.more && !page.items.is_empty();
        items.extend(page.items);
        query.state = State::ToAsk;
        if !more {
            let items = std::mem::take(items);
            self.queries.remove(&number);
            draft.event(ClientEvent::Conversations { query: number, items });
        }
    }

    pub(crate) fn device_list(&mut self, query: QueryNumber, items: Vec<DeviceSummary>, draft: &mut Draft) {
        if self.queries.remove(&query).is_some() {
            draft.event(ClientEvent::Devices { query, items });
        }
    }

    pub(crate) fn done(&mut self, query: QueryNumber, draft: &mut Draft) {
        if self.queries.remove(&query).is_some() {
            draft.event(ClientEvent::Done { query });
        }
    }

    pub(crate) fn history_page(
        &mut self,
        number: QueryNumber,
        page: HistoryPage,
        user: &UserId,
        draft: &mut Draft,
    ) -> Option<Found> {
        let query = self.queries.get_mut(&number)?;
        query.refusals = 0;
        let (found, ended) = match &mut query.kind {
            Kind::History { with, plan, count } => {
                let step = plan.step(page.entries, page.more);
                *count += step.entries.len() as u64;
                let with = with.clone();
                let gives = !step.entries.is_empty();
                query.state = if gives { State::Held } else { State::ToAsk };
                let conversation = page.conversation;
                if gives {
                    draft.event(part(number, conversation, with.clone(), step.entries));
                }
                if let Some(more) = step.ended {
                    draft.event(ClientEvent::HistoryEnd { query: number, with, count: *count, more });
                }
                (None, step.ended.is_some())
            }
            Kind::Lookup { send, before } => {
                query.state = State::ToAsk;
                let found = look(send, before, &page, user);
                let ended = found.is_some();
                (found, ended)
            }
            Kind::Conversations { .. } | Kind::Devices | Kind::Change(_) => (None, false),
        };
        if ended {
            self.queries.remove(&number);
        }
        found
    }

    fn add(&mut self, kind: Kind) -> Result<QueryNumber, QueryError> {
        if self.queries.len() >= QUERIES_MAX {
            return Err(QueryError::TooMany);
        }
        Ok(self.insert(kind))
    }

    fn insert(&mut self, kind: Kind) -> QueryNumber {
        self.last = QueryNumber(self.last.0 + 1);
        self.queries.insert(self.last, Query { kind, state: State::ToAsk, refusals: 0 });
        self.last
    }
}

impl Kind {
    fn question(&self) -> Question {
        match self {
            Self::History { with, plan, .. } => {
                let (from, limit) = match *plan {
                    Plan::Newest { from, limit } => (from, limit),
                    Plan::Forward { after, limit, .. } => (HistoryFrom::After(after), limit),
                };
                let limit = limit.clamp(1, PAGE_ITEMS_MAX as u64) as u16;
                Question::History(ReadHistory { with: with.clone(), from, limit })
            }
            Self::Conversations { items } => {
                let after = items.last().map(|item| item.conversation);
                Question::Conversations(ListConversations { after, limit: PAGE_ITEMS_MAX as u16 })
            }
            Self::Devices => Question::Devices,
            Self::Change(change) => Question::Change(change.clone()),
            Self::Lookup { send, before } => {
                let from = before.map_or(HistoryFrom::Latest, HistoryFrom::Before);
                let limit = PAGE_ITEMS_MAX as u16;
                Question::History(ReadHistory { with: send.with.clone(), from, limit })
            }
        }
    }
}

/// What a page yields: entries for the application, and whether there are more if this was the last page.
struct Step {
    entries: Vec<HistoryEntry>,
    ended: Option<bool>,
}

impl Plan {
    fn step(&mut self, mut entries: Vec<HistoryEntry>, page_more: bool) -> Step {
        let Some(last) = entries.last().map(|entry| entry.seq) else {
            let more = matches!(self, Self::Forward { more: More::Before(true), .. });
            return Step { entries, ended: Some(more) };
        };
        match *self {
            Self::Newest { limit, .. } => {
                let count = entries.len() as u64;
                if count < limit && page_more {
                    let before_first = Seq(last.0.saturating_sub(limit));
                    let limit = limit.min(last.0);
                    let more = More::Before(before_first.0 > 0);
                    *self = Self::Forward { after: before_first, limit, more };
                    return Step { entries: Vec::new(), ended: None };
                }
                let surplus = count.saturating_sub(limit) as usize;
                entries.drain(..surplus);
                Step { entries, ended: Some(page_more || surplus > 0) }
            }
            Self::Forward { limit, more, .. } => {
                let surplus = entries.len() as u64 > limit;
                entries.truncate(limit.try_into().unwrap_or(usize::MAX));
                let left = limit - entries.len() as u64;
                let ended = (left == 0 || !page_more).then_some(match more {
                    More::Ahead => page_more || surplus,
                    More::Before(more) => more,
                });
                let after = entries.last().map_or(last, |entry| entry.seq);
                *self = Self::Forward { after, limit: left, more };
                Step { entries, ended }
            }
        }
    }
}

fn part(
    query: QueryNumber,
    conversation: ConversationId,
    with: UserId,
    entries: Vec<HistoryEntry>,
) -> ClientEvent {
    ClientEvent::HistoryPage { query, conversation, with, entries }
}

/// Looks for the send in a page; goes on before it until the entries are older than the send can be.
fn look(send: &InDoubt, before: &mut Option<Seq>, page: &HistoryPage, user: &UserId) -> Option<Found> {
    let found = |outcome| Some(Found { number: send.number, id: send.id, outcome });
    if let Some(entry) = page.entries.iter().find(|entry| entry.id == send.id && entry.from == *user) {
        // The same id with another body is another message: the server would have said so inside the window.
        if entry.body != send.body {
            return found(Some(Outcome::Failed(ErrorCode::IdConflict.into())));
        }
        let conversation = page.conversation;
        return found(Some(Outcome::Sent { conversation, seq: entry.seq, sent_at: entry.sent_at }));
    }
    let Some(first) = page.entries.first() else { return found(None) };
    if !page.more || first.sent_at < earliest(send.id) {
        return found(None);
    }
    *before = Some(first.seq);
    None
}

/// A message may be committed a little before the time that its id is dated at; twice that, to be sure.
fn earliest(id: MessageId) -> Timestamp {
    id.timestamp().minus_millis(2 * ID_AHEAD_MS_MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use iris_types::{Body, BodyKind};

    use super::*;

    #[test]
    fn an_id_that_is_found_with_another_body_is_a_conflict() -> Result<(), Box<dyn std::error::Error>> {
        let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
        let body = |text| Body::new(BodyKind::TEXT, Bytes::from_static(text));
        let (id, sent_at) = (MessageId::from_parts(Timestamp(5), [1; 10]), Timestamp(6));
        let entry = HistoryEntry { seq: Seq(3), id, from: alice.clone(), sent_at, body: body(b"first")? };
        let conversation = ConversationId::direct(&alice, &bob);
        let page = HistoryPage { conversation, entries: vec![entry], more: false };
        let sent = Outcome::Sent { conversation, seq: Seq(3), sent_at };
        let conflict = Outcome::Failed(ErrorCode::IdConflict.into());
        for (text, outcome) in [(&b"first"[..], sent), (b"other", conflict)] {
            let send = InDoubt { number: SendNumber(1), id, with: bob.clone(), body: body(text)? };
            let found = look(&send, &mut None, &page, &alice).and_then(|found| found.outcome);
            assert_eq!(found, Some(outcome));
        }
        Ok(())
    }
}
