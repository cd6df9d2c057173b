//! What the server says, and what follows from it.

use iris_protocol::client::{ClientEvent as Told, Entry};
use iris_types::request::{Answer, Attached, RequestId, Sent};
use iris_types::{ErrorCode, InboxEntry, InboxItem, Offset, Refusal, Timestamp};

use crate::backoff::Retry;
use crate::core::mint;
use crate::inbox::{Hole, OwnSent};
use crate::link::{Sequel, sequel};
use crate::query::Found;
use crate::request::Asked;
use crate::{ClientCore, ClientEvent, Now, Outcome, Output, QueryNumber, SendNumber};

impl ClientCore {
    /// Acts on what a connection told. What it told after it was given up is not looked at.
    pub(crate) fn take_events(&mut self, events: Vec<Told>, now: Now) {
        for event in events {
            if !self.link.is_open() {
                return;
            }
            if self.take_event(event, now).is_err() {
                // Entries were left out. Nothing after them was taken, so a new connection brings them.
                self.give_up(None, now);
            }
        }
    }

    /// Closes the connection and comes back after a while.
    pub(crate) fn give_up(&mut self, refusal: Option<Refusal>, now: Now) {
        self.draft.outputs.push(Output::Disconnect);
        self.lose(refusal, now);
    }

    /// The connection is gone.
    pub(crate) fn lose(&mut self, refusal: Option<Refusal>, now: Now) {
        self.forget_connection();
        let Some(at) = self.link.lost(refusal, now.monotonic, &mut self.random) else { return };
        if self.link.tell_loss() {
            self.draft.event(ClientEvent::Disconnected);
        }
        self.draft.outputs.push(Output::Connect { at });
    }

    /// Deadlines that have passed.
    pub(crate) fn act_on_time(&mut self, now: Now) {
        let at = now.monotonic;
        if let Some(connection) = self.link.connection()
            && connection.deadline().is_some_and(|deadline| deadline <= at)
        {
            let mut events = Vec::new();
            connection.handle_deadline(at, &mut events);
            self.take_events(events, now);
        }
        let unanswered = self.requests.deadline().is_some_and(|deadline| deadline <= at);
        if self.link.must_leave(at) || (self.link.is_open() && unanswered) {
            self.give_up(None, now);
        }
        self.outbox.open_lanes(at);
        self.writers.expire(at, &mut self.draft);
    }

    fn take_event(&mut self, event: Told, now: Now) -> Result<(), Hole> {
        match event {
            Told::Ready { attached, limits, .. } => {
                self.logged_in(attached, limits.requests_in_flight_max, now)
            }
            Told::LoginRefused { refusal, server_time } => self.refused_login(refusal, server_time, now),
            Told::Sent { request, sent } => return self.sent(request, sent),
            Told::Refused { request, refusal, server_time } => {
                self.refused(request, refusal, server_time, now)
            }
            Told::Entries { gap, entries } => self.take_entries(gap, entries)?,
            Told::PageEnd { live, .. } => self.inbox.page_end(live, &mut self.draft),
            Told::SyncNeeded => self.inbox.need_sync(),
            Told::HistoryPage { request, page } => self.answered(request, Answer::HistoryPage(page), now),
            Told::Conversations { request, page } => {
                for item in &page.items {
                    self.conversations.learn(item.conversation, item.with.target(item.conversation));
                }
                self.answered(request, Answer::Conversations(page), now);
            }
            Told::Devices { request, items } => self.answered(request, Answer::Devices(items), now),
            Told::Done { request } => self.answered(request, Answer::Done, now),
            Told::Group { request, group } => self.answered(request, Answer::Group(group), now),
            Told::Roster { request, page } => self.answered(request, Answer::Roster(page), now),
            Told::Receipts { request, page } => self.answered(request, Answer::Receipts(page), now),
            Told::Settings { request, settings } => self.answered(request, Answer::Settings(settings), now),
            Told::Presences { request, items } => self.answered(request, Answer::Presence(items), now),
            Told::Presence(presence) => self.draft.event(ClientEvent::Presence(presence)),
            Told::Typing(typing) => self.writers.notice(typing, now.monotonic, &mut self.draft),
            Told::Drain(hint) => self.link.drain(hint, now.monotonic, &mut self.random),
            Told::Pong => {}
            Told::Closed { refusal, by_server } => self.closed(refusal, by_server, now),
        }
        Ok(())
    }

