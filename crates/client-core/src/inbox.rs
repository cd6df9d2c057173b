//! Entries of the user's inbox: taken in order, stored, given to the application, acknowledged.

use std::collections::VecDeque;

use iris_protocol::client::Entry;
use iris_types::limits::{
    ACKNOWLEDGE_DELAY_MS, PUSH_WINDOW_BYTES_MAX, PUSH_WINDOW_ENTRIES_MAX, UNREPORTED_ENTRIES_MAX,
};
use iris_types::planted::{Bug, is_planted};
use iris_types::request::RequestId;
use iris_types::{ConversationId, InboxItem, MessageId, Monotonic, Offset, Seq, Timestamp};

use crate::backoff::Retry;
use crate::conversations::Conversations;
use crate::draft::{After, Draft};
use crate::{ClientEvent, StoreOperation, Unreported};

/// Bytes that an entry counts for that is not a message.
const SMALL_ENTRY_BYTES: usize = 64;

/// How far the device follows its inbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// The last entry taken; those up to it are stored or being stored.
    received: Offset,
    stored: Offset,
    /// What the server was told on this connection.
    acknowledged: Offset,
    /// Bytes of messages that came since.
    unacknowledged_bytes: usize,
    /// Since when there is something to acknowledge.
    unacknowledged_since: Option<Monotonic>,
    /// Given to the application and not taken yet, ascending.
    given: VecDeque<Offset>,
    sync: Sync,
    synced: bool,
    /// Refused syncs in a row.
    refusals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sync {
    /// To be asked for when everything received is stored and the application has room.
    Needed,
    /// Refused; to be asked for again.
    At(Monotonic),
    Asked(RequestId),
    Live,
}

/// Entries were left out: the connection cannot be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hole;

/// A message of this device that the inbox shows to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnSent {
    pub(crate) conversation: ConversationId,
    pub(crate) seq: Seq,
    pub(crate) id: MessageId,
    pub(crate) sent_at: Timestamp,
}

impl Inbox {
    pub(crate) fn new(cursor: Offset) -> Self {
        Self {
            received: cursor,
            stored: cursor,
            acknowledged: cursor,
            unacknowledged_bytes: 0,
            unacknowledged_since: None,
            given: VecDeque::new(),
            sync: Sync::Needed,
            synced: false,
            refusals: 0,
        }
    }

    /// Gives the application again what it had not taken when the device was stopped.
    pub(crate) fn give_again(&mut self, unreported: Vec<Unreported>, draft: &mut Draft) {
        for entry in unreported {
            self.given.push_back(entry.offset());
            draft.event(match entry {
                Unreported::Item { offset, item } => ClientEvent::of_item(offset, item),
                Unreported::Gap { first, last } => ClientEvent::Gap { first, last },
            });
        }
    }

    /// Logged in; the server remembers `cursor`.
    pub(crate) fn connected(&mut self, cursor: Offset) {
        // Less than the server remembers when the local database is new: its pages are acknowledged all the same.
        self.acknowledged = cursor.min(self.received);
        self.sync = Sync::Needed;
        self.synced = false;
    }

    pub(crate) fn need_sync(&mut self) {
        self.sync = Sync::Needed;
    }

    pub(crate) fn is_sync(&self, request: RequestId) -> bool {
        self.sync == Sync::Asked(request)
    }

