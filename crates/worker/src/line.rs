//! How conversations stand for their members: loaded where an own message, a mark or a flag changes it.

use bytes::Bytes;
use iris_tables::{Table, TableError};
use iris_types::limits::LINES_PER_USER_MAX;
use iris_types::planted::{Bug, is_planted};
use iris_types::{ConversationId, ErrorCode, Seq, Standing};
use iris_vnode::rows::{self, ListPart, Listed};
use iris_vnode::{Event, Line, Stamp};

use crate::call::{ReadResult, ReadWhat};
use crate::hosted::Found;
use crate::loading::{Target, refusal_of};
use crate::state::{Known, KnownListed, News, Waiter};
use crate::worker::Worker;

/// What a message changes in its recipient's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placing {
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    pub(crate) standing: Standing,
    pub(crate) begins: bool,
    pub(crate) is_own: bool,
}

impl Worker {
    /// Whether the line of a loaded user is in memory; otherwise its load is begun.
    pub(crate) fn ensure_line(&mut self, slot: u32, conversation: ConversationId) -> bool {
        self.ensure_lines(slot, &[conversation])
    }

    /// Whether all of these lines of a loaded user are in memory, at the same time; otherwise their loads are begun.
    pub(crate) fn ensure_lines(&mut self, slot: u32, wanted: &[ConversationId]) -> bool {
        let mut all = true;
        for conversation in wanted {
            all &= match self.users.get(slot).and_then(|user| user.lines.get(conversation)) {
                Some(line) => line.is_some(),
                None => {
                    self.forget_lines(slot, wanted);
                    self.load_line(slot, *conversation)
                }
            };
        }
        all
    }

    fn load_line(&mut self, slot: u32, conversation: ConversationId) -> bool {
        let Some(user) = self.users.get(slot) else { return false };
        let vnode = user.vnode;
        let keys =
            [ListPart::Line, ListPart::Listed].map(|part| rows::list_key(&user.user, conversation, part));
        let Some(hosted) = self.hosted(vnode) else { return false };
        let generation = hosted.generation;
        let found = keys.each_ref().map(|key| hosted.find(Table::Head, key));
        match found {
            [Found::Known(line), Found::Known(listed)] if !hosted.is_damaged => {
                self.line_found(slot, conversation, [line, listed]).is_ok()
            }
            _ => {
                let memory = keys.each_ref().map(|key| hosted.in_memory(Table::Head, key));
                if let Some(user) = self.users.get_mut(slot) {
                    user.lines.insert(conversation, None);
                }
                let what = ReadWhat::Keys(keys.map(|key| (Table::Head, key)).into());
                self.push_read(vnode, what, Target::Line { slot, conversation, memory, generation });
                false
            }
        }
    }

    pub(crate) fn line_read(
        &mut self,
        slot: u32,
        conversation: ConversationId,
        memory: [Option<Bytes>; 2],
        generation: u64,
        result: Result<ReadResult, TableError>,
    ) {
        let Some(user) = self.users.get_mut(slot) else { return };
        // Still the one that was asked for: a user with a line on its way is not dropped. It may have begun anew.
        let has_begun = user.lines.get(&conversation).is_some_and(Option::is_some);
        if !has_begun {
            user.lines.remove(&conversation);
        }
        let hosted = self.users.get(slot).and_then(|user| self.hosted(user.vnode));
        let (is_damaged, is_current) =
            hosted.map_or((true, true), |hosted| (hosted.is_damaged, hosted.generation == generation));
        let loaded = match result {
            _ if is_damaged => Err(ErrorCode::DataCorrupt),
            _ if has_begun => Ok(()),
            Ok(_) if !is_current => {
                if !self.load_line(slot, conversation) {
                    return;
                }
                Ok(())
            }
            Ok(ReadResult::Keys(values)) => {
                let mut values = values.into_iter();
                let found = memory.map(|memory| {
                    let stored = values.next().flatten();
                    memory.or(stored)
                });
                self.line_found(slot, conversation, found)
            }
            Ok(ReadResult::Rows(_)) => Err(ErrorCode::DataCorrupt),
            Err(error) => Err(refusal_of(&error)),
        };
        let Some(user) = self.users.get_mut(slot) else { return };
        let waiters = std::mem::take(&mut user.waiters);
        for waiter in waiters {
            match loaded {
                Ok(()) => self.wake(slot, waiter),
                Err(code) => self.refuse_waiter(waiter, code),
            }
        }
    }