    fn logged_in(&mut self, attached: Attached, requests_max: u16, now: Now) {
        self.clock.correct(attached.server_time, now);
        self.window = self.config.window.min(usize::from(requests_max)).max(1);
        self.link.logged_in(now.monotonic);
        self.inbox.connected(attached.cursor);
        self.outbox.resume();
        self.draft.event(ClientEvent::Ready);
    }

    fn refused_login(&mut self, refusal: Refusal, server_time: Timestamp, now: Now) {
        self.clock.correct(server_time, now);
        match sequel(refusal.code) {
            Sequel::Repeat if self.link.may_repeat() => {
                self.forget_connection();
                self.link.repeat();
                self.draft.outputs.push(Output::Disconnect);
                self.draft.outputs.push(Output::Connect { at: now.monotonic });
            }
            Sequel::Repeat | Sequel::Retry => {
                self.draft.event(ClientEvent::Refused(refusal));
                self.give_up(Some(refusal), now);
            }
            Sequel::Stop => self.stop(refusal),
        }
    }

    fn closed(&mut self, refusal: Refusal, by_server: bool, now: Now) {
        if by_server && sequel(refusal.code) == Sequel::Stop {
            return self.stop(refusal);
        }
        if !matches!(refusal.code, ErrorCode::Draining | ErrorCode::TimedOut) {
            self.draft.event(ClientEvent::Refused(refusal));
        }
        self.give_up(Some(refusal), now);
    }

    fn stop(&mut self, refusal: Refusal) {
        self.forget_connection();
        self.link.stop();
        self.draft.outputs.push(Output::Disconnect);
        self.draft.event(ClientEvent::Stopped(refusal));
    }

    fn take_entries(&mut self, gap: Option<(Offset, Offset)>, entries: Vec<Entry>) -> Result<(), Hole> {
        for entry in &entries {
            if let Entry::Whole(InboxEntry { item: InboxItem::Message(message), .. }) = entry {
                self.writers.wrote(message.conversation, &message.from, &mut self.draft);
            }
        }
        let own = self.inbox.take(gap, entries, &mut self.conversations, &mut self.draft)?;
        own.iter().for_each(|own| self.own_entry(own));
        Ok(())
    }

    /// The answer to a question, a change, a read mark or a list of watched users.
    fn answered(&mut self, request: RequestId, answer: Answer, now: Now) {
        match (self.requests.answered(request), answer) {
            (Some(Asked::Query(query)), answer) => {
                let found = self.queries.answered(query, answer, &self.config.user, &mut self.draft);
                found.into_iter().for_each(|found| self.looked_up(&found));
            }
            (Some(Asked::ReadMark(target)), Answer::Done) => {
                self.read_marks.done(&target, now.monotonic, &mut self.draft);
            }
            (Some(Asked::Watch(number)), Answer::Done) => self.watch.done(number, &mut self.draft),
            _ => {}
        }
    }

    fn sent(&mut self, request: RequestId, sent: Sent) -> Result<(), Hole> {
        let Sent { id, conversation, seq, sent_at, offset } = sent;
        match self.requests.answered(request) {
            Some(Asked::Send(number)) => {
                self.settle_sent(number, &OwnSent { conversation, seq, id, sent_at });
            }
            Some(Asked::Query(query)) => {
                self.queries.answered(query, Answer::Sent(sent), &self.config.user, &mut self.draft);
            }
            _ => {}
        }
        offset.map_or(Ok(()), |offset| self.inbox.take_own(offset, &mut self.draft))
    }

