//! Questions and changes: everything that is asked until it is answered, page by page, and again after a reconnect.

use std::collections::BTreeMap;

use iris_types::limits::{GROUP_ROSTER_MAX, PAGE_ITEMS_MAX, QUERIES_MAX};
use iris_types::request::{
    Answer, HistoryFrom, HistoryPage, ListConversations, ReadHistory, ReadReceipts, ReadRoster, Request,
};
use iris_types::{
    ChangeGroup, ConversationId, ConversationSummary, CreateGroup, ErrorCode, GroupChange, MessageId,
    Monotonic, ReceiptPage, Refusal, RosterItem, Seq, Target, UserId,
};

use crate::backoff::Retry;
use crate::draft::Draft;
use crate::history::{Plan, look};
use crate::outbox::InDoubt;
use crate::{ClientEvent, NewGroup, Outcome, QueryError, QueryNumber, Question, SendNumber};

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
    History {
        with: Target,
        plan: Plan,
        count: u64,
    },
    Conversations {
        after: Option<ConversationId>,
        limit: u64,
        items: Vec<ConversationSummary>,
    },
    Roster {
        group: ConversationId,
        after: Option<UserId>,
        limit: u64,
        items: Vec<RosterItem>,
    },
    Receipts {
        target: Target,
        seq: Seq,
        page: ReceiptPage,
    },
    /// One request, one answer. Asking or doing it twice has the same end, so it is simply asked again.
    Plain(Request),
    /// A change that the server knows by an id: the same over all attempts, so that it happens once.
    Named {
        id: Option<MessageId>,
        what: Named,
    },
    Lookup {
        send: InDoubt,
        before: Option<Seq>,
    },
}

#[derive(Debug)]
enum Named {
    Create(NewGroup),
    Change(ConversationId, GroupChange),
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

    /// A number that no question had.
    pub(crate) fn number(&mut self) -> QueryNumber {
        self.last = QueryNumber(self.last.0 + 1);
        self.last
    }

