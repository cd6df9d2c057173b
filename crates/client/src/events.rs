//! What comes in: a queue between the driver and the application, and the marks that go back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iris_client_core::{ClientEvent, Mark};
use iris_types::limits::PASSING_EVENTS_MAX;
use tokio::sync::Notify;

use crate::{ConnectError, DatabaseError};

/// News for the application.
#[derive(Clone, Debug)]
pub enum Event {
    /// What the machine tells.
    Machine(ClientEvent),
    /// No connection, and why; another attempt follows by itself. Told when the reason changes.
    ConnectFailed(Arc<ConnectError>),
    /// The local database failed; the client has stopped, and what it has not stored is as if it never came.
    DatabaseFailed(Arc<DatabaseError>),
}

impl Event {
    fn mark(&self) -> Option<Mark> {
        if let Self::Machine(event) = self { event.mark() } else { None }
    }
}

/// What comes in, in order. One task reads it.
///
/// Asking for the next event says that the application is done with the former: only then the client forgets it.
#[derive(Debug)]
pub struct Events {
    queue: Arc<EventQueue>,
}

impl Events {
    pub(crate) fn new(queue: Arc<EventQueue>) -> Self {
        Self { queue }
    }

    /// The next event; `None` after the client was closed and everything that waited was taken: then the
    /// database is closed, too. Can be dropped while it waits, without losing an event.
    pub async fn next(&mut self) -> Option<Event> {
        self.queue.hand_over();
        loop {
            // Registered before the queue is looked at: nothing that comes in between is missed.
            let news = self.queue.news.notified();
            match self.queue.pop() {
                Popped::Event(event) => return Some(event),
                Popped::Finished => return None,
                Popped::Empty => news.await,
            }
        }
    }

    /// Waits until the client that was closed has let go of its database. What was not read comes again at the
    /// next start.
    pub async fn finished(self) {
        self.queue.abandon();
        loop {
            let news = self.queue.news.notified();
            if self.queue.lock().finished {
                return;
            }
            news.await;
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

/// The queue itself.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    state: Mutex<State>,
    /// For the application: there may be an event, or the end.
    news: Notify,
    /// For the driver: there are marks, or nobody reads any more.
    pub(crate) taken: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// Of the event that the application is working on.
    current: Option<Mark>,
    marks: Vec<Mark>,
    passing: usize,
    abandoned: bool,
    finished: bool,
}

enum Popped {
    Event(Event),
    Empty,
    Finished,
}

impl EventQueue {
    pub(crate) fn push(&self, event: Event) {
        let mut state = self.lock();
        if state.abandoned {
            return;
        }
        if event.mark().is_none() && !is_answer(&event) {
            state.passing += 1;
            if state.passing > PASSING_EVENTS_MAX {
                state.drop_oldest_passing();
            }
        }
        state.events.push_back(event);
        drop(state);
        self.news.notify_one();
    }

    /// What the application is done with since the last call.
    pub(crate) fn take_marks(&self) -> Vec<Mark> {
        std::mem::take(&mut self.lock().marks)
    }

    /// Everything was taken, or nobody reads any more.
    pub(crate) fn is_done(&self) -> bool {
        let state = self.lock();
        state.abandoned || (state.events.is_empty() && state.current.is_none() && state.marks.is_empty())
    }

    /// Nothing more comes, and the database is closed.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.news.notify_one();
    }

    fn hand_over(&self) {
        let mut state = self.lock();
        if let Some(mark) = state.current.take() {
            state.marks.push(mark);
        }
        drop(state);
        self.taken.notify_one();
    }

    fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        state.events.clear();
        drop(state);
        self.taken.notify_one();
    }

    fn pop(&self) -> Popped {
        let mut state = self.lock();
        let Some(event) = state.events.pop_front() else {
            return if state.finished { Popped::Finished } else { Popped::Empty };
        };
        state.current = event.mark();
        if state.current.is_none() && !is_answer(&event) {
            state.passing -= 1;
        }
        Popped::Event(event)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What tells of presence and typing goes first: nobody misses what has changed since.
    fn drop_oldest_passing(&mut self) {
        let is_passing = |event: &Event| event.mark().is_none() && !is_answer(event);
        let oldest = self.events.iter().position(is_fleeting);
        if let Some(at) = oldest.or_else(|| self.events.iter().position(is_passing)) {
            self.events.remove(at);
            self.passing -= 1;
        }
    }
}

/// Answers to questions: as many as were asked, which the machine bounds.
const fn is_answer(event: &Event) -> bool {
    match event {
        Event::Machine(ClientEvent::Stopped(_)) | Event::DatabaseFailed(_) => true,
        Event::Machine(event) => event.answers().is_some(),
        Event::ConnectFailed(_) => false,
    }
}

/// Right for a moment only: the next one of the same user says more.
const fn is_fleeting(event: &Event) -> bool {
    matches!(event, Event::Machine(ClientEvent::Presence(_) | ClientEvent::Typing(_)))
}

#[cfg(test)]
mod tests {
    use iris_client_core::QueryNumber;
    use iris_types::{ConversationId, Offset, Typing, UserId};

    use super::*;

    fn gap(last: u64) -> Event {
        Event::Machine(ClientEvent::Gap { first: Offset(1), last: Offset(last) })
    }

    fn end() -> Event {
        let (query, refusal) = (QueryNumber(1), iris_types::ErrorCode::NotMember.into());
        Event::Machine(ClientEvent::QueryFailed { query, refusal })
    }

    #[tokio::test]
    async fn asking_for_the_next_event_hands_over_the_former() {
        let queue = Arc::new(EventQueue::default());
        let mut events = Events::new(Arc::clone(&queue));
        queue.push(gap(3));
        queue.push(gap(4));
        assert!(events.next().await.is_some());
        assert_eq!(queue.take_marks(), []);
        assert!(!queue.is_done());
        assert!(events.next().await.is_some());
        assert_eq!(queue.take_marks(), [Mark::Entries(Offset(3))]);
        queue.finish();
        assert!(events.next().await.is_none());
        assert_eq!(queue.take_marks(), [Mark::Entries(Offset(4))]);
        assert!(queue.is_done());
    }

    #[test]
    fn an_application_that_does_not_read_costs_bounded_memory() {
        let queue = EventQueue::default();
        for _ in 0..3 * PASSING_EVENTS_MAX {
            queue.push(Event::Machine(ClientEvent::Disconnected));
        }
        queue.push(gap(3));
        queue.push(end());
        assert_eq!(queue.lock().events.len(), PASSING_EVENTS_MAX + 2);
    }

    #[test]
    fn who_comes_and_goes_does_not_crowd_out_the_connection() {
        let queue = EventQueue::default();
        queue.push(Event::Machine(ClientEvent::Ready));
        for number in 0..3 * PASSING_EVENTS_MAX as u64 {
            let conversation = ConversationId([number as u8; 16]);
            let Ok(user) = UserId::new("bob") else { return };
            queue.push(Event::Machine(ClientEvent::Typing(Typing { conversation, user, on: true })));
        }
        let state = queue.lock();
        assert_eq!(state.events.len(), PASSING_EVENTS_MAX);
        assert!(matches!(state.events.front(), Some(Event::Machine(ClientEvent::Ready))));
    }
}