    /// The inbox holds a send of this device, whatever became of its answer.
    fn own_entry(&mut self, own: &OwnSent) {
        if let Some(number) = self.outbox.find(own.id, own.conversation, &self.config.user) {
            self.settle_sent(number, own);
        }
    }

    fn refused(&mut self, request: RequestId, refusal: Refusal, server_time: Timestamp, now: Now) {
        match self.requests.answered(request) {
            Some(Asked::Send(number)) => self.refused_send(number, refusal, server_time, now),
            Some(Asked::Query(query)) => self.refused_query(query, refusal, server_time, now),
            Some(Asked::ReadMark(target)) if refusal.code.is_retryable() => {
                let retry = self.retry(refusal, now);
                self.read_marks.refused_for_now(&target, retry);
            }
            Some(Asked::ReadMark(target)) => {
                self.read_marks.refused(&target, refusal, now.monotonic, &mut self.draft);
            }
            Some(Asked::Watch(number)) if refusal.code.is_retryable() => {
                let retry = self.retry(refusal, now);
                self.watch.refused_for_now(number, retry);
            }
            Some(Asked::Watch(number)) => self.watch.refused(number, refusal, &mut self.draft),
            None if refusal.code == ErrorCode::CursorAhead => self.stop(refusal),
            None if self.inbox.is_sync(request) => self.refused_sync(refusal, now),
            None => {}
        }
    }

    fn refused_send(&mut self, number: SendNumber, refusal: Refusal, server_time: Timestamp, now: Now) {
        let retry = self.retry(refusal, now);
        match refusal.code {
            ErrorCode::OutOfOrder => self.outbox.refused_order(number, retry),
            ErrorCode::IdInFuture => self.rename(number, refusal, server_time, now),
            ErrorCode::IdTooOld => match self.outbox.refused_age(number) {
                Some(send) => self.queries.look_up(send),
                None => self.fail(number, refusal),
            },
            code if code.is_retryable() => self.outbox.refused(number, retry),
            _ => self.fail(number, refusal),
        }
    }

    fn rename(&mut self, number: SendNumber, refusal: Refusal, server_time: Timestamp, now: Now) {
        self.clock.correct(server_time, now);
        let id = mint(&self.clock, &mut self.random, now);
        let retry = self.retry(refusal, now);
        if !self.outbox.refused_id(number, id, retry, &mut self.draft) {
            self.fail(number, refusal);
        }
    }

    fn fail(&mut self, number: SendNumber, refusal: Refusal) {
        self.outbox.settle(number, Outcome::Failed(refusal), &mut self.draft);
    }

    fn looked_up(&mut self, found: &Found) {
        match found.outcome {
            Some(Outcome::Sent { conversation, seq, sent_at }) => {
                self.settle_sent(found.number, &OwnSent { conversation, seq, id: found.id, sent_at });
            }
            Some(Outcome::Failed(refusal)) => self.fail(found.number, refusal),
            None => self.fail(found.number, ErrorCode::IdTooOld.into()),
        }
    }

    fn refused_query(&mut self, query: QueryNumber, refusal: Refusal, server_time: Timestamp, now: Now) {
        if refusal.code == ErrorCode::IdInFuture {
            self.clock.correct(server_time, now);
        }
        if refusal.code.is_retryable() {
            let retry = self.retry(refusal, now);
            return self.queries.refused_for_now(query, refusal.code, retry);
        }
        let found = self.queries.refused(query, refusal, &mut self.draft);
        found.into_iter().for_each(|found| self.looked_up(&found));
    }

    fn refused_sync(&mut self, refusal: Refusal, now: Now) {
        if !refusal.code.is_retryable() {
            self.draft.event(ClientEvent::Refused(refusal));
        }
        let retry = self.retry(refusal, now);
        self.inbox.sync_refused(retry);
    }

    fn retry(&mut self, refusal: Refusal, now: Now) -> Retry {
        Retry::draw(now.monotonic, refusal.retry_after_ms, &mut self.random)
    }
}