    pub(crate) fn sync_refused(&mut self, retry: Retry) {
        self.sync = Sync::At(retry.at(self.refusals));
        self.refusals = self.refusals.saturating_add(1);
    }

    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        if let Sync::At(at) = self.sync { Some(at).filter(|_| self.has_room()) } else { None }
    }

    /// When [`Self::acknowledgement`] has something to say, if nothing else happens.
    pub(crate) fn acknowledge_at(&self) -> Option<Monotonic> {
        self.unacknowledged_since.map(|since| since.plus_millis(ACKNOWLEDGE_DELAY_MS))
    }

    /// The page is complete; the first one that reaches the end of the log says that all is there.
    pub(crate) fn page_end(&mut self, live: bool, draft: &mut Draft) {
        if live {
            self.sync = Sync::Live;
            self.refusals = 0;
            if !std::mem::replace(&mut self.synced, true) {
                draft.then(After::Event(ClientEvent::Synced));
            }
        }
    }

    /// Takes entries that follow the last; those already taken are passed over. Returns the device's own.
    pub(crate) fn take(
        &mut self,
        gap: Option<(Offset, Offset)>,
        entries: Vec<Entry>,
        conversations: &mut Conversations,
        draft: &mut Draft,
    ) -> Result<Vec<OwnSent>, Hole> {
        let mut own = Vec::new();
        if let Some((first, last)) = gap {
            self.take_gap(first, last, draft)?;
        }
        for entry in entries {
            if !self.advance(entry.offset(), draft)? {
                continue;
            }
            match entry {
                Entry::Whole(entry) => self.give(entry.offset, entry.item, conversations, draft),
                Entry::OwnSent(sent) => own.push(OwnSent {
                    conversation: sent.conversation,
                    seq: sent.seq,
                    id: sent.id,
                    sent_at: sent.sent_at,
                }),
                // Of a later version: it takes its place, and this version has nothing to say about it.
                Entry::Later(_) => {}
            }
        }
        Ok(own)
    }

    /// A send's answer that stands for its entry.
    pub(crate) fn take_own(&mut self, offset: Offset, draft: &mut Draft) -> Result<(), Hole> {
        self.advance(offset, draft).map(drop)
    }

    pub(crate) fn stored(&mut self, cursor: Offset) {
        self.stored = self.stored.max(cursor);
    }

    /// The application took everything up to here.
    pub(crate) fn handed_over(&mut self, up_to: Offset, draft: &mut Draft) {
        while self.given.front().is_some_and(|given| *given <= up_to) {
            self.given.pop_front();
        }
        if !is_planted(Bug::ClientForgetsShown) {
            draft.set_shown(up_to);
        }
    }

    /// What to tell the server, once. While the application does not keep up, nothing: then the server's window
    /// closes, and neither side's memory grows. A live device waits a little, for more or for something that
    /// `goes` to the server anyway: each acknowledgement alone costs both sides as much as a message.
    pub(crate) fn acknowledgement(&mut self, now: Monotonic, goes: bool) -> Option<Offset> {
        if self.stored <= self.acknowledged || self.given.len() > UNREPORTED_ENTRIES_MAX {
            self.unacknowledged_since = None;
            return None;
        }
        let since = *self.unacknowledged_since.get_or_insert(now);
        let is_much = self.unacknowledged_bytes >= PUSH_WINDOW_BYTES_MAX / 4
            || self.stored.0 - self.acknowledged.0 >= PUSH_WINDOW_ENTRIES_MAX as u64 / 4;
        let is_late = now >= since.plus_millis(ACKNOWLEDGE_DELAY_MS);
        if !(goes || is_much || is_late || self.sync != Sync::Live) {
            return None;
        }
        self.unacknowledged_since = None;
        self.unacknowledged_bytes = 0;
        self.acknowledged = self.stored;
        Some(self.stored)
    }

    /// Where to sync from, if that is due now; to be asked under the id that [`Self::sync_asked`] is told.
    pub(crate) fn sync_due(&self, now: Monotonic) -> Option<Offset> {
        let due = match self.sync {
            Sync::Needed => true,
            Sync::At(at) => at <= now,
            Sync::Asked(_) | Sync::Live => false,
        };
        (due && self.has_room()).then_some(self.received)
    }

    pub(crate) fn sync_asked(&mut self, request: RequestId) {
        self.sync = Sync::Asked(request);
    }

    fn has_room(&self) -> bool {
        self.stored == self.received && self.given.len() <= UNREPORTED_ENTRIES_MAX
    }

    fn take_gap(&mut self, first: Offset, last: Offset, draft: &mut Draft) -> Result<(), Hole> {
        if last <= self.received {
            return Ok(());
        }
        let next = Offset(self.received.0 + 1);
        if first > next {
            return Err(Hole);
        }
        self.received = last;
        self.given.push_back(last);
        draft.store(StoreOperation::PutGap { first: next, last });
        draft.then(After::Event(ClientEvent::Gap { first: next, last }));
        self.moved(draft);
        Ok(())
    }

    /// Whether the entry is the next one; `false` when it was taken before.
    fn advance(&mut self, offset: Offset, draft: &mut Draft) -> Result<bool, Hole> {
        if offset <= self.received {
            return Ok(false);
        }
        let takes_holes = is_planted(Bug::PushNotContiguous) || is_planted(Bug::GapSilent);
        if offset.0 != self.received.0 + 1 && !takes_holes {
            return Err(Hole);
        }
        self.received = offset;
        self.moved(draft);
        Ok(true)
    }

    fn moved(&mut self, draft: &mut Draft) {
        draft.set_cursor(self.received);
        if is_planted(Bug::ClientAcksBeforeStore) {
            self.stored = self.received;
        }
    }

    fn give(
        &mut self,
        offset: Offset,
        item: InboxItem,
        conversations: &mut Conversations,
        draft: &mut Draft,
    ) {
        // Offsets are dense, so this is a second line: a message is not given again under another offset.
        if let InboxItem::Message(message) = &item
            && !conversations.take(message)
            && !is_planted(Bug::ClientForgetsShown)
        {
            return;
        }
        self.unacknowledged_bytes += match &item {
            InboxItem::Message(message) => message.body.bytes().len(),
            _ => SMALL_ENTRY_BYTES,
        };
        self.given.push_back(offset);
        draft.store(StoreOperation::PutReceived { offset, item: item.clone() });
        draft.then(After::Event(ClientEvent::of_item(offset, item)));
    }
}
