//! How conversations stand for their members: loaded where an own message, a mark or a flag changes it.

use bytes::Bytes;
use iris_tables::{Table, TableError};
use iris_types::limits::LINES_PER_USER_MAX;
use iris_types::{ConversationId, ErrorCode, Seq};
use iris_vnode::rows::{self, ListPart};
use iris_vnode::{Event, Line, Stamp};

use crate::call::ReadWhat;
use crate::hosted::Found;
use crate::loading::{Target, refusal_of};
use crate::state::Waiter;
use crate::worker::Worker;

impl Worker {
    /// Whether the line of a loaded user is in memory; otherwise its load is begun.
    pub(crate) fn ensure_line(&mut self, slot: u32, conversation: ConversationId) -> bool {
        match self.users.get(slot).and_then(|user| user.lines.get(&conversation)) {
            Some(line) => line.is_some(),
            None => self.load_line(slot, conversation),
        }
    }

    fn load_line(&mut self, slot: u32, conversation: ConversationId) -> bool {
        self.forget_lines(slot);
        let Some(user) = self.users.get(slot) else { return false };
        let (vnode, key) = (user.vnode, rows::list_key(&user.user, conversation, ListPart::Line));
        let Some(hosted) = self.hosted(vnode) else { return false };
        let generation = hosted.generation;
        match hosted.find(Table::Head, &key) {
            Found::Known(value) if !hosted.is_damaged => self.line_found(slot, conversation, value).is_ok(),
            Found::Known(_) | Found::Unknown => {
                if let Some(user) = self.users.get_mut(slot) {
                    user.lines.insert(conversation, None);
                }
                let what = ReadWhat::Keys(vec![(Table::Head, key)]);
                self.push_read(vnode, what, Target::Line { slot, conversation, generation });
                false
            }
        }
    }

    pub(crate) fn line_read(
        &mut self,
        slot: u32,
        conversation: ConversationId,
        generation: u64,
        result: Result<Option<Bytes>, TableError>,
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
            Ok(value) => self.line_found(slot, conversation, value),
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
        value: Option<Bytes>,
    ) -> Result<(), ErrorCode> {
        let line = value.map(Line::decode).transpose().map_err(|_| ErrorCode::DataCorrupt)?;
        if let Some(user) = self.users.get_mut(slot) {
            user.lines.insert(conversation, Some(line.unwrap_or_default()));
        }
        Ok(())
    }

    /// Makes room for one more line if that can be done: lines in memory are a cache, too.
    fn forget_lines(&mut self, slot: u32) {
        let committed = self.log.committed;
        let Some(user) = self.users.get_mut(slot) else { return };
        let is_clean = user.inbox.as_ref().is_some_and(|inbox| inbox.touched <= committed);
        if is_clean && user.lines.len() >= LINES_PER_USER_MAX {
            user.lines.retain(|_, line| line.is_none());
        }
    }

    /// An own message was placed: the line, which is loaded, changes with it.
    pub(crate) fn write_line(&mut self, slot: u32, conversation: ConversationId, seq: Seq) {
        self.change_line(slot, conversation, Stamp::default(), |line| line.write(seq));
    }

    /// Changes a loaded line and commits it with the open chunk, whose stamp is `stamp`.
    pub(crate) fn change_line(
        &mut self,
        slot: u32,
        conversation: ConversationId,
        stamp: Stamp,
        change: impl FnOnce(&mut Line),
    ) {
        let Some(state) = self.users.get_mut(slot) else { return };
        let (vnode, user) = (state.vnode, state.user.clone());
        let Some(line) = state.lines.get_mut(&conversation).and_then(Option::as_mut) else { return };
        change(line);
        let line = line.encode();
        if let Some(inbox) = state.inbox.as_mut() {
            inbox.touched = inbox.touched.max(stamp);
        }
        self.commit(vnode, Event::Line { user, conversation, line }, None);
    }

    /// The row was written blindly and is not committed: what is in memory counts.
    pub(crate) fn begin_line(&mut self, slot: u32, conversation: ConversationId, line: Line) {
        if let Some(user) = self.users.get_mut(slot) {
            user.lines.insert(conversation, Some(line));
        }
    }

    /// Registers what goes on when the user, or a line of the user, is loaded.
    pub(crate) fn wait(&mut self, slot: u32, waiter: Waiter) {
        let Some(user) = self.users.get_mut(slot) else { return };
        if !user.waiters.iter().any(|other| other.is_same(&waiter)) {
            user.waiters.push(waiter);
        }
    }
}