    /// Takes a question. Read marks and watch lists are others' business.
    pub(crate) fn ask(&mut self, question: Question) -> Result<QueryNumber, QueryError> {
        if self.queries.len() >= QUERIES_MAX {
            return Err(QueryError::TooMany);
        }
        Ok(self.insert(Kind::of(question)))
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

    /// The questions that are due now, marked as asked. `mint` gives an id dated now.
    pub(crate) fn due(
        &mut self,
        now: Monotonic,
        mut mint: impl FnMut() -> MessageId,
    ) -> Vec<(QueryNumber, Request)> {
        let mut due = Vec::new();
        for (number, query) in &mut self.queries {
            if matches!(query.state, State::At(at) if at <= now) || query.state == State::ToAsk {
                query.state = State::Asked;
                due.push((*number, query.kind.request(&mut mint)));
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

    pub(crate) fn refused_for_now(&mut self, number: QueryNumber, code: ErrorCode, retry: Retry) {
        let Some(query) = self.queries.get_mut(&number) else { return };
        query.state = State::At(retry.at(query.refusals));
        query.refusals = query.refusals.saturating_add(1);
        // Dated ahead, which proves that nothing was committed under it: the next attempt mints another.
        if let Kind::Named { id, .. } = &mut query.kind
            && code == ErrorCode::IdInFuture
        {
            *id = None;
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

    /// The server's answer, or a page of it.
    pub(crate) fn answered(
        &mut self,
        number: QueryNumber,
        answer: Answer,
        user: &UserId,
        draft: &mut Draft,
    ) -> Option<Found> {
        let query = self.queries.get_mut(&number)?;
        query.refusals = 0;
        query.state = State::ToAsk;
        let (found, is_over) = match query.take(number, answer, user) {
            Taken::Next => (None, false),
            Taken::Found(found) => (Some(found), true),
            Taken::Part(event) => {
                draft.event(event);
                query.state = State::Held;
                (None, false)
            }
            Taken::Last(part, end) => {
                part.into_iter().for_each(|part| draft.event(part));
                draft.event(end);
                (None, true)
            }
        };
        if is_over {
            self.queries.remove(&number);
        }
        found
    }

    fn insert(&mut self, kind: Kind) -> QueryNumber {
        let number = self.number();
        self.queries.insert(number, Query { kind, state: State::ToAsk, refusals: 0 });
        number
    }
}

/// What follows an answer.
enum Taken {
    /// The next page is asked for at once.
    Next,
    /// The next page is asked for when the application took this part.
    Part(ClientEvent),
    /// The question is over.
    Last(Option<ClientEvent>, ClientEvent),
    /// The send is found, or it is certain that it is not there.
    Found(Found),
}

impl Query {
    fn take(&mut self, query: QueryNumber, answer: Answer, user: &UserId) -> Taken {
        let last = |event| Taken::Last(None, event);
        match (&mut self.kind, answer) {
            (Kind::History { with, plan, count }, Answer::HistoryPage(page)) => {
                history(query, with, plan, count, page)
            }
            (Kind::Lookup { send, before }, Answer::HistoryPage(page)) => {
                look(send, before, &page, user).map_or(Taken::Next, Taken::Found)
            }
            (Kind::Conversations { limit, items, .. }, Answer::Conversations(page)) => {
                let more = page.more && !page.items.is_empty();
                let Some(more) = extend(items, page.items, *limit, more) else { return Taken::Next };
                let items = std::mem::take(items);
                let next = items.last().map(|item| item.conversation).filter(|_| more);
                last(ClientEvent::Conversations { query, items, next })
            }
            (Kind::Roster { group, limit, items, .. }, Answer::Roster(page)) => {
                let more = page.more && !page.items.is_empty();
                let Some(more) = extend(items, page.items, *limit, more) else { return Taken::Next };
                let items = std::mem::take(items);
                let next = items.last().map(|item| item.user.clone()).filter(|_| more);
                last(ClientEvent::Roster { query, group: *group, items, next })
            }
            (Kind::Receipts { target, seq, page }, Answer::Receipts(next)) => {
                let more = next.more && !next.by.is_empty();
                let by = std::mem::take(&mut page.by);
                *page = ReceiptPage { by, ..next.clone() };
                let Some(more) = extend(&mut page.by, next.by, GROUP_ROSTER_MAX as u64, more) else {
                    return Taken::Next;
                };
                let receipts = ReceiptPage { by: std::mem::take(&mut page.by), more, ..*page };
                last(ClientEvent::Receipts { query, target: target.clone(), seq: *seq, receipts })
            }
            (Kind::Plain(_), Answer::Devices(items)) => last(ClientEvent::Devices { query, items }),
            (Kind::Plain(_), Answer::Done) => last(ClientEvent::Done { query }),
            (Kind::Plain(_), Answer::Group(group)) => last(ClientEvent::Group { query, group }),
            (Kind::Plain(_), Answer::Settings(settings)) => last(ClientEvent::Settings { query, settings }),
            (Kind::Plain(_), Answer::Presence(items)) => last(ClientEvent::Presences { query, items }),
            (Kind::Named { what: Named::Create(_), .. }, Answer::Sent(sent)) => {
                last(ClientEvent::GroupCreated { query, group: sent.conversation })
            }
            (Kind::Named { what: Named::Change(group, _), .. }, Answer::Sent(sent)) => {
                last(ClientEvent::GroupChanged { query, group: *group, seq: Some(sent.seq) })
            }
            (Kind::Named { what: Named::Change(group, _), .. }, Answer::Done) => {
                last(ClientEvent::GroupChanged { query, group: *group, seq: None })
            }
            // The connection's machine lets no answer of another kind through.
            (_, _) => last(ClientEvent::QueryFailed { query, refusal: ErrorCode::BadFrame.into() }),
        }
    }
}

fn history(query: QueryNumber, with: &Target, plan: &mut Plan, count: &mut u64, page: HistoryPage) -> Taken {
    let conversation = page.conversation;
    let step = plan.step(page.entries, page.more);
    *count += step.entries.len() as u64;
    let (with, entries) = (with.clone(), step.entries);
    let part = (!entries.is_empty()).then(|| ClientEvent::HistoryPage {
        query,
        conversation,
        with: with.clone(),
        entries,
    });
    match (part, step.ended) {
        (part, Some(more)) => Taken::Last(part, ClientEvent::HistoryEnd { query, with, count: *count, more }),
        (Some(part), None) => Taken::Part(part),
        (None, None) => Taken::Next,
    }
}

/// Adds a page. `None`: the next one is wanted. Otherwise whether there are more than were asked for.
fn extend<T>(items: &mut Vec<T>, page: Vec<T>, limit: u64, more: bool) -> Option<bool> {
    items.extend(page);
    let count = items.len() as u64;
    if count < limit && more {
        return None;
    }
    items.truncate(limit.try_into().unwrap_or(usize::MAX));
    Some(more || count > limit)
}

impl Kind {
    fn of(question: Question) -> Self {
        let all = |limit: Option<std::num::NonZeroU64>| limit.map_or(u64::MAX, std::num::NonZeroU64::get);
        match question {
            Question::History(question) => {
                let plan = Plan::new(&question);
                Self::History { with: question.with, plan, count: 0 }
            }
            Question::Conversations(question) => {
                Self::Conversations { after: question.after, limit: all(question.limit), items: Vec::new() }
            }
            Question::Roster(question) => Self::Roster {
                group: question.group,
                after: question.after,
                limit: all(question.limit).min(GROUP_ROSTER_MAX as u64),
                items: Vec::new(),
            },
            Question::Receipts { target, seq } => {
                let page = ReceiptPage { delivered: 0, read: 0, members: 0, by: Vec::new(), more: false };
                Self::Receipts { target, seq, page }
            }
            Question::CreateGroup(group) => Self::Named { id: None, what: Named::Create(group) },
            Question::ChangeGroup { group, change } => {
                Self::Named { id: None, what: Named::Change(group, change) }
            }
            Question::Devices => Self::Plain(Request::ListDevices),
            Question::RenameDevice(rename) => Self::Plain(Request::RenameDevice(rename)),
            Question::RevokeDevice(revoke) => Self::Plain(Request::RevokeDevice(revoke)),
            Question::Group(group) => Self::Plain(Request::ReadGroup { group }),
            Question::SetFlags(set) => Self::Plain(Request::SetFlags(set)),
            Question::BlockUser(block) => Self::Plain(Request::BlockUser(block)),
            Question::Settings => Self::Plain(Request::ReadSettings),
            Question::ChangeSettings(change) => Self::Plain(Request::ChangeSettings(change)),
            Question::Presence(items) => Self::Plain(Request::ReadPresence(items)),
            Question::MarkRead(mark) => Self::Plain(Request::MarkRead(mark)),
            Question::Watch(items) => Self::Plain(Request::Watch(items)),
        }
    }

    fn request(&mut self, mint: &mut impl FnMut() -> MessageId) -> Request {
        match self {
            Self::History { with, plan, .. } => Request::ReadHistory(plan.page(with)),
            Self::Conversations { after, limit, items } => {
                let after = items.last().map(|item| item.conversation).or(*after);
                let limit = page_limit(*limit, items.len());
                Request::ListConversations(ListConversations { after, limit })
            }
            Self::Roster { group, after, limit, items } => {
                let after = items.last().map(|item| item.user.clone()).or_else(|| after.clone());
                let limit = page_limit(*limit, items.len());
                Request::ReadRoster(ReadRoster { group: *group, after, limit })
            }
            Self::Receipts { target, seq, page } => {
                let after = page.by.last().map(|(user, _)| user.clone());
                let limit = page_limit(u64::MAX, 0);
                Request::ReadReceipts(ReadReceipts { target: target.clone(), seq: *seq, after, limit })
            }
            Self::Plain(request) => request.clone(),
            Self::Named { id, what } => {
                let id = *id.get_or_insert_with(mint);
                match what {
                    Named::Create(new) => {
                        let NewGroup { title, description, policy, members } = new.clone();
                        Request::CreateGroup(CreateGroup { id, title, description, policy, members })
                    }
                    Named::Change(group, change) => {
                        Request::ChangeGroup(ChangeGroup { id, group: *group, change: change.clone() })
                    }
                }
            }
            Self::Lookup { send, before } => {
                let from = before.map_or(HistoryFrom::Latest, HistoryFrom::Before);
                let limit = page_limit(u64::MAX, 0);
                Request::ReadHistory(ReadHistory { with: send.with.clone(), from, limit })
            }
        }
    }
}

/// What is left of a limit, as far as a page goes.
fn page_limit(limit: u64, taken: usize) -> u16 {
    limit.saturating_sub(taken as u64).clamp(1, PAGE_ITEMS_MAX as u64) as u16
}