    fn line_found(
        &mut self,
        slot: u32,
        conversation: ConversationId,
        [line, listed]: [Option<Bytes>; 2],
    ) -> Result<(), ErrorCode> {
        let line = line.map(Line::decode).transpose().map_err(|_| ErrorCode::DataCorrupt)?;
        let listed = listed.map(Listed::decode).transpose().map_err(|_| ErrorCode::DataCorrupt)?;
        let stored = listed.map(|listed| KnownListed { last: listed.last, standing: listed.standing });
        if let Some(user) = self.users.get_mut(slot) {
            // What rows do not say yet, or did not when they were read.
            let news = user.news.iter().rev().find(|news| news.conversation == conversation);
            let is_newer = |news: &&News| stored.is_none_or(|stored| stored.last < news.listed.last);
            let (listed, touched) = match news.filter(is_newer) {
                Some(news) => (Some(news.listed), news.touched),
                None => (stored, Stamp::default()),
            };
            let known = Known { line: line.unwrap_or_default(), listed, touched };
            user.lines.insert(conversation, Some(Box::new(known)));
        }
        Ok(())
    }

    /// Makes room for one more line if that can be done: lines in memory are a cache, too.
    fn forget_lines(&mut self, slot: u32, wanted: &[ConversationId]) {
        let committed = self.log.committed;
        let Some(user) = self.users.get_mut(slot) else { return };
        if user.lines.len() >= LINES_PER_USER_MAX {
            let reads = &user.reads;
            let is_needed = |known: &Known| known.touched > committed;
            user.lines.retain(|conversation, line| {
                line.as_deref().is_none_or(is_needed)
                    || reads.contains_key(conversation)
                    || wanted.contains(conversation)
            });
        }
    }

    /// Changes a loaded line, if there is news, and commits it with the open chunk, whose stamp is `stamp`.
    pub(crate) fn change_line(
        &mut self,
        slot: u32,
        conversation: ConversationId,
        stamp: Stamp,
        change: impl FnOnce(&mut Line) -> bool,
    ) {
        let Some(state) = self.users.get_mut(slot) else { return };
        let (vnode, user) = (state.vnode, state.user.clone());
        let Some(known) = state.lines.get_mut(&conversation).and_then(Option::as_mut) else { return };
        if !change(&mut known.line) {
            return;
        }
        known.touched = stamp;
        let line = known.line.encode();
        if let Some(inbox) = state.inbox.as_mut() {
            inbox.touched = stamp;
        }
        self.commit(vnode, Event::Line { user, conversation, line }, None);
    }

    /// A message was placed in the user's inbox: what memory holds of the list follows. An own one changes the line,
    /// which is loaded then; one that the user comes in with begins it, as its row says. Whether it is the first after
    /// which both the user and somebody else have written.
    pub(crate) fn list_message(&mut self, slot: u32, message: Placing, stamp: Stamp) -> bool {
        let Placing { conversation, seq, standing, begins, is_own } = message;
        let listed = KnownListed { last: seq, standing };
        if begins {
            self.forget_lines(slot, &[]);
        }
        let committed = self.log.committed;
        let Some(user) = self.users.get_mut(slot) else { return false };
        if begins {
            // The row is not committed yet: what is in memory counts.
            let line = Line::beginning(seq, is_own);
            let known = Known { line, listed: Some(listed), touched: stamp };
            user.lines.insert(conversation, Some(Box::new(known)));
            return false;
        }
        let own_before = match user.lines.get_mut(&conversation) {
            Some(Some(known)) => {
                (known.listed, known.touched) = (Some(listed), stamp);
                Some(known.line.own_total)
            }
            _ => {
                user.add_news(News { conversation, listed, touched: stamp }, committed);
                None
            }
        };
        if is_own && !is_planted(Bug::OwnNotCounted) {
            self.change_line(slot, conversation, stamp, |line| {
                line.write(seq);
                true
            });
        }
        let is_first = |own: u64| if is_own { own == 0 && seq.0 > 1 } else { own > 0 && seq.0 == own + 1 };
        own_before.is_some_and(is_first)
    }

    /// Registers what goes on when the user, or a line of the user, is loaded.
    pub(crate) fn wait(&mut self, slot: u32, waiter: Waiter) {
        let Some(user) = self.users.get_mut(slot) else { return };
        if !user.waiters.iter().any(|other| other.is_same(&waiter)) {
            user.waiters.push(waiter);
        }
    }
}
